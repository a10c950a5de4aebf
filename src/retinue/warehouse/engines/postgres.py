"""PostgreSQL as the engine: facts are read in place, and results are temporary tables.

Everything goes through one session, by ADBC: temporary tables are of a session, and rows come and
go as Arrow. Ibis only compiles. The user of the URL needs SELECT on the facts and TEMP on the
database; nothing that others could see is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import adbc_driver_manager.dbapi as adbc
import ibis.expr.operations as ops
import ibis.expr.schema as sch
import ibis.expr.types as ir
import pyarrow as pa
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.postgres import Backend
from ibis.backends.sql.datatypes import PostgresType

from retinue import postgres
from retinue.errors import RunError
from retinue.project.project import Project
from retinue.warehouse.engine import Engine, Refused
from retinue.warehouse.engines import duckdb
from retinue.warehouse.engines.postgres_sql import FUNCTIONS, bytewise, compiler
from retinue.warehouse.trace import Trace

_SETTINGS = {
    # Tables are used once or twice: time spent on compiling plans is lost.
    "jit": "off",
    # Without an index, and often without statistics, nested loops are the one plan that can explode.
    "enable_nestloop": "off",
    "work_mem": "64MB",
    "temp_buffers": "64MB",
    "default_statistics_target": "20",
    "statement_timeout": "0",
    "client_min_messages": "error",
}
#: Statistics are worth their time from so many bytes on.
_LARGE = 4 << 20

# As `postgres.connect` finds tables: those that a bare name means come first.
_TABLES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
UNION
SELECT n.nspname || '.' || c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
"""

_COLUMNS = """
SELECT a.attname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid),
                              CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END), t.typtype
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


class _Compiling(Backend):
    """Ibis's PostgreSQL without a connection of its own."""

    compiler = compiler


@dataclass(frozen=True)
class Postgres(Engine):
    """`session` is the connection; `con` knows nothing of it."""

    session: Any = None

    errors: ClassVar[tuple[type[Exception], ...]] = (Refused,)

    def begin(self, timezone: str) -> None:
        """Settings and functions of the session."""
        for name, value in {**_SETTINGS, "TimeZone": timezone}.items():
            self._answer("SELECT set_config($1, $2, false)", [name, value])
        for function in FUNCTIONS:
            self._do(function)

    def tables(self) -> list[str]:
        return sorted(self._answer(_TABLES).column(0).to_pylist())

    def has(self, name: str) -> bool:
        return name in self.tables()

    def table(self, name: str) -> ir.Table:
        schema, _, bare = name.rpartition(".")
        place = sge.table_(bare, db=schema or None, quoted=True).sql("postgres")
        columns = self._answer(_COLUMNS, [place]).to_pydict()
        spelled, kinds, letters = columns.values()
        known = {
            column: _kind(kind) if letter in "bd" else None
            for column, kind, letter in zip(spelled, kinds, letters, strict=True)
        }
        told = sch.Schema({column: kind or "string" for column, kind in known.items()})
        namespace = ops.Namespace(database=schema or None)
        found = ops.DatabaseTable(bare, schema=told, source=self.con, namespace=namespace).to_expr()
        # A cast of text to text is none to Ibis, so what is not text goes by way of a function.
        return found.select(
            **{column: found[column] if kind else bytewise(found[column]) for column, kind in known.items()}
        )

    def interrupt(self) -> None:
        super().interrupt()
        with suppress(adbc.Error):
            self.session.adbc_cancel()

    def close(self) -> None:
        self.session.close()

    def apart(self, expression: ir.Table) -> ir.Table:
        # PostgreSQL writes columns out wherever they are named, but for subqueries with a limit.
        return expression.limit(_EVERY)

    def _created(self, unique: str, expression: ir.Table) -> ir.Table:
        schema = expression.schema()
        query = self.con.compiler.to_sqlglot(expression).subquery("told", copy=False)
        # In the very types that Ibis thinks it has: sums of PostgreSQL have others.
        columns = [
            _typed(sg.column(name, table="told", quoted=True), kind).as_(name, quoted=True)
            for name, kind in schema.items()
        ]
        self._make(unique, expression=sg.select(*columns).from_(query))
        return self._stored(unique, schema)

    def _received(self, unique: str, rows: pa.RecordBatchReader) -> ir.Table:
        schema = sch.Schema.from_pyarrow(rows.schema)
        columns = [
            sge.ColumnDef(
                this=sg.to_identifier(name, quoted=True),
                kind=PostgresType.from_ibis(kind),
                constraints=[sge.ColumnConstraint(kind=sge.CollateColumnConstraint(this=_C.copy()))]
                if kind.is_string()
                else [],
            )
            for name, kind in schema.items()
        ]
        self._make(unique, columns=columns)
        with self._asked() as cursor:
            cursor.adbc_ingest(unique, rows, mode="append", temporary=True)
        return self._stored(unique, schema)

    def _dropped(self, unique: str) -> None:
        table = sge.table_(unique, db="pg_temp", quoted=True)
        self._do(sge.Drop(this=table, kind="TABLE", exists=True).sql("postgres"))

    def _fetched(self, expression: ir.Table) -> pa.Table:
        wanted = expression.schema().to_pyarrow()
        return pa.Table.from_batches([_cast(b, wanted) for b in self._rows(expression)], wanted)

    def _batches(self, expression: ir.Table) -> Iterator[pa.RecordBatch]:
        wanted = expression.schema().to_pyarrow()
        for batch in self._rows(expression):
            yield _cast(batch, wanted)

    def _rows(self, expression: ir.Table) -> Iterator[pa.RecordBatch]:
        with self._asked() as cursor:
            cursor.execute(self.con.compile(expression))
            yield from cursor.fetch_record_batch()

    def _make(
        self,
        unique: str,
        *,
        columns: list[sge.ColumnDef] | None = None,
        expression: sge.Expression | None = None,
    ) -> None:
        name: sge.Expression = sge.table_(unique, db="pg_temp", quoted=True)
        if columns is not None:
            name = sge.Schema(this=name, expressions=columns)
        self._do(sge.Create(this=name, kind="TABLE", expression=expression).sql("postgres"))

    def _stored(self, unique: str, schema: sch.Schema) -> ir.Table:
        size = self._answer("SELECT pg_relation_size(to_regclass($1))", [f'pg_temp."{unique}"'])
        if size.column(0)[0].as_py() >= _LARGE:
            self._do(f"ANALYZE {sge.table_(unique, db='pg_temp', quoted=True).sql('postgres')}")
        namespace = ops.Namespace(database="pg_temp")
        # A stored time has a scale, as on other engines, or it could not meet one that is read back.
        schema = sch.Schema(
            {n: kind.copy(scale=6) if kind.is_timestamp() else kind for n, kind in schema.items()}
        )
        return ops.DatabaseTable(unique, schema=schema, source=self.con, namespace=namespace).to_expr()

    def _do(self, statement: str) -> None:
        with self._asked() as cursor:
            cursor.execute(statement)

    def _answer(self, question: str, parameters: list[Any] | None = None) -> pa.Table:
        with self._asked() as cursor:
            cursor.execute(question, parameters)
            return cursor.fetch_arrow_table()

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        """A cursor; what the server refuses is one line, without the statement."""
        try:
            with self.session.cursor() as cursor:
                yield cursor
        except adbc.Error as error:
            raise Refused(_said(error)) from None


