"""Where a score is heading, and why the mean of a portfolio moved.

A trend stands beside the score, never in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indexes = NDArray[np.integer[Any]]

_ENOUGH = 3
_CELLS = 4_000_000
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Trends:
    """One entry per account; points per day for `slope`, `low` and `high` (its interval).

    `change` is the slope over the whole window, `noise` the account's own: 1.4826 x the median
    absolute deviation of its weekly differences. `arrow` is 1, -1, or 0 (flat, or not enough to
    tell). Fewer than three snapshots in the window: slope nan; fewer than three weekly
    differences: noise nan.
    """

    slope: Floats
    low: Floats
    high: Floats
    change: Floats
    noise: Floats
    arrow: NDArray[np.int8]


def trends(
    ix: Indexes, as_of: Indexes, computed: Floats, accounts: int, end: int, window: int, level: float = 0.9
) -> Trends:
    """Theil-Sen slope of computed over the `window` days up to day `end`, per account 0..accounts-1.

    Rows come in any order; days are days since 1970-01-01. All rows up to `end` count for the
    noise, so pass more history than the window. Rows without a score (nan) are left out. The
    interval is Sen's; it takes days as independent, so on daily scores it is too narrow.
    """
    there = ~np.isnan(computed) & (as_of <= end)
    who, day, score = ix[there].astype(np.int64), as_of[there].astype(np.int64), computed[there]
    order = np.lexsort((day, who))
    who, day, score = who[order], day[order], score[order]

    recent = day > end - window
    slope, low, high = _slopes(who[recent], day[recent], score[recent], accounts, level)
    noise = _noise(who, day, score, accounts)
    change = slope * window
    clear = np.abs(change) > np.maximum(2 * noise, _TINY)
    return Trends(slope, low, high, change, noise, np.where(clear, np.sign(change), 0).astype(np.int8))


def _slopes(
    who: Indexes, day: Indexes, score: Floats, accounts: int, level: float
) -> tuple[Floats, Floats, Floats]:
    """(slope, low, high); rows sorted by (account, day)."""
    slope, low, high = (np.full(accounts, np.nan) for _ in range(3))
    count = np.bincount(who, minlength=accounts)
    first = np.concatenate([[0], np.cumsum(count)])
    z = NormalDist().inv_cdf(0.5 + level / 2)
    # Accounts with equally many snapshots form a rectangle: no padding, no loop over accounts.
    for n in np.unique(count[count >= _ENOUGH]).tolist():
        i, j = np.triu_indices(n, 1)
        pairs = len(i)
        alike = np.flatnonzero(count == n)
        for part in np.array_split(alike, max(1, len(alike) * max(pairs, n * n) // _CELLS)):
            rows = first[part][:, None] + np.arange(n)
            y, x = score[rows], day[rows]
            steep = np.sort((y[:, j] - y[:, i]) / (x[:, j] - x[:, i]), axis=1)
            slope[part] = 0.5 * (steep[:, (pairs - 1) // 2] + steep[:, pairs // 2])
            # A group of t ties takes t(t-1)(2t+5) off; as a sum over its members, (t-1)(2t+5).
            ties = (y[:, :, None] == y[:, None, :]).sum(axis=2)
            taken = ((ties - 1) * (2 * ties + 5)).sum(axis=1)
            spread = z * np.sqrt((n * (n - 1) * (2 * n + 5) - taken) / 18)
            lower = np.maximum(np.round((pairs - spread) / 2).astype(np.int64) - 1, 0)
            upper = np.minimum(np.round((pairs + spread) / 2).astype(np.int64), pairs - 1)
            each = np.arange(len(part))
            low[part], high[part] = steep[each, lower], steep[each, upper]
    return slope, low, high


def _noise(who: Indexes, day: Indexes, score: Floats, accounts: int) -> Floats:
    """Spread of the differences over exactly one week, on the weekday of the last snapshot."""
    if not len(who):
        return np.full(accounts, np.nan)
    last = np.full(accounts, np.iinfo(np.int64).min)
    np.maximum.at(last, who, day)
    weekly = (last[who] - day) % 7 == 0
    who, day, score = who[weekly], day[weekly], score[weekly]
    step = (who[1:] == who[:-1]) & (day[1:] - day[:-1] == 7)
    owner, difference = who[1:][step], np.diff(score)[step]
    middle, counted = _medians(owner, difference, accounts)
    spread, _ = _medians(owner, np.abs(difference - middle[owner]), accounts)
    return np.where(counted >= _ENOUGH, 1.4826 * spread, np.nan)


def _medians(group: Indexes, values: Floats, groups: int) -> tuple[Floats, Indexes]:
    """Median and number of the values of each group; nan for an empty one."""
    ordered = values[np.lexsort((values, group))]
    count = np.bincount(group, minlength=groups)
    first = np.cumsum(count) - count
    some = count > 0
    median = np.full(groups, np.nan)
    left, right = first + (count - 1) // 2, first + count // 2
    median[some] = 0.5 * (ordered[left[some]] + ordered[right[some]])
    return median, count


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Why the weighted mean of a portfolio moved from `before` to `after`.

    Arrays have one entry per account; all four together sum to after - before.
    """

    before: float
    after: float
    within: Floats
    mix: Floats
    entry: Floats
    exit: Floats

    def by(self, group: Indexes, groups: int) -> dict[str, Floats]:
        """The four parts summed over groups of accounts (segments, owners), one entry per group."""
        parts = {"within": self.within, "mix": self.mix, "entry": self.entry, "exit": self.exit}
        return {name: np.bincount(group, part, groups).astype(np.float64) for name, part in parts.items()}

    def totals(self) -> dict[str, float]:
        parts = {"within": self.within, "mix": self.mix, "entry": self.entry, "exit": self.exit}
        return {name: float(part.sum()) for name, part in parts.items()}


def decompose(weight0: Floats, score0: Floats, weight1: Floats, score1: Floats) -> Decomposition:
    """Split the change of a weighted mean score (ARR as weight) between two dates.

    One entry per account at both dates; a nan score, or a weight of nan or nothing, says that the
    account is not in the portfolio at that date. Raises ValueError when a date has no account.
    """
    share0, share1 = _shares(weight0, score0), _shares(weight1, score1)
    in0, in1 = share0 > 0, share1 > 0
    s0, s1 = np.where(in0, score0, 0.0), np.where(in1, score1, 0.0)
    before, after = float(share0 @ s0), float(share1 @ s1)
    middle = 0.5 * (before + after)
    stayed = in0 & in1
    return Decomposition(
        before,
        after,
        within=np.where(stayed, 0.5 * (share0 + share1) * (s1 - s0), 0.0),
        mix=np.where(stayed, (share1 - share0) * (0.5 * (s0 + s1) - middle), 0.0),
        entry=np.where(in1 & ~in0, share1 * (s1 - middle), 0.0),
        exit=np.where(in0 & ~in1, -share0 * (s0 - middle), 0.0),
    )


def _shares(weight: Floats, score: Floats) -> Floats:
    kept = np.where(np.isnan(score) | np.isnan(weight) | (weight <= 0), 0.0, weight)
    if not kept.any():
        raise ValueError("a portfolio without scored accounts of positive weight has no mean")
    return np.asarray(kept / kept.sum(), np.float64)
