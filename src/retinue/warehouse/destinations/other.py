"""Writing to any other database or warehouse that Ibis knows.

Not all of them have transactions over several tables. New tables are written beside the old ones
under other names, and take their place one by one once all of them are there: a failure before
that leaves everything as it was, and readers see whole tables, for a moment of two exports.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

import ibis
import pyarrow as pa

from retinue import postgres
from retinue.errors import StoreError
from retinue.warehouse.destinations.destination import Layout

#: Rows that are sent at a time.
_AT_ONCE = 200_000
_EXTRAS = {"bigquery": "bigquery", "clickhouse": "clickhouse", "pyspark": "spark", "snowflake": "snowflake"}


@contextmanager
def opened(url: str, schema: str) -> Iterator[Warehouse]:
    kind = url.partition("://")[0]
    try:
        con = ibis.connect(url)
    except (ImportError, ModuleNotFoundError):
        extra = f"'retinue[{_EXTRAS[kind]}]'" if kind in _EXTRAS else f"'ibis-framework[{kind}]'"
        raise StoreError(f"the driver of {kind} is not installed", hint=f"pip install {extra}") from None
    except Exception as error:  # noqa: BLE001 - every driver has errors of its own
        raise _told(url, error) from None
    try:
        warehouse = Warehouse(con, schema)
        warehouse.begin()
        yield warehouse
        warehouse.swap()
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001
        raise _told(url, error) from None
    finally:
        con.disconnect()


def _told(url: str, error: Exception) -> StoreError:
    return StoreError(
        f"cannot export to {postgres.shown(url)}: {postgres.said(error, url)[:400]}",
        hint="postgresql://user@host/db, duckdb:///path or the URL of a warehouse that Ibis knows",
    )


@dataclass
class Warehouse:
    con: Any
    schema: str
    staged: list[Layout] = field(default_factory=list)

    builds_on_earlier: ClassVar[bool] = False

    def begin(self) -> None:
        # Not with `force`, which replaces a schema that is there on some of them.
        if self._schemas and self.schema not in self.con.list_databases():
            self.con.create_database(self.schema)

    def columns(self, name: str) -> dict[str, pa.DataType] | None:
        if self._named(name) not in self.con.list_tables(**self._place):
            return None
        schema = self.con.table(self._named(name), **self._place).schema()
        return {column: kind.to_pyarrow() for column, kind in schema.items()}

    def rows(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            self.con.table(self._named(name), **self._place).to_pyarrow().to_pylist()
        )
        return found

    def create(self, layout: Layout) -> None:
        schema = ibis.Schema.from_pyarrow(layout.schema)
        loose = ibis.schema({name: kind.copy(nullable=True) for name, kind in schema.items()})
        self.con.create_table(self._new(layout), schema=loose, overwrite=True, **self._place)
        self.staged.append(layout)

    def reshape(self, layout: Layout) -> None:
        self.create(layout)

    def delete(self, name: str, days: Collection[date] | None) -> None:
        """The new table is empty as it is."""

    def append(self, layout: Layout, rows: pa.RecordBatchReader) -> int:
        count = 0
        waiting: list[pa.RecordBatch] = []
        for batch in rows:
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= _AT_ONCE:
                count += self._insert(layout, waiting)
                waiting = []
        return count + (self._insert(layout, waiting) if waiting else 0)

    def finish(self, layout: Layout) -> None:
        """Keys and indexes are for databases that have them."""

    def swap(self) -> None:
        """Put the new tables in the place of the old ones."""
        for layout in self.staged:
            new = self.con.table(self._new(layout), **self._place)
            self.con.create_table(self._named(layout.name), new, overwrite=True, **self._place)
        for layout in self.staged:
            self.con.drop_table(self._new(layout), force=True, **self._place)

    def _insert(self, layout: Layout, batches: list[pa.RecordBatch]) -> int:
        rows = pa.Table.from_batches(batches, layout.schema)
        self.con.insert(self._new(layout), ibis.memtable(rows), **self._place)
        return int(rows.num_rows)

    @property
    def _schemas(self) -> bool:
        return hasattr(self.con, "create_database") and self.con.name != "sqlite"

    @property
    def _place(self) -> dict[str, str]:
        return {"database": self.schema} if self._schemas else {}

    def _named(self, name: str) -> str:
        return name if self._schemas else f"{self.schema}_{name}"

    def _new(self, layout: Layout) -> str:
        return f"{self._named(layout.name)}_new"
