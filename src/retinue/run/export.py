"""Writing published tables to a database or warehouse, for BI.

A destination also has the table `runs`, which says of each table whose and of which run it is, and
`_parts`, which says which files the rows of each date came from. Files never change, so dates
whose files are the same are left as they are: a night writes what the night computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from retinue import postgres
from retinue.errors import NotFound, StoreError
from retinue.store.published.contract import TABLES, TableContract
from retinue.store.published.snapshots import Published
from retinue.warehouse.destinations.destination import Destination, Layout, Opened

if TYPE_CHECKING:
    from retinue.workspace import Workspace

#: Where tables go unless the URL or the caller names another schema.
SCHEMA = "retinue"

RUNS = Layout(
    "runs",
    pa.schema(
        [
            pa.field("table_name", pa.string(), nullable=False),
            pa.field("project", pa.string(), nullable=False),
            pa.field("run_id", pa.string(), nullable=False),
            pa.field("finished_at", pa.timestamp("us"), nullable=False),
            pa.field("first_as_of", pa.date32()),
            pa.field("last_as_of", pa.date32()),
            pa.field("package", pa.string(), nullable=False),
        ]
    ),
    key=("table_name",),
    meaning="Of which run each table is.",
    meanings={
        "table_name": "The table.",
        "project": "The project that it belongs to.",
        "run_id": "The run that was current when it was exported.",
        "finished_at": "When that run was finished, in UTC.",
        "first_as_of": "The first published date.",
        "last_as_of": "The last published date.",
        "package": "The version of Retinue that computed it.",
    },
)
PARTS = Layout(
    "_parts",
    pa.schema(
        [
            pa.field("table_name", pa.string(), nullable=False),
            pa.field("as_of", pa.date32()),
            pa.field("part", pa.string(), nullable=False),
        ]
    ),
    meaning="Which files the rows of each date came from; for the next export.",
)


@dataclass(frozen=True)
class Delivered:
    """What was written of a table: rows, and of how many dates (None for tables without dates)."""

    rows: int
    dates: int | None


def export_to(
    workspace: Workspace,
    url: str,
    *,
    schema: str | None = None,
    tables: Iterable[str] | None = None,
    full: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Delivered]:
    """Write the current tables to the database at `url`; afterwards it holds what `export` writes.

    Only dates that changed since the last export are written, unless `full`. Whatever goes wrong,
    what was there before stays. Raises NotFound for an unknown table and before the first run,
    StoreError, in which there is no password, for everything that the destination does not take.
    """
    names = list(TABLES if tables is None else dict.fromkeys(tables))
    unknown = [name for name in names if name not in TABLES]
    if unknown:
        raise NotFound(f"no published table is called {unknown[0]!r}", hint="one of " + ", ".join(TABLES))
    workspace.published()
    with opened(url, schema) as destination:
        # Read again: another export may have gone first, and a run before it.
        sending = _Sending(workspace.published(), destination, workspace.project.settings.project, full)
        told = {}
        for number, name in enumerate(names):
            if progress:
                progress(f"writing {name}", number / len(names))
            told[name] = sending.send(TABLES[name])
        sending.close()
    return told


def shown(url: str, schema: str | None = None) -> str:
    """Where tables go, as people may see it."""
    return f"{postgres.shown(url)} {schema or _schema(url)}"


def _schema(url: str) -> str:
    return (postgres.option(url, "schema") if postgres.is_postgres(url) else None) or SCHEMA


def opened(url: str, schema: str | None) -> Opened:
    """The destination that `url` names; importing it here keeps other drivers out."""
    schema = schema or _schema(url)
    if postgres.is_postgres(url):
        from retinue.warehouse.destinations import postgres as to_postgres

        return to_postgres.opened(url, schema)
    kind, mark, path = url.partition("://")
    if not mark:
        raise StoreError(
            "not the URL of a database",
            hint="write postgresql://user@host/db or duckdb:///path/to/file.duckdb",
        )
    if kind == "duckdb":
        from retinue.warehouse.destinations import duckdb as to_duckdb

        return to_duckdb.opened(path, schema)
    from retinue.warehouse.destinations import other

    return other.opened(url, schema)


@dataclass
class _Sending:
    """One export: what is published, where it goes, and what is there."""

    published: Published
    destination: Destination
    project: str
    full: bool
    runs: dict[str, dict[str, Any]] = field(init=False)
    parts: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        own = all(self._is(one) for one in (RUNS, PARTS))
        self.runs = {row["table_name"]: row for row in self._rows(RUNS)} if own else {}
        self.parts = self._rows(PARTS) if own else []
        for row in self.runs.values():
            if row["project"] != self.project:
                raise StoreError(
                    f"the schema holds the tables of another project, {row['project']!r}",
                    hint="name another schema with --schema, or drop it first",
                )
        for layout in (RUNS, PARTS):
            if not own:
                self._ours(layout.name)

    def send(self, contract: TableContract) -> Delivered:
        """Bring one table up to date."""
        layout = _layout(contract, self.published.schema(contract.name))
        name = layout.name
        there = self.destination.columns(name)
        now = self.published.versions(name)
        before = {row["as_of"]: row["part"] for row in self.parts if row["table_name"] == name}
        if there is not None and name not in self.runs:
            self._ours(name)
        keep = self.destination.builds_on_earlier and not self.full and there == _columns(layout)
        if not keep:
            before = {}
        changed = {day for day, part in now.items() if before.get(day) != part}
        stale = changed | (before.keys() - now.keys())
        if there is None:
            self.destination.create(layout)
        elif not self.destination.builds_on_earlier or there != _columns(layout):
            self.destination.reshape(layout)
        elif not keep or stale >= before.keys():
            self.destination.delete(name, None)
        elif old := [day for day in stale if day is not None and day in before]:
            self.destination.delete(name, old)
        rows = 0
        if changed:
            days = {day for day in changed if day is not None}
            rows = self._append(layout, self.published.batches(name, days if contract.dated else None))
        if there is None:
            self.destination.finish(layout)
        manifest, dates = self.published.manifest, self.published.dates()
        self.runs[name] = {
            "table_name": name,
            "project": self.project,
            "run_id": manifest.run_id,
            "finished_at": manifest.finished_at.astimezone(UTC).replace(tzinfo=None),
            "first_as_of": dates[0] if dates else None,
            "last_as_of": dates[-1] if dates else None,
            "package": manifest.package,
        }
        self.parts = [row for row in self.parts if row["table_name"] != name]
        self.parts += [{"table_name": name, "as_of": day, "part": part} for day, part in now.items()]
        return Delivered(rows, len(changed) if contract.dated else None)

    def close(self) -> None:
        """Write down what is there now."""
        for layout, rows in ((RUNS, list(self.runs.values())), (PARTS, self.parts)):
            new = self.destination.columns(layout.name) is None
            if new:
                self.destination.create(layout)
            elif self.destination.builds_on_earlier:
                self.destination.delete(layout.name, None)
            else:
                self.destination.reshape(layout)
            self._append(layout, pa.Table.from_pylist(rows, layout.schema).to_batches())
            if new:
                self.destination.finish(layout)

    def _is(self, layout: Layout) -> bool:
        there = self.destination.columns(layout.name)
        if self.destination.builds_on_earlier:
            return there == _columns(layout)
        # Other databases may have other types for the same.
        return there is not None and there.keys() == _columns(layout).keys()

    def _rows(self, layout: Layout) -> list[dict[str, Any]]:
        rows = pa.Table.from_pylist(self.destination.rows(layout.name))
        return rows.cast(layout.schema).to_pylist() if rows.num_rows else []

    def _append(self, layout: Layout, batches: Iterable[pa.RecordBatch]) -> int:
        failed: list[BaseException] = []

        def guarded() -> Iterator[pa.RecordBatch]:
            # Drivers tell of an error on our side in words of their own.
            try:
                yield from batches
            except BaseException as error:
                failed.append(error)
                raise

        try:
            return self.destination.append(
                layout, pa.RecordBatchReader.from_batches(layout.schema, guarded())
            )
        except Exception:
            if failed:
                raise failed[0] from None
            raise

    def _ours(self, name: str) -> None:
        """Refuse to touch a table that no export has made."""
        if self.destination.columns(name) is not None:
            raise StoreError(
                f"there is a table {name!r} in the schema that no export has made",
                hint="name another schema with --schema, or drop the table",
            )


def _columns(layout: Layout) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in layout.schema}


def _layout(contract: TableContract, schema: pa.Schema) -> Layout:
    """Keys where rows are unique, otherwise an index of the key; and one of the date."""
    key = contract.key if contract.unique else ()
    indexes = [] if contract.unique else [contract.key]
    if contract.dated:
        indexes.append(("as_of",))
    return Layout(
        contract.name,
        schema,
        key,
        tuple(indexes),
        contract.meaning,
        {column.name: column.meaning for column in contract.columns},
    )
