"""The scores of all accounts over all published dates, as arrays.

    open_histories(published)      -> Histories, opened once per process and run
    histories.of("A-0042")         -> Series: one account over the dates on which it is there
    histories.at(day)              -> Cross: every account on one date
    histories.column("effective")  -> array [account, date]; rows as `account_ids`, columns as `dates`

They come from one file per run in `home/reading/`, mapped into memory: an account costs microseconds, a
date some milliseconds, a column one pass over its bytes. The file is derived: `make_histories` builds it
from the snapshots, and what is unchanged from that of an earlier run; it can be deleted at any time.
Without a good one the same functions read the published snapshots, with the same results, slowly.

Scores are exact; nan says that there is none. Coverage is rounded to 32 bits. Bands are places in
`BANDS`, -1 for none. `there` says whether an account is among the accounts of a date.
"""

from __future__ import annotations

import json
import mmap
import threading
import zlib
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retinue.store.published.grids import COLUMNS, Array, Grid, Known, all_ids, parts_by_date, values_of
from retinue.store.published.parquet import replace_file
from retinue.store.published.snapshots import Published

#: Raise it when the form of the file changes.
FORMAT = 1
#: Accounts that share a checksum.
BLOCK = 128


@dataclass(frozen=True, slots=True)
class Series:
    """One account on the `dates` on which it is among the accounts; one entry per date."""

    account_id: str
    dates: tuple[date, ...]
    computed: NDArray[np.float64]
    published: NDArray[np.float64]
    effective: NDArray[np.float64]
    coverage: NDArray[np.float32]
    published_band: NDArray[np.int8]
    band: NDArray[np.int8]
    scored: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cross:
    """Every account on one date; entries as `Histories.account_ids`, `there` is those that count."""

    day: date
    there: NDArray[np.bool_]
    computed: NDArray[np.float64]
    published: NDArray[np.float64]
    effective: NDArray[np.float64]
    coverage: NDArray[np.float32]
    published_band: NDArray[np.int8]
    band: NDArray[np.int8]
    scored: NDArray[np.bool_]


@dataclass(frozen=True)
class Histories:
    """The snapshots of `published` as arrays; any number of threads may read."""

    published: Published
    file: _File | None = field(default=None, repr=False)
    _ranks: OrderedDict[date, Array] = field(default_factory=OrderedDict)

    @property
    def dates(self) -> tuple[date, ...]:
        return self.published.dates()

    @cached_property
    def account_ids(self) -> pa.StringArray:
        """Every account of any date, sorted."""
        return self.file.account_ids if self.file else all_ids(self.published)

    def of(self, account: str) -> Series:
        """One account; no dates where it is unknown."""
        if self.file is not None:
            try:
                row = self.file.row(account)
            except ValueError:
                _damaged(self)
            else:
                if row is None:
                    return self.none(account)
                at = np.flatnonzero(row["there"])
                columns = {name: row[name][at] for name in _READ}
                return Series(account, tuple(self.dates[n] for n in at.tolist()), **_told(columns))
        rows = self.published.table("snapshots", account=account, columns=_TABLE)
        return Series(account, tuple(rows["as_of"].to_pylist()), **_told(_arrays(rows)))

    def none(self, account: str) -> Series:
        """What `of` says of an account that is not known."""
        return Series(account, (), **_told(_NOTHING_READ))

    def at(self, day: date) -> Cross:
        """Every account on a published date."""
        columns = {name: np.ascontiguousarray(self._slice(name, day)) for name in (*_READ, "there")}
        there = columns.pop("there").astype(bool)
        return Cross(day, there, **_told(columns))

    def column(self, name: str) -> Array:
        """One of `COLUMNS` for all accounts and dates; not to be written to."""
        if self.file is not None:
            try:
                return self.file.column(name)
            except ValueError:
                _damaged(self)
        return Grid(self.published, self.account_ids, self.dates).column(name)

    def rank(self, day: date, score: float) -> tuple[int, int]:
        """Place of an effective score among all of that date (1 is the best), and how many they are."""
        with _lock:
            scores = self._ranks.get(day)
        if scores is None:
            scores = np.sort(self._scores(day))
            with _lock:
                self._ranks[day] = scores
                while len(self._ranks) > 16:
                    self._ranks.popitem(last=False)
        return len(scores) - int(np.searchsorted(scores, score, side="right")) + 1, len(scores)

    def _scores(self, day: date) -> Array:
        """The effective scores of a date that are there."""
        if self.file is None:  # one file then, and not all of them for the accounts
            rows = self.published.table("snapshots", first=day, last=day, columns=["effective"])
            scores = values_of("effective", rows["effective"])
        else:
            scores = self._slice("effective", day)
        found: Array = scores[~np.isnan(scores)]
        return found

    def _slice(self, name: str, day: date) -> Array:
        """A column on one date."""
        if self.file is not None:
            try:
                found: Array = self.file.column(name)[:, self.dates.index(day)]
                return found
            except ValueError:
                _damaged(self)
        return Grid(self.published, self.account_ids, (day,)).column(name)[:, 0]


