"""Calibrators: against scikit-learn, against a planted curve, and never rising with the score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from retinue.errors import TrialError
from retinue.insight.calibration import MINIMUM, Kind, fit, kind_for

KINDS: tuple[Kind, ...] = ("constant", "platt", "beta", "isotonic")
GRID = np.linspace(0, 100, 201)


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, events and the chance at each score of the grid; a beta curve with a = 1.2, b = .3."""
    random = np.random.default_rng(seed)

    def chance(score: np.ndarray) -> np.ndarray:
        risk = np.clip(1 - score / 100, 0.005, 0.995)
        return 1 / (1 + np.exp(-(-1.5 + 1.2 * np.log(risk) - 0.3 * np.log(1 - risk))))

    score = random.uniform(0, 100, rows)
    return score, random.random(rows) < chance(score), chance(GRID)


def test_platt_is_a_logistic_regression_on_smoothed_targets() -> None:
    score, event, _ = drawn(2000, 1)
    events = int(event.sum())
    target = np.where(event, (events + 1) / (events + 2), 1 / (2000 - events + 2))
    twice = np.concatenate([score, score])[:, None]
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(
        (50 - twice) / 10, np.repeat([True, False], 2000), sample_weight=np.concatenate([target, 1 - target])
    )
    expected = theirs.predict_proba((50 - GRID[:, None]) / 10)[:, 1]
    assert fit("platt", score, event).chance(GRID) == pytest.approx(expected, abs=1e-5)


def test_beta_is_a_logistic_regression_on_its_two_logarithms_where_both_slopes_are_positive() -> None:
    score, event, _ = drawn(5000, 2)
    risk = np.clip(1 - score / 100, 0.005, 0.995)
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(
        np.stack([np.log(risk), -np.log(1 - risk)], axis=1), event
    )
    ours = fit("beta", score, event).parameters
    assert ours == pytest.approx([theirs.intercept_[0], *theirs.coef_[0]], abs=1e-3)


def test_isotonic_is_that_of_scikit_learn_between_half_a_row_and_one_less() -> None:
    score, event, _ = drawn(3000, 3)
    theirs = IsotonicRegression(increasing=False, out_of_bounds="clip").fit(score, event)
    expected = np.clip(theirs.predict(GRID), 0.5 / 3000, 1 - 0.5 / 3000)
    assert fit("isotonic", score, event).chance(GRID) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("kind", "within"), [("beta", 0.01), ("isotonic", 0.04)])
def test_a_planted_curve_is_found(kind: Kind, within: float) -> None:
    """100,000 rows, seed 4; platt and a constant cannot follow this curve."""
    score, event, truth = drawn(100_000, 4)
    inner = (GRID >= 5) & (GRID <= 95)
    assert np.abs(fit(kind, score, event).chance(GRID) - truth)[inner].max() < within
    assert np.abs(fit("constant", score, event).chance(GRID) - truth)[inner].max() > 0.1


@given(st.sampled_from(KINDS), st.integers(0, 10_000), st.sampled_from([1, -1]), st.integers(1, 3))
def test_the_chance_never_rises_with_the_score(kind: Kind, seed: int, way: int, digits: int) -> None:
    """Also where the events say the opposite, and where scores have many ties."""
    random = np.random.default_rng(seed)
    score = np.round(random.uniform(0, 100, 600), digits - 2)
    event = random.random(600) < 1 / (1 + np.exp(way * (score - 50) / 8))
    chance = fit(kind, score, event).chance(GRID)
    assert (np.diff(chance) <= 1e-12).all() and (chance >= 0).all() and (chance <= 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_chance_is_the_share_of_events(kind: Kind) -> None:
    score, event, _ = drawn(4000, 5)
    assert fit(kind, score, event).chance(score).mean() == pytest.approx(event.mean(), abs=2e-3)


@pytest.mark.parametrize("kind", ["platt", "beta", "isotonic"])
def test_too_few_events_are_refused(kind: Kind) -> None:
    score, few = np.linspace(0, 100, 1000), MINIMUM[kind] - 1
    with pytest.raises(TrialError, match=f"{kind} calibration needs {MINIMUM[kind]} events"):
        fit(kind, score, np.arange(1000) < few)
    with pytest.raises(TrialError):
        fit(kind, score, np.arange(1000) >= few)
    fit(kind, score, np.arange(1000) < few + 1)


def test_few_events_get_a_constant_more_a_curve_and_very_many_steps() -> None:
    assert [kind_for(n) for n in (0, 9, 10, 999, 1000)] == [
        "constant",
        "constant",
        "beta",
        "beta",
        "isotonic",
    ]


def test_the_score_at_a_chance_is_the_highest_that_has_it() -> None:
    score, event, _ = drawn(5000, 6)
    found = fit("beta", score, event)
    at = found.score_at(0.1)
    assert found.chance(at - 1e-6) >= 0.1 > found.chance(at + 1e-6)
    assert np.isnan(found.score_at(0.9999))
    assert found.score_at(0.0) == 100


def test_no_score_has_no_chance() -> None:
    score, event, _ = drawn(3000, 7)
    for kind in KINDS:
        assert np.isnan(fit(kind, score, event).chance([np.nan, 50])).tolist() == [True, False]
