"""The published timeline of one account, read without a query: only the rows around it are unpacked."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retinue.errors import StoreError
from retinue.store.published.contract import TABLES
from retinue.store.published.copies import rows_of
from retinue.store.published.snapshots import Published


def happenings(published: Published, account_id: str) -> list[dict[str, Any]]:
    """The account's rows of `timeline`, in its order. Raises StoreError where the file is gone or damaged."""
    path = published.manifest.whole.get("timeline")
    if path is None:
        return []
    copied = rows_of(published.home, path, account_id)
    if copied is not None:
        told: list[dict[str, Any]] = copied.select(TABLES["timeline"].names).to_pylist()
        return told
    file = published.home / path
    try:
        found = file.stat()
        footer, low, high = _footer(file, found.st_size, found.st_mtime_ns)
        # Groups are sorted: those that can hold the account are beside each other.
        groups = range(bisect_left(high, account_id), bisect_right(low, account_id))
        if not groups:
            return []
        with pq.ParquetFile(file, metadata=footer) as parquet:
            table = parquet.read_row_groups(
                list(groups), columns=list(TABLES["timeline"].names), use_threads=False
            )
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"the published timeline cannot be read: {str(error).splitlines()[0]}",
            hint="restore it from a backup, or delete the project's home (.retinue) and run again",
        ) from None
    rows: list[dict[str, Any]] = table.filter(pc.equal(table["account_id"], account_id)).to_pylist()
    return rows


@lru_cache(maxsize=8)
def _footer(file: Path, _size: int, _changed: int) -> tuple[pq.FileMetaData, list[str], list[str]]:
    """What a file says of itself, and the first and last account of each of its groups."""
    footer = pq.read_metadata(file)
    at = footer.schema.names.index("account_id")
    ends = [footer.row_group(n).column(at).statistics for n in range(footer.num_row_groups)]
    if not all(one is not None and one.has_min_max for one in ends):
        # Nothing can be passed over.
        return footer, [""] * len(ends), ["\U0010ffff"] * len(ends)
    return footer, [one.min for one in ends], [one.max for one in ends]
