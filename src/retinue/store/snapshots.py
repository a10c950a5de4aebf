"""Reading published runs: of each date what is current, straight from Parquet."""

from __future__ import annotations

import re
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Literal

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from retinue.errors import NotFound, StoreError
from retinue.store.contract import TABLES, TableContract
from retinue.store.manifest import Manifest, Part
from retinue.store.parquet import ROWS_PER_GROUP, regroup, replace_file, sync_folder, write_parquet

# DuckDB takes every path for a pattern.
_GLOB = re.compile(r"([\[*?])")


@dataclass(frozen=True)
class Published:
    """The tables of the run of `manifest`, whose files are under `home`."""

    home: Path
    manifest: Manifest

    def dates(self) -> tuple[date, ...]:
        """Every date that is published, in order."""
        return tuple(sorted(day for part in self.manifest.parts for day in part.dates))

    def previous_dates(self, day: date, count: int = 1) -> tuple[date, ...]:
        """The last `count` published dates before `day`, in order; fewer if there are no more."""
        dates = self.dates()
        before = bisect_left(dates, day)
        return dates[max(before - count, 0) : before]

    def schema(self, name: str) -> pa.Schema:
        """The contract's columns, then the attributes that any part has, by name."""
        contract = _contract(name)
        schema = contract.schema()
        if not contract.attributes:
            return schema
        types: dict[str, pa.DataType] = {}
        for path, _ in self._files(contract):
            for field in _footer(path):
                if field.name in contract.names:
                    continue
                # An attribute whose type changed between runs is text: nothing else holds both.
                known = types.setdefault(field.name, field.type)
                types[field.name] = known if known == field.type else pa.string()
        return pa.schema([*schema, *(pa.field(attribute, types[attribute]) for attribute in sorted(types))])

    def table(
        self,
        name: str,
        *,
        account: str | Sequence[str] | None = None,
        first: date | None = None,
        last: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """One published table, sorted by its key, for an account or several and dates in [first, last].

        Tables that are not dated ignore `first` and `last`; those without accounts ignore `account`.
        Raises NotFound for a table or column that does not exist, StoreError if files are gone or damaged.
        """
        with self._reader(name, account, first, last, columns) as reader:
            return reader.read_all()

    def batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """The same rows as `table`, in memory that does not grow with them."""
        with self._reader(name, None, None, None, None) as reader:
            yield from reader

    def export(
        self,
        directory: Path,
        format: Literal["parquet", "csv"] = "parquet",  # noqa: A002 - what everybody calls it
        tables: Iterable[str] | None = None,
    ) -> dict[str, int]:
        """Write one file per table, sorted by key, and return the rows of each.

        The bytes depend on the rows alone, not on the runs that computed them. Each file is replaced
        at once. Raises NotFound for an unknown table, StoreError if the disk does not take it.
        """
        contracts = [_contract(name) for name in (TABLES if tables is None else tables)]
        rows = {}
        for contract in contracts:
            path = directory / f"{contract.name}.{format}"
            schema = self.schema(contract.name)
            if format == "parquet":
                rows[contract.name] = write_parquet(path, schema, self.batches(contract.name)).rows
            else:
                rows[contract.name] = _write_csv(path, schema, self.batches(contract.name))
        if contracts:
            sync_folder(directory)
        return rows

    def _files(self, contract: TableContract) -> list[tuple[Path, Part | None]]:
        """The files that hold the table, each with its part if it is dated."""
        if contract.dated:
            return [
                (self.home / part.path / f"{contract.name}.parquet", part)
                for part in self.manifest.parts
                if contract.name in part.tables
            ]
        path = self.manifest.whole.get(contract.name)
        return [] if path is None else [(self.home / path, None)]

    @contextmanager
    def _reader(
        self,
        name: str,
        account: str | Sequence[str] | None,
        first: date | None,
        last: date | None,
        columns: Sequence[str] | None,
    ) -> Iterator[pa.RecordBatchReader]:
        contract = _contract(name)
        schema = self.schema(name)
        unknown = [column for column in columns or () if column not in schema.names]
        if unknown:
            raise NotFound(f"table {name} has no column {', '.join(unknown)}")
        accounts = [account] if isinstance(account, str) else account
        if "account_id" not in schema.names:
            accounts = None
        whole = columns is None
        wanted = schema if whole else pa.schema([schema.field(column) for column in columns or ()])
        with tempfile.TemporaryDirectory(prefix="retinue-") as scratch, duckdb.connect() as connection:
            connection.execute("SET memory_limit = '1GB'")
            connection.execute("SET temp_directory = ?", [scratch])
            connection.execute("SET enable_progress_bar = false")
            # Arrow would otherwise hand out dates and texts in types of its own.
            connection.execute("SET TimeZone = 'UTC'")
            try:
                relation: duckdb.DuckDBPyRelation | None = None
                for path, part in self._files(contract):
                    if not path.exists():
                        raise StoreError(f"a published file is gone: {path}", hint="restore it, or run again")
                    rows = _rows(connection, path, part, schema, accounts, first, last)
                    if rows is not None:
                        relation = rows if relation is None else relation.union(rows)
                if relation is None:
                    yield pa.RecordBatchReader.from_batches(wanted, [])
                    return
                # Where a key can repeat, all columns decide, so that files never show in the order.
                order = contract.key if contract.unique else (*contract.key, *schema.names)
                relation = relation.order(", ".join(f"{_quoted(column)} NULLS FIRST" for column in order))
                if not whole:
                    relation = relation.project(", ".join(_quoted(column) for column in wanted.names))
                found = relation.to_arrow_reader(ROWS_PER_GROUP)
                yield pa.RecordBatchReader.from_batches(wanted, (_cast(batch, wanted) for batch in found))
            except duckdb.Error as error:
                raise StoreError(
                    f"cannot read the published table {name}: {str(error).splitlines()[0]}"
                ) from None


def _rows(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    part: Part | None,
    schema: pa.Schema,
    accounts: Sequence[str] | None,
    first: date | None,
    last: date | None,
) -> duckdb.DuckDBPyRelation | None:
    """The current rows of one file that are asked for; None if there can be none."""
    conditions: list[duckdb.Expression] = []
    if part is not None:
        days = [
            day for day in part.dates if (first is None or day >= first) and (last is None or day <= last)
        ]
        if not days:
            return None
        if not part.whole or len(days) < len(part.dates):
            conditions.append(duckdb.ColumnExpression("as_of").isin(*map(duckdb.ConstantExpression, days)))
    if accounts is not None:
        if not accounts:
            return None
        conditions.append(
            duckdb.ColumnExpression("account_id").isin(*map(duckdb.ConstantExpression, accounts))
        )
    relation = connection.read_parquet(_GLOB.sub(r"[\1]", str(path)), hive_partitioning=False)
    for condition in conditions:
        relation = relation.filter(condition)
    there = set(_footer(path).names)
    return relation.select(
        *(
            (duckdb.ColumnExpression(field.name) if field.name in there else duckdb.ConstantExpression(None))
            .cast(_duckdb_type(field.type))
            .alias(field.name)
            for field in schema
        )
    )


def _footer(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except FileNotFoundError:
        raise StoreError(f"a published file is gone: {path}", hint="restore it, or run again") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"a published file is damaged: {path}: {str(error).splitlines()[0]}") from None


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _duckdb_type(found: pa.DataType) -> Any:
    names = {
        pa.string(): "VARCHAR",
        pa.float64(): "DOUBLE",
        pa.int64(): "BIGINT",
        pa.bool_(): "BOOLEAN",
        pa.date32(): "DATE",
        pa.timestamp("us"): "TIMESTAMP",
    }
    return duckdb.sqltype(names[found])


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _contract(name: str) -> TableContract:
    if name not in TABLES:
        raise NotFound(f"no published table is called {name!r}", hint="one of " + ", ".join(TABLES))
    return TABLES[name]


def _write_csv(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Dates in ISO form, numbers in the shortest form that reads back the same, nothing for null."""
    rows = 0

    def fill(sink: BinaryIO) -> None:
        nonlocal rows
        with pa_csv.CSVWriter(sink, schema) as writer:
            for group in regroup(batches, schema):
                rows += group.num_rows
                writer.write_table(group)

    replace_file(path, fill)
    return rows
