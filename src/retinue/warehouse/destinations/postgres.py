"""Writing to PostgreSQL: Arrow batches through COPY, everything in one transaction.

Rows are deleted and added, never truncated or swapped: readers are not held up, one that began
before sees what there was, and grants, views and indexes stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import pyarrow as pa
import sqlglot as sg
import sqlglot.expressions as sge

from retinue import postgres
from retinue.errors import StoreError
from retinue.warehouse.destinations.destination import Layout, Statements

#: Seconds to wait for another export, or for readers where columns change.
PATIENCE = 60

_TYPES: dict[pa.DataType, str] = {
    pa.string(): "text",
    pa.float64(): "float8",
    pa.int64(): "int8",
    pa.bool_(): "bool",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp",
}
_ARROW = {name: kind for kind, name in _TYPES.items()}

_COLUMNS = """
SELECT a.attname, t.typname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname = $1 AND c.relname = $2
ORDER BY a.attnum
"""

_HINTS = {
    "42501": "the user of the URL needs CREATE on the database, or to own the schema and its tables",
    "2BP01": "drop what depends on the column, or export into another schema with --schema",
    "55P03": "another export is going on, or a reader holds the table; try again later",
    "25006": "name the primary server, not a copy that is for reading only",
    "53100": "make room on the server and try again",
}


@contextmanager
def opened(url: str, schema: str) -> Iterator[Postgres]:
    """The schema at `url`, made as needed, in a transaction that ends with the context."""
    try:
        with postgres.connect(url) as connection, connection.cursor() as cursor:
            yield _begun(Postgres(connection, cursor, schema))
            connection.commit()
    except postgres.Unreachable as error:
        raise StoreError(error.message, hint=error.hint) from None
    except postgres.errors() as error:
        hint = _HINTS.get(postgres.sqlstate(error), "what was exported before is still there")
        raise StoreError(
            f"cannot export to {postgres.shown(url)}: {postgres.said(error, url)}", hint=hint
        ) from None


def _begun(destination: Postgres) -> Postgres:
    schema = destination.schema
    destination.ask("SELECT set_config('lock_timeout', $1, true)", [f"{PATIENCE}s"])
    destination.ask("SELECT pg_advisory_xact_lock(hashtext($1))", [f"retinue export {schema}"])
    if not destination.ask("SELECT nspname FROM pg_namespace WHERE nspname = $1", [schema]):
        destination.do("CREATE SCHEMA", sg.to_identifier(schema, quoted=True))
    return destination


@dataclass(frozen=True)
class Postgres(Statements):
    connection: Any
    cursor: Any
    schema: str

    builds_on_earlier: ClassVar[bool] = True
    dialect: ClassVar[str] = "postgres"
    types: ClassVar[dict[pa.DataType, str]] = _TYPES

    def columns(self, name: str) -> dict[str, pa.DataType] | None:
        told = self.ask(_COLUMNS, [self.schema, name])
        return {row["attname"]: _ARROW.get(row["typname"], pa.null()) for row in told} or None

    def rows(self, name: str) -> list[dict[str, Any]]:
        return self.ask(sg.select("*").from_(self.table(name)).sql("postgres"))

    def reshape(self, layout: Layout) -> None:
        self.delete(layout.name, None)
        there = self.columns(layout.name) or {}
        table = self.table(layout.name)
        wanted = {field.name: field.type for field in layout.schema}
        for name in [name for name, kind in there.items() if wanted.get(name) != kind]:
            self.do("ALTER TABLE", table, "DROP COLUMN", sg.to_identifier(name, quoted=True))
        for field in layout.schema:
            if there.get(field.name) != field.type:
                self.do("ALTER TABLE", table, "ADD COLUMN", self.column(field))
        self.comment(layout)

    def delete(self, name: str, days: Collection[date] | None) -> None:
        if days is None:
            self.do("DELETE FROM", self.table(name))
        else:
            one = self.sql("DELETE FROM", self.table(name), "WHERE as_of = $1")
            each = pa.record_batch({"day": pa.array(sorted(days), pa.date32())})
            postgres.waiting(self.connection, lambda: self.cursor.executemany(one, each))

    def append(self, layout: Layout, rows: pa.RecordBatchReader) -> int:
        def ingest() -> int:
            told = self.cursor.adbc_ingest(layout.name, rows, mode="append", db_schema_name=self.schema)
            return int(told)

        return postgres.waiting(self.connection, ingest)

    def finish(self, layout: Layout) -> None:
        table = self.table(layout.name)
        if layout.key:
            self.do("ALTER TABLE", table, "ADD PRIMARY KEY", self._names(layout.key))
        for columns in layout.indexes:
            self.do("CREATE INDEX ON", table, self._names(columns))
        self.comment(layout)

    def execute(self, statement: str) -> None:
        postgres.waiting(self.connection, lambda: self.cursor.execute(statement))

    def ask(self, question: str, given: list[Any] | None = None) -> list[dict[str, Any]]:
        def asked() -> list[dict[str, Any]]:
            self.cursor.execute(question, given)
            found: list[dict[str, Any]] = self.cursor.fetch_arrow_table().to_pylist()
            return found

        return postgres.waiting(self.connection, asked)

    def table(self, name: str) -> sge.Table:
        return sge.table_(name, db=self.schema, quoted=True)

    def _names(self, names: tuple[str, ...]) -> str:
        return "(" + ", ".join(self.sql(sg.to_identifier(name, quoted=True)) for name in names) + ")"
