"""Writing to a DuckDB file, everything in one transaction.

DuckDB lets nobody else open the file meanwhile, so nobody sees half of it either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import duckdb
import pyarrow as pa
import sqlglot as sg
import sqlglot.expressions as sge

from retinue.errors import StoreError
from retinue.warehouse.destinations.destination import Layout, Statements

_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.float64(): "DOUBLE",
    pa.int64(): "BIGINT",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
}
_ARROW = {name: kind for kind, name in _TYPES.items()}


@contextmanager
def opened(path: str, schema: str) -> Iterator[DuckDB]:
    """The schema in the file at `path`, both made as needed, in a transaction."""
    try:
        with duckdb.connect(path) as connection:
            connection.execute("SET enable_progress_bar = false")
            connection.execute("BEGIN")
            (catalog,) = connection.execute("SELECT current_database()").fetchone() or ("",)
            place = sge.table_(schema, db=catalog, quoted=True)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {place.sql('duckdb')}")
            yield DuckDB(connection, catalog, schema)
            connection.execute("COMMIT")
    except duckdb.Error as error:
        said = str(error).strip().splitlines()[0]
        hint = "what was exported before is still there"
        if "lock" in said.lower():
            hint = "close what has the file open; DuckDB lets one program write, or several read"
        raise StoreError(f"cannot export to {path}: {said}", hint=hint) from None


@dataclass(frozen=True)
class DuckDB(Statements):
    """No keys: DuckDB would take a key that is deleted and added again for a copy."""

    connection: duckdb.DuckDBPyConnection
    catalog: str
    schema: str

    builds_on_earlier: ClassVar[bool] = True
    dialect: ClassVar[str] = "duckdb"
    types: ClassVar[dict[pa.DataType, str]] = _TYPES

    def columns(self, name: str) -> dict[str, pa.DataType] | None:
        found = self.connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = $3 "
            "AND schema_name = $1 AND table_name = $2 ORDER BY column_index",
            [self.schema, name, self.catalog],
        )
        return {column: _ARROW.get(kind, pa.null()) for column, kind in found.fetchall()} or None

    def rows(self, name: str) -> list[dict[str, Any]]:
        found = self.connection.execute(sg.select("*").from_(self.table(name)).sql("duckdb"))
        told: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
        return told

    def reshape(self, layout: Layout) -> None:
        self.do("DROP TABLE", self.table(layout.name))
        self.create(layout)
        self.finish(layout)

    def delete(self, name: str, days: Collection[date] | None) -> None:
        where: list[str | sge.Expr] = []
        if days is not None:
            told = [sge.Date(this=sge.Literal.string(day.isoformat())) for day in sorted(days)]
            where = ["WHERE", sg.column("as_of").isin(*told)]
        self.do("DELETE FROM", self.table(name), *where)

    def append(self, layout: Layout, rows: pa.RecordBatchReader) -> int:
        name = "rows of this process"
        self.connection.register(name, rows)
        try:
            found = sg.select("*").from_(sge.table_(name, quoted=True))
            told = self.connection.execute(
                self.sql("INSERT INTO", self.table(layout.name), "BY NAME", found)
            ).fetchone()
        finally:
            self.connection.unregister(name)
        return int(told[0]) if told else 0

    def finish(self, layout: Layout) -> None:
        self.comment(layout)

    def execute(self, statement: str) -> None:
        self.connection.execute(statement)

    def table(self, name: str) -> sge.Table:
        # With the catalog: a file may be called like the schema.
        return sge.table_(name, db=self.schema, catalog=self.catalog, quoted=True)
