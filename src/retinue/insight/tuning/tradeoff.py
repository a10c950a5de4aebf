"""What calm costs: changes of band and flaps against warning in time, for settings of stability.

Each setting is folded over the same computed history, from nothing, exactly as a run would have.
Caps act where they lowered a score; one that stood above the score at the time is not in a replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from retinue.insight.replay import Bools, Floats, Ints, Labels, Outcome, Replay, spaced
from retinue.insight.stability import AT_RISK, HEALTHY, NOT_SCORED, Days, Rules, fold
from retinue.insight.validation.bands import movement
from retinue.insight.validation.losses import Grid, Losses

MARGINS = (0.0, 2.0, 3.0, 4.0, 6.0)
CONFIRMS = ((1.0, 1.0), (3.0, 3.0), (3.0, 7.0), (7.0, 7.0), (7.0, 14.0))
DEADBANDS = (0.0, 2.0, 3.0, 5.0)


@dataclass(frozen=True)
class Setting:
    """`deadband` and `margin` in points, `down` and `up` in days. The deadband is of the number only, the
    others are of the band only."""

    deadband: float = 3.0
    margin: float = 3.0
    down: float = 3.0
    up: float = 7.0

    def to_dict(self) -> dict[str, float]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Tried:
    """What one setting would have done. Shares are of accounts lost (`red_14`, `green_7`: days before) or of
    scored rows (`red_share`); `lift` is the outcome rate of red over that of all; `moves` are
    changes of the published number per account and week.

    `front`: no other setting has fewer flaps, more red and fewer green at once.
    """

    setting: Setting
    changes: float
    flaps: float
    red_14: float
    green_7: float
    red_share: float
    lift: float
    moves: float
    current: bool
    front: bool = False

    def to_dict(self) -> dict[str, Any]:
        told = {
            "changes_per_account_year": self.changes,
            "flaps_per_account_year": self.flaps,
            "red_14_days_before": self.red_14,
            "green_7_days_before": self.green_7,
            "red_share": self.red_share,
            "lift": self.lift,
            "moves_per_account_week": self.moves,
        }
        plain = {name: value if np.isfinite(value) else None for name, value in told.items()}
        return {**self.setting.to_dict(), **plain, "current": self.current, "front": self.front}


@dataclass(frozen=True)
class Tradeoff:
    """`suggested` is today's setting unless another has fewer flaps, warns no worse and holds no
    more accounts red; `step` is the days
    between dates of the replay: settings that differ within it cannot be told apart. `lost` accounts
    are what red and green before the outcome rest on."""

    tried: tuple[Tried, ...]
    suggested: Setting
    step: int
    lost: int

    @property
    def current(self) -> Tried:
        return next(one for one in self.tried if one.current)

    def to_dict(self) -> dict[str, Any]:
        return {
            "days_between_dates": self.step,
            "lost": self.lost,
            "suggested": self.suggested.to_dict(),
            "tried": [one.to_dict() for one in self.tried],
        }


def candidates(current: Setting, step: int) -> list[Setting]:
    """Settings to try, today's first; those that dates `step` days apart cannot tell apart once.

    The deadband is varied alone: it has no part in the band.
    """
    found = [current]
    seen = {_seen(current, step)}
    every = [replace(current, margin=m, down=d, up=u) for m in MARGINS for d, u in CONFIRMS]
    for one in (*every, *(replace(current, deadband=band) for band in DEADBANDS)):
        if _seen(one, step) not in seen:
            seen.add(_seen(one, step))
            found.append(one)
    return found


def _seen(one: Setting, step: int) -> tuple[float, float, float, float]:
    """A setting by what counts on such dates: a streak of n of them lasts 1 + (n - 1) step days."""
    down, up = (1 + np.ceil(max(days - 1, 0) / step) for days in (one.down, one.up))
    return one.deadband, one.margin, float(down), float(up)


def days(replay: Replay, settings: Sequence[Setting]) -> Days:
    """The rows of a replay for the fold, each under the setting of its scorecard."""
    card = np.maximum(replay.scorecard.codes, 0)
    told = np.array([[s.deadband, s.margin, s.down, s.up] for s in settings])[card]
    return Days(
        ix=np.unique(replay.account, return_inverse=True)[1],
        as_of=replay.day,
        scored=replay.scored,
        computed=replay.computed,
        cap=np.where(replay.adjustment < 0, replay.computed, np.nan),
        held=np.zeros(len(replay), bool),
        reset=_reset(replay),
        old_computed=np.full(len(replay), np.nan),
        rules=Rules(replay.edges[card], told[:, 0], told[:, 1], told[:, 2], told[:, 3]),
    )


def _reset(replay: Replay) -> Bools:
    """Scored rows whose scorecard is not that of the scored row before."""
    at = np.flatnonzero(replay.scored)
    reset = np.zeros(len(replay), bool)
    account, card = replay.account[at], replay.scorecard.codes[at]
    reset[at[1:]] = (account[1:] == account[:-1]) & (card[1:] != card[:-1])
    return reset


def tradeoff(
    replay: Replay,
    told: Labels,
    outcome: Outcome,
    lost: Losses,
    settings: Sequence[Setting],
    card: int,
) -> Tradeoff:
    """Try settings for one scorecard, those of the others staying; `settings` are today's, by scorecard."""
    dates = replay.dates
    step = int(np.median(np.diff(dates))) if len(dates) > 1 else 1
    mine = np.flatnonzero(replay.scorecard.codes == card)
    counted = np.isin(mine, spaced(replay, told, outcome.horizon))
    part, labels = replay.at(mine), _labels(told, mine)
    found = []
    for setting in candidates(settings[card], step):
        trial = [setting if n == card else one for n, one in enumerate(settings)]
        folded = fold(days(replay, trial))
        shown = replace(part, band=folded.band[mine].astype(np.int64))
        grid = Grid.of(shown, labels, lost)
        found.append(_told(setting, grid, labels, counted, folded.published[mine], setting == settings[card]))
    tried = _front(found)
    return Tradeoff(
        tuple(tried), _suggested(tried), step, int((Grid.of(part, labels, lost).before(14) >= 0).sum())
    )


