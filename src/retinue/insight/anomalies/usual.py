"""What an account usually does in a week: its level and weekday profile, times its peers' factor.

The peers' factor of a day is what accounts of the same group did that day relative to what each of
them usually does. It takes holidays, seasons and growth of the whole business out without a calendar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retinue.insight.anomalies import WEEKS
from retinue.insight.anomalies.peers import shared
from retinue.insight.replay import Floats, Ints

#: Accounts that usually do less on a day say nothing about the peers' factor of the day.
LEAST_A_DAY = 0.3
#: Variance of a day's relative count beyond Poisson's; decides only how much large accounts weigh.
_DAILY = 0.3


@dataclass(frozen=True)
class Usual:
    """Weeks of seven days that end on the last column; of each, what was to be expected of it.

    All are [accounts, weeks] but `factor`, `all_factor` and `factor_error`: [groups, weeks], [weeks] and
    [groups, weeks] (relative variance of the factor). `expected` is `own`, which an account's own weeks
    let expect, times the factor. nan where there are too few weeks before, or a day is nan.
    """

    observed: Floats
    own: Floats
    expected: Floats
    factor: Floats
    all_factor: Floats
    factor_error: Floats


def baselines(counts: Floats) -> Floats:
    """[starts, accounts, 7]: what each weekday usually has, by the `WEEKS` weeks from week `start` on.

    `counts` is [accounts, weeks, 7]. The profile is the median of each weekday's deviation from the
    mean of its week, which one odd day does not move; the level is the mean of the weeks.
    """
    accounts, weeks, _ = counts.shape
    starts = max(weeks - WEEKS + 1, 0)
    level = counts.mean(axis=2)
    away = counts - level[:, :, None]
    found = np.empty((starts, accounts, 7))
    half = WEEKS // 2
    for start in range(starts):
        ordered = np.sort(away[:, start : start + WEEKS], axis=1)  # nan last: then the level is nan too
        profile = (ordered[:, half - 1] + ordered[:, half]) / 2
        mean = level[:, start : start + WEEKS].mean(axis=1, keepdims=True)
        days = np.maximum(mean + profile - profile.mean(axis=1, keepdims=True), 0)
        total = days.sum(axis=1, keepdims=True)
        found[start] = np.divide(7 * mean * days, total, out=np.zeros_like(days), where=total > 0)
        found[start][np.isnan(mean[:, 0])] = np.nan
    return found


def usual(counts: Floats, usually: Floats, group: Ints, groups: int, lag: int) -> Usual:
    """What was to be expected of each week by `usually` (`baselines`), which end `lag` weeks before it."""
    accounts, weeks, _ = counts.shape
    own = np.full((accounts, weeks), np.nan)
    expected, factor = own.copy(), np.full((groups, weeks), np.nan)
    error, of_all = factor.copy(), np.full(weeks, np.nan)
    observed = counts.sum(axis=2)
    for week in range(WEEKS + lag, weeks):
        base = usually[week - WEEKS - lag]
        factors, errors, common = _factors(counts[:, week], base, group, groups)
        told = ~np.isnan(base[:, 0]) & ~np.isnan(observed[:, week])
        alone = base.sum(axis=1)
        own[told, week] = alone[told]
        expected[told, week] = (base * factors[group]).sum(axis=1)[told]
        there = np.where(told[:, None], base, 0.0)
        total = np.array([np.bincount(group, there[:, day], groups) for day in range(7)]).T
        share = total / np.maximum(total.sum(axis=1, keepdims=True), 1e-12)
        factor[:, week] = (share * factors).sum(axis=1)
        error[:, week] = (share**2 * errors).sum(axis=1) / np.maximum(factor[:, week], 1e-12) ** 2
        overall = there.sum(axis=0) / max(there.sum(), 1e-12)
        of_all[week] = (overall * common).sum()
    return Usual(observed, own, expected, factor, of_all, error)


def _factors(seen: Floats, base: Floats, group: Ints, groups: int) -> tuple[Floats, Floats, Floats]:
    """The peers' factor of each group and day, its variance, and that of all accounts."""
    factors, errors, common = np.ones((groups, 7)), np.zeros((groups, 7)), np.ones(7)
    for day in range(7):
        enough = base[:, day] >= LEAST_A_DAY
        enough &= ~np.isnan(seen[:, day])
        if not enough.any():
            continue
        usually = base[enough, day]
        weights = usually / (1 + _DAILY * usually)
        found = shared(seen[enough, day] / usually, weights, group[enough], groups)
        factors[:, day], errors[:, day], common[day] = found.of_group, found.error, found.of_all
    return np.maximum(factors, 0), errors, np.maximum(common, 0)
