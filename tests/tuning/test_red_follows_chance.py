"""The edge of red: capacity, cost, offsets of segments, and back to scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from retinue.errors import TrialError
from retinue.insight import calibration
from retinue.insight.calibration import Calibrator
from retinue.insight.replay import Coded
from retinue.insight.tuning.thresholds import (
    apart,
    between,
    chance_of_cost,
    cut_of_capacity,
    edge_at,
    offsets,
    shifted,
    shrunk,
)

IDENTITY = Calibrator("isotonic", 100, 50, knots=((0.0, 1.0), (100.0, 0.0)))
"""At score s the chance is 1 - s / 100."""


def test_under_the_identity_the_edge_is_the_chance_itself() -> None:
    for chance in (0.05, 0.3, 0.9):
        assert edge_at(IDENTITY, chance, 0.0) == pytest.approx(100 * (1 - chance), abs=1e-6)


def test_a_segment_with_as_many_as_expected_keeps_its_edge() -> None:
    assert shrunk(7, 7.0, 0.4) == pytest.approx(1.0)
    names = Coded.of(["a"] * 100 + ["b"] * 100)
    event = np.tile(np.arange(100) < 10, 2)
    found = offsets(np.full(200, 0.1), event, names)
    assert found.tau2 == 0.0
    assert [one.logit for one in found.by_name.values()] == [0.0, 0.0]


def test_a_segment_without_events_is_shrunk_and_not_minus_infinity() -> None:
    names = Coded.of(["quiet"] * 40 + ["usual"] * 400 + ["loud"] * 400)
    event = np.concatenate([np.zeros(40, bool), np.arange(400) < 20, np.arange(400) < 60])
    found = offsets(np.full(840, 0.1), event, names)
    quiet = found.by_name["quiet"]
    assert found.tau2 > 0 and quiet.observed == 0
    assert np.isfinite(quiet.logit) and -1.5 < quiet.logit < 0
    assert found.by_name["usual"].ratio < 1 < found.by_name["loud"].ratio
    assert 0 < edge_at(IDENTITY, 0.2, quiet.logit) < edge_at(IDENTITY, 0.2, 0.0)


def test_the_offset_is_the_published_posterior_mean() -> None:
    """Clayton & Kaldor (1987), eq. 5: with prior gamma(nu, alpha) and mean nu / alpha = 1, the posterior
    mean is (O + nu) / (E + alpha), here with nu = alpha = 1 / tau2: O = 9, E = 1.4, tau2 = 0.5."""
    assert shrunk(9, 1.4, 0.5) == pytest.approx((9 + 2) / (1.4 + 2))


def test_planted_differences_between_segments_are_found_and_chance_is_not() -> None:
    """60 segments of 400 expected outcomes in all, 200 repetitions, seed 0; the mean of the moment
    estimate has a standard error of about 0.006."""
    random = np.random.default_rng(0)
    expected = random.uniform(2, 12, 60)
    for tau2 in (0.0, 0.3):
        rate = random.gamma(1 / tau2, tau2, (200, 60)) if tau2 else np.ones((200, 60))
        told = [between(one, expected) for one in random.poisson(rate * expected)]
        assert np.mean(told) == pytest.approx(tau2, abs=0.04)


def test_a_wrong_general_level_is_not_a_difference_of_segments() -> None:
    names = Coded.of(["a"] * 500 + ["b"] * 500)
    event = np.tile(np.arange(500) < 100, 2)
    assert offsets(np.full(1000, 0.1), event, names).tau2 == 0.0


def test_an_alert_pays_from_cost_over_what_it_saves() -> None:
    assert chance_of_cost(200, 0.2, 10_000) == pytest.approx(0.1)
    with pytest.raises(TrialError, match="never pays"):
        chance_of_cost(5000, 0.2, 10_000)
    with pytest.raises(TrialError, match="uplift"):
        chance_of_cost(5000, 1.5, 10_000)


def test_capacity_is_never_exceeded_on_the_median_date() -> None:
    random = np.random.default_rng(2)
    chance, day = random.random(900), np.repeat(np.arange(9), 100)
    cut = cut_of_capacity(chance, day, 15)
    reds = [int((chance[day == one] >= cut).sum()) for one in range(9)]
    assert sorted(reds)[4] == 15
    ties = np.concatenate([np.full(10, 0.9), np.full(10, 0.5), np.full(80, 0.1)])
    assert int((ties >= cut_of_capacity(ties, np.zeros(100, int), 15)).sum()) == 10
    assert int((ties >= cut_of_capacity(ties, np.zeros(100, int), 5)).sum()) == 0
    assert int((ties >= cut_of_capacity(ties, np.zeros(100, int), 500)).sum()) == 100


def test_planted_chances_give_reds_that_churn_as_stated() -> None:
    """40 repetitions of 4,000 rows learned from and 4,000 seen later, red from a chance of 0.2: the mean
    over reds of the true chance equals what they do within 3 standard errors, at least 0.2."""
    within = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        score = random.uniform(0, 100, 8000)
        chance = expit(-1.5 - 0.6 * (score / 10 - 5))
        event = random.random(8000) < chance
        learned = calibration.fit("platt", score[:4000], event[:4000])
        edge = edge_at(learned, 0.2, 0.0)
        reds = score[4000:] < edge
        share, n = event[4000:][reds].mean(), reds.sum()
        truth = chance[4000:][reds].mean()
        within += abs(share - truth) < 1.96 * np.sqrt(truth * (1 - truth) / n)
        assert expit(-1.5 - 0.6 * (edge / 10 - 5)) == pytest.approx(0.2, abs=0.03)
    assert within >= 34  # 95 % each: below 34 of 40 with a chance of 0.3 %


def test_edges_differ_by_segment_and_what_is_red_is_told() -> None:
    score = np.tile(np.arange(100.0), 2)
    segment = Coded.of(["big"] * 100 + ["small"] * 100)
    event = score < np.concatenate([np.full(100, 10), np.full(100, 30)])
    by = offsets(IDENTITY.chance(score) * 0.4, event, segment)
    moved = shifted(IDENTITY.chance(score), by.logits(segment))
    told = apart(IDENTITY, 0.8, moved, event, (by, by))
    assert told.by_segment["big"] < 20 < told.by_segment["small"]
    red = np.concatenate([score[:100] <= told.by_segment["big"], score[100:] <= told.by_segment["small"]])
    assert told.share == pytest.approx(red.mean())
    assert (told.churn_rate, told.lift) == pytest.approx(
        (event[red].mean(), event[red].mean() / event.mean())
    )


def test_log_odds_are_moved_by_the_offset() -> None:
    assert logit(shifted(np.array([0.3]), 0.7)[0]) == pytest.approx(logit(0.3) + 0.7)
