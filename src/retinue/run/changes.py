"""Drivers of many changes at once: for transitions, and for what moved accounts lately."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.insight.drivers import WHOLE, ChangeDrivers, Legs, Rows, chain
from retinue.insight.stability import NO_DAY
from retinue.run.layers import History, floats_of, keys

Array = NDArray[Any]

#: Measures of snapshots: (ix, day) -> table with ix, day, component, metric, points, weight.
Fetch = Callable[[Array, Array], pa.Table]


@dataclass(frozen=True)
class Bridges:
    """All bridges, sorted by (ix, day). `old_*` are nan where the old way gives no score.

    `measures` gives the measures of the old way, for numbers of bridges.
    """

    ix: Array
    day: Array
    since: Array
    old_base: Array
    old_adjustment: Array
    old_computed: Array
    measures: Callable[[Array], pa.Table]


@dataclass(frozen=True)
class Changes:
    """Drivers per change; `names` are the (component, metric) that keys stand for."""

    drivers: ChangeDrivers
    names: list[tuple[str, str]]

    def listed(self, count: int) -> list[list[dict[str, Any]]]:
        """Per change its drivers, largest first, as published."""
        from retinue.insight.drivers import KINDS

        found: list[list[dict[str, Any]]] = [[] for _ in range(count)]
        d = self.drivers
        order = np.lexsort((d.key, d.kind, -np.abs(d.points), d.change))
        for change, kind, key, points in zip(
            d.change[order].tolist(),
            d.kind[order].tolist(),
            d.key[order].tolist(),
            d.points[order].tolist(),
            strict=True,
        ):
            component, metric = self.names[key] if key != WHOLE else (None, None)
            found[change].append(
                {"kind": KINDS[kind], "component": component, "metric": metric, "points": points}
            )
        return found


def changes(
    snapshots: History, bridges: Bridges, fetch: Fetch, ix: Array, start: Array, end: Array
) -> Changes:
    """Drivers of the change of effective of account `ix` from day `start` to day `end`, each a
    scored snapshot in `snapshots`. A start of NO_DAY gives no drivers."""
    real = start != NO_DAY
    numbers = np.flatnonzero(real)
    ix, start, end = ix[real], start[real], end[real]
    place0, place1 = _places(snapshots, ix, start), _places(snapshots, ix, end)

    # Each change is one leg, and one more for every bridge on the way.
    low, high = _crossed(bridges, ix, start, end)
    crossed = high - low
    legs = crossed + 1
    first = (
        np.concatenate([[0], np.cumsum(legs)[:-1]]).astype(np.int64) if len(legs) else np.zeros(0, np.int64)
    )
    change = np.repeat(np.arange(len(ix)), legs)
    nth = np.arange(len(change)) - first[change]
    is_first, is_last = nth == 0, nth == crossed[change]
    bridge0 = np.where(is_first, -1, low[change] + nth - 1)
    bridge1 = np.where(is_last, -1, low[change] + nth)

    opened = np.where(is_first, place0[change], -1)
    after = bridge0 >= 0
    opened[after] = _places(snapshots, bridges.ix[bridge0[after]], bridges.day[bridge0[after]])
    closed = np.where(is_last, place1[change], -1)
    met = bridge1 >= 0
    known = np.zeros(len(change), bool)
    known[met] = ~np.isnan(bridges.old_computed[bridge1[met]])
    unknown = met & ~known
    # Where the old way gives nothing, it ends at the snapshot before and the step is configuration.
    closed[unknown] = _places(snapshots, bridges.ix[bridge1[unknown]], bridges.since[bridge1[unknown]])

    base1, adjustment1 = np.empty(len(change)), np.empty(len(change))
    told = ~known
    base1[told], adjustment1[told] = snapshots.base[closed[told]], snapshots.adjustment[closed[told]]
    base1[known] = bridges.old_base[bridge1[known]]
    adjustment1[known] = bridges.old_adjustment[bridge1[known]]

    configuration = np.zeros(len(ix))
    stepped = np.flatnonzero(met)
    new = snapshots.computed[_places(snapshots, bridges.ix[bridge1[stepped]], bridges.day[bridge1[stepped]])]
    np.add.at(configuration, change[stepped], new - (base1 + adjustment1)[stepped])

    smoothing = (snapshots.published - snapshots.computed)[place1] - (
        snapshots.published - snapshots.computed
    )[place0]
    override = (snapshots.effective - snapshots.published)[place1] - (
        snapshots.effective - snapshots.published
    )[place0]

    rows, names = _measures(snapshots, bridges, fetch, opened, closed, np.where(known, bridge1, -1))
    found = chain(
        Legs(
            start=rows[0],
            end=rows[1],
            base0=snapshots.base[opened],
            base1=base1,
            adjustment0=snapshots.adjustment[opened],
            adjustment1=adjustment1,
        ),
        change=change,
        configuration=configuration,
        smoothing=smoothing,
        override=override,
    )
    return Changes(ChangeDrivers(numbers[found.change], found.kind, found.key, found.points), names)


def needed(bridges: Bridges, ix: Array, start: Array, end: Array) -> tuple[Array, Array]:
    """The (ix, day) of all snapshots that `changes` of the same spans looks at."""
    low, high = _crossed(bridges, ix, start, end)
    inside = np.zeros(len(bridges.ix) + 1, np.int64)
    np.add.at(inside, low, 1)
    np.add.at(inside, high, -1)
    met = np.cumsum(inside)[:-1] > 0
    met_ix, told = bridges.ix[met], np.isnan(bridges.old_computed[met])
    return (
        np.concatenate([ix, ix, met_ix, met_ix[told]]),
        np.concatenate([start, end, bridges.day[met], bridges.since[met][told]]),
    )


def _crossed(bridges: Bridges, ix: Array, start: Array, end: Array) -> tuple[Array, Array]:
    """Of each span the first bridge in it and the first after it."""
    at = keys(bridges.ix, bridges.day)
    low = np.searchsorted(at, keys(ix, start), side="right")
    return low, np.searchsorted(at, keys(ix, end), side="right")


def _places(snapshots: History, ix: Array, day: Array) -> Array:
    return np.searchsorted(keys(snapshots.ix, snapshots.day), keys(ix, day))


def _measures(
    snapshots: History, bridges: Bridges, fetch: Fetch, opened: Array, closed: Array, old: Array
) -> tuple[tuple[Rows, Rows], list[tuple[str, str]]]:
    """Measures at both ends of every leg, with the names of their keys."""
    ends = closed[old < 0]
    wanted = np.unique(np.concatenate([opened, ends]))
    table = fetch(snapshots.ix[wanted], snapshots.day[wanted])
    crossed = np.unique(old[old >= 0])
    before = bridges.measures(crossed)
    named = [_names(table), _names(before)]
    every = pc.unique(pa.chunked_array([*named[0].chunks, *named[1].chunks], pa.string()))
    pairs = sorted((one, other) for one, other in (text.split(_BETWEEN) for text in every.to_pylist()))
    known = pa.array([_BETWEEN.join(pair) for pair in pairs], pa.string())
    number, number_before = (_ints(pc.index_in(names, value_set=known)) for names in named)

    of_snapshot = np.searchsorted(
        keys(snapshots.ix[wanted], snapshots.day[wanted]), keys(_ints(table["ix"]), _ints(table["day"]))
    )
    sides = _Side(of_snapshot, number, floats_of(table["points"]), floats_of(table["weight"]))
    of_bridge = np.searchsorted(crossed, _ints(before["bridge"]))
    olds = _Side(of_bridge, number_before, floats_of(before["points"]), floats_of(before["weight"]))
    start = sides.spread(np.searchsorted(wanted, opened), np.arange(len(opened)))
    main = np.flatnonzero(old < 0)
    through = np.flatnonzero(old >= 0)
    end_main = sides.spread(np.searchsorted(wanted, closed[main]), main)
    end_old = olds.spread(np.searchsorted(crossed, old[through]), through)
    end = Rows(
        *(
            np.concatenate([getattr(end_main, f), getattr(end_old, f)])
            for f in ("leg", "key", "points", "share")
        )
    )
    return (start, end), pairs


#: Stands between the names of a component and a metric; names cannot have it.
_BETWEEN = "\x1f"


def _names(rows: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(rows["component"], rows["metric"], _BETWEEN)


@dataclass(frozen=True)
class _Side:
    """Measures grouped by the thing (snapshot or bridge) they belong to, in its order."""

    thing: Array
    key: Array
    points: Array
    share: Array

    def spread(self, things: Array, legs: Array) -> Rows:
        """One copy of a thing's measures for every leg that ends there."""
        order = np.argsort(self.thing, kind="stable")
        low = np.searchsorted(self.thing[order], things)
        count = np.searchsorted(self.thing[order], things, side="right") - low
        start = (
            np.repeat(low - np.concatenate([[0], np.cumsum(count)[:-1]]), count)
            if len(count)
            else np.zeros(0, np.int64)
        )
        rows = order[(start + np.arange(int(count.sum()))).astype(np.int64)]
        return Rows(np.repeat(legs, count), self.key[rows], self.points[rows], self.share[rows])


def _ints(column: pa.ChunkedArray) -> Array:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64)
