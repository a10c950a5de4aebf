"""What accounts of a group have in common, robustly: one number per group and for all of them.

A mean is moved by a few accounts that fall or burst, a median of counts is biased where counts are
small (the median of Poisson(1.4) / 1.4 is .71). So: a weighted median, then one step of Huber's
M-estimator from it, which is nearly a mean for all but the far values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retinue.insight.replay import Floats, Ints

#: Values count in full up to so many robust standard deviations from the median.
REACH = 3.0
#: Of a normal distribution, the ratio of the standard deviation to the median absolute deviation.
_MAD = 1.4826


@dataclass(frozen=True)
class Shared:
    """`of_group` is the value of each group after shrinkage to `of_all`, `error` its variance, `raw`
    the value before (nan for a group without values). `of_all` is nan without any value."""

    of_all: float
    of_group: Floats
    raw: Floats
    error: Floats


def shared(values: Floats, weights: Floats, group: Ints, groups: int) -> Shared:
    """The common value of each of `groups` groups. Values without weight do not count.

    How far a group goes its own way is decided by what the groups show together (empirical Bayes): on
    days on which they differ by no more than chance each is nearly the value of all, on a regional
    holiday each is its own.
    """
    there = weights > 0
    values, weights, group = values[there], weights[there], group[there]
    every = np.zeros(len(values), np.int64)
    all_, error_all = _located(values, weights, every, 1)
    if np.isnan(all_[0]):
        none = np.full(groups, np.nan)
        return Shared(np.nan, none, none, none)
    if groups == 1:
        return Shared(float(all_[0]), all_, all_, error_all)
    raw, error = _located(values, weights, group, groups)
    told = ~np.isnan(raw)
    between = np.sum(1 / error[told] * ((raw[told] - all_[0]) ** 2 - error[told])) / np.sum(1 / error[told])
    between = max(float(between), 0.0)
    own = between / (between + np.where(told, error, np.inf))
    of_group = all_[0] + own * np.where(told, raw - all_[0], 0.0)
    # Between what the group alone, and what all without a say of their own, leave open.
    left = own * np.where(told, error, 0.0) + (1 - own) * error_all[0]
    return Shared(float(all_[0]), of_group, raw, left)


def _located(values: Floats, weights: Floats, group: Ints, groups: int) -> tuple[Floats, Floats]:
    """Per group the location of its values and the variance of that; nan for groups without any."""
    total = np.bincount(group, weights, groups)
    squares = np.bincount(group, weights**2, groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = median(values, weights, group, groups)
        away = values - middle[group]
        spread = _MAD * median(np.abs(away), weights, group, groups)
        # Where more than half are alike, as in a group of zeros, nothing is cut off.
        reach = np.where(spread > 0, REACH * spread, np.inf)[group]
        near = np.clip(away, -reach, reach)
        location = middle + np.bincount(group, weights * near, groups) / total
        variance = np.bincount(group, weights * (values - location[group]).clip(-reach, reach) ** 2, groups)
        error = variance / total * squares / total**2
    # A handful of values that happen to agree are no more certain than their number allows.
    count = np.bincount(group, minlength=groups)
    floor = np.where(count > 1, 0.0, 1.0)
    return location, np.maximum(np.maximum(error, floor), 1e-12)


def median(values: Floats, weights: Floats, group: Ints, groups: int) -> Floats:
    """The weighted median of each group, halfway between two values where the halves are equal."""
    if not len(values):
        return np.full(groups, np.nan)
    order = np.lexsort((values, group))
    ordered = np.cumsum(weights[order])
    total = np.bincount(group, weights, groups)
    until = np.cumsum(total)
    half = until - total / 2
    slack = 1e-9 * total
    last = len(values) - 1
    low = np.minimum(np.searchsorted(ordered, half - slack), last)
    high = np.minimum(np.searchsorted(ordered, half + slack), last)
    found = (values[order][low] + values[order][high]) / 2
    return np.where(total > 0, found, np.nan)
