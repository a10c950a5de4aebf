"""Ways to deceive oneself, each planted and each refused or said aloud."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from retinue.errors import TrialError
from retinue.insight.replay import Labels, labels
from retinue.insight.validation import Report, Trial, validate
from tests.validation.world import CHURN, World, world


def tried(w: World, **asked: object) -> Report:
    return validate(w.replay, w.events, w.told, CHURN, Trial(w.until, repetitions=50, **asked))


def with_metric(w: World, column: np.ndarray) -> World:
    values = np.column_stack([w.replay.values, column])
    return replace(w, replay=replace(w.replay, values=values, metrics=(*w.replay.metrics, "peek")))


def test_a_metric_that_knows_the_future_is_refused_until_it_is_explained() -> None:
    w = world()
    leak = with_metric(w, w.told.event + np.random.default_rng(0).normal(0, 0.2, len(w.replay)))
    with pytest.raises(TrialError, match=r"peek tells the outcome with AUC 1\.000, above 0\.95") as refused:
        tried(leak)
    assert "name it as explained" in str(refused.value)
    assert any("peek" in one and "explained" in one for one in tried(leak, explained=("peek",)).warnings)


def test_a_metric_that_exists_only_for_those_who_leave_is_refused() -> None:
    w = world()
    leak = with_metric(w, np.where(w.told.event, 1.0, np.nan))
    with pytest.raises(TrialError, match="peek tells the outcome"):
        tried(leak)


def test_a_leak_upside_down_is_a_leak() -> None:
    w = world()
    with pytest.raises(TrialError, match="peek"):
        tried(with_metric(w, -w.told.event.astype(float)))


def test_a_score_or_a_measure_that_is_too_good_is_refused_by_its_name() -> None:
    w = world()
    good = np.where(w.told.event, 10.0, 90.0)
    with pytest.raises(TrialError, match="score tells the outcome"):
        tried(replace(w, replay=replace(w.replay, computed=good)))
    points = w.replay.points.copy()
    points[:, 1] = good
    with pytest.raises(TrialError, match=r"value\.goals tells the outcome"):
        tried(replace(w, replay=replace(w.replay, points=points)))


def test_a_metric_that_is_certain_of_a_few_is_said_though_its_auc_is_modest() -> None:
    w = world()
    half = w.told.event & (np.random.default_rng(2).random(len(w.replay)) < 0.4)
    asked = with_metric(w, np.where(half, 1.0, 0.0))
    (warning,) = (one for one in tried(asked).warnings if "peek" in one)
    assert "rows with the most extreme values of peek had the outcome" in warning
    assert not tried(asked, explained=("peek",)).warnings
    assert not tried(w).warnings


def test_with_few_events_no_auc_is_too_good() -> None:
    w = world(accounts=40, weeks=12, rate=0.004, seed=2)
    assert w.told.event.any()
    found = tried(with_metric(w, w.told.event.astype(float)))
    assert found.events < 20 and found.verdict == "not_enough_churn"


def test_only_rows_after_the_fit_count() -> None:
    w = world()
    found = tried(w, fitted_until=140)
    assert min(found.dates) > "1970-05-21"
    assert found.observations < tried(w).observations
    assert any("learned from data up to 1970-05-21: only the" in one for one in found.warnings)
    with pytest.raises(TrialError, match="no later date to try it on"):
        tried(w, fitted_until=w.until)


def test_later_rows_change_nothing_of_a_trial_up_to_an_earlier_day() -> None:
    """What is known on day 140 is the same whatever is said of later days."""
    w = world()
    early = w.replay.at(w.replay.day <= 140)
    some = validate(early, w.events, labels(early, w.events, CHURN, 140), CHURN, Trial(140, repetitions=50))
    told = labels(w.replay, w.events, CHURN, 140)
    whole = validate(w.replay, w.events, told, CHURN, Trial(140, repetitions=50))
    assert whole.auc == some.auc and whole.observations == some.observations


def test_the_rows_counted_do_not_overlap_and_those_too_young_are_left_out() -> None:
    w = world()
    found = tried(w)
    days = np.array([np.datetime64(one, "D").astype(int) for one in found.dates])
    assert (np.diff(days) >= CHURN.horizon).all() and days.max() <= w.until - CHURN.horizon
    assert found.counted.overlapping > 0 and found.counted.not_matured > 0
    assert not any("too young" in one or "left out" in one for one in found.warnings)
    short = world(accounts=300, weeks=5)
    assert any("left out because their horizon is not over" in one for one in tried(short).warnings)


def test_without_a_row_to_count_there_is_not_enough_churn() -> None:
    w = world(accounts=20, weeks=3)
    found = tried(w)
    assert (found.observations, found.verdict) == (0, "not_enough_churn")
    assert found.dates == () and found.counted.not_matured > 0
    json.dumps(found.to_dict(), allow_nan=False)


def test_attributes_of_today_are_said() -> None:
    w = world()
    assumed = replace(w, replay=replace(w.replay, assumed=w.replay.account % 4 > 0))
    (warning,) = (one for one in tried(assumed).warnings if "attributes" in one)
    assert warning.startswith("75% of the rows") and "may know the future" in warning
    assert not any("attributes" in one for one in tried(w).warnings)


def test_a_score_that_only_knows_the_segment_is_said() -> None:
    w = world(accounts=1500, strength=0.0)
    segment = w.replay.segment.codes
    random = np.random.default_rng(1)
    # Most losses outside of the first segment are taken out: the segment foretells, nothing else does.
    spared = (w.events.account % 3 != 0) & (random.random(len(w.events)) < 0.9)
    events = replace(
        w.events,
        account=w.events.account[~spared],
        day=w.events.day[~spared],
        known=w.events.known[~spared],
        amount=w.events.amount[~spared],
        reason=w.events.reason.at(~spared),
    )
    told: Labels = labels(w.replay, events, CHURN, w.until)
    computed = 30.0 * (segment > 0) + random.uniform(0, 40, len(segment))
    replay = replace(w.replay, computed=computed, band=np.digitize(computed, [35, 60]))
    found = validate(replay, events, told, CHURN, Trial(w.until, repetitions=100))
    assert found.auc.low > 0.5
    assert any("which segment an account is of" in one for one in found.warnings)
