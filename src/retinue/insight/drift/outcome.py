"""Outcome drift: as many events as expected, or more or fewer than any usual quarter has.

Quarters differ by more than chance gives for independent accounts: a price change, a
competitor, a season. An interval that knows only Poisson fires nearly always. So a quarter is
judged by a negative binomial whose variance is E + v E^2, where v holds the shocks that past
quarters show and the error of the expectation itself.
"""

from __future__ import annotations

import numpy as np

from retinue.insight.replay import Floats

#: How much usual quarters differ before any has been seen, as a standard deviation of the rate, and
#: how many quarters that counts for.
SHOCK, QUARTERS = 0.15, 3


def shock(observed: Floats, expected: Floats) -> Floats:
    """Standard deviation of the shocks of past quarters (last axis), by moments, shrunk to SHOCK:
    the mean of (O - E)^2 is E + tau^2 E^2. One quarter's worth is lost to having learned E on them.
    Quarters that are nan do not count."""
    observed, expected = np.asarray(observed, np.float64), np.asarray(expected, np.float64)
    told = ~np.isnan(observed) & (expected > 0)
    o, e = np.where(told, observed, 0.0), np.where(told, expected, 0.0)
    quarters = told.sum(axis=-1)
    lost = quarters / np.maximum(quarters - 1, 1)
    surplus = lost * ((o - e) ** 2).sum(axis=-1) - e.sum(axis=-1)
    size = (e**2).sum(axis=-1)
    own = np.maximum(np.divide(surplus, size, out=np.zeros_like(size), where=size > 0), 0.0)
    return np.asarray(np.sqrt((QUARTERS * SHOCK**2 + quarters * own) / (QUARTERS + quarters)), np.float64)


def spread(shock: Floats, quarters: int, events: float) -> Floats:
    """v of a quarter, where the expectation was learned on so many quarters with so many events: its own
    shock, theirs, and the chance in their count."""
    return np.asarray(np.asarray(shock) ** 2 * (1 + 1 / quarters) + 1 / events, np.float64)


def limits(expected: Floats, variance: Floats, level: float) -> tuple[Floats, Floats]:
    """Fewest and most events that leave `level` to both tails together; `variance` is v above."""
    from scipy.stats import nbinom

    size = 1 / np.asarray(variance, np.float64)
    share = size / (size + np.asarray(expected, np.float64))
    return (
        np.asarray(nbinom.ppf(level / 2, size, share), np.float64),
        np.asarray(nbinom.ppf(1 - level / 2, size, share), np.float64),
    )


def p_value(observed: Floats, expected: Floats, variance: Floats) -> Floats:
    """Twice the smaller tail, the observed count within both."""
    from scipy.stats import nbinom

    size = 1 / np.asarray(variance, np.float64)
    share = size / (size + np.asarray(expected, np.float64))
    tails = np.minimum(nbinom.cdf(observed, size, share), nbinom.sf(np.asarray(observed) - 1, size, share))
    return np.asarray(np.minimum(1.0, 2 * tails), np.float64)
