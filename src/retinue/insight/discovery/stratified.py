"""Two-by-two tables by stratum, many tests at once: counts, Mantel-Haenszel, E-values.

All arrays of counts are [tests, strata]: accounts with the property and with the event
(`both`), with the property (`having`), with the event (`events`), all (`total`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retinue.insight.replay import Bools, Floats, Ints

#: Two-sided 95 %.
Z = 1.959963984540054


@dataclass(frozen=True)
class Tables:
    both: Floats
    having: Floats
    events: Floats
    total: Floats

    def __len__(self) -> int:
        return len(self.both)


@dataclass(frozen=True)
class Difference:
    """Rate with the property minus rate without it, adjusted for the strata; nan where no stratum
    has accounts of both kinds."""

    value: Floats
    low: Floats
    high: Floats


def tables(values: Floats, levels: Floats, event: Bools, stratum: Ints, strata: int) -> Tables:
    """Counts of `values >= level` for ascending `levels`, in each of `strata` strata.

    One pass over the accounts for all levels: an account is in the bin of the levels that it
    reaches, and bins are added up from the highest down.
    """
    bins = len(levels) + 1
    place = stratum * bins + np.searchsorted(levels, values, side="right")
    size = strata * bins
    everyone = np.bincount(place, minlength=size).reshape(strata, bins)
    hit = np.bincount(place, weights=event, minlength=size).reshape(strata, bins)

    def reached(counts: Floats | Ints) -> Floats:
        return np.asarray(counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:].T, np.float64)

    shape = (len(levels), strata)
    return Tables(
        both=reached(hit),
        having=reached(everyone),
        events=np.broadcast_to(hit.sum(axis=1), shape),
        total=np.broadcast_to(everyone.sum(axis=1).astype(np.float64), shape),
    )


#: Below this variance of the count that is compared, its distribution is too skewed for chi-square.
_EXACT = 30.0


def p_values(given: Tables, doubted: float = 0.25) -> Floats:
    """That the property has nothing to do with the event, two-sided; 1 where no stratum can tell.

    The Cochran-Mantel-Haenszel test without continuity correction (Cochran 1954, Mantel and
    Haenszel 1959). Where events are few, from the exact distribution of its count given the
    margins, by mid-p (Mehta, Patel and Gray 1985): chi-square takes twelve events where four were
    to be expected for far rarer than they are. That is worked out where chi-square says at most
    `doubted`: above, nothing is ever found.
    """
    from scipy.special import chdtrc

    n, m, t = given.total, given.having, given.events
    tells = n > 1
    safe = np.where(tells, n, 2.0)
    expected = np.where(tells, m * t / safe, given.both).sum(axis=1)
    spread = np.where(tells, m * (n - m) * t * (n - t) / (safe**2 * (safe - 1)), 0.0).sum(axis=1)
    surplus = given.both.sum(axis=1) - expected
    statistic = np.divide(surplus**2, spread, out=np.zeros(len(given)), where=spread > 0)
    p = np.asarray(chdtrc(1.0, statistic), np.float64)
    for one in np.flatnonzero((spread > 0) & (spread < _EXACT) & (p < doubted)).tolist():
        p[one] = _exact(given.both[one], m[one], t[one], n[one])
    return p


def _exact(both: Floats, having: Floats, events: Floats, total: Floats) -> float:
    """Twice the smaller tail of the sum of one hypergeometric count per stratum, half of the observed
    count in either."""
    from scipy.special import gammaln

    tells = (having > 0) & (having < total) & (events > 0) & (events < total)
    low = np.maximum(0.0, having + events - total)[tells]
    high = np.minimum(having, events)[tells]
    m, t, n = having[tells], events[tells], total[tells]
    k = low[:, None] + np.arange(int((high - low).max()) + 1)
    inside = k <= high[:, None]
    taken = np.asarray(np.where(inside, k, high[:, None]), np.float64)

    def ways(of: Floats, some: Floats) -> Floats:
        return np.asarray(gammaln(of + 1) - gammaln(some + 1) - gammaln(of - some + 1), np.float64)

    chance = np.where(
        inside,
        np.exp(ways(t[:, None], taken) + ways((n - t)[:, None], m[:, None] - taken) - ways(n, m)[:, None]),
        0.0,
    )
    whole = np.ones(1)
    for row, size in zip(chance, (high - low).astype(np.int64).tolist(), strict=True):
        whole = np.convolve(whole, row[: size + 1])
    at = int(both[tells].sum() - low.sum())
    middle = whole[at] / 2
    return float(min(1.0, 2 * min(whole[:at].sum() + middle, whole[at + 1 :].sum() + middle)))


def difference(given: Tables) -> Difference:
    """The Mantel-Haenszel risk difference with the variance of Sato (1989), which holds both for
    few large strata and for many small ones; 95 %."""
    n1, n0 = given.having, given.total - given.having
    with_, without = given.both, given.events - given.both
    n = np.maximum(given.total, 1.0)
    weight = (n1 * n0 / n).sum(axis=1)
    tells = weight > 0
    safe = np.where(tells, weight, 1.0)
    value = ((with_ * n0 - without * n1) / n).sum(axis=1) / safe
    p = ((n1**2 * without - n0**2 * with_ + n1 * n0 * (n0 - n1) / 2) / n**2).sum(axis=1)
    q = ((with_ * (n0 - without) + without * (n1 - with_)) / (2 * n)).sum(axis=1)
    half = Z * np.sqrt(np.maximum(value * p + q, 0.0)) / safe
    nothing = np.where(tells, 0.0, np.nan)
    return Difference(value + nothing, value - half + nothing, value + half + nothing)


def ratio(given: Tables) -> Difference:
    """The Mantel-Haenszel risk ratio with the interval of Greenland and Robins (1985); nan where
    events are absent on either side."""
    n1, n0 = given.having, given.total - given.having
    with_, without = given.both, given.events - given.both
    n = np.maximum(given.total, 1.0)
    above = (with_ * n0 / n).sum(axis=1)
    below = (without * n1 / n).sum(axis=1)
    tells = (above > 0) & (below > 0)
    above, below = np.where(tells, above, 1.0), np.where(tells, below, 1.0)
    spread = ((n1 * n0 * given.events - with_ * without * n) / n**2).sum(axis=1)
    value = above / below
    half = Z * np.sqrt(np.maximum(spread, 0.0) / (above * below))
    nothing = np.where(tells, 0.0, np.nan)
    return Difference(value + nothing, value * np.exp(-half) + nothing, value * np.exp(half) + nothing)


def e_value(risk_ratio: Floats) -> Floats:
    """How strongly something unseen would have to go with both the property and the outcome, as a
    risk ratio, to explain all of this one (VanderWeele and Ding 2017)."""
    strong = np.maximum(risk_ratio, 1 / np.where(risk_ratio > 0, risk_ratio, np.nan))
    return np.asarray(strong + np.sqrt(strong * (strong - 1)), np.float64)


def e_value_of_interval(given: Difference) -> Floats:
    """The E-value of the limit nearer to 1; 1 where the interval holds 1."""
    nearer = np.where(given.value >= 1, np.maximum(given.low, 1.0), np.minimum(given.high, 1.0))
    return e_value(nearer)


def wilson(count: Floats | Ints, of: Floats | Ints) -> tuple[Floats, Floats]:
    """Wilson interval of a rate, 95 %; nan where there is nobody."""
    from statsmodels.stats.proportion import proportion_confint

    some = np.asarray(of) > 0
    low, high = proportion_confint(
        np.where(some, count, 0), np.where(some, of, 1), alpha=0.05, method="wilson"
    )
    return np.where(some, low, np.nan), np.where(some, high, np.nan)
