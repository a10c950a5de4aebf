"""Intervals that know which rows belong together.

Rows of one account, and of accounts of one parent, share a history: they are drawn together or
not at all. A repetition is a weight per cluster (how often it was drawn), so that no row is
copied and any statistic that is a function of weighted sums takes one product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinue.insight.replay import Floats, Ints

LEVEL = 0.95
Z = 1.959963984540054
"""Two-sided 95 % of a standard normal."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; nan where it cannot be told."""

    value: float
    low: float
    high: float

    @classmethod
    def none(cls) -> Estimate:
        return cls(float("nan"), float("nan"), float("nan"))

    @property
    def known(self) -> bool:
        return self.value == self.value


@dataclass(frozen=True)
class Resampling:
    """`cluster` numbers the cluster of each row from 0; `drawn` [clusters, repetitions] says how often
    each was drawn."""

    cluster: Ints
    drawn: NDArray[np.float32]

    @classmethod
    def of(cls, group: Ints, repetitions: int, seed: int) -> Resampling:
        names, cluster = np.unique(group, return_inverse=True)
        clusters = max(1, len(names))
        random = np.random.default_rng(seed)
        drawn = np.empty((clusters, repetitions), np.float32)
        for n in range(repetitions):
            drawn[:, n] = np.bincount(random.integers(0, clusters, clusters), minlength=clusters)
        return cls(np.asarray(cluster, np.int64), drawn)

    @property
    def clusters(self) -> int:
        return len(self.drawn)

    def sums(self, *columns: Any) -> Floats:
        """Sums of columns by row, in each repetition: [columns, repetitions]."""
        by_cluster = np.stack(
            [np.bincount(self.cluster, np.asarray(one, np.float64), self.clusters) for one in columns]
        )
        return np.asarray(by_cluster @ self.drawn, np.float64)

    def estimate(self, statistic: Callable[[Floats], Floats], *columns: Any) -> Estimate:
        """A function of sums of columns, with the interval of its repetitions.

        `statistic` takes sums [columns, repetitions] and gives one value for each.
        """
        total = np.stack([np.asarray(one, np.float64).sum() for one in columns])[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            return interval(float(statistic(total)[0]), statistic(self.sums(*columns)))


def interval(value: float, repeated: Floats) -> Estimate:
    """A value with the middle 95 % of its repetitions; those that could not be told are left out."""
    told = repeated[np.isfinite(repeated)]
    if not np.isfinite(value) or len(told) < 20:
        return Estimate(value if np.isfinite(value) else float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(told, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))


def rates(count: Any, out_of: Any, effective: Any) -> list[Estimate]:
    """Wilson intervals of shares that are worth `effective` independent rows."""
    from statsmodels.stats.proportion import proportion_confint

    found = []
    with np.errstate(invalid="ignore", divide="ignore"):
        share = count / out_of
    for one, rows in zip(share, effective, strict=True):
        if not rows > 0:
            found.append(Estimate.none())
            continue
        low, high = proportion_confint(one * rows, rows, 1 - LEVEL, method="wilson")
        found.append(Estimate(float(one), min(float(low), float(one)), max(float(high), float(one))))
    return found


def shares(label: Ints, labels: int, hit: Any, cluster: Ints) -> list[Estimate]:
    """Share of rows that are hit, within each label from 0 (-1 belongs to none), with Wilson intervals for
    as many independent rows as the clusters leave.

    A hit may be a part of one. The number of rows is divided by the design effect, the variance of
    the share between clusters over that of independent rows, never below 1 (Kish 1965; Dean and Pagano 2015).
    """
    inside = label >= 0
    at, happened = label[inside], np.asarray(hit, np.float64)[inside]
    rows = np.bincount(at, minlength=labels).astype(np.float64)
    count = np.bincount(at, happened, labels)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = count / rows
    off = happened - share[at]
    pair, where = np.unique(at * (int(cluster.max(initial=0)) + 1) + cluster[inside], return_inverse=True)
    by_pair = np.bincount(where, off, len(pair))
    of = (pair // (int(cluster.max(initial=0)) + 1)).astype(np.int64)
    clusters = np.bincount(of, minlength=labels).astype(np.float64)
    squares = np.bincount(of, by_pair**2, labels)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = squares * clusters / (clusters - 1)
        independent = rows * share * (1 - share) * rows / (rows - 1)
        effect = np.where((independent > 0) & (clusters > 1), between / independent, 1.0)
    return rates(count, rows, rows / np.maximum(effect, 1.0))


def share(hit: Any, cluster: Ints) -> Estimate:
    """Share of all rows that are hit: `shares` with one label."""
    return shares(np.zeros(len(cluster), np.int64), 1, hit, cluster)[0]
