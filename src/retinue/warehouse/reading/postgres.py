"""Tables of PostgreSQL, streamed into the engine.

What Arrow and the engine hold exactly keeps its type: whole numbers, floats, yes or no, text,
dates, times with and without a zone, and decimals of up to 38 digits. Everything else (decimals
without a declared size, uuid, json, enums, arrays, ...) comes as the text that PostgreSQL writes,
as from a file without types. `infinity` is no date; it is read as empty, so what ends at infinity
has no end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import sqlglot as sg
import sqlglot.expressions as sge

from retinue import postgres
from retinue.errors import Place, SourceError
from retinue.warehouse.engine import Engine
from retinue.warehouse.reading.hints import nearest

_AS_IT_IS = {"int2", "int4", "int8", "float4", "float8", "bool", "text", "varchar"}
_TIMES = {"date", "timestamp", "timestamptz"}
#: Decimals of the engine have no more digits.
_DIGITS = 38

# The schema in search_path that a bare name means comes first.
_TABLES = """
SELECT n.nspname, c.relname, c.oid, pg_table_is_visible(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 4 DESC, 1, 2
"""

# A domain stands for the type that it is made of.
_COLUMNS = """
SELECT a.attname, CASE WHEN t.typtype = 'd' THEN b.typname ELSE t.typname END,
       CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


@dataclass(frozen=True)
class _Column:
    """A column of a table: its type, and the digits (all, behind the point) of a bounded decimal."""

    name: str
    kind: str
    digits: tuple[int, int] | None

    def asked(self) -> sge.Expr:
        """What PostgreSQL is asked for."""
        column: sge.Expr = sg.column(self.name, quoted=True)
        if self.kind in _TIMES:
            finite = sge.Anonymous(this="isfinite", expressions=[column])
            column = sge.Case().when(finite, column.copy())
        elif self.kind == "money":
            # As text it would have the sign and the marks of a country.
            column = sg.cast(sg.cast(column, "decimal"), "text")
        elif self.kind not in _AS_IT_IS:
            column = sg.cast(column, "text")
        return sge.alias_(column, self.name, quoted=True)

    def kept(self, table: ir.Table) -> ir.Value:
        """What the engine keeps; NaN becomes empty."""
        column = table[self.name]
        return column.try_cast(f"decimal({self.digits[0]}, {self.digits[1]})") if self.digits else column


def read(engine: Engine, url: str, table: str, what: str) -> tuple[Place, ir.Table]:
    """The table or view `table` (or `schema.table`) of the database at `url`, as of one moment.

    Neither the place nor the SourceError that it raises holds a password.
    """
    place = Place(postgres.shown(url))
    if not postgres.is_postgres(url):
        raise SourceError(
            f"{what}: cannot read databases of the kind {url.partition(':')[0]!r}",
            place=place,
            hint="`database` is a DuckDB or SQLite file, or postgresql://...; from others write Parquet,"
            " or let `engine` be the database itself",
        )
    broken: tuple[type[Exception], ...] = (duckdb.Error, *postgres.errors())
    try:
        with postgres.connect(url) as connection, connection.cursor() as cursor:

            def read() -> tuple[Place, ir.Table]:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                schema, name, columns = _found(cursor, table, postgres.option(url, "schema"), what, place)
                _usable(columns, table, what, place)
                question = sg.select(*(column.asked() for column in columns)).from_(
                    sge.table_(name, db=schema, quoted=True)
                )
                cursor.execute(question.sql("postgres"))
                stored = _stored(engine, cursor.fetch_record_batch(), columns)
                return Place(f"{place.file}/{schema}.{name}"), stored

            return postgres.waiting(connection, read)
    except postgres.Unreachable as error:
        raise SourceError(f"{what}: {error.message}", place=place, hint=error.hint) from None
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except broken as error:
        raise _told(error, url, table, what, place) from None


def _found(
    cursor: Any, table: str, schema: str | None, what: str, place: Place
) -> tuple[str, str, list[_Column]]:
    """Schema, name and columns of the table that `table` means."""
    cursor.execute(_TABLES)
    tables = cursor.fetchall()
    inside, _, name = table.rpartition(".")
    wanted = [(inside, name)] if inside else []
    wanted += [(schema, table)] if schema else []
    for where, named, oid, visible in tables:
        if (where, named) in wanted or (named == table and visible and not schema):
            cursor.execute(_COLUMNS, [oid])
            columns = [_Column(column, kind, _digits(kind, size)) for column, kind, size in cursor.fetchall()]
            return where, named, columns
    names = [named if visible else f"{where}.{named}" for where, named, _, visible in tables]
    raise SourceError(f"{what}: there is no table {table!r}", place=place, hint=nearest(table, names))


def _usable(columns: list[_Column], table: str, what: str, place: Place) -> None:
    names = Counter(column.name.casefold() for column in columns)
    alike = [column.name for column in columns if names[column.name.casefold()] > 1]
    if alike:
        raise SourceError(
            f"{what}: columns of {table} differ by case only: {', '.join(alike)}",
            place=place,
            hint="name a view that calls them differently",
        )
    if not columns:
        raise SourceError(f"{what}: {table} has no columns", place=place, hint="name another table")


def _digits(kind: str, size: int) -> tuple[int, int] | None:
    """How PostgreSQL packs the size of a `numeric`; none for one that the engine cannot hold."""
    if kind != "numeric" or size < 4:
        return None
    whole, behind = (size - 4) >> 16 & 0xFFFF, ((size - 4) & 0x7FF ^ 0x400) - 0x400
    return (whole, behind) if whole <= _DIGITS and 0 <= behind <= whole else None


def _stored(engine: Engine, reader: Any, columns: list[_Column]) -> ir.Table:
    name = ibis.util.gen_name("streamed")
    engine.con.con.register(name, reader)
    try:
        rows = engine.con.table(name)
        return engine.store("read", rows.select(**{column.name: column.kept(rows) for column in columns}))
    finally:
        engine.con.con.unregister(name)


def _told(error: Exception, url: str, table: str, what: str, place: Place) -> SourceError:
    if postgres.sqlstate(error) == "42501":
        return SourceError(
            f"{what}: no permission to read {table}",
            place=place,
            hint=f"GRANT SELECT ON {table} TO the user of the URL, and USAGE on its schema",
        )
    return SourceError(
        f"{what}: {table} cannot be read: {postgres.said(error, url)}",
        place=place,
        hint="what was published stays; try again",
    )
