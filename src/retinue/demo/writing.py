"""Files that come out the same, byte for byte: fixed row groups, fixed settings, no timestamps."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from retinue.demo.calendar import Array, Calendar

_ROWS = 1 << 16


class ParquetFile:
    """A Parquet file written in row groups of one size, however its rows arrive."""

    def __init__(self, path: Path, schema: pa.Schema):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=3, version="2.6")
        self._waiting: list[pa.Table] = []
        self._held = 0

    def write(self, table: pa.Table) -> None:
        self._waiting.append(table)
        self._held += table.num_rows
        if self._held < _ROWS:
            return
        whole = pa.concat_tables(self._waiting)
        full = self._held // _ROWS * _ROWS
        self._put(whole.slice(0, full))
        # Copied, or the rest would keep the memory of all that was written.
        rest = whole.slice(full).combine_chunks()
        self._waiting, self._held = [rest], rest.num_rows

    def close(self) -> None:
        if self._held:
            self._put(pa.concat_tables(self._waiting))
        self._writer.close()

    def _put(self, table: pa.Table) -> None:
        self._writer.write_table(table.cast(self._schema).combine_chunks(), row_group_size=_ROWS)


class CsvFile:
    """A CSV file whose header is written even where no row follows."""

    def __init__(self, path: Path, schema: pa.Schema):
        path.parent.mkdir(parents=True, exist_ok=True)
        options = pa.csv.WriteOptions(quoting_style="needed")
        self._writer = pa.csv.CSVWriter(path, schema, write_options=options)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


class Files:
    """The open files of a simulation by relative path; the ending decides the format."""

    def __init__(self, directory: Path):
        self._directory = directory
        self._open: dict[str, ParquetFile | CsvFile] = {}
        self.rows: dict[str, int] = {}

    def write(self, name: str, table: pa.Table) -> None:
        if name not in self._open:
            kind = ParquetFile if name.endswith(".parquet") else CsvFile
            self._open[name] = kind(self._directory / name, _plain(table.schema))
            self.rows[name] = 0
        self._open[name].write(table)
        self.rows[name] += table.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._open.values():
            file.close()


def _plain(schema: pa.Schema) -> pa.Schema:
    """`schema` with the values of dictionary columns."""
    return pa.schema(
        (f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in schema
    )


def coded(codes: Array, values: list[str] | tuple[str, ...] | Array) -> pa.Array:
    """Text given as positions in `values`."""
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32)), pa.array(list(values), pa.string())
    )


def text(codes: Array, values: list[str] | tuple[str, ...] | Array, missing: Array | None = None) -> pa.Array:
    """Text given as positions in `values`, as plain text; null where `missing`."""
    indices = pa.array(codes.astype(np.int32), mask=missing)
    return pa.array(list(values), pa.string()).take(indices)


def days(calendar: Calendar, numbers: Array, missing: Array | None = None) -> pa.Array:
    """Day numbers as ISO dates in text."""
    return pa.array(calendar.dates(numbers), mask=missing).cast(pa.string())


def moments(calendar: Calendar, numbers: Array, seconds: Array, missing: Array | None = None) -> pa.Array:
    """Day numbers and seconds of the day as local time in text, without a zone."""
    local = calendar.dates(numbers).astype("datetime64[s]") + seconds.astype("timedelta64[s]")
    return pa.array(local, mask=missing).cast(pa.string())


def numbered(prefix: str, block: int, count: int, per_block: int = 10**6) -> pa.Array:
    """Ids that are unique over all blocks."""
    return pa.array(
        np.strings.add(prefix, (block * per_block + np.arange(count)).astype(str)).tolist(), pa.string()
    )
