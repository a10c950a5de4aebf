"""Simulated usage with a known truth: weekday profiles, volumes, noise, holidays, and accounts that fall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Accounts of a history, and the regions that they are in.
ACCOUNTS, REGIONS = 2000, 4


@dataclass(frozen=True)
class World:
    """The mean of every account and day before noise, [accounts, days], and how noisy each is."""

    mean: Array
    region: Array
    dispersion: Array

    def drawn(self, rng: np.random.Generator) -> Array:
        """Daily counts: a random factor per week and one per day, then Poisson."""
        accounts, days = self.mean.shape
        weeks = days // 7
        shape = 1 / self.dispersion[:, None]
        weekly = np.repeat(rng.gamma(shape, 1 / shape, (accounts, weeks)), 7, axis=1)
        daily = rng.gamma(1 / 0.3, 0.3, (accounts, days))
        return rng.poisson(self.mean * weekly * daily).astype(float)

    def times(self, factor: Array) -> World:
        return World(self.mean * factor, self.region, self.dispersion)


def world(rng: np.random.Generator, accounts: int = ACCOUNTS, weeks: int = 28, wander: float = 0.02) -> World:
    """Accounts of all sizes (median 60 a week, one in 70 below 5), mostly with a business week, whose level
    wanders by `wander` a week; the portfolio goes up and down by 2 %."""
    level = 60 * np.exp(rng.normal(0, 1.2, accounts)) / 7
    business = np.where(rng.random((accounts, 1)) < 0.8, [1, 1, 1, 1, 1, 0.1, 0.1], np.ones(7))
    profile = business * np.exp(rng.normal(0, 0.25, (accounts, 7)))
    profile *= 7 / profile.sum(axis=1, keepdims=True)
    wander = np.exp(np.cumsum(rng.normal(0, wander, (accounts, weeks)), axis=1))
    together = np.exp(rng.normal(0, 0.02, weeks))
    dispersion = 0.02 * np.exp(rng.normal(0, 0.6, accounts))
    mean = level[:, None, None] * profile[:, None, :] * wander[:, :, None] * together[None, :, None]
    return World(mean.reshape(accounts, weeks * 7), rng.integers(0, REGIONS, accounts), dispersion)


def holiday(known: World, rng: np.random.Generator) -> World:
    """The last week is a holiday week: each region loses some days of it, each account more or less so."""
    accounts, days = known.mean.shape
    factor = np.ones((accounts, days))
    closed = np.array(
        [[1, 1, 0.2, 0.1, 0.2, 0.6, 0.6], [1, 1, 1, 0.1, 0.5, 1, 1], [0.2] * 7, [1, 1, 1, 1, 0.3, 1, 1]]
    )
    own = np.exp(rng.normal(0, 0.15, accounts))
    factor[:, -7:] = np.minimum(closed[known.region] * own[:, None], 1)
    return known.times(factor)


def fallen(
    known: World, rng: np.random.Generator, share: float = 0.03, left: float = 0.3
) -> tuple[World, Array]:
    """A `share` of the accounts has only `left` of its usage in the last week; and which they are."""
    which = rng.random(len(known.mean)) < share
    factor = np.ones(known.mean.shape)
    factor[which, -7:] = left
    return known.times(factor), which
