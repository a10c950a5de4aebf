"""Reading published runs: of each date what is current, straight from Parquet."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from retinue.errors import NotFound, StoreError
from retinue.store.published import copies, duck
from retinue.store.published.contract import TABLES, TableContract
from retinue.store.published.manifest import Manifest, Part
from retinue.store.published.parquet import (
    ROWS_PER_GROUP,
    gone,
    published_file,
    regroup,
    replace_file,
    sync_folder,
    write_parquet,
)

#: Rows that are sorted in memory at a time when a whole table is read.
ROWS_AT_ONCE = 1 << 20

# DuckDB takes every path for a pattern.
_GLOB = re.compile(r"([\[*?])")


@dataclass(frozen=True)
class Published:
    """The tables of the run of `manifest`, whose files are under `home`.

    Many threads may read at once. A table of one account is read from the copies of its files
    (`copies.py`), as far as there are any. `memo` is for readers: what they made of this run's files
    and would make of them again.
    """

    home: Path
    manifest: Manifest
    memo: dict[tuple[str, ...], Any] = field(default_factory=dict, compare=False, repr=False)

    def dates(self) -> tuple[date, ...]:
        """Every date that is published, in order."""
        return self._dates

    @cached_property
    def _dates(self) -> tuple[date, ...]:
        return tuple(sorted(day for part in self.manifest.parts for day in part.dates))

    def previous_dates(self, day: date, count: int = 1) -> tuple[date, ...]:
        """The last `count` published dates before `day`, in order; fewer if there are no more."""
        dates = self.dates()
        before = bisect_left(dates, day)
        return dates[max(before - count, 0) : before]

    def schema(self, name: str) -> pa.Schema:
        """The contract's columns, then the attributes that any part has, by name."""
        contract = _contract(name)
        schema: pa.Schema | None = self.memo.get(("schema", name))
        if schema is None:
            schema = self.memo["schema", name] = self._found_schema(contract)
        return schema

    def _found_schema(self, contract: TableContract) -> pa.Schema:
        schema = contract.schema()
        if not contract.attributes:
            return schema
        types: dict[str, pa.DataType] = {}
        for path, _ in self._files(contract):
            for found in _metadata(path).schema.to_arrow_schema():
                if found.name in contract.names:
                    continue
                # An attribute whose type changed between runs is text: nothing else holds both.
                known = types.setdefault(found.name, found.type)
                types[found.name] = known if known == found.type else pa.string()
        return pa.schema([*schema, *(pa.field(attribute, types[attribute]) for attribute in sorted(types))])

    def table(
        self,
        name: str,
        *,
        account: str | Sequence[str] | None = None,
        first: date | None = None,
        last: date | None = None,
        dates: Collection[date] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """One published table, sorted by its key, for an account or several and dates in [first, last].

        `dates` are the only ones wanted. Files without a wanted date are not touched, and columns of
        the contract are read without looking at other files. Tables that are not dated ignore the
        dates; those without accounts ignore `account`. Raises NotFound for a table or column that
        does not exist, StoreError if files are gone or damaged.
        """
        accounts = (account,) if isinstance(account, str) else None if account is None else tuple(account)
        only = None if dates is None else frozenset(dates)
        return self._table(name, columns, _Question(accounts, first, last, dates=only))

    def at(self, name: str, pairs: pa.Table, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a dated table at the (account_id, as_of) in `pairs`, sorted by its key."""
        pairs = pairs.select(["account_id", "as_of"])
        dates = frozenset(pairs["as_of"].unique().to_pylist())
        return self._table(name, columns, _Question(dates=dates, pairs=pairs))

    def _table(self, name: str, columns: Sequence[str] | None, question: _Question) -> pa.Table:
        contract = _contract(name)
        schema = contract.schema()
        if columns is None or not set(columns) <= set(schema.names):
            schema = self.schema(name)
        unknown = [column for column in columns or () if column not in schema.names]
        if unknown:
            raise NotFound(f"table {name} has no column {', '.join(unknown)}")
        wanted = schema if columns is None else pa.schema([schema.field(column) for column in columns])
        if "account_id" not in schema.names:
            question = replace(question, accounts=None)
        if question.accounts is not None and len(question.accounts) == 1 and contract.key[0] == "account_id":
            return self._of_one(contract, schema, wanted, question)
        return pa.Table.from_batches(self._answer(contract, schema, wanted, [question]), wanted)

    def _of_one(
        self, contract: TableContract, schema: pa.Schema, wanted: pa.Schema, question: _Question
    ) -> pa.Table:
        """What `_answer` gives for one account, each file from its copy where it has one."""
        assert question.accounts is not None
        pieces, rest = [], []
        for path, part in self._files(contract, question):
            days = question.of(part) if part is not None else []
            rows = copies.rows_of(self.home, path.relative_to(self.home).as_posix(), question.accounts[0])
            rows = None if rows is None else _conformed(rows, schema)
            if rows is None:
                rest.append((path, part))
                continue
            if part is not None and not (part.whole and len(days) == len(part.dates)):
                rows = rows.filter(pc.is_in(rows["as_of"], value_set=pa.array(days, pa.date32())))
            if rows.num_rows:
                pieces.append(rows)
        if rest:
            pieces.append(
                pa.Table.from_batches(self._answer(contract, schema, schema, [question], rest), schema)
            )
        if not pieces:
            return wanted.empty_table()
        found = pieces[0] if len(pieces) == 1 else pa.concat_tables(pieces)
        if len(pieces) > 1 or not contract.unique:
            order = [(name, "ascending", "at_start") for name in _order(contract, schema)]
            found = found.take(pc.sort_indices(found, sort_keys=order))
        return found.select(wanted.names)

    def batches(self, name: str, dates: Collection[date] | None = None) -> Iterator[pa.RecordBatch]:
        """The same rows as `table`, of `dates` only, in memory that does not grow with them."""
        contract, schema = _contract(name), self.schema(name)
        only = _Question(dates=None if dates is None else frozenset(dates))
        questions = [only]
        if contract.key[0] == "account_id":
            edges = _edges([path for path, part in self._files(contract) if part is None or only.of(part)])
            questions = [replace(only, low=low, below=below) for low, below in pairwise([None, *edges, None])]
        yield from self._answer(contract, schema, schema, questions)

    def versions(self, name: str) -> dict[date | None, str]:
        """Which files hold the rows of each date (of the table as a whole: None).

        Files never change: as long as a date has the same version, it has the same rows. What is not
        dated is written by every run, and goes by its content.
        """
        contract = _contract(name)
        if contract.dated:
            return {day: part.path for part in self.manifest.parts for day in part.dates}
        path = self.manifest.whole.get(name, "")
        file = self.manifest.files.get(path)
        return {None: file.sha256 if file else path}

    def export(
        self,
        directory: Path,
        format: Literal["parquet", "csv"] = "parquet",  # noqa: A002 - what everybody calls it
        tables: Iterable[str] | None = None,
        progress: Callable[[str, float], None] | None = None,
    ) -> dict[str, int]:
        """Write one file per table, sorted by key, and return the rows of each.

        The bytes depend on the rows alone, not on the runs that computed them. Each file is replaced
        at once. `progress` is told the table and how far all of it is (0 to 1). Raises NotFound for an
        unknown table, StoreError if the disk does not take it.
        """
        contracts = [_contract(name) for name in (TABLES if tables is None else tables)]
        tell = progress or (lambda _what, _part: None)
        # Rows that other runs have taken over are among them, so that the end may come early.
        there = {c.name: sum(_metadata(path).num_rows for path, _ in self._files(c)) for c in contracts}
        rows = {}
        before, total = 0, sum(there.values()) or 1
        for contract in contracts:
            path = directory / f"{contract.name}.{format}"
            schema = self.schema(contract.name)
            batches = _told(self.batches(contract.name), f"writing {contract.name}", before, total, tell)
            if format == "parquet":
                rows[contract.name] = write_parquet(path, schema, batches).rows
            else:
                rows[contract.name] = _write_csv(path, schema, batches)
            before += there[contract.name]
        if contracts:
            sync_folder(directory)
        return rows

    def _files(
        self, contract: TableContract, question: _Question | None = None
    ) -> list[tuple[Path, Part | None]]:
        """The files that hold the table (for a question those with a wanted date), each with its part
        if it is dated."""
        if contract.dated:
            return [
                (self.home / part.path / f"{contract.name}.parquet", part)
                for part in self.manifest.parts
                if contract.name in part.tables and (question is None or question.of(part))
            ]
        path = self.manifest.whole.get(contract.name)
        return [] if path is None else [(self.home / path, None)]

    def _answer(
        self,
        contract: TableContract,
        schema: pa.Schema,
        wanted: pa.Schema,
        questions: Sequence[_Question],
        files: Sequence[tuple[Path, Part | None]] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The columns `wanted` of the rows that each question asks for, sorted, question by question."""
        files = self._files(contract) if files is None else files
        for path, part in files:
            wanted_part = part is None or any(question.of(part) for question in questions)
            if wanted_part and not path.exists():
                raise gone(path)
        order = _order(contract, schema)
        with duck.connection() as connection:
            try:
                for question in questions:
                    rows = question.rows(connection, files, schema)
                    if rows is None:
                        continue
                    rows = rows.order(", ".join(f"{_quoted(column)} NULLS FIRST" for column in order))
                    rows = rows.project(", ".join(_quoted(column) for column in wanted.names))
                    for batch in rows.to_arrow_reader(ROWS_PER_GROUP):
                        arrays = [
                            column.cast(field.type)
                            for column, field in zip(batch.columns, wanted, strict=True)
                        ]
                        yield pa.RecordBatch.from_arrays(arrays, schema=wanted)
            except duckdb.Error as error:
                reason = str(error).splitlines()[0]
                raise StoreError(f"cannot read the published table {contract.name}: {reason}") from None


@dataclass(frozen=True, slots=True)
class _Question:
    """Which rows: of these accounts, or with ids from `low` and below `below`, on days in [first, last],
    on `dates` only, and at the (account_id, as_of) in `pairs` only."""

    accounts: tuple[str, ...] | None = None
    first: date | None = None
    last: date | None = None
    low: str | None = None
    below: str | None = None
    dates: frozenset[date] | None = None
    pairs: pa.Table | None = None

    def rows(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: Sequence[tuple[Path, Part | None]],
        schema: pa.Schema,
    ) -> duckdb.DuckDBPyRelation | None:
        """The rows in the types of `schema`, unsorted; None if there can be none.

        Files that are current as a whole need only be read. Of others a join keeps the current dates.
        """
        if self.accounts == () or self.dates == frozenset():
            return None
        whole: list[str] = []
        pieces: dict[str, list[date]] = {}
        for path, part in files:
            days = self.of(part) if part else []
            if part is None or (part.whole and days):
                whole.append(str(path))
            elif days:
                pieces[str(path)] = days
        found = None
        if whole:
            found = self._read(connection, whole, schema)
        if pieces:
            kept = pa.table(
                {
                    "filename": [path for path, days in pieces.items() for _ in days],
                    "as_of": pa.array([day for days in pieces.values() for day in days], pa.date32()),
                }
            )
            rows = self._read(connection, list(pieces), schema, filename=True)
            rows = rows.join(connection.from_arrow(kept), "filename, as_of", how="semi")
            rows = rows.project(", ".join(_quoted(column) for column in schema.names))
            found = rows if found is None else found.union(rows)
        if found is not None and self.pairs is not None:
            found = found.join(connection.from_arrow(self.pairs), "account_id, as_of", how="semi")
        return found

    def of(self, part: Part) -> list[date]:
        """The dates of a part that are wanted."""
        return [
            day
            for day in part.dates
            if (self.first is None or day >= self.first)
            and (self.last is None or day <= self.last)
            and (self.dates is None or day in self.dates)
        ]

    def _read(
        self,
        connection: duckdb.DuckDBPyConnection,
        paths: list[str],
        schema: pa.Schema,
        filename: bool = False,
    ) -> duckdb.DuckDBPyRelation:
        patterns = [_GLOB.sub(r"[\1]", path) for path in paths]
        rows = connection.read_parquet(
            patterns, filename=filename, hive_partitioning=False, union_by_name=True
        )
        column, value = duckdb.ColumnExpression, duckdb.ConstantExpression
        if self.accounts is not None:
            # Bounds first: they pass over most of a sorted file unread, which a list does not.
            rows = rows.filter(column("account_id") >= value(min(self.accounts)))
            rows = rows.filter(column("account_id") <= value(max(self.accounts)))
            rows = rows.filter(column("account_id").isin(*map(value, self.accounts)))
        if self.low is not None:
            rows = rows.filter(column("account_id") >= value(self.low))
        if self.below is not None:
            rows = rows.filter(column("account_id") < value(self.below))
        if "as_of" in schema.names and self.first is not None:
            rows = rows.filter(column("as_of") >= value(self.first))
        if "as_of" in schema.names and self.last is not None:
            rows = rows.filter(column("as_of") <= value(self.last))
        if "as_of" in schema.names and self.dates is not None:
            rows = rows.filter(column("as_of").isin(*map(value, sorted(self.dates))))
        there = set(rows.columns)
        return rows.select(
            *(
                (column(field.name) if field.name in there else value(None))
                .cast(_duckdb_type(field.type))
                .alias(field.name)
                for field in schema
            ),
            *([column("filename")] if filename else []),
        )


def _order(contract: TableContract, schema: pa.Schema) -> tuple[str, ...]:
    """Where a key can repeat, all columns decide, so that files never show in the order."""
    return contract.key if contract.unique else (*contract.key, *schema.names)


def _conformed(rows: pa.Table, schema: pa.Schema) -> pa.Table | None:
    """The rows in the columns of `schema`; None where a value would have to change its type."""
    columns = []
    for wanted in schema:
        at = rows.schema.get_field_index(wanted.name)
        if at >= 0 and rows.schema.field(at).type != wanted.type:
            return None
        columns.append(rows.column(at) if at >= 0 else pa.nulls(rows.num_rows, wanted.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _told(
    batches: Iterable[pa.RecordBatch], what: str, rows: int, total: int, tell: Callable[[str, float], None]
) -> Iterator[pa.RecordBatch]:
    """The batches; how far all is, after `rows` of `total`, is told as they pass."""
    tell(what, rows / total)
    for batch in batches:
        yield batch
        rows += batch.num_rows
        tell(what, min(rows / total, 1.0))


def _edges(paths: Iterable[Path]) -> list[str]:
    """Account ids that cut the files into ranges of some `ROWS_AT_ONCE` rows."""
    groups: list[tuple[str, int]] = []
    for path in paths:
        footer = _metadata(path)
        at = footer.schema.names.index("account_id")
        for number in range(footer.num_row_groups):
            group = footer.row_group(number)
            statistics = group.column(at).statistics
            if statistics is not None and statistics.has_min_max:
                groups.append((statistics.min, group.num_rows))
    edges: list[str] = []
    rows = 0
    for smallest, count in sorted(groups):
        if rows >= ROWS_AT_ONCE and (not edges or smallest > edges[-1]):
            edges.append(smallest)
            rows = 0
        rows += count
    return edges


def _metadata(path: Path) -> pq.FileMetaData:
    with published_file(path):
        return pq.read_metadata(path)


def _duckdb_type(found: pa.DataType) -> Any:
    names = {
        pa.string(): "VARCHAR", pa.float64(): "DOUBLE", pa.int64(): "BIGINT", pa.bool_(): "BOOLEAN",
        pa.date32(): "DATE", pa.timestamp("us"): "TIMESTAMP",
    }  # fmt: skip
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
