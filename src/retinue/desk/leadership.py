"""The week of a leader on one page: revenue at risk, renewals, what moved, what was lost, and trust."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.desk.losses import Loss, LossGroup, every_loss, grouped
from retinue.desk.movement import Movement, movement
from retinue.desk.panel import Frame, Ints, Panel, frame, nearest, panel
from retinue.desk.portfolio import Standing, TrendPoint, standing, standing_dict, trend_point
from retinue.desk.steady import steady
from retinue.desk.trust import trial
from retinue.insight.replay import Coded
from retinue.project.scorecards import BANDS
from retinue.run.layers import days_of
from retinue.store.people.access import Actor, require
from retinue.store.people.uses import Response, adoption
from retinue.store.published.current import RunInfo
from retinue.store.published.manifest import read_manifest
from retinue.store.published.snapshots import Published
from retinue.store.work.responses import Responses
from retinue.store.work.responses import responses as task_responses
from retinue.workspace import Workspace

#: Days ahead in which renewals are counted, and days back to which things are held.
AHEAD = (30, 60, 90)
BACK = (28, 90)
#: Bands as the report lists them, worst first; None: not scored.
ORDER: tuple[str | None, ...] = (*BANDS, None)


@dataclass(frozen=True, slots=True)
class Due:
    """Renewals from the as-of date on within `days`, of all bands and by band."""

    days: int
    accounts: int
    arr: float
    bands: Mapping[str | None, int]
    arr_bands: Mapping[str | None, float]


@dataclass(frozen=True, slots=True)
class Moved:
    """What moved since a date: the mean ARR-weighted score, and accounts and ARR from band to band."""

    days: int
    since: date
    before: Standing
    movement: Movement

    @property
    def worse(self) -> int:
        """Scored accounts that moved to a worse band."""
        return int(np.tril(self.movement.migration.accounts[:3, :3], -1).sum())

    @property
    def better(self) -> int:
        return int(np.triu(self.movement.migration.accounts[:3, :3], 1).sum())


@dataclass(frozen=True, slots=True)
class Renewed:
    """Accounts that were in `band` on a date and came up for renewal since: those whose renewal date moved
    on (`renewed`), those that are gone (`lost`), those of which nothing is known yet (`open`)."""

    band: str | None
    due: int
    renewed: int
    lost: int
    open: int
    arr_due: float
    arr_renewed: float
    arr_lost: float


@dataclass(frozen=True, slots=True)
class LostFrom:
    """Losses by the band on the last month's date before them; None: not scored, or not seen before."""

    band: str | None
    losses: int
    known: int
    amount: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the trial of the score came to. `stale`: it was made for an earlier run."""

    name: str
    sentence: str
    until: str
    stale: bool


@dataclass(frozen=True)
class Leadership:
    """The report over the accounts that the actor sees. `complete`: accounts that are gone are among them.

    `verdict` is None before a trial, `responses` where uses are not recorded. `losses` are those since
    `lost_since`; `losses_read` says whether the project's own outcomes are among them. `task_responses`
    say how soon somebody came to what tasks answer: all, and by team.
    """

    project: str
    run_id: str
    published_at: datetime
    as_of: date
    currency: str | None
    complete: bool
    now: Standing
    trend: tuple[TrendPoint, ...]
    arr_at_risk: tuple[tuple[date, float], ...]
    due: tuple[Due, ...]
    moved: tuple[Moved, ...]
    renewed_since: date
    renewed: tuple[Renewed, ...]
    lost_since: date
    losses: tuple[LossGroup, ...]
    lost_from: tuple[LostFrom, ...]
    losses_read: bool
    verdict: Verdict | None
    responses: tuple[Response, ...] | None
    task_responses: tuple[Responses, ...]

    @property
    def came(self) -> int:
        """Accounts that came up for renewal."""
        return sum(one.due for one in self.renewed)

    def to_dict(self) -> dict[str, Any]:
        return {
            "project": self.project,
            "run_id": self.run_id,
            "published_at": self.published_at.isoformat(),
            "as_of": self.as_of.isoformat(),
            "currency": self.currency,
            "complete": self.complete,
            "now": standing_dict(self.now),
            "trend": [{**dataclasses.asdict(one), "day": one.day.isoformat()} for one in self.trend],
            "arr_at_risk": [{"day": day.isoformat(), "arr": arr} for day, arr in self.arr_at_risk],
            "renewals": [_by_band(one) for one in self.due],
            "moved": [
                {
                    "days": one.days,
                    "better": one.better,
                    "worse": one.worse,
                    "before": standing_dict(one.before),
                    "movement": one.movement.to_dict(),
                }
                for one in self.moved
            ],
            "renewed_since": self.renewed_since.isoformat(),
            "renewed": [_named(one) for one in self.renewed],
            "lost_since": self.lost_since.isoformat(),
            "losses": [dataclasses.asdict(one) for one in self.losses],
            "lost_from": [_named(one) for one in self.lost_from],
            "losses_read": self.losses_read,
            "trust": dataclasses.asdict(self.verdict) if self.verdict else None,
            "responses": None if self.responses is None else [dataclasses.asdict(r) for r in self.responses],
            "task_responses": [one.to_dict() for one in self.task_responses],
        }


def _by_band(one: Due) -> dict[str, Any]:
    told = dataclasses.asdict(one)
    for name in ("bands", "arr_bands"):
        told[name] = {band or "not_scored": value for band, value in getattr(one, name).items()}
    return told


def _named(one: Any) -> dict[str, Any]:
    return {**dataclasses.asdict(one), "band": one.band or "not_scored"}


def leadership(workspace: Workspace, actor: Actor, *, now: datetime, recorded: bool) -> Leadership:
    """`recorded`: whether uses are. Raises NotFound before the first run."""
    require(actor, "read")
    return steady(workspace, lambda run: _leadership(workspace, actor, run, now, recorded))


def _leadership(
    workspace: Workspace, actor: Actor, run: RunInfo, now: datetime, recorded: bool
) -> Leadership:
    assert run.last_as_of is not None
    seen = panel(workspace, actor, run)
    last = seen.frames[-1]
    dates = _published(workspace, run).dates()
    past = {days: nearest(dates, last.day - timedelta(days=days)) for days in BACK}
    frames = {days: frame(workspace, actor, run, day) for days, day in past.items()}
    renewals = {days: _renewals(workspace, run, frames[days]) for days in BACK}
    far = BACK[-1]
    lost, read_for = every_loss(workspace, actor, run, seen)
    lost = [one for one in lost if past[far] < one.day <= last.day]
    found = trial(workspace, run)
    # Of a run of long ago (a demo), the weeks before it; else what led to it would be out of sight.
    since = min(now, run.published_at) - timedelta(days=far)
    used = adoption(workspace.store, actor, since, now) if recorded else None
    return Leadership(
        project=workspace.project.settings.project,
        run_id=run.run_id,
        published_at=run.published_at,
        as_of=last.day,
        currency=workspace.project.settings.currency,
        complete=actor.everything,
        now=standing(last),
        trend=tuple(trend_point(one) for one in seen.frames),
        arr_at_risk=tuple((one.day, _red_arr(one)) for one in seen.frames),
        due=_due(last, _renewals(workspace, run, last)),
        moved=tuple(
            Moved(days, past[days], standing(frames[days]), movement(_bare(frames[days]), _bare(last), _ALL))
            for days in BACK
        ),
        renewed_since=past[far],
        renewed=_renewed(frames[far], renewals[far], last, _renewals(workspace, run, last)),
        lost_since=past[far],
        losses=grouped(lost),
        lost_from=_lost_from(lost, seen),
        losses_read=read_for is not None,
        verdict=Verdict(
            found.report.verdict, found.report.sentence, found.report.until, found.run_id != run.run_id
        )
        if found
        else None,
        responses=used.responses if used else None,
        task_responses=tuple(
            one for one in task_responses(workspace.store, actor, since, now) if one.of != "owner"
        ),
    )


_ALL = "all"


def _bare(rows: Frame) -> Frame:
    """The same in one group."""
    return dataclasses.replace(rows, groups={_ALL: Coded(np.zeros(len(rows), np.int64), (_ALL,))})


def _published(workspace: Workspace, run: RunInfo) -> Published:
    return Published(workspace.project.home, read_manifest(workspace.project.home, run.run_id))


def _red_arr(rows: Frame) -> float:
    return math.fsum(np.nan_to_num(rows.arr[rows.band == BANDS.index("at_risk")]))


def _places(rows: Frame) -> Ints:
    """Places in ORDER."""
    return np.where(rows.band >= 0, rows.band, len(BANDS)).astype(np.int64)


_NEVER = -(2**31)


def _renewals(workspace: Workspace, run: RunInfo, rows: Frame) -> Ints:
    """The renewal of each account as it was known on that date, as a day number; _NEVER without one."""
    ids, days = _renewal_days(workspace.project.home, run.run_id, rows.day)
    at = pc.index_in(rows.ids, value_set=ids).fill_null(-1).to_numpy(zero_copy_only=False)
    return np.where(at >= 0, days[np.maximum(at, 0)], _NEVER) if len(days) else np.full(len(rows), _NEVER)


@lru_cache(maxsize=6)
def _renewal_days(home: Path, run_id: str, day: date) -> tuple[pa.Array, Ints]:
    source = Published(home, read_manifest(home, run_id))
    schema = source.schema("accounts")
    if "renews_on" not in schema.names or not pa.types.is_date(schema.field("renews_on").type):
        return pa.array([], pa.string()), np.zeros(0, np.int64)
    table = source.table("accounts", dates=[day], columns=["account_id", "renews_on"])
    table = table.filter(pc.is_valid(table["renews_on"]))
    return table["account_id"].combine_chunks(), np.asarray(days_of(table["renews_on"]), np.int64)


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _due(last: Frame, renewal: Ints) -> tuple[Due, ...]:
    today, band = _number(last.day), _places(last)
    found = []
    for days in AHEAD:
        soon = (renewal >= today) & (renewal <= today + days)
        count = np.bincount(band[soon], minlength=len(ORDER))
        money = np.bincount(band[soon], np.nan_to_num(last.arr[soon]), len(ORDER))
        found.append(
            Due(
                days,
                int(count.sum()),
                float(money.sum()),
                {name: int(count[n]) for n, name in enumerate(ORDER)},
                {name: float(money[n]) for n, name in enumerate(ORDER)},
            )
        )
    return tuple(found)


def _renewed(first: Frame, renewal: Ints, last: Frame, later: Ints) -> tuple[Renewed, ...]:
    """What became of the accounts whose renewal came after the first date and by the last."""
    came = (renewal > _number(first.day)) & (renewal <= _number(last.day))
    at = pc.index_in(first.ids, value_set=last.ids).fill_null(-1).to_numpy(zero_copy_only=False)
    there = at >= 0
    now = np.where(there, later[np.maximum(at, 0)], _NEVER) if len(later) else np.full(len(first), _NEVER)
    on = there & (now > renewal)
    band, arr = _places(first), np.nan_to_num(first.arr)
    found = []
    for n, name in enumerate(ORDER):
        mine = came & (band == n)
        if not mine.any() and name is None:
            continue
        found.append(
            Renewed(
                name,
                int(mine.sum()),
                int((mine & on).sum()),
                int((mine & ~there).sum()),
                int((mine & there & ~on).sum()),
                *(math.fsum(arr[some]) for some in (mine, mine & on, mine & ~there)),
            )
        )
    return tuple(found)


def _lost_from(lost: list[Loss], seen: Panel) -> tuple[LostFrom, ...]:
    """Losses by the band on the last date of the panel before them."""
    wanted = pa.array([one.account_id for one in lost], pa.string())
    band: list[str | None] = [None] * len(lost)
    for rows in seen.frames:
        places = pc.index_in(wanted, value_set=rows.ids).to_pylist()
        for n, (one, place) in enumerate(zip(lost, places, strict=True)):
            if place is not None and rows.day < one.day:
                code = int(rows.band[place])
                band[n] = BANDS[code] if code >= 0 else None
    found = []
    for name in ORDER:
        mine = [one for one, own in zip(lost, band, strict=True) if own == name]
        if mine or name is not None:
            amounts = [one.amount for one in mine if one.amount is not None]
            found.append(LostFrom(name, len(mine), len(amounts), math.fsum(amounts)))
    return tuple(found)
