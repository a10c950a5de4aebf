"""Why a score changed: drivers that sum exactly to the change.

A leg is a stretch between two snapshots scored the same way. Its drivers are value (points that
moved), availability (measures that came, went or aged) and rule (caps and floors). A change spans
one leg or several, joined by bridges where the way of scoring changed; there the difference
between the new and the old way is configuration. Smoothing is what stability held back or let go,
override what a person set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indexes = NDArray[np.integer[Any]]

KINDS = ("value", "availability", "rule", "configuration", "smoothing", "override")
VALUE, AVAILABILITY, RULE, CONFIGURATION, SMOOTHING, OVERRIDE = range(6)
WHOLE = -1
"""The key of drivers that belong to the whole score and not to a measure."""

_NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class Rows:
    """Measures of one end of many legs: leg number, key of the (component, metric), points and
    normalised share. Rows without points or share are ignored; a (leg, key) appears once."""

    leg: Indexes
    key: Indexes
    points: Floats
    share: Floats


@dataclass(frozen=True, slots=True)
class Legs:
    """Many legs at once: base and adjustment at both ends, one entry per leg, and the measures."""

    start: Rows
    end: Rows
    base0: Floats
    base1: Floats
    adjustment0: Floats
    adjustment1: Floats

    def __len__(self) -> int:
        return len(self.base0)


@dataclass(frozen=True, slots=True)
class LegDrivers:
    """Rows (leg, kind, key, points) of kind VALUE or AVAILABILITY, which sum to the change of
    base, and `rule` per leg, which completes the change of computed."""

    leg: Indexes
    kind: NDArray[np.int8]
    key: Indexes
    points: Floats
    rule: Floats


@dataclass(frozen=True, slots=True)
class ChangeDrivers:
    """Rows (change, kind, key, points), sorted by the first three; kinds index `KINDS`."""

    change: Indexes
    kind: NDArray[np.int8]
    key: Indexes
    points: Floats


def drivers_of(legs: Legs) -> LegDrivers:
    """Split the change of base of every leg.

    A score without measures (rolled up from children) changes by one VALUE row with key WHOLE.
    Raises ValueError when a (leg, key) repeats at one end.
    """
    start, end = _present(legs.start), _present(legs.end)
    width = 1 + max((int(rows.key.max()) for rows in (start, end) if len(rows.key)), default=0)
    unique, place = np.unique(
        np.concatenate([rows.leg.astype(np.int64) * width + rows.key for rows in (start, end)]),
        return_inverse=True,
    )
    place0, place1 = place[: len(start.leg)], place[len(start.leg) :]
    rows = len(unique)
    share0, share1 = np.zeros(rows), np.zeros(rows)
    points0, points1 = np.full(rows, np.nan), np.full(rows, np.nan)
    for places in (place0, place1):
        if len(np.unique(places)) != len(places):
            raise ValueError("a measure appears twice at the same end of a leg")
    share0[place0], points0[place0] = start.share, start.points
    share1[place1], points1[place1] = end.share, end.points

    leg, key = np.divmod(unique, width)
    both = ~np.isnan(points0) & ~np.isnan(points1)
    first, second = (
        np.where(np.isnan(points0), points1, points0),
        np.where(np.isnan(points1), points0, points1),
    )
    middle = 0.5 * (legs.base0 + legs.base1)[leg]
    value = np.where(both, 0.5 * (share0 + share1) * (second - first), 0.0)
    availability = (share1 - share0) * (0.5 * (first + second) - middle)

    # Without measures at an end there is nothing to split; what the rows leave is the whole score.
    has0, has1 = np.zeros(len(legs), bool), np.zeros(len(legs), bool)
    has0[start.leg], has1[end.leg] = True, True
    bare = np.flatnonzero(~(has0 & has1))
    explained = np.bincount(leg, value + availability, len(legs)) if rows else np.zeros(len(legs))
    whole = (legs.base1 - legs.base0 - explained)[bare]

    out_leg = np.concatenate([leg, leg, bare])
    out_kind = np.repeat(np.array([VALUE, AVAILABILITY, VALUE], np.int8), [rows, rows, len(bare)])
    out_key = np.concatenate([key, key, np.full(len(bare), WHOLE)])
    out_points = np.concatenate([value, availability, whole])
    keep = np.abs(out_points) > _NOTHING
    return LegDrivers(
        out_leg[keep],
        out_kind[keep],
        out_key[keep],
        out_points[keep],
        rule=legs.adjustment1 - legs.adjustment0,
    )


def chain(
    legs: Legs,
    change: Indexes,
    configuration: Floats,
    smoothing: Floats,
    override: Floats,
) -> ChangeDrivers:
    """Add the drivers of legs up into changes.

    `change` gives the number of the change that each leg belongs to; the other arrays have one
    entry per change: new minus old over its bridges, change of (published - computed), change of
    (effective - published). The rows of a change sum to its change of effective.
    """
    changes = len(configuration)
    parts = drivers_of(legs)
    every = np.arange(changes)
    rule = np.bincount(change, parts.rule, changes) if len(change) else np.zeros(changes)
    of = np.concatenate([np.asarray(change, np.int64)[parts.leg], np.tile(every, 4)])
    wholes = np.repeat(np.array([RULE, CONFIGURATION, SMOOTHING, OVERRIDE], np.int8), changes)
    kind = np.concatenate([parts.kind, wholes])
    key = np.concatenate([parts.key, np.full(4 * changes, WHOLE)])
    points = np.concatenate([parts.points, rule, configuration, smoothing, override])

    width = 2 + (int(key.max()) if len(key) else 0)
    named, place = np.unique((of * len(KINDS) + kind) * width + key + 1, return_inverse=True)
    summed: Floats = np.zeros(len(named))
    np.add.at(summed, place, points)
    keep = np.abs(summed) > _NOTHING
    of_kind, key = np.divmod(named[keep], width)
    of, kind = np.divmod(of_kind, len(KINDS))
    return ChangeDrivers(of, kind.astype(np.int8), key - 1, summed[keep])


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """A measure of one snapshot; `weight` is its normalised share, 0 or None where it is absent."""

    component: str
    metric: str
    value: float | None
    state: str
    points: float | None
    weight: float | None


@dataclass(frozen=True, slots=True)
class Scoring:
    """One account, one day, scored one way; computed = base + adjustment."""

    base: float
    adjustment: float
    computed: float
    measures: tuple[MeasureRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A scored snapshot as published; days are anything that orders (dates, or ISO text)."""

    as_of: Any
    base: float
    adjustment: float
    computed: float
    published: float
    effective: float
    measures: tuple[MeasureRow, ...] = ()

    @property
    def scoring(self) -> Scoring:
        return Scoring(self.base, self.adjustment, self.computed, self.measures)


