"""The edge of green: ranks, the promise over exchangeable splits, its spread, refusal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from retinue.errors import TrialError
from retinue.insight.tuning.conformal import green_edge, needed, one_each


def test_nineteen_churners_are_the_fewest_for_five_percent() -> None:
    assert [needed(alpha) for alpha in (0.05, 0.1, 0.2, 0.5)] == [19, 9, 4, 1]
    for n in (0, 1, 18):
        with pytest.raises(TrialError, match="needs 19 accounts that churned"):
            green_edge(np.arange(float(n)), 0.05)
    found = green_edge(np.arange(19.0), 0.05)
    assert found.rank == 19 and 18 < found.edge < 18.001


def test_the_cut_is_the_score_of_the_stated_rank() -> None:
    """n = 39, alpha = .1: ceil(40 x .9) = 36, so the 36th smallest; 4 of 40 places lie above it."""
    found = green_edge(np.random.default_rng(0).permutation(39) * 2.0, 0.1)
    assert found.rank == 36 and np.nextafter(found.edge, 0) == 70.0
    assert found.miss_rate == pytest.approx(4 / 40)


@pytest.mark.parametrize(("alpha", "n"), [(0.05, 19), (0.05, 60), (0.1, 80), (0.2, 33)])
def test_the_mean_miss_rate_over_five_hundred_exchangeable_splits_is_at_most_alpha(
    alpha: float, n: int
) -> None:
    """500 splits of 1,000 churners into n to learn from and the others, seed 0. The mean has a standard
    error of at most 0.002, so alpha + 0.01 is five of them above the promise."""
    random = np.random.default_rng(0)
    scores = np.round(random.beta(2, 3, 1000) * 100, 1)  # with ties, as rounded scores have them
    missed = []
    for _ in range(500):
        order = random.permutation(1000)
        found = green_edge(scores[order[:n]], alpha)
        missed.append(float((scores[order[n:]] >= found.edge).mean()))
    assert np.mean(missed) <= alpha + 0.01
    assert np.mean(missed) >= alpha - 1 / (n + 1) - 0.01


def test_the_spread_of_the_miss_rate_is_the_published_beta_distribution() -> None:
    """Coverage of a split conformal set, given what it was learned from, is Beta(k, n + 1 - k) with
    k = ceil((n + 1)(1 - alpha)) (Vovk 2012, proposition 2b; Angelopoulos & Bates 2023, section 3.2:
    n = 1000, alpha = .1 keeps coverage within .88 and .92 in most runs). Missed is its complement."""
    found = green_edge(np.arange(1000.0), 0.1)
    coverage = beta(901, 100)
    assert found.low == pytest.approx(1 - coverage.ppf(0.95)) and found.high == pytest.approx(
        1 - coverage.ppf(0.05)
    )
    assert 0.08 < found.low < 0.1 < found.high < 0.12
    random = np.random.default_rng(1)
    uniform = np.sort(random.random((4000, 50)), axis=1)
    few = green_edge(np.arange(50.0), 0.1)
    missed = 1 - uniform[:, few.rank - 1]  # of a uniform score, the share above a cut is known exactly
    inside = np.mean((missed >= few.low) & (missed <= few.high))
    assert inside == pytest.approx(0.9, abs=0.02)  # 4 standard errors


def test_the_share_of_all_that_is_green_is_told() -> None:
    found = green_edge(np.arange(19.0), 0.05, np.array([0.0, 18.0, 19.0, 50.0]))
    assert found.share == 0.5
    assert found.to_dict()["churners"] == 19


def test_an_account_counts_once() -> None:
    score, account = np.arange(10.0), np.array([0, 0, 0, 0, 0, 0, 0, 1, 2, 2])
    taken = one_each(score, account, 3)
    assert len(taken) == 3 and 7.0 in taken
    assert {one_each(score, account, seed)[0] for seed in range(40)} > {0.0, 3.0}


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(TrialError, match="between 0 and 1"):
        green_edge(np.arange(100.0), 1.0)