#: More rows than there are.
_EVERY = 2**62
_C = sg.to_identifier("C", quoted=True)


def _typed(column: sge.Expression, kind: Any) -> sge.Expression:
    cast = sge.Cast(this=column, to=PostgresType.from_ibis(kind))
    return sge.Collate(this=cast, expression=_C.copy()) if kind.is_string() else cast


def _kind(told: str) -> Any:
    """A type of PostgreSQL as Ibis has it; None for what is read as the text that it writes."""
    kind = PostgresType.from_string(told)
    if kind.is_numeric() or kind.is_boolean() or kind.is_date() or kind.is_timestamp():
        return kind
    return None


def _cast(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    """Rows in the types that Ibis says they have; decimals come as text."""
    columns = [
        (column.storage if isinstance(column.type, pa.BaseExtensionType) else column).cast(field.type)
        for column, field in zip(batch.columns, wanted, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=wanted)


def _said(error: Exception) -> str:
    # The driver repeats the statement before what is wrong with it, the server a part of it behind.
    text = " ".join(str(error).split()).rpartition("ERROR: ")[2]
    return re.split(r"\.? (?:SQLSTATE: |Query was: |CONTEXT: |LINE \d+: )", text)[0].strip()


@contextmanager
def opened(project: Project, threads: int | None, trace: Trace) -> Iterator[Engine]:
    """A session of the database, whose days are those of the project."""
    url = project.settings.engine
    place = project.place("settings", "engine")
    try:
        with duckdb.opened(project, threads, trace) as files, postgres.connect(url) as session:
            session.adbc_connection.set_autocommit(True)
            engine = Postgres(_Compiling(), files, trace=trace, session=session)
            engine.begin(project.settings.timezone)
            yield engine
    except postgres.Unreachable as error:
        raise RunError(error.message, place=place, hint=error.hint) from None
    except (Refused, adbc.Error) as error:
        raise RunError(
            f"the engine {postgres.shown(url)}: {error if isinstance(error, Refused) else _said(error)}",
            place=place,
            hint="its user needs SELECT on the facts and TEMP on the database; what was published stays",
        ) from None
