"""Outcome drift is told from the shocks that usual quarters have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from retinue.insight.drift import outcome
from retinue.insight.drift.review import LEVEL

RUNS, PAST = 4000, 4


def quarters(expected: float, shocks: float, factor: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two quarters after PAST others: whether each is an alarm, shock-aware and by Poisson; the
    expectation is what the past quarters had on average."""
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.normal(0, shocks, (RUNS, PAST + 2))) * np.array([1.0] * PAST + [factor] * 2)
    count = rng.poisson(expected * rate).astype(float)
    mean = np.repeat(count[:, :PAST].mean(axis=1, keepdims=True), 2, axis=1)
    usual = outcome.shock(count[:, :PAST], np.repeat(mean[:, :1], PAST, axis=1))
    variance = (usual**2 * (1 + 1 / PAST) + 1 / (PAST * mean[:, 0]))[:, None]
    p = outcome.p_value(count[:, PAST:], mean, variance)
    blind = 2 * np.minimum(poisson.cdf(count[:, PAST:], mean), poisson.sf(count[:, PAST:] - 1, mean))
    return p < LEVEL, blind < LEVEL


@pytest.mark.parametrize("expected", [60.0, 150.0, 400.0])
@pytest.mark.parametrize("shocks", [0.0, 0.15])
def test_usual_quarters_give_few_alarms(expected: float, shocks: float) -> None:
    """4,000 histories each (seed 1): at most .07 a quarter, so that with the other checks a quarter
    fails in at most one of ten."""
    assert quarters(expected, shocks, 1.0, 1)[0].mean() <= 0.07


def test_an_interval_that_knows_only_poisson_fires_often() -> None:
    """Shocks of .15 and .3, nothing drifts: at 400 events it fires in most quarters, ours in few."""
    for shocks, often, seldom in ((0.15, 0.4, 0.07), (0.3, 0.65, 0.15)):
        ours, blind = quarters(400.0, shocks, 1.0, 2)
        assert blind.mean() > often
        assert ours.mean() < seldom


def test_a_base_rate_of_half_again_is_seen_within_two_quarters() -> None:
    """4,000 histories of 150 events a quarter (seed 3): in 95 % without shocks, in 70 % with shocks
    of .15, where half again is 2.7 usual standard deviations."""
    assert quarters(150.0, 0.0, 1.5, 3)[0].any(axis=1).mean() > 0.95
    assert quarters(150.0, 0.15, 1.5, 3)[0].any(axis=1).mean() > 0.7


def test_the_shock_is_the_assumed_one_without_history_and_the_seen_one_with_much() -> None:
    assert float(outcome.shock(np.zeros(0), np.zeros(0))) == pytest.approx(0.15)
    rng = np.random.default_rng(4)
    expected = np.full(4000, 500.0)
    seen = rng.poisson(expected * rng.uniform(1 - 0.3 * 3**0.5, 1 + 0.3 * 3**0.5, 4000))
    assert float(outcome.shock(seen, expected)) == pytest.approx(0.3, abs=0.015)
    calm = rng.poisson(expected)
    assert float(outcome.shock(calm, expected)) < 0.03


def test_quarters_that_are_left_out_do_not_count() -> None:
    one = outcome.shock(np.array([90.0, 110.0, np.nan]), np.array([100.0, 100.0, 100.0]))
    assert float(one) == pytest.approx(
        float(outcome.shock(np.array([90.0, 110.0]), np.array([100.0, 100.0])))
    )


def test_limits_and_p_values_agree() -> None:
    expected, variance = np.array(80.0), np.array(0.03)
    low, high = outcome.limits(expected, variance, LEVEL)
    inside = outcome.p_value(np.array([low, high]), expected, variance)
    outside = outcome.p_value(np.array([low - 1, high + 1]), expected, variance)
    assert (inside >= LEVEL).all()
    assert (outside < LEVEL).all()


def test_without_shocks_the_interval_is_that_of_poisson() -> None:
    low, high = outcome.limits(np.array(50.0), np.array(1e-9), 0.05)
    assert (low, high) == (poisson.ppf(0.025, 50), poisson.ppf(0.975, 50))
