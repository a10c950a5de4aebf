"""The snapshots of all accounts over some dates as arrays, one column at a time, from the published files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retinue.store.published.manifest import Part
from retinue.store.published.parquet import published_file
from retinue.store.published.snapshots import Published

Array = NDArray[Any]

BANDS = ("at_risk", "watch", "healthy")
#: Each column: its type, and what stands where an account is not there.
COLUMNS: dict[str, tuple[str, float]] = {
    "computed": ("<f8", np.nan),
    "published": ("<f8", np.nan),
    "effective": ("<f8", np.nan),
    "coverage": ("<f4", np.nan),
    "published_band": ("|i1", -1),
    "band": ("|i1", -1),
    "scored": ("|i1", 0),
    "there": ("|i1", 0),
}
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Known:
    """Columns that were made before: which part each date was read from, and the arrays."""

    dates: tuple[date, ...]
    versions: Mapping[str, str]
    account_ids: pa.StringArray
    arrays: Mapping[str, Array]


def parts_by_date(published: Published) -> dict[str, str]:
    """Which part holds each date, by ISO date, in order."""
    found = {day.isoformat(): part.path for part in published.manifest.parts for day in part.dates}
    return dict(sorted(found.items()))


def _parts(published: Published) -> Iterator[tuple[Path, Part]]:
    for part in published.manifest.parts:
        if "snapshots" in part.tables:
            yield published.home / part.path / "snapshots.parquet", part


def _rows(path: Path, columns: Sequence[str]) -> pa.Table:
    texts = [name for name in columns if name in ("account_id", "status", "band", "published_band")]
    with published_file(path), pq.ParquetFile(path, read_dictionary=texts) as file:
        return file.read(columns=list(columns), use_threads=False)


def all_ids(published: Published) -> pa.StringArray:
    found: list[pa.Array] = []
    for path, _ in _parts(published):
        found += [pc.unique(chunk.dictionary) for chunk in _rows(path, ["account_id"])["account_id"].chunks]
        if len(found) > 32:
            found = [pc.unique(pa.chunked_array(found))]
    every = pc.unique(pa.chunked_array(found, pa.string()))
    return every.take(pc.sort_indices(every)).cast(pa.string())


@dataclass
class Grid:
    """Columns of the snapshots of some dates as arrays [account, date].

    What `before` holds of the very same files is taken from there.
    """

    published: Published
    account_ids: pa.StringArray
    dates: Sequence[date]
    before: Known | None = None

    def column(self, name: str) -> Array:
        kind, empty = COLUMNS[name]
        grid = np.full((len(self.account_ids), len(self.dates)), empty, kind)
        if self.before is not None and self.kept:
            rows = pc.index_in(self.before.account_ids, value_set=self.account_ids)
            known = pc.is_valid(rows).to_numpy(zero_copy_only=False)
            new, old = (list(side) for side in zip(*self.kept, strict=True))
            at = rows.drop_null().to_numpy().astype(np.int64)
            for some in np.array_split(np.arange(len(at)), max(1, len(at) // 8192)):
                grid[np.ix_(at[some], new)] = self.before.arrays[name][np.flatnonzero(known)[some]][:, old]
        flat = grid.reshape(-1)
        source = {"scored": "status", "there": None}.get(name, name)
        for path, places, kept in self.places:
            if source is None:
                flat[places] = 1
                continue
            rows = _rows(path, [source])
            flat[places] = values_of(name, rows[source].filter(kept) if kept is not None else rows[source])
        return grid

    @cached_property
    def kept(self) -> list[tuple[int, int]]:
        """The dates that the file before holds just so: their places in the dates, and in the file."""
        if self.before is None:
            return []
        old = {day: n for n, day in enumerate(self.before.dates)}
        now = parts_by_date(self.published)
        same = [day for day in self.dates if self.before.versions.get(str(day)) == now[str(day)]]
        return [(self.dates.index(day), old[day]) for day in same]

    @cached_property
    def places(self) -> list[tuple[Path, Array, pa.Array | None]]:
        """Each file with a wanted date: where its rows go in the flat array, and which rows these are."""
        have = {self.dates[new] for new, _ in self.kept}
        found = []
        for path, part in _parts(self.published):
            days = [day for day in part.dates if day in self.dates and day not in have]
            if not days:
                continue
            rows = _rows(path, ["account_id", "as_of"])
            kept = None
            if len(days) < len(part.dates) or not part.whole:
                kept = pc.is_in(rows["as_of"], value_set=pa.array(days, pa.date32()))
                rows = rows.filter(kept)
            ids = rows["account_id"].combine_chunks()
            ids = ids if isinstance(ids, pa.DictionaryArray) else ids.unify_dictionaries()
            codes = pc.index_in(ids.dictionary.cast(pa.string()), value_set=self.account_ids).to_numpy()
            numbers = np.array([(day - _EPOCH).days for day in self.dates])
            day = np.searchsorted(numbers, rows["as_of"].cast(pa.int32()).to_numpy())
            row = codes[ids.indices.to_numpy()].astype(np.int64)
            small = len(self.account_ids) * len(self.dates) < 2**31
            place = (row * len(self.dates) + day).astype(np.int32 if small else np.int64)
            found.append((path, place, kept))
        return found


def values_of(name: str, column: pa.ChunkedArray) -> Array:
    if name == "scored":
        return np.asarray(pc.equal(column.cast(pa.string()), "scored").to_numpy())
    if name.endswith("band"):
        codes = pc.index_in(column.cast(pa.string()), value_set=pa.array(BANDS))
        return np.asarray(pc.fill_null(codes, -1).to_numpy(), np.int8)
    return np.asarray(pc.fill_null(column, np.nan).to_numpy(), COLUMNS[name][0])
