"""Intervals of shares and of ratios: Wilson for single rows, wider for rows that belong together."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from retinue.insight.validation.sampling import Resampling, interval, share, shares


def test_single_rows_get_the_interval_of_wilson() -> None:
    # 4 of 22: centre (4/22 + z^2/44) / (1 + z^2/22), z = 1.96: .0731 to .3852.
    hit = np.arange(22) < 4
    found = share(hit, np.arange(22))
    assert (found.low, found.high) == pytest.approx((0.0731, 0.3852), abs=5e-5)
    assert (found.low, found.high) == pytest.approx(proportion_confint(4, 22, 0.05, "wilson"))


def test_none_of_n_has_an_upper_end_and_no_rows_have_no_share() -> None:
    found = share(np.zeros(30, bool), np.arange(30) // 3)
    assert found.value == found.low == 0 and 0.05 < found.high < 0.15
    assert not share(np.zeros(0, bool), np.zeros(0, np.int64)).known


def test_labels_are_told_apart_and_minus_one_belongs_to_none() -> None:
    label = np.array([0, 0, 1, 1, 1, -1])
    found = shares(label, 3, np.array([True, False, True, True, False, True]), np.arange(6))
    assert [one.value for one in found[:2]] == pytest.approx([0.5, 2 / 3])
    assert not found[2].known


def test_rows_of_a_cluster_that_always_agree_count_once() -> None:
    # Four copies of each row: the effective number of rows is that of the clusters, within n / (n - 1).
    random = np.random.default_rng(0)
    hit = random.random(100) < 0.3
    once, copied = share(hit, np.arange(100)), share(np.repeat(hit, 4), np.repeat(np.arange(100), 4))
    assert (once.low, once.high) == pytest.approx((copied.low, copied.high), rel=0.01)


def test_intervals_of_clustered_shares_cover_and_those_of_rows_do_not() -> None:
    """2,000 samples of 60 clusters of 5 rows whose chance is beta(1, 4) of the cluster (seed 1). Nominal .95,
    the standard error of the coverage is .005."""
    random = np.random.default_rng(1)
    cluster = np.repeat(np.arange(60), 5)
    chance = random.beta(1, 4, (2000, 60))
    hits = random.random((2000, 300)) < np.repeat(chance, 5, axis=1)
    label = np.repeat(np.arange(2000), 300)
    # Each sample is a label of its own: 2,000 intervals in one call.
    found = shares(label, 2000, hits.ravel(), np.tile(cluster, 2000))
    covered = np.mean([one.low <= 0.2 <= one.high for one in found])
    low, high = proportion_confint(hits.sum(axis=1), 300, 0.05, "wilson")
    assert 0.93 <= covered <= 0.97
    assert np.mean((low <= 0.2) & (high >= 0.2)) < 0.90


def test_intervals_of_a_ratio_cover() -> None:
    """Lift of red: 300 samples of 100 clusters of 4 rows (seed 2); red rows have .3, the others .1, half of
    all are red: lift 1.5. Nominal .95; three standard errors are .038."""
    random = np.random.default_rng(2)
    covered = 0
    for n in range(300):
        cluster = np.repeat(np.arange(100), 4)
        red = np.repeat(random.random(100) < 0.5, 4) ^ (random.random(400) < 0.1)
        event = random.random(400) < np.where(red, 0.3, 0.1)
        one = np.ones(400)
        found = Resampling.of(cluster, 200, n).estimate(
            lambda s: (s[0] / s[1]) / (s[2] / s[3]), red & event, red, event, one
        )
        covered += found.low <= 1.5 <= found.high
    assert 0.90 <= covered / 300 <= 0.985


def test_draws_are_of_whole_clusters_with_replacement() -> None:
    found = Resampling.of(np.array([7, 7, 9, 4, 4, 4]), 2000, 0)
    assert found.clusters == 3 and found.cluster.tolist() == [1, 1, 2, 0, 0, 0]
    assert (found.drawn.sum(axis=0) == 3).all()
    # Each cluster is drawn once on average, with the variance of a binomial of 3 and 1/3: 2/3.
    assert found.drawn.mean(axis=1) == pytest.approx([1, 1, 1], abs=0.06)
    assert found.drawn.var(axis=1) == pytest.approx([2 / 3] * 3, abs=0.08)
    assert found.sums(np.ones(6))[0] == pytest.approx(found.drawn.T @ [3, 2, 1])


def test_what_cannot_be_told_has_no_interval() -> None:
    assert not interval(float("nan"), np.ones(100)).known
    few = interval(0.5, np.array([0.4, 0.6] + [np.nan] * 98))
    assert few.value == 0.5 and np.isnan(few.low)
