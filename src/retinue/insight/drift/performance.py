"""Ranking and calibration then and now, with errors that know which rows belong together; and what
both would be if nothing changed but the mix of accounts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retinue.insight.replay import Floats, Ints

#: Below so many rows with the outcome, or without, ranking and slope are not told.
ENOUGH = 15


@dataclass(frozen=True)
class Influence:
    """A value, and by group of accounts what it would change by: the sum of squares is its variance.
    `group` is ascending."""

    value: float
    group: Ints
    by_group: Floats

    @property
    def told(self) -> bool:
        return not np.isnan(self.value)


NOTHING = Influence(float("nan"), np.zeros(0, np.int64), np.zeros(0))


def auc(risk: Floats, event: Floats) -> float:
    """Chance that a row with the outcome has the higher risk; half for ties. `event` may be a
    chance: then it is what is to be expected where the chances are right."""
    return _ranked(risk, np.asarray(event, np.float64))[0]


def ranking(risk: Floats, event: Floats, group: Ints) -> Influence:
    """AUC by placements (DeLong 1988), summed by cluster (Obuchowski 1997)."""
    known = ~np.isnan(risk)
    risk, event, group = risk[known], np.asarray(event[known], np.float64), group[known]
    hit, spared = event.sum(), (1 - event).sum()
    if min(hit, spared) < ENOUGH:
        return NOTHING
    value, below, above = _ranked(risk, event)
    of_row = event * (below / spared - value) / hit + (1 - event) * (above / hit - value) / spared
    return _grouped(value, group, of_row)


def _ranked(risk: Floats, event: Floats) -> tuple[float, Floats, Floats]:
    """The AUC, and for each row the weight without the outcome below it and with it above it."""
    levels, place = np.unique(risk, return_inverse=True)
    having = np.bincount(place, event, len(levels))
    without = np.bincount(place, 1 - event, len(levels))
    below = (np.cumsum(without) - without / 2)[place]
    above = (having.sum() - np.cumsum(having) + having / 2)[place]
    pairs = float(having.sum() * without.sum())
    # A row is no pair with itself: with chances it would be one, with outcomes it is none.
    itself = event * (1 - event)
    pairs -= float(itself.sum())
    right = float((event * below).sum() - itself.sum() / 2)
    return (right / pairs if pairs > 0 else float("nan")), below, above


def slope(chance: Floats, event: Floats, group: Ints) -> Influence:
    """Slope of a logistic regression of the outcome on the logit of its chance: 1 where the chances are
    as far apart as they should be, less where they say too much (Cox 1958)."""
    x = np.log(chance / (1 - chance))
    y = np.asarray(event, np.float64)
    if min(y.sum(), (1 - y).sum()) < ENOUGH or np.ptp(x) < 1e-6:
        return NOTHING
    design = np.column_stack([np.ones(len(x)), x])
    at = np.array([0.0, 1.0])
    information = np.eye(2)
    for _ in range(50):
        fitted = 1 / (1 + np.exp(-(design @ at)))
        information = (design * (fitted * (1 - fitted))[:, None]).T @ design
        step = np.linalg.solve(information, design.T @ (y - fitted))
        at = at + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    else:
        return NOTHING
    fitted = 1 / (1 + np.exp(-(design @ at)))
    of_row = (design * (y - fitted)[:, None]) @ np.linalg.inv(information)[1]
    return _grouped(float(at[1]), group, of_row)


def _grouped(value: float, group: Ints, of_row: Floats) -> Influence:
    groups, place = np.unique(group, return_inverse=True)
    by_group = np.bincount(place, of_row, len(groups))
    if len(groups) < 2:
        return NOTHING
    # As a variance of few clusters is too small by about their number.
    return Influence(value, groups, by_group * np.sqrt(len(groups) / (len(groups) - 1)))


@dataclass(frozen=True)
class Change:
    """A difference with its standard error and two-sided p; nan where it cannot be told."""

    value: float
    error: float
    p: float

    def interval(self, level: float) -> tuple[float, float]:
        from scipy.stats import norm

        half = float(norm.isf(level / 2)) * self.error
        return self.value - half, self.value + half


def change(then: Influence, now: Influence, value: float | None = None) -> Change:
    """`now` minus `then` (or minus `value`, where that is what `then` stands for), with the error of both.
    Accounts in both count once: what makes both high takes nothing from their difference."""
    from scipy.stats import norm

    if not (then.told and now.told):
        nan = float("nan")
        return Change(nan, nan, nan)
    groups = np.union1d(then.group, now.group)
    moved = np.zeros(len(groups))
    moved[np.searchsorted(groups, now.group)] += now.by_group
    moved[np.searchsorted(groups, then.group)] -= then.by_group
    difference = now.value - (then.value if value is None else value)
    error = float(np.sqrt((moved**2).sum()))
    return Change(difference, error, float(2 * norm.sf(abs(difference) / error)) if error > 0 else 1.0)