@dataclass(frozen=True, slots=True)
class Bridge:
    """The first day of a new way of scoring: the day scored both ways.

    `old` is None where the old way gives no score that day; then `before` is the last snapshot
    that the old way gave, and the whole step from there is configuration.
    """

    as_of: Any
    new: Scoring
    old: Scoring | None
    before: Scoring | None = None


@dataclass(frozen=True, slots=True)
class Driver:
    """A part of a change, in points; component and metric are None for the whole score."""

    kind: str
    component: str | None
    metric: str | None
    points: float


def explain_change(start: Snapshot, end: Snapshot, bridges: Sequence[Bridge] = ()) -> list[Driver]:
    """Drivers of the change of effective from start to end, largest first; they sum to it.

    Bridges after `start` up to `end` count, others are ignored.
    """
    stretches: list[tuple[Scoring, Scoring]] = []
    configuration, here = 0.0, start.scoring
    for bridge in sorted(bridges, key=lambda b: b.as_of):
        if not start.as_of < bridge.as_of <= end.as_of:
            continue
        last = bridge.old or bridge.before or here
        stretches.append((here, last))
        configuration += bridge.new.computed - last.computed
        here = bridge.new
    stretches.append((here, end.scoring))

    names = sorted({(m.component, m.metric) for pair in stretches for side in pair for m in side.measures})
    number = {name: key for key, name in enumerate(names)}
    legs = Legs(
        start=_rows([pair[0] for pair in stretches], number),
        end=_rows([pair[1] for pair in stretches], number),
        base0=np.array([a.base for a, _ in stretches]),
        base1=np.array([b.base for _, b in stretches]),
        adjustment0=np.array([a.adjustment for a, _ in stretches]),
        adjustment1=np.array([b.adjustment for _, b in stretches]),
    )
    found = chain(
        legs,
        change=np.zeros(len(stretches), np.int64),
        configuration=np.array([configuration]),
        smoothing=np.array([(end.published - end.computed) - (start.published - start.computed)]),
        override=np.array([(end.effective - end.published) - (start.effective - start.published)]),
    )
    drivers = []
    for kind, key, points in zip(found.kind.tolist(), found.key.tolist(), found.points.tolist(), strict=True):
        component, metric = names[key] if key != WHOLE else (None, None)
        drivers.append(Driver(KINDS[kind], component, metric, points))
    return sorted(drivers, key=lambda d: (-abs(d.points), d.kind, d.component or "", d.metric or ""))


def _rows(scorings: list[Scoring], number: dict[tuple[str, str], int]) -> Rows:
    found = [
        (leg, number[m.component, m.metric], m.points, m.weight)
        for leg, scoring in enumerate(scorings)
        for m in scoring.measures
        if m.points is not None and m.weight
    ]
    leg, key, points, share = zip(*found, strict=True) if found else ((), (), (), ())
    return Rows(
        np.array(leg, np.int64), np.array(key, np.int64), np.array(points, float), np.array(share, float)
    )


def _present(rows: Rows) -> Rows:
    there = ~np.isnan(rows.points) & (rows.share > 0)
    return Rows(rows.leg[there], rows.key[there], rows.points[there], rows.share[there])
