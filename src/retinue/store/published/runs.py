"""Writing the files of a run: checked against the contract, sorted, synced, never changed afterwards."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from retinue.errors import StoreError
from retinue.store.published.contract import TABLES, TableContract
from retinue.store.published.manifest import File, Manifest, Part, check_run_id
from retinue.store.published.parquet import (
    ROWS_PER_GROUP,
    ROWS_PER_SMALL_GROUP,
    replace_file,
    sync_folder,
    write_parquet,
)

_MONTH = re.compile(r"\d{4}-\d{2}")


class RunWriter:
    """Writes one run under `home`; nothing of it counts before `finish`, and then not before it is published.

    A writer that is left without `finish` leaves a folder without manifest, which `sweep` removes.
    """

    def __init__(self, home: Path, run_id: str):
        self.home = home
        self.run_id = check_run_id(run_id)
        self.folder = home / "runs" / run_id
        self.files: dict[str, File] = {}
        try:
            self.folder.mkdir(parents=True)
        except FileExistsError:
            raise StoreError(f"run {run_id} has been written before: {self.folder}") from None
        except OSError as error:
            raise StoreError(f"cannot write {self.folder}: {error.strerror}") from None

    def write(self, table: str, rows: pa.Table | pa.RecordBatchReader, part: str | None = None) -> File:
        """Write one table, of one month (`part` is `yyyy-mm`) or, for tables that are not dated, of the run.

        A pa.Table is sorted if need be. A RecordBatchReader is written as it streams by, so its rows
        must come sorted by the key. Raises StoreError if the rows do not keep the contract.
        """
        contract = _contract(table)
        if contract.dated != (part is not None):
            raise StoreError(f"table {table} is {'' if contract.dated else 'not '}written by month")
        if part is not None and not _MONTH.fullmatch(part):
            raise StoreError(f"not a month: {part!r}; write yyyy-mm")
        path = self.folder / (part or "") / f"{table}.parquet"
        name = path.relative_to(self.home).as_posix()
        if name in self.files:
            raise StoreError(f"{name} has been written before")
        schema = conform_schema(contract, rows.schema)
        if isinstance(rows, pa.Table):
            batches: Iterable[pa.RecordBatch] = _sorted(
                contract, _conform(contract, schema, rows)
            ).to_batches()
        else:
            batches = _in_order(contract, schema, rows)
        group_rows = ROWS_PER_SMALL_GROUP if table == "timeline" else ROWS_PER_GROUP
        self.files[name] = write_parquet(
            path, schema, _of_month(contract, batches, part), group_rows=group_rows
        )
        return self.files[name]

    def parts(self, dates: Iterable[date]) -> tuple[Part, ...]:
        """The parts of this run, for the dates that it computed, also those without a single row."""
        months: dict[str, list[date]] = {}
        for day in sorted(set(dates)):
            months.setdefault(f"{day:%Y-%m}", []).append(day)
        return tuple(
            Part(
                path=f"runs/{self.run_id}/{month}",
                dates=tuple(days),
                tables=tuple(t for t in TABLES if f"runs/{self.run_id}/{month}/{t}.parquet" in self.files),
            )
            for month, days in months.items()
        )

    def whole(self) -> dict[str, str]:
        """The tables of this run that are not dated: {table: path}."""
        paths = {table: f"runs/{self.run_id}/{table}.parquet" for table in TABLES}
        return {table: path for table, path in paths.items() if path in self.files}

    def finish(self, manifest: Manifest) -> Manifest:
        """Write the manifest, with this run's files filled in, after everything else is on disk."""
        if manifest.run_id != self.run_id:
            raise StoreError(f"the manifest is of run {manifest.run_id}, not of {self.run_id}")
        manifest = dataclasses.replace(manifest, files=dict(sorted(self.files.items())))
        for folder in sorted({(self.home / name).parent for name in self.files}):
            sync_folder(folder)
        sync_folder(self.folder)
        text = json.dumps(manifest.to_dict(), indent=1, ensure_ascii=False).encode()
        replace_file(self.home / manifest.path, lambda sink: sink.write(text))
        sync_folder(self.folder)
        sync_folder(self.folder.parent)
        sync_folder(self.home)
        return manifest


def sweep(home: Path, keep: Collection[str] = (), unpublished: Collection[str] = ()) -> list[str]:
    """Remove the folders of runs that were never finished, and those `unpublished`; returns their ids.

    Call it while holding the home's lock: another run's folder has no manifest until it is done.
    """
    removed = []
    runs = home / "runs"
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        unfinished = folder.is_dir() and not (folder / "manifest.json").exists()
        if folder.name in unpublished or (unfinished and folder.name not in keep):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
    return removed


