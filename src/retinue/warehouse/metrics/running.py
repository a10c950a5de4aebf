"""Running along the grid: from tallies to the value of every series on every date.

Arrays of accounts x dates, a block of accounts at a time so that memory is bounded whatever the
number of accounts. Sums are whole numbers (decimals in units of their last place), so they are
exact and do not depend on the order of rows, nor on the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retinue.warehouse.engine import Engine
from retinue.warehouse.metrics.series import Active, Edge, Flow, Frame, Series
from retinue.warehouse.metrics.tallies import Changes, Daily, Ranks, Spans, Tally, gather
from retinue.warehouse.spine import Spine

Array = NDArray[Any]

_EPOCH = date(1970, 1, 1)
#: Sums below it cannot overflow 64 bits, wherever they are added up.
_SAFE = 2.0**61
_NEVER = np.iinfo(np.int32)


def compute(
    engine: Engine,
    spine: Spine,
    sources: Mapping[str, ir.Table],
    wanted: Iterable[Series],
    carried: Mapping[str, Daily] | None = None,
    block_bytes: int = 1 << 28,
) -> tuple[ir.Table, dict[Series, str]]:
    """All `wanted` series on the spine, and the column each of them is in.

    The table has ix, pos, as_of and one column per series, one row per row of the spine. Sums are
    int64 or decimals, first and last days dates, `Newest` the rank of its row (`newest_rows`).
    `carried` has tallies, by source, of rows that are facts no longer.
    """
    names = {series: f"x{n}" for n, series in enumerate(dict.fromkeys(wanted))}
    if not names:
        return spine.rows, names
    tallies: list[Tally] = []
    lasting: list[Tally] = []
    for source in dict.fromkeys(series.source for series in names):
        tallies += gather(engine, spine, sources[source], [s for s in names if s.source == source])
        if carried and source in carried:
            told = carried[source]
            columns = {one: name for one, name in told.columns.items() if one in names}
            lasting.append(Daily(told.table, columns))
    alive = _Alive.of(engine, spine)
    size = max(block_bytes // (8 * len(alive.dates) * (len(names) + 3)), 1)
    parts = [
        engine.memory(
            _block(engine, [*tallies, *lasting], alive, lo, min(lo + size, alive.accounts), size, names)
        )
        for lo in range(0, max(alive.accounts, 1), size)
    ]
    engine.drop(*(tally.table for tally in tallies))
    if len(parts) == 1:
        return parts[0], names
    whole = engine.store("series", ibis.union(*parts))
    engine.drop(*parts)
    return whole, names


@dataclass(frozen=True)
class _Alive:
    """The spine as arrays: of each account its first place on the grid and the one after its last."""

    dates: Array
    first: Array
    end: Array
    place: Array

    @property
    def accounts(self) -> int:
        return len(self.first) - 1

    @classmethod
    def of(cls, engine: Engine, spine: Spine) -> _Alive:
        table = engine.arrow(spine.spans)
        dates = np.array([(day - _EPOCH).days for day in spine.dates])
        ix = table["ix"].to_numpy()
        accounts = int(ix.max()) + 1 if len(ix) else 0
        # One more than there are accounts: what is of an account that is never alive.
        first, end = (np.full(accounts + 1, len(dates), np.int32) for _ in range(2))
        first[ix], end[ix] = table["first_pos"].to_numpy(), table["last_pos"].to_numpy() + 1
        # One more than there are days: what comes after the last date.
        place = np.searchsorted(dates, np.arange(dates[0], dates[-1] + 2)).astype(np.int32)
        return cls(dates, first, end, place)

    def pos(self, ix: Array, day: Array) -> Array:
        """Where the grid of an account first sees a day; beyond the last date where it never does."""
        pos = np.take(self.place, day - np.int32(self.dates[0]), mode="clip")
        return np.maximum(pos, np.take(self.first, ix, mode="clip"), out=pos)


def _block(
    engine: Engine,
    tallies: list[Tally],
    alive: _Alive,
    lo: int,
    hi: int,
    size: int,
    names: Mapping[Series, str],
) -> pa.Table:
    """The rows of the spine of the accounts lo..hi-1, with all series."""
    found: dict[Series, _Running] = {}
    for tally in tallies:
        table = (
            tally.table if size >= alive.accounts else tally.table.filter(tally.table.ix.between(lo, hi - 1))
        )
        for series, values in _Block(alive, lo, hi, engine.arrow(table)).run(tally).items():
            found[series] = found[series].plus(values) if series in found else values
    grid = np.arange(len(alive.dates))
    rows = (grid >= alive.first[lo:hi, None]) & (grid < alive.end[lo:hi, None])
    ix, pos = np.nonzero(rows)
    columns = {
        "ix": pa.array((ix + lo).astype(np.int32)),
        "pos": pa.array(pos.astype(np.int32)),
        "as_of": pa.array(alive.dates[pos].astype(np.int32)).cast(pa.date32()),
    }
    return pa.table({**columns, **{name: found[series].column(rows) for series, name in names.items()}})


@dataclass(frozen=True)
class _Running:
    """Values of one series, [accounts, dates], and the type that they stand for."""

    values: Array
    kind: pa.DataType

    def plus(self, other: _Running) -> _Running:
        """The sum of both; that of 64 bits is checked when tallies are read, with room to spare."""
        return _Running(self.values + other.values, self.kind)

    def column(self, rows: Array) -> pa.Array:
        told = self.values[rows]
        if pa.types.is_decimal(self.kind):
            return _decimals(told, self.kind)
        if pa.types.is_date(self.kind):
            never = (told == _NEVER.min) | (told == _NEVER.max)
            return pa.array(told.astype(np.int32), pa.int32(), mask=never).cast(pa.date32())
        if told.dtype == object:
            return pa.array(told.tolist(), self.kind)
        return pa.array(told, self.kind)


@dataclass(frozen=True)
class _Block:
    """One tally of the accounts lo..hi-1, as arrays."""

    alive: _Alive
    lo: int
    hi: int
    table: pa.Table

    @property
    def shape(self) -> tuple[int, int]:
        return self.hi - self.lo, len(self.alive.dates)

    @property
    def ix(self) -> Array:
        return self.table["ix"].to_numpy()

    def run(self, tally: Tally) -> dict[Series, _Running]:
        match tally:
            case Daily(columns=columns):
                return dict(self._daily(columns))
            case Spans(columns=columns):
                runs = [
                    self._placed(self.ix, self._days("start"), 1),
                    self._placed(self.ix, self._days("end", 2**30), -1),
                ]
                return {one: self._summed(name, runs) for one, name in columns.items()}
            case Changes(columns=columns):
                day = self.table["offset"].to_numpy() + np.int32(self.alive.dates[0])
                runs = [self._placed(self.ix, day, 1)]
                return {one: self._summed(name, runs) for one, name in columns.items()}
            case Ranks(series=series):
                ranks = self._best(np.maximum, -1, self.ix, self._days("seen"), self.table["rank"].to_numpy())
                return {series: _Running(ranks, pa.int64())}

    def _days(self, name: str, empty: int = 0) -> Array:
        return self.table[name].cast(pa.int32()).fill_null(empty).to_numpy()

    def _daily(self, columns: Mapping[Flow | Active | Edge, str | None]) -> Iterator[tuple[Series, _Running]]:
        ix, day, seen = self.ix, self._days("day"), self._days("seen")
        frames: dict[Frame, list[_Placed]] = {}
        for series, name in columns.items():
            match series:
                case Flow(frame=frame):
                    assert name is not None
                    if frame not in frames:
                        frames[frame] = self._window(ix, day, seen, frame)
                    yield series, self._summed(name, frames[frame])
                case Active(frame=frame, weeks=weeks):
                    here = self._counted(name)
                    happened = _sunday(day[here]) if weeks else day[here]
                    runs = self._window(*_first_seen(ix[here], happened, seen[here]), frame)
                    yield series, self._summed(None, runs)
                case Edge(last=last):
                    here = self._counted(name)
                    best, never = (np.maximum, _NEVER.min) if last else (np.minimum, _NEVER.max)
                    edges = self._best(best, never, ix[here], seen[here], day[here])
                    yield series, _Running(edges, pa.date32())

    def _counted(self, name: str | None) -> Array | slice:
        """The rows of a day on which anything happened that counts."""
        if name is None:
            return slice(None)
        return self.table[name].fill_null(0).to_numpy() > 0

    def _window(self, ix: Array, day: Array, seen: Array, frame: Frame) -> list[_Placed]:
        """Where rows begin and end to count."""
        happened = _sunday(day) if frame.weeks else day
        start = np.maximum(seen, happened + frame.shift)
        if frame.length is None:
            return [self._placed(ix, start, 1)]
        end = happened + (frame.shift + frame.length)
        lasting = end > start
        return [self._placed(ix, start, 1, lasting), self._placed(ix, end, -1, lasting)]

    def _placed(self, ix: Array, day: Array, sign: int, which: Array | None = None) -> _Placed:
        """Where the grid of each account first sees a day; rows that it never sees are left out."""
        pos = self.alive.pos(ix, day)
        here = pos < len(self.alive.dates)
        here = here if which is None else here & which
        at = (ix - np.int32(self.lo)).astype(np.int64) * len(self.alive.dates) + pos
        return _Placed(None, at, sign) if here.all() else _Placed(here, at[here], sign)

    def _summed(self, name: str | None, runs: list[_Placed]) -> _Running:
        """Running sums of a column, of 1 without one."""
        size = self.shape[0] * self.shape[1]
        if name is None:
            values = np.zeros(size, np.int64)
            for run in runs:
                values += run.sign * np.bincount(run.at, minlength=size)
            return _Running(np.cumsum(values.reshape(self.shape), axis=1), pa.int64())
        amounts, kind = _whole_numbers(self.table[name])
        values = np.zeros(size, amounts.dtype)
        # Doubles count exactly up to 2^53, and much faster.
        exact = amounts.dtype != object and np.abs(amounts.astype(float)).sum() < 2.0**53
        for run in runs:
            told = amounts if run.rows is None else amounts[run.rows]
            if exact:
                values += run.sign * np.bincount(run.at, told, size).astype(np.int64)
            else:
                np.add.at(values, run.at, run.sign * told)
        return _Running(np.cumsum(values.reshape(self.shape), axis=1), kind)

    def _best(self, how: np.ufunc, never: int, ix: Array, day: Array, told: Array) -> Array:
        """The running maximum or minimum of `told`, `never` before the first."""
        placed = self._placed(ix, day, 1)
        values = np.full(self.shape[0] * self.shape[1], never, np.int64)
        how.at(values, placed.at, told if placed.rows is None else told[placed.rows])
        return np.asarray(how.accumulate(values.reshape(self.shape), axis=1))


@dataclass(frozen=True)
class _Placed:
    """Rows of a tally (None: all), and where in a block they act: added, or with sign -1 taken away."""

    rows: Array | None
    at: Array
    sign: int


def _first_seen(ix: Array, day: Array, seen: Array) -> tuple[Array, Array, Array]:
    """Each (account, day) once, with the day on which it is first seen.

    All three are packed into one number: sorting numbers is much quicker than sorting three keys.
    """
    if not len(ix):
        return ix, day, seen
    late = np.maximum(seen - day, 0)
    first, days, lateness = int(day.min()), int(day.max() - day.min()) + 1, int(late.max()) + 1
    packed = np.sort((ix.astype(np.int64) * days + (day - first)) * lateness + late)
    key = packed // lateness
    fresh = np.ones(len(key), bool)
    fresh[1:] = key[1:] != key[:-1]
    key, late = key[fresh], (packed[fresh] % lateness).astype(np.int32)
    happened = (key % days).astype(np.int32) + first
    return (key // days).astype(np.int32), happened, happened + late


def _sunday(day: Array) -> Array:
    """The Sunday that ends the week of each day; 1970-01-01 was a Thursday."""
    return day + 6 - (day + 3) % 7


def _whole_numbers(column: pa.ChunkedArray) -> tuple[Array, pa.DataType]:
    """A column of sums as whole numbers, decimals in units of their last place; 0 where empty.

    As 64 bits where no sum can overflow them, else as numbers of any size.
    """
    kind = column.type
    if not pa.types.is_decimal(kind):
        told = column.fill_null(0).to_numpy().astype(np.int64)
        return (told if np.abs(told.astype(float)).sum() < _SAFE else told.astype(object)), pa.int64()
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], kind)
    whole = whole.fill_null(Decimal(0))
    limbs = np.frombuffer(whole.buffers()[1] or b"", np.int64)
    limbs = limbs[2 * whole.offset : 2 * (whole.offset + len(whole))].reshape(-1, 2)
    low, high = limbs[:, 0], limbs[:, 1]
    if (high == low >> 63).all() and np.abs(low.astype(float)).sum() < _SAFE:
        return low.copy(), kind
    return high.astype(object) * 2**64 + low.view(np.uint64).astype(object), kind


def _decimals(told: Array, kind: pa.Decimal128Type) -> pa.Array:
    if told.dtype == object:
        with localcontext(prec=80):
            return pa.array([Decimal(int(one)).scaleb(-kind.scale) for one in told.tolist()], kind)
    limbs = np.empty((len(told), 2), np.int64)
    limbs[:, 0], limbs[:, 1] = told, told >> 63
    return pa.Array.from_buffers(kind, len(told), [None, pa.py_buffer(limbs)])
