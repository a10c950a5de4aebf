"""Calibration of the chance, rivals and the split they are told on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as their_log_loss

from retinue.errors import TrialError
from retinue.insight.replay import Replay, Split, labels, spaced
from retinue.insight.validation import Report, Trial, validate
from retinue.insight.validation.challenger import challenger
from retinue.insight.validation.held_out import ENOUGH, HeldOut, held_out
from retinue.insight.validation.reliability import brier, log_loss, reliability, slope
from tests.validation.world import CHURN, World, world


def tried(w: World, **asked: object) -> Report:
    return validate(w.replay, w.events, w.told, CHURN, Trial(w.until, repetitions=100, **asked))


def counted(w: World) -> tuple[Replay, np.ndarray]:
    rows = spaced(w.replay, w.told, CHURN.horizon)
    return w.replay.at(rows), rows


def test_distances_of_the_chance_are_those_of_scikit_learn_and_of_four_rows_by_hand() -> None:
    chance, event = np.array([0.1, 0.4, 0.8, 0.3]), np.array([False, True, True, False])
    # (.01 + .36 + .04 + .09) / 4, and -(ln .9 + ln .4 + ln .8 + ln .7) / 4.
    assert brier(chance, event) == pytest.approx(0.125)
    assert log_loss(chance, event) == pytest.approx(-np.log(0.9 * 0.4 * 0.8 * 0.7) / 4)
    random = np.random.default_rng(0)
    chance = random.random(500)
    event = random.random(500) < chance
    assert brier(chance, event) == pytest.approx(brier_score_loss(event, chance))
    assert log_loss(chance, event) == pytest.approx(their_log_loss(event, chance))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_the_slope_is_a_logistic_regression_with_clustered_errors(scale: float) -> None:
    random = np.random.default_rng(4)
    logit = random.normal(-1, 1, 2000)
    event = random.random(2000) < 1 / (1 + np.exp(-scale * logit))
    cluster = random.integers(0, 300, 2000)
    found = slope(1 / (1 + np.exp(-logit)), event, cluster)
    theirs = sm.GLM(event.astype(float), sm.add_constant(logit), sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False}
    )
    factor = np.sqrt(300 / 299)
    assert found.value == pytest.approx(theirs.params[1], rel=1e-6)
    assert (found.high - found.value) / 1.959964 == pytest.approx(theirs.bse[1] * factor, rel=1e-4)
    assert found.low < scale < found.high


def test_equal_chances_have_no_slope() -> None:
    assert not slope(np.full(50, 0.2), np.arange(50) < 10, np.arange(50)).known


def test_chances_of_a_lawful_score_come_true_on_later_rows_of_other_groups() -> None:
    w = world(accounts=2000, weeks=50, seed=1)
    report = tried(w)
    found = report.calibration
    assert found.reason is None and found.learned_on.startswith("rows known by")
    assert found.brier < found.brier_constant and found.log_loss < found.log_loss_constant
    assert found.slope.low < 1.15 and found.slope.high > 0.85
    assert found.error < 0.02
    assert sum(one.rows for one in found.bins) == found.rows
    assert sum(one.events for one in found.bins) == found.events
    assert all(np.diff([one.foretold for one in found.bins]) > 0)
    # Expected by part adds up to expected.
    parts = [one for one in report.slices if one.by == "segment"]
    assert sum(one.expected for one in parts) == pytest.approx(found.expected)
    assert sum(one.observed for one in parts) == found.events


def test_a_book_in_which_losses_double_has_more_than_expected() -> None:
    """Half of the losses of the first half of the time are taken out (seed 7): later ones are twice as many
    as what came before foretells."""
    w = world(accounts=2000, weeks=50, seed=1, rate=0.01)
    before = tried(w).calibration.observed_over_expected
    keep = (w.events.day > 200) | (np.random.default_rng(7).random(len(w.events)) < 0.4)
    events = replace(
        w.events,
        account=w.events.account[keep],
        day=w.events.day[keep],
        known=w.events.known[keep],
        amount=w.events.amount[keep],
        reason=w.events.reason.at(keep),
    )
    told = labels(w.replay, events, CHURN, w.until)
    after = validate(w.replay, events, told, CHURN, Trial(w.until, repetitions=100)).calibration
    assert after.observed_over_expected.low > 1
    assert after.observed_over_expected.value > 1.3 * before.value


def test_what_is_told_was_not_learned_from() -> None:
    w = world(accounts=800, seed=2)
    rows, places = counted(w)
    told = replace(
        w.told,
        event=w.told.event[places],
        day=w.told.day[places],
        matured=w.told.matured[places],
        at_risk=w.told.at_risk[places],
        known=w.told.known[places],
    )
    held = held_out(rows, told, 0)
    assert held.split is not None and held.cutoff is not None
    train, test = held.split.train, held.split.test
    assert not set(rows.group[train]) & set(rows.group[test])
    assert told.known[train].max() <= held.cutoff <= rows.day[test].min()
    assert min(told.event[train].sum(), told.event[test].sum()) >= ENOUGH


def test_the_same_account_on_both_sides_is_refused() -> None:
    w = world()
    rows, places = counted(w)
    event = w.told.event[places]
    half = len(rows) // 2
    mixed = HeldOut(Split(np.arange(half), np.arange(half, len(rows))), 140, None)
    with pytest.raises(TrialError, match="accounts are both in training and in test"):
        challenger(rows, event, mixed, 50, 0)
    with pytest.raises(TrialError, match="accounts are both in training and in test"):
        reliability(
            rows, event, HeldOut(Split(np.arange(0, half, 2), np.arange(1, half, 2)), 140, None), 50, 0
        )


def test_one_date_leaves_the_challenger_without_a_later_one_and_calibration_with_other_groups() -> None:
    w = world(accounts=3000, weeks=5, rate=0.02, seed=4)
    found = tried(w)
    assert len(found.dates) == 1
    assert found.challenger.reason == "all rows are of one date: there is no later one to tell on"
    assert found.calibration.learned_on == "half of the accounts, of the same dates"


def test_the_challenger_finds_what_the_score_does_not_use() -> None:
    """A metric that goes with the outcome and is on no scorecard: boosting gets ahead, on the same rows;
    without it, it gets about as far as the score."""
    w = world(accounts=2000, weeks=50, seed=3, strength=0.7, rate=0.012)
    plain = tried(w).challenger
    assert plain.reason is None and plain.test_events >= ENOUGH
    assert abs(plain.ahead.value) < 0.04
    hint = np.random.default_rng(3).normal(0, 1, len(w.replay)) + 1.5 * w.told.event
    more = replace(
        w,
        replay=replace(
            w.replay, values=np.column_stack([w.replay.values, hint]), metrics=(*w.replay.metrics, "hint")
        ),
    )
    report = tried(more)
    assert report.challenger.ahead.high < 0
    assert report.challenger.auc.value > report.challenger.score_auc.value + 0.1
    assert any("gradient boosting" in one for one in report.would_change)


def test_the_best_single_metric_is_chosen_before_it_is_told() -> None:
    """50 metrics of noise: the best of them on all rows looks better than chance, on later rows it is not."""
    w = world(accounts=600, seed=5, strength=0.5)
    noise = np.random.default_rng(5).normal(0, 1, (len(w.replay), 50))
    names = tuple(f"noise_{n}" for n in range(50))
    found = tried(replace(w, replay=replace(w.replay, values=noise, metrics=names)))
    best = next(one for one in found.baselines if one.name == "best single metric")
    assert best.later is not None and best.score_later is not None
    assert best.auc.low > 0.5
    assert best.later.low < 0.5 < best.later.high
    assert best.ahead.value == pytest.approx(found.auc.value - best.auc.value)


def test_differences_from_a_rival_are_of_the_same_draws() -> None:
    """The score is no bit ahead of itself; the interval of what is almost the score is far
    narrower than that of either."""
    w = world(seed=3)
    almost = w.replay.computed + np.random.default_rng(0).normal(0, 1, len(w.replay))
    values = np.column_stack([w.replay.computed, almost])
    replay = replace(w.replay, values=values, metrics=("same", "almost"))
    for name, width in (("same", 1e-12), ("almost", 0.02)):
        asked = Trial(w.until, repetitions=200, usage=name)
        report = validate(replay, w.events, w.told, CHURN, asked)
        usage = next(one for one in report.baselines if one.name == "usage")
        assert usage.ahead.high - usage.ahead.low <= width
        assert usage.auc.high - usage.auc.low > 0.05