_READ = tuple(name for name in COLUMNS if name != "there")
_TABLE = ("account_id", "as_of", "status", *(name for name in _READ if name != "scored"))
_NOTHING_READ = {name: np.zeros(0, COLUMNS[name][0]) for name in _READ}


def _told(columns: Mapping[str, Array]) -> dict[str, Any]:
    return {**columns, "scored": columns["scored"].astype(bool)}


_lock = threading.Lock()
_opened: dict[tuple[Path, str], Histories] = {}


def open_histories(published: Published) -> Histories:
    """The histories of a run, from its file where there is a good one by now."""
    key = (published.home, published.manifest.run_id)
    with _lock:
        found = _opened.get(key)
    if found is not None and found.file is not None and found.published.manifest is published.manifest:
        return found
    file = None
    try:
        file = _File.open(_path(*key), published)
    except OSError:
        pass
    except (ValueError, KeyError, TypeError, pa.ArrowException):
        with suppress(OSError):
            _path(*key).unlink()
    if found is not None and file is None and found.published.manifest is published.manifest:
        return found
    found = Histories(published, file)
    with _lock:
        # A mapped file of an older run is memory: readers that still have it keep it a little longer.
        for other in [one for one in _opened if one[0] == key[0] or len(_opened) > 8]:
            del _opened[other]
        _opened[key] = found
    return found


def make_histories(published: Published) -> bool:
    """Build the file of this run unless a good one is there; whether it was built.

    One caller at a time. Raises StoreError if the disk does not take it.
    """
    home, run_id = published.home, published.manifest.run_id
    path = _path(home, run_id)
    try:
        there = _File.open(path, published)
        there.check()
        return False
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        _forget(home, run_id)
    _write(path, published, _newest(path.parent, published))
    return True


def keep_only_histories(published: Published) -> None:
    """Remove the files of other runs."""
    path = _path(published.home, published.manifest.run_id)
    for other in path.parent.glob("*"):
        if other != path:
            with suppress(OSError):
                other.unlink()


def has_histories(published: Published) -> bool:
    """Whether there is a file of this run, good or not."""
    return _path(published.home, published.manifest.run_id).exists()


def _path(home: Path, run_id: str) -> Path:
    return home / "reading" / "histories" / f"{run_id}.scores"


def _damaged(histories: Histories) -> None:
    """Use the file no more: the next `make_histories` builds it anew."""
    _forget(histories.published.home, histories.published.manifest.run_id)
    object.__setattr__(histories, "file", None)
    with suppress(OSError):
        _path(histories.published.home, histories.published.manifest.run_id).unlink()


def _forget(home: Path, run_id: str) -> None:
    with _lock:
        _opened.pop((home, run_id), None)


# --- the file --------------------------------------------------------------------------------------
#
# A line of JSON (what it is of, and where everything lies), the account ids as an Arrow batch, then each
# column as [account, date] and the checksums of its blocks of accounts.