def conform_schema(contract: TableContract, found: pa.Schema) -> pa.Schema:
    """The schema to write: the contract's columns in its order, then attributes by name."""
    names = list(found.names)
    missing = [name for name in contract.names if name not in names]
    if missing:
        raise StoreError(f"table {contract.name} lacks the column {', '.join(missing)}")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise StoreError(f"table {contract.name} has the column {', '.join(repeated)} twice")
    extra = sorted(set(names) - set(contract.names))
    if extra and not contract.attributes:
        raise StoreError(f"table {contract.name} has no column {', '.join(extra)}")
    attributes = [pa.field(name, _attribute_type(contract, found.field(name))) for name in extra]
    return pa.schema([*contract.schema(), *attributes])


def _contract(table: str) -> TableContract:
    if table not in TABLES:
        raise StoreError(f"no published table is called {table!r}", hint="one of " + ", ".join(TABLES))
    return TABLES[table]


def _attribute_type(contract: TableContract, field: pa.Field) -> pa.DataType:
    found = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_null(found) or pa.types.is_string(found) or pa.types.is_large_string(found):
        return pa.string()
    if pa.types.is_integer(found) or pa.types.is_floating(found) or pa.types.is_decimal(found):
        return pa.float64()
    if pa.types.is_boolean(found):
        return pa.bool_()
    if pa.types.is_date(found):
        return pa.date32()
    if pa.types.is_timestamp(found):
        return pa.timestamp("us")
    raise StoreError(
        f"table {contract.name}, attribute {field.name}: cannot hold values of type {field.type}"
    )


def _conform(contract: TableContract, schema: pa.Schema, rows: pa.Table) -> pa.Table:
    """The rows in the contract's types. Floats lose NaN (refused) and the sign of zero."""
    columns = []
    for field in schema:
        column = rows.column(field.name)
        place = f"table {contract.name}, column {field.name}"
        if column.type != field.type:
            try:
                column = pc.cast(column, field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                reason = str(error).splitlines()[0]
                raise StoreError(f"{place}: {column.type} does not fit {field.type}: {reason}") from None
        if not field.nullable and column.null_count:
            raise StoreError(f"{place}: {column.null_count} rows are empty")
        if pa.types.is_floating(field.type):
            column = pc.add(column, 0.0)
            if pc.any(pc.is_nan(column)).as_py():
                raise StoreError(f"{place}: not a number; empty is written as null")
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _sorted(contract: TableContract, rows: pa.Table) -> pa.Table:
    if _ordered(contract, rows):
        return rows
    # Where a key can repeat, all columns decide, so that the order of the input never shows.
    order = contract.key if contract.unique else (*contract.key, *beside_key(contract, rows.schema))
    sorting = [(name, "ascending", "at_start") for name in order]
    rows = rows.take(pc.sort_indices(rows, sort_keys=sorting))
    if contract.unique and not _ordered(contract, rows):
        raise StoreError(f"table {contract.name}: {_first_repeated(contract, rows)} is there twice")
    return rows


def beside_key(contract: TableContract, schema: pa.Schema) -> tuple[str, ...]:
    """The columns that are not in the key, in their order."""
    return tuple(name for name in schema.names if name not in contract.key)


def _ordered(contract: TableContract, rows: pa.Table, ties: bool = False) -> bool:
    """Whether every key is greater than the one before it, or with `ties` not less."""
    if rows.num_rows < 2:
        return True
    rows = rows.select(contract.key).combine_chunks()
    if any(column.null_count for column in rows.columns):
        return False
    later = pa.scalar(ties)
    for name in reversed(contract.key):
        column = rows.column(name)
        before, after = column.slice(0, rows.num_rows - 1), column.slice(1)
        later = pc.or_(pc.greater(after, before), pc.and_(pc.equal(after, before), later))
    return bool(pc.all(later).as_py())


def _first_repeated(contract: TableContract, rows: pa.Table) -> str:
    counted = rows.group_by(list(contract.key), use_threads=False).aggregate([([], "count_all")])
    first = counted.filter(pc.greater(counted["count_all"], 1)).slice(0, 1).to_pylist()[0]
    return ", ".join(f"{name} {first[name]}" for name in contract.key)


def _in_order(
    contract: TableContract, schema: pa.Schema, reader: pa.RecordBatchReader
) -> Iterator[pa.RecordBatch]:
    """The batches of a stream, checked as they pass, with the last key of one against the next."""
    last: pa.Table | None = None
    for batch in reader:
        if not batch.num_rows:
            continue
        rows = _conform(contract, schema, pa.Table.from_batches([batch]))
        seam = rows if last is None else pa.concat_tables([last, rows])
        if not _ordered(contract, seam, ties=not contract.unique):
            raise StoreError(
                f"table {contract.name}: streamed rows are not sorted by {', '.join(contract.key)}"
            )
        last = rows.slice(rows.num_rows - 1)
        yield from rows.to_batches()


def _of_month(
    contract: TableContract, batches: Iterable[pa.RecordBatch], month: str | None
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if month is not None and batch.num_rows:
            ends = pc.min_max(batch.column("as_of"))
            if {f"{ends[end].as_py():%Y-%m}" for end in ("min", "max")} != {month}:
                raise StoreError(f"table {contract.name}: rows outside {month} in its part")
        yield batch
