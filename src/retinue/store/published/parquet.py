"""Parquet, so that the same rows give the same bytes and a crash leaves no half file; and what is told of
files that cannot be read."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from retinue.errors import StoreError
from retinue.store.published.manifest import File

#: Small enough that the rows of one account are found without reading much else.
ROWS_PER_GROUP = 1 << 16
#: Those of a table that is read account by account: little is unpacked for one.
ROWS_PER_SMALL_GROUP = 1 << 12


def write_parquet(
    path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, group_rows: int = ROWS_PER_GROUP
) -> File:
    """Write `batches`, which must have `schema`, to `path`; bytes do not depend on how rows are batched."""
    rows = 0

    def fill(sink: BinaryIO) -> None:
        nonlocal rows
        with pq.ParquetWriter(
            sink,
            schema,
            version="2.6",
            compression="zstd",
            compression_level=3,
            use_dictionary=True,
            write_statistics=True,
            data_page_version="1.0",
        ) as writer:
            for group in regroup(batches, schema):
                rows += group.num_rows
                writer.write_table(group, row_group_size=group_rows)

    replace_file(path, fill)
    with path.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return File(rows=rows, bytes=path.stat().st_size, sha256=digest)


def regroup(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in contiguous tables of `ROWS_PER_GROUP` rows."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        while batch.num_rows:
            take = min(batch.num_rows, ROWS_PER_GROUP - count)
            waiting.append(batch.slice(0, take))
            batch = batch.slice(take)
            count += take
            if count == ROWS_PER_GROUP:
                yield pa.Table.from_batches(waiting, schema).combine_chunks()
                waiting, count = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting, schema).combine_chunks()


def replace_file(path: Path, fill: Callable[[BinaryIO], object], *, sync: bool = True) -> None:
    """Put what `fill` writes at `path` at once, synced: whoever looks sees all of it or none.

    Without `sync` that holds unless the machine itself stops. Raises StoreError if the disk does not
    take it; what was at `path` is then untouched.
    """
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as sink:
            fill(sink)
            sink.flush()
            if sync:
                os.fsync(sink.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "make room on that disk and try again" if full else None
        raise StoreError(f"cannot write {path}: {error.strerror or error}", hint=hint) from None
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def gone(path: Path) -> StoreError:
    """What is told of a published file that is not there any more."""
    return StoreError(
        f"a published file is gone: {path}",
        hint="restore it from a backup, or delete the project's home (.retinue) and run again",
    )


@contextmanager
def published_file(path: Path) -> Iterator[None]:
    """Reading the file: that it is gone or damaged is a StoreError in one line."""
    try:
        yield
    except FileNotFoundError:
        raise gone(path) from None
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"a published file is damaged: {path}: {str(error).splitlines()[0]}") from None
