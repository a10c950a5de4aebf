"""The portfolio: how groups of accounts stand, what moved between two dates, and what they have in common."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, get_args

import numpy as np

from retinue.desk.causes import Causes, causes
from retinue.desk.losses import Losses, losses
from retinue.desk.movement import Movement, Weight, group_means, mean, movement
from retinue.desk.panel import COHORT, OTHERS, Frame, Panel, frame, nearest, panel, published
from retinue.desk.starts import Start, starts
from retinue.desk.steady import steady
from retinue.errors import StoreError
from retinue.insight.replay import Coded
from retinue.project.scorecards import BANDS
from retinue.store.people.access import Actor, require
from retinue.store.published.current import RunInfo
from retinue.workspace import Workspace

#: Groups beside one another at most, and groups in a list.
COMPARED, LISTED = 4, 50
#: Days from the first date to the last one, where nothing else is asked for.
DAYS = 28
#: Width of a bin of scores, in points.
BIN = 5


@dataclass(frozen=True)
class PortfolioAsk:
    """`by` is one of the portfolio's dimensions (None: the first), the dates are published ones or the last
    before them; `compare` are values of `by` to hold against one another."""

    by: str | None = None
    since: date | None = None
    until: date | None = None
    compare: tuple[str, ...] = ()
    weight: Weight = "arr"

    def __post_init__(self) -> None:
        if self.weight not in get_args(Weight):
            raise StoreError(f"accounts do not count by {self.weight!r}", hint="arr or accounts")
        if len(self.compare) > COMPARED:
            raise StoreError(f"{COMPARED} groups can be compared at a time, not {len(self.compare)}")
        if self.since and self.until and self.since >= self.until:
            raise StoreError(f"{self.since} is not before {self.until}", hint="swap the two dates")


@dataclass(frozen=True, slots=True)
class Standing:
    """Accounts on one date. `bands` and `arr_bands` are by band (None: not scored); means are of effective
    scores, None without any; `histogram` counts accounts in bins of 5 points."""

    accounts: int
    scored: int
    arr: float
    bands: Mapping[str | None, int]
    arr_bands: Mapping[str | None, float]
    mean: float | None
    arr_mean: float | None
    histogram: tuple[int, ...]

    @property
    def at_risk(self) -> float | None:
        """Share of the scored accounts that are at risk."""
        return self.bands["at_risk"] / self.scored if self.scored else None


@dataclass(frozen=True, slots=True)
class TrendPoint:
    day: date
    accounts: int
    scored: int
    mean: float | None
    arr_mean: float | None
    at_risk: int


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """The accounts with one value of the dimension (None: without one; `others`: of many small groups)."""

    value: str | None
    now: Standing
    before: Standing
    trend: tuple[TrendPoint, ...]


@dataclass(frozen=True)
class Portfolio:
    """Everything about the accounts that the actor sees, in groups. `complete`: accounts that are gone are
    among them, which only holds for whoever sees everything."""

    run_id: str
    currency: str | None
    dates: tuple[date, ...]
    dimensions: tuple[str, ...]
    by: str
    complete: bool
    now: Standing
    trend: tuple[TrendPoint, ...]
    groups: tuple[GroupStanding, ...]
    compared: tuple[GroupStanding, ...]
    movement: Movement
    starts: tuple[Start, ...]
    causes: Causes
    losses: Losses

    @property
    def since(self) -> date:
        return self.movement.since

    @property
    def until(self) -> date:
        return self.movement.until

    def to_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "currency": self.currency,
            "dimensions": list(self.dimensions),
            "by": self.by,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "complete": self.complete,
            "now": standing_dict(self.now),
            "trend": [dataclasses.asdict(one) for one in self.trend],
            "groups": [_group_dict(one) for one in self.groups],
            "compared": [one.value for one in self.compared],
            "movement": self.movement.to_dict(),
            "starts": [dataclasses.asdict(one) for one in self.starts],
            "causes": self.causes.to_dict(),
            "losses": self.losses.to_dict(),
        }


def standing_dict(one: Standing) -> dict[str, Any]:
    """As plain values; accounts without a score are under `not_scored`."""
    named = {
        name: {band or "not_scored": value for band, value in getattr(one, name).items()}
        for name in ("bands", "arr_bands")
    }
    rest = {name: getattr(one, name) for name in ("accounts", "scored", "arr", "mean", "arr_mean")}
    return {**rest, **named, "histogram": list(one.histogram), "at_risk_share": one.at_risk}


def _group_dict(one: GroupStanding) -> dict[str, Any]:
    return {
        "value": one.value,
        "now": standing_dict(one.now),
        "before": standing_dict(one.before),
        "trend": [dataclasses.asdict(point) for point in one.trend],
    }


def portfolio(workspace: Workspace, actor: Actor, ask: PortfolioAsk) -> Portfolio:
    """Raises NotFound before the first run, StoreError for a dimension or group that does not exist."""
    require(actor, "read")
    return steady(workspace, lambda run: _portfolio(workspace, actor, ask, run))


def _portfolio(workspace: Workspace, actor: Actor, ask: PortfolioAsk, run: RunInfo) -> Portfolio:
    seen = panel(workspace, actor, run)
    by = ask.by or (seen.dimensions[0] if seen.dimensions else COHORT)
    if seen.dimensions and by not in seen.dimensions:
        raise StoreError(f"accounts are not grouped by {by!r}", hint="by " + ", ".join(seen.dimensions))
    dates = published(workspace, run).dates()
    until = nearest(dates, ask.until or dates[-1])
    since = nearest(dates, min(ask.since or until - timedelta(days=DAYS), until))
    found = _held(_Key((run.run_id, _scope(actor), by, since, until, ask.weight), (workspace, actor, run)))
    groups = {one.value: one for one in found.groups}
    for value in ask.compare:
        if value not in groups:
            raise StoreError(f"no group {value!r} of {by}")
    return dataclasses.replace(
        found,
        compared=tuple(groups[value] for value in dict.fromkeys(ask.compare)),
        losses=losses(workspace, actor, run, seen, since, until),
    )


def _made(workspace: Workspace, actor: Actor, run: RunInfo, asked: tuple[Any, ...]) -> Portfolio:
    by, since, until, weight = asked
    seen = panel(workspace, actor, run)
    source = published(workspace, run)
    first, last = (frame(workspace, actor, run, day) for day in (since, until))
    if by not in last.groups:
        first, last = (_without(one, by) for one in (first, last))
        seen = dataclasses.replace(seen, frames=tuple(_without(one, by) for one in seen.frames))
    first, last, seen = _merged(first, last, seen, by)
    return Portfolio(
        run_id=run.run_id,
        currency=workspace.project.settings.currency,
        dates=source.dates(),
        dimensions=seen.dimensions,
        by=by,
        complete=actor.everything,
        now=standing(last),
        trend=tuple(trend_point(one) for one in seen.frames),
        groups=_groups(first, last, seen, by),
        compared=(),
        movement=movement(first, last, by, weight),
        starts=starts(seen, by),
        causes=_shared(_Key((run.run_id, _scope(actor), since, until), (workspace, actor, run))),
        losses=None,  # type: ignore[arg-type]  # what people record counts at once: filled in each time
    )


def standing(rows: Frame) -> Standing:
    """How these accounts stand."""
    scored = ~np.isnan(rows.score)
    arr = np.nan_to_num(rows.arr)
    codes = np.where(rows.band >= 0, rows.band, len(BANDS)).astype(np.int64)
    bands = np.bincount(codes, minlength=len(BANDS) + 1)
    money = np.bincount(codes, arr, len(BANDS) + 1)
    names = (*BANDS, None)
    bins = np.clip(rows.score[scored] // BIN, 0, 100 // BIN - 1).astype(np.int64)
    return Standing(
        accounts=len(rows),
        scored=int(scored.sum()),
        arr=math.fsum(arr),
        bands={name: int(bands[n]) for n, name in enumerate(names)},
        arr_bands={name: float(money[n]) for n, name in enumerate(names)},
        mean=mean(rows.score, np.ones(len(rows))),
        arr_mean=mean(rows.score, rows.arr),
        histogram=tuple(np.bincount(bins, minlength=100 // BIN).tolist()),
    )


def trend_point(rows: Frame) -> TrendPoint:
    scored = ~np.isnan(rows.score)
    return TrendPoint(
        rows.day,
        len(rows),
        int(scored.sum()),
        mean(rows.score, np.ones(len(rows))),
        mean(rows.score, rows.arr),
        int((rows.band == BANDS.index("at_risk")).sum()),
    )


def _groups(first: Frame, last: Frame, seen: Panel, by: str) -> tuple[GroupStanding, ...]:
    """Those with an account at either date, most accounts first."""
    names = (*sorted({*first.groups[by].names, *last.groups[by].names}), None)
    first, last = (dataclasses.replace(one, groups={by: one.groups[by]}) for one in (first, last))
    trends = [_points(one, by, names) for one in seen.frames]
    found = []
    for n, value in enumerate(names):
        now, before = (_in(one, by, value) for one in (last, first))
        if len(now) or len(before):
            trend = tuple(points[n] for points in trends)
            found.append(GroupStanding(value, standing(now), standing(before), trend))
    return tuple(sorted(found, key=lambda one: (one.value == OTHERS, -one.now.accounts, one.value or "")))


def _in(rows: Frame, by: str, value: str | None) -> Frame:
    group = rows.groups[by]
    code = -1 if value is None else group.names.index(value) if value in group.names else -2
    return rows.at(group.codes == code)


def _points(rows: Frame, by: str, names: tuple[str | None, ...]) -> list[TrendPoint]:
    """The accounts of one date by group, in the order of the names; None is the last of them."""
    group, size = rows.groups[by], len(names)
    to = np.array([names.index(name) if name in names else size for name in group.names] + [size - 1])
    codes = to[group.codes]
    scored = ~np.isnan(rows.score)
    ones = np.ones(len(rows))
    every, known, red = (
        np.bincount(codes[of], minlength=size + 1)
        for of in (slice(None), scored, rows.band == BANDS.index("at_risk"))
    )
    means, arr_means = (group_means(codes, size + 1, weight, rows.score) for weight in (ones, rows.arr))
    return [
        TrendPoint(rows.day, int(every[n]), int(known[n]), means[n], arr_means[n], int(red[n]))
        for n in range(size)
    ]


def _merged(first: Frame, last: Frame, seen: Panel, by: str) -> tuple[Frame, Frame, Panel]:
    """The same with small groups put together, where there are too many to read."""
    counted: dict[str, int] = {}
    for one in (first, last):
        for name, count in zip(one.groups[by].names, _counts(one.groups[by]), strict=True):
            if count:
                counted[name] = max(counted.get(name, 0), count)
    if len(counted) <= LISTED:
        return first, last, seen
    kept = frozenset(sorted(counted, key=lambda name: (-counted[name], name))[: LISTED - 1])
    return (
        _fewer(first, by, kept),
        _fewer(last, by, kept),
        dataclasses.replace(seen, frames=tuple(_fewer(one, by, kept) for one in seen.frames)),
    )


def _counts(group: Coded) -> list[int]:
    told: list[int] = np.bincount(group.codes[group.codes >= 0], minlength=len(group.names)).tolist()
    return told


def _fewer(rows: Frame, by: str, kept: frozenset[str]) -> Frame:
    group = rows.groups[by]
    names = (*sorted(name for name in group.names if name in kept), OTHERS)
    to = [names.index(name) if name in kept else len(names) - 1 for name in group.names]
    codes = np.array([*to, -1], np.int64)[group.codes]
    return dataclasses.replace(rows, groups={**rows.groups, by: Coded(codes, names)})


def _without(rows: Frame, by: str) -> Frame:
    return dataclasses.replace(rows, groups={**rows.groups, by: Coded.none(len(rows))})


# --- kept while the run is the same ----------------------------------------------------------------


def _scope(actor: Actor) -> tuple[bool, frozenset[str], frozenset[str]]:
    return actor.everything, actor.owners, actor.territories


@dataclass(frozen=True, eq=False)
class _Key:
    """What an answer depends on, and what it is made from."""

    on: tuple[Any, ...]
    made_from: tuple[Workspace, Actor, RunInfo]

    def __hash__(self) -> int:
        return hash((self.on, self.made_from[0].project.home))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Key)
            and self.on == other.on
            and self.made_from[0].project.home == other.made_from[0].project.home
            and self.made_from[0].store.engine is other.made_from[0].store.engine
        )


@lru_cache(maxsize=16)
def _shared(key: _Key) -> Causes:
    """What is shared does not depend on how accounts are grouped."""
    workspace, actor, run = key.made_from
    first, last = (frame(workspace, actor, run, day) for day in key.on[2:])
    return causes(workspace.project, published(workspace, run), first, last)


@lru_cache(maxsize=64)
def _held(key: _Key) -> Portfolio:
    return _made(*key.made_from, key.on[2:])
