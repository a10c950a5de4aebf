"""How early red came, beside how early it would have come for nobody in particular."""

from __future__ import annotations

import numpy as np

from retinue.insight.replay import Floats, Ints
from retinue.insight.stability import AT_RISK
from retinue.insight.validation.losses import Grid
from retinue.insight.validation.report import LeadTime
from retinue.insight.validation.sampling import share

_BOUNDS = (7, 30, 60, 90)
_LONG = 30


def lead_time(grid: Grid) -> LeadTime:
    """Length of the last red spell that was still open when an account was lost, with its null.

    The spell is open if the account is red on the last date of the grid before the loss; dates on
    which it was not scored end a spell. The null is an account drawn at random, on that same date,
    from those that could still be lost and were not by the day of the loss.
    """
    row = grid.before(1)
    seen = row >= 0
    red = np.where(seen, grid.replay.band[row] == AT_RISK, False)
    days = np.where(red, grid.lost.day - grid.start[row], 0)[seen]
    captured = days[days > 0]
    null, counted = _null(grid, np.flatnonzero(seen))
    total = int(seen.sum())
    at = np.arange(len(null))
    chance = null.sum() / counted if counted else float("nan")
    return LeadTime(
        lost=total,
        captured=len(captured),
        capture=share(days > 0, grid.lost.group[seen]),
        median_days=quantile(captured, np.ones(len(captured)), 0.5),
        p25_days=quantile(captured, np.ones(len(captured)), 0.25),
        at_least_30=float((days >= _LONG).mean()) if total else float("nan"),
        null_capture=float(chance),
        null_median_days=quantile(at, null, 0.5),
        null_p25_days=quantile(at, null, 0.25),
        null_at_least_30=float(null[_LONG:].sum() / counted) if counted else float("nan"),
        spells=tuple(int(one) for one in _by_length(captured, np.ones(len(captured)))),
        null_spells=tuple(float(one) * total / counted if counted else 0.0 for one in _by_length(at, null)),
    )


def _null(grid: Grid, losses: Ints) -> tuple[Floats, int]:
    """Expected number of losses by days of the red spell, were each a random account that survived it;
    and how many losses had any such account."""
    replay, lost = grid.replay, grid.lost
    date = grid.date_before(1)[losses]
    day = lost.day[losses]
    expected = np.zeros(int(day.max(initial=0) - replay.day.min(initial=0)) + 2)
    order = np.argsort(replay.day, kind="stable")
    bounds = (
        np.searchsorted(replay.day[order], grid.dates),
        np.searchsorted(replay.day[order], grid.dates, side="right"),
    )
    counted = 0
    pairs, times = np.unique(np.stack([date, day]), axis=1, return_counts=True)
    for (on, when), losing in zip(pairs.T.tolist(), times.tolist(), strict=True):
        at = int(np.searchsorted(grid.dates, on))
        rows = order[bounds[0][at] : bounds[1][at]]
        rows = rows[grid.at_risk[rows] & (grid.next_loss[rows] > when)]
        if not len(rows):
            continue
        counted += losing
        red = rows[replay.band[rows] == AT_RISK]
        lengths = when - grid.start[red]
        expected += np.bincount(lengths, minlength=len(expected)) * (losing / len(rows))
    return expected, counted


def quantile(values: Floats | Ints, weights: Floats, at: float) -> float:
    """The smallest value with at least the share `at` of the weight up to it; the mean of it and the next
    where the share is met exactly, as a median of an even count is."""
    kept = weights > 0
    order = np.argsort(values[kept], kind="stable")
    value, weight = np.asarray(values, np.float64)[kept][order], weights[kept][order]
    if not len(value):
        return float("nan")
    reached = np.cumsum(weight)
    goal = at * reached[-1]
    place = int(np.searchsorted(reached, goal * (1 - 1e-12)))
    exact = abs(reached[place] - goal) <= 1e-9 * reached[-1] and place + 1 < len(value)
    return float((value[place] + value[place + 1]) / 2 if exact else value[place])


def _by_length(days: Floats | Ints, weights: Floats) -> Floats:
    return np.asarray(np.bincount(np.searchsorted(_BOUNDS, days), weights, len(_BOUNDS) + 1), np.float64)
