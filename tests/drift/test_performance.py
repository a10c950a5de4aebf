"""Ranking and slope with their errors, against libraries and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.metrics import roc_auc_score

from retinue.insight.drift.performance import auc, change, ranking, slope


def sample(seed: int, rows: int, beta: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(-1.5, 1, rows), 1)
    event = (rng.random(rows) < 1 / (1 + np.exp(-beta * x))).astype(float)
    return x, event, np.arange(rows)


def test_the_auc_is_that_of_scikit_learn_with_ties() -> None:
    x, event, group = sample(1, 400)
    assert auc(x, event) == pytest.approx(roc_auc_score(event, x))
    assert ranking(x, event, group).value == pytest.approx(roc_auc_score(event, x))


def delong(x: np.ndarray, event: np.ndarray) -> float:
    """Variance of the AUC by all pairs (DeLong, DeLong and Clarke-Pearson 1988)."""
    hit, spared = x[event == 1], x[event == 0]
    right = (hit[:, None] > spared) + 0.5 * (hit[:, None] == spared)
    return float(right.mean(axis=1).var(ddof=1) / len(hit) + right.mean(axis=0).var(ddof=1) / len(spared))


def test_its_error_is_that_of_all_pairs() -> None:
    """Two samples of different accounts: the error of the change is that of both."""
    (x, a, _), (y, b, _) = sample(1, 400), sample(2, 600)
    told = change(ranking(x, a, np.arange(400)), ranking(y, b, np.arange(400, 1000)))
    assert told.value == pytest.approx(roc_auc_score(b, y) - roc_auc_score(a, x))
    assert told.error == pytest.approx(np.sqrt(delong(x, a) + delong(y, b)), rel=0.01)


def test_rows_told_twice_narrow_nothing() -> None:
    x, event, group = sample(3, 300)
    chance = 1 / (1 + np.exp(-x))
    for measured, of in ((ranking, x), (slope, chance)):
        once = measured(of, event, group)
        four = measured(*(np.repeat(one, 4) for one in (of, event, group)))
        assert once.value == pytest.approx(four.value)
        assert np.sum(once.by_group**2) == pytest.approx(np.sum(four.by_group**2))


def test_the_same_accounts_twice_have_not_changed() -> None:
    x, event, group = sample(3, 300)
    one = ranking(x, event, group)
    assert (change(one, one).value, change(one, one).error) == (0.0, 0.0)


def test_the_slope_and_its_error_are_those_of_statsmodels() -> None:
    x, event, _ = sample(4, 900, beta=0.6)
    group = np.arange(900) // 3
    told = slope(1 / (1 + np.exp(-x)), event, group)
    fit = sm.Logit(event, sm.add_constant(x)).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": group, "use_correction": False}
    )
    assert told.value == pytest.approx(fit.params[1], rel=1e-6)
    correction = 300 / 299
    assert np.sum(told.by_group**2) == pytest.approx(fit.bse[1] ** 2 * correction, rel=1e-5)


def test_chances_give_the_ranking_to_be_expected() -> None:
    """By all pairs of different rows: the mean of right pairs over the mean of pairs; and what comes is
    that, within four standard errors of 3,000 rows."""
    rng = np.random.default_rng(6)
    chance = rng.beta(1, 8, 60)
    risk = np.round(chance + rng.normal(0, 0.05, 60), 2)
    pairs = chance[:, None] * (1 - chance)
    np.fill_diagonal(pairs, 0)
    right = (risk[:, None] > risk) + 0.5 * (risk[:, None] == risk)
    assert auc(risk, chance) == pytest.approx((pairs * right).sum() / pairs.sum())
    many = rng.beta(1, 8, 3000)
    event = (rng.random(3000) < many).astype(float)
    seen = ranking(many, event, np.arange(3000))
    assert abs(seen.value - auc(many, many)) < 4 * np.sqrt(np.sum(seen.by_group**2))


def test_too_few_events_tell_nothing() -> None:
    x, _, group = sample(1, 400)
    event = (np.arange(400) < 14).astype(float)
    assert not ranking(x, event, group).told
    assert not slope(1 / (1 + np.exp(-x)), event, group).told
    assert np.isnan(change(ranking(x, event, group), ranking(x, event, group)).p)


def test_chances_that_are_all_alike_have_no_slope() -> None:
    _, event, group = sample(1, 400)
    assert not slope(np.full(400, 0.2), event, group).told


def test_a_change_that_is_none_is_seldom_told() -> None:
    """400 pairs of samples of 500 (seeds 0 on), AUC and slope: 5 % by design, within 1.1 to 8.9 %,
    four standard errors of 400."""
    found = np.zeros((400, 2), bool)
    for n in range(400):
        sides = [sample(2 * n + side, 500) for side in (0, 1)]
        both = [
            (x, 1 / (1 + np.exp(-x)), event, group + 500 * side)
            for side, (x, event, group) in enumerate(sides)
        ]
        a, b = (ranking(x, event, group) for x, _, event, group in both)
        c, d = (slope(chance, event, group) for _, chance, event, group in both)
        found[n] = change(a, b).p < 0.05, change(c, d).p < 0.05
    rates = found.mean(axis=0)
    assert ((rates > 0.006) & (rates < 0.094)).all()