def _told(
    setting: Setting, grid: Grid, labels: Labels, counted: Bools, published: Floats, current: bool
) -> Tried:
    replay = grid.replay
    moved = movement(grid)
    alive = grid.at_risk & (replay.band != NOT_SCORED)
    rate, red = labels.event[counted], replay.band[counted] == AT_RISK
    return Tried(
        setting=setting,
        changes=moved.changes_per_account_year,
        flaps=moved.flaps_per_account_year,
        red_14=_share(replay.band, grid.before(14), AT_RISK),
        green_7=_share(replay.band, grid.before(7), HEALTHY),
        red_share=_mean(replay.band[alive] == AT_RISK),
        lift=_mean(rate[red]) / _mean(rate) if rate.any() else float("nan"),
        moves=_moves(grid, published),
        current=current,
    )


def _moves(grid: Grid, published: Floats) -> float:
    replay = grid.replay
    rows = np.flatnonzero(grid.at_risk & ~np.isnan(published))
    same = replay.account[rows][1:] == replay.account[rows][:-1]
    weeks = float(np.diff(replay.day[rows])[same].sum()) / 7
    moved = same & (published[rows][1:] != published[rows][:-1])
    return float(moved.sum()) / weeks if weeks else float("nan")


def _front(found: Sequence[Tried]) -> list[Tried]:
    """Marked where no other is at least as good in flaps, red and green, and better in one."""
    # nan, where no account was lost, is as good as any.
    cost = np.nan_to_num(np.array([[one.flaps, -one.red_14, one.green_7] for one in found]), nan=0.0)
    better = (cost[:, None] <= cost[None]).all(axis=2) & (cost[:, None] < cost[None]).any(axis=2)
    return [replace(one, front=not better[:, n].any()) for n, one in enumerate(found)]


def _suggested(tried: Sequence[Tried]) -> Setting:
    """Fewer flaps than today, as much red in time, no more green, and no more red in all (which would buy
    warning by holding accounts red for longer): the calmest of them, or today's."""
    today = next(one for one in tried if one.current)
    if not np.isfinite([today.flaps, today.red_14, today.green_7]).all():
        return today.setting
    better = [
        one
        for one in tried
        if one.flaps < today.flaps
        and one.red_14 >= today.red_14
        and one.green_7 <= today.green_7
        and one.red_share <= today.red_share
    ]
    return min(better, key=lambda one: one.flaps, default=today).setting


def _labels(told: Labels, rows: Ints) -> Labels:
    return Labels(*(getattr(told, field.name)[rows] for field in fields(Labels)))


def _share(band: Ints, rows: Ints, which: int) -> float:
    return _mean(band[rows[rows >= 0]] == which)


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
