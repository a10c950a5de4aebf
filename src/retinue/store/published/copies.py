"""Copies of published files in small pieces, from which the rows of one account are read quickly.

A published file has groups of 65,536 rows, good for scans; to read one account from it is to unpack
the rows of a thousand others. Its copy has pieces of about a thousand rows, of whole accounts each, so
that an account costs one small read. Copies are derived: they lie in `home/reading/`, outside of what
runs write, can be deleted at any time, and whatever has no copy is read from the published file, with
the same result.

A copy belongs to the very file that it was made of (whose size and time of change are written in it),
and every piece has a checksum: what does not fit is not used, and `make` replaces it.
"""

from __future__ import annotations

import json
import os
import threading
import weakref
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retinue.store.published.parquet import replace_file

#: Rows of a piece; an account that has more makes a piece of its own.
ROWS = 1024
#: Raise it when the form of a copy changes.
FORMAT = 1
#: Copies that are kept open.
OPEN = 256
#: The last bytes of a copy: how long its index is, and the index's checksum.
_END = 16


def rows_of(home: Path, path: str, account: str) -> pa.Table | None:
    """The rows of the account in the published file, in their order; None where no good copy is."""
    source, target = home / path, copy_path(home, path)
    try:
        copy = _open(source, target)
        return None if copy is None else copy.rows(account)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        _forget(target)
        with suppress(OSError):
            target.unlink()
        return None


def make(home: Path, paths: Collection[str]) -> int:
    """Copy those published files, sorted by account, that have no good copy; returns how many.

    One caller at a time. Raises StoreError if the disk does not take it.
    """
    made = 0
    for path in paths:
        if not is_there(home, path):
            with suppress(FileNotFoundError):
                _write(home / path, copy_path(home, path))
                made += 1
    return made


def is_there(home: Path, path: str) -> bool:
    """Whether the published file has a copy of its own."""
    with suppress(OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return _open(home / path, copy_path(home, path)) is not None
    return False


def keep_only(home: Path, paths: Collection[str]) -> None:
    """Remove every copy but those of `paths`, and what was left half written."""
    kept = {copy_path(home, path).name for path in paths}
    for found in _folder(home).glob("*"):
        if found.name not in kept:
            _forget(found)
            with suppress(OSError):
                found.unlink()


def copy_path(home: Path, path: str) -> Path:
    """Where the copy of a published file (a path within the home) lies."""
    return _folder(home) / (path.removeprefix("runs/").removesuffix(".parquet").replace("/", ".") + ".rows")


def _folder(home: Path) -> Path:
    return home / "reading" / "copies"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Copy:
    """An open copy: of each piece the first account, where it lies, its bytes packed and unpacked."""

    file: int
    format: int
    source: tuple[int, int]
    schema: pa.Schema
    first: list[str]
    start: list[int]
    packed: list[int]
    size: list[int]
    check: list[int]

    def rows(self, account: str) -> pa.Table:
        n = bisect_right(self.first, account) - 1
        if n < 0:
            return self.schema.empty_table()
        packed = os.pread(self.file, self.packed[n], self.start[n])
        if len(packed) != self.packed[n] or zlib.crc32(packed) != self.check[n]:
            raise ValueError("a damaged piece")
        piece = pa.ipc.read_record_batch(pa.decompress(packed, self.size[n], "zstd"), self.schema)
        same = pc.equal(piece.column("account_id"), account)
        count = pc.sum(same).as_py() or 0
        start = pc.index(same, True).as_py() if count else 0
        return pa.Table.from_batches([piece.slice(start, count)], self.schema)


_lock = threading.Lock()
_copies: OrderedDict[Path, _Copy] = OrderedDict()


def _open(source: Path, target: Path) -> _Copy | None:
    """The copy, opened once; None if there is none of this very file. Raises where it is damaged."""
    found = source.stat()
    identity = (found.st_size, found.st_mtime_ns)
    with _lock:
        copy = _copies.get(target)
        if copy is not None and copy.source == identity:
            _copies.move_to_end(target)
            return copy
    try:
        file = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        copy = _read(file)
    except BaseException:
        os.close(file)
        raise
    weakref.finalize(copy, os.close, file)
    if copy.source != identity or copy.format != FORMAT:
        return None
    with _lock:
        _copies[target] = copy
        while len(_copies) > OPEN:
            _copies.popitem(last=False)  # closed when nobody reads from it any more
    return copy


def _forget(target: Path) -> None:
    with _lock:
        _copies.pop(target, None)


def _read(file: int) -> _Copy:
    size = os.fstat(file).st_size
    end = os.pread(file, _END, max(size - _END, 0))
    length, check = int.from_bytes(end[:8], "little"), int.from_bytes(end[8:], "little")
    index = os.pread(file, length, size - _END - length) if 0 < length < size else b""
    if len(index) != length or zlib.crc32(index) != check:
        raise ValueError("a damaged copy")
    told = json.loads(pa.decompress(index[8:], int.from_bytes(index[:8], "little"), "zstd").to_pybytes())
    schema = pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(told["schema"])))
    pieces = (told[name] for name in ("first", "start", "packed", "size", "check"))
    return _Copy(file, told["format"], (told["source"][0], told["source"][1]), schema, *pieces)


def _write(source: Path, target: Path) -> None:
    found = source.stat()
    index: dict[str, Any] = {"format": FORMAT, "source": [found.st_size, found.st_mtime_ns]}
    pieces: dict[str, list[Any]] = {name: [] for name in ("first", "start", "packed", "size", "check")}

    def fill(sink: BinaryIO) -> None:
        at = 0
        with pq.ParquetFile(source) as file:
            index["schema"] = file.schema_arrow.serialize().to_pybytes().hex()
            for piece in _pieces(file):
                content = piece.serialize()
                packed = pa.compress(content, "zstd", asbytes=True)
                values = (piece.column("account_id")[0].as_py(), at, len(packed), content.size)
                for name, value in zip(pieces, (*values, zlib.crc32(packed)), strict=True):
                    pieces[name].append(value)
                sink.write(packed)
                at += len(packed)
        told = json.dumps({**index, **pieces}).encode()
        whole = len(told).to_bytes(8, "little") + pa.compress(told, "zstd", asbytes=True)
        sink.write(whole)
        sink.write(len(whole).to_bytes(8, "little") + zlib.crc32(whole).to_bytes(8, "little"))

    # Not synced: what a crash leaves of it does not fit its checksums.
    replace_file(target, fill, sync=False)


def _pieces(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """All rows in their order, cut where an account begins, `ROWS` or a few more at a time."""
    left: pa.Table | None = None
    for number in range(file.num_row_groups):
        group = file.read_row_group(number, use_threads=False)
        rows = (group if left is None else pa.concat_tables([left, group])).combine_chunks()
        ids = rows["account_id"].combine_chunks()
        codes = ids.dictionary_encode().indices.to_numpy()
        begins = np.flatnonzero(np.diff(codes)) + 1  # sorted, so that equal ids stand together
        wanted = np.searchsorted(begins, np.arange(ROWS, len(rows), ROWS))
        at = 0
        for cut in np.unique(begins[wanted[wanted < len(begins)]]).tolist():
            yield rows.slice(at, cut - at).to_batches()[0]
            at = cut
        left = rows.slice(at)
    if left is not None and left.num_rows:
        yield left.combine_chunks().to_batches()[0]