@dataclass
class _File:
    """An open file. Blocks are checked when they are first read; ValueError says that one is damaged."""

    dates: tuple[date, ...]
    versions: dict[str, str]
    account_ids: pa.StringArray
    arrays: dict[str, Array]
    checks: dict[str, Array]

    def __post_init__(self) -> None:
        self.good = {name: np.zeros(len(checks), bool) for name, checks in self.checks.items()}

    @classmethod
    def open(cls, path: Path, published: Published | None = None) -> _File:
        """Raises OSError or ValueError where there is none, or none of these snapshots."""
        with path.open("rb") as file:
            mapped = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        head = mapped[: 1 << 24].tobytes().split(b"\n", 2)
        told = json.loads(head[0])
        if int(head[1]) != zlib.crc32(head[0]) or told["format"] != FORMAT or told["size"] != len(mapped):
            raise ValueError("not a file of histories, or a damaged one")
        if published is not None and told["versions"] != parts_by_date(published):
            raise ValueError("of other snapshots")
        start, length, check = told["ids"]
        packed = mapped[start : start + length]
        if zlib.crc32(packed.data) != check:
            raise ValueError("a damaged file")
        batch = pa.ipc.open_stream(pa.py_buffer(packed)).read_next_batch()
        dates = tuple(date.fromisoformat(day) for day in told["versions"])
        rows, width = batch.num_rows, len(dates)
        arrays, checks = {}, {}
        for name, (at, checks_at) in told["columns"].items():
            kind = np.dtype(COLUMNS[name][0])
            size = rows * width * kind.itemsize
            arrays[name] = mapped[at : at + size].view(kind).reshape(rows, width)
            checks[name] = mapped[checks_at : checks_at + 4 * -(-rows // BLOCK)].view("<u4")
        return cls(dates, told["versions"], batch.column(0), arrays, checks)

    def row(self, account: str) -> dict[str, Array] | None:
        at = bisect_left(_Texts(self.account_ids), account)
        if at == len(self.account_ids) or self.account_ids[at].as_py() != account:
            return None
        for name in COLUMNS:
            self._check(name, at // BLOCK)
        return {name: array[at] for name, array in self.arrays.items()}

    def column(self, name: str) -> Array:
        for block in np.flatnonzero(~self.good[name]).tolist():
            self._check(name, block)
        return self.arrays[name]

    def check(self) -> None:
        for name in COLUMNS:
            self.column(name)

    def _check(self, name: str, block: int) -> None:
        if not self.good[name][block]:
            content = self.arrays[name][block * BLOCK : (block + 1) * BLOCK]
            if zlib.crc32(content.data) != self.checks[name][block]:
                raise ValueError("a damaged block")
            self.good[name][block] = True


@dataclass(frozen=True, slots=True)
class _Texts(Sequence[str]):
    """An Arrow array as something that can be searched."""

    array: pa.StringArray

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, at: Any) -> Any:
        return self.array[at].as_py()


def _write(path: Path, published: Published, before: _File | None) -> None:
    dates, versions = published.dates(), parts_by_date(published)
    known = None
    if before is not None:
        known = Known(before.dates, before.versions, before.account_ids, before.arrays)
    grid = Grid(published, all_ids(published), dates, known)
    ids = pa.record_batch([grid.account_ids], ["account_id"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ids.schema) as stream:
        stream.write_batch(ids)
    packed = sink.getvalue()
    rows, at = len(grid.account_ids), _aligned(4096 + 64 * len(versions) + 2 * len(json.dumps(versions)))
    told: dict[str, Any] = {"format": FORMAT, "versions": versions}
    told["ids"] = [at, packed.size, zlib.crc32(packed)]
    at = _aligned(at + packed.size)
    places = {}
    for name, (kind, _) in COLUMNS.items():
        checks_at = _aligned(at + rows * len(dates) * np.dtype(kind).itemsize)
        places[name] = [at, checks_at]
        at = _aligned(checks_at + 4 * -(-rows // BLOCK))
    head = json.dumps({**told, "columns": places, "size": at}).encode()

    def fill(file: BinaryIO) -> None:
        file.write(head + b"\n%d\n" % zlib.crc32(head))
        file.seek(told["ids"][0])
        file.write(packed)
        for name, (start, checks_at) in places.items():
            column = grid.column(name)
            checks = [zlib.crc32(column[n : n + BLOCK].data) for n in range(0, rows, BLOCK)]
            file.seek(start)
            file.write(column.reshape(-1).view(np.uint8).data)
            del column  # before the next one is made
            file.seek(checks_at)
            file.write(np.array(checks, "<u4").tobytes())
        file.truncate(at)

    # Not synced: what a crash leaves of it does not fit its checksums.
    replace_file(path, fill, sync=False)


def _aligned(at: int) -> int:
    return -(-at // 64) * 64


def _newest(folder: Path, published: Published) -> _File | None:
    """The file of an earlier run that shares the most dates with this one, if it is whole."""
    wanted = parts_by_date(published).items()
    found: list[tuple[int, _File | None]] = []
    for path in folder.glob("*.scores"):
        with suppress(OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            there = _File.open(path)
            there.check()
            found.append((len(wanted & there.versions.items()), there))
    shared, file = max(found, key=lambda one: one[0], default=(0, None))
    return file if shared else None


def _arrays(rows: pa.Table) -> dict[str, Array]:
    return {name: values_of(name, rows["status" if name == "scored" else name]) for name in _READ}
