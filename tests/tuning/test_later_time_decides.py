"""Held-out comparison: later rows, other accounts, what a part adds, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retinue.errors import TrialError
from retinue.insight.replay import Coded, Replay
from retinue.insight.tuning.comparison import compare, later, out_of_fold
from retinue.insight.tuning.dropping import dropped
from retinue.insight.tuning.evidence import Evidence, counted, evidence
from retinue.insight.tuning.proposed import weigh
from retinue.insight.tuning.tune import _decided
from retinue.insight.tuning.weights import Gain
from retinue.insight.validation.sampling import Estimate
from tests.tuning.planted import planted
from tests.validation.world import CHURN, world


def book(seed: int = 0, accounts: int = 2000, **told) -> Evidence:
    """Six dates 90 days apart; an account leaves at its first outcome."""
    rows = planted(seed, accounts * 6, per=6, **told)
    before = np.zeros(len(rows), np.int64)
    order = rows.event.reshape(-1, 6)
    before = np.cumsum(order, axis=1) - order
    return rows.at(before.ravel() == 0)


def beside(rows: Evidence) -> Replay:
    """A replay of the same rows, for the challenger."""
    n, none = len(rows), Coded.none(len(rows))
    return Replay(
        account=rows.account,
        group=rows.group,
        day=rows.day,
        computed=rows.score,
        band=np.ones(n, np.int64),
        coverage=np.ones(n),
        adjustment=rows.adjustment,
        tenure=np.zeros(n),
        arr=np.zeros(n),
        assumed=np.zeros(n, bool),
        segment=none,
        stage=none,
        scorecard=Coded(np.zeros(n, np.int64), ("one",)),
        measures=rows.names,
        points=np.where(rows.presence > 0, rows.points, np.nan),
        weights=rows.presence * rows.declared,
        declared=rows.declared[None, :],
        edges=np.array([[40.0, 70.0]]),
        metrics=(),
        values=np.zeros((n, 0)),
    )


BAD = (0.04, 0.06, 0.1, 0.8)


def test_fitted_weights_win_on_later_time_where_the_declared_ones_are_wrong() -> None:
    rows = book(1, declared=BAD)
    at = later(rows, None, None)
    assert at.split is not None and at.cutoff is not None
    learn, test = rows.at(at.split.train), rows.at(at.split.test)
    assert not np.intersect1d(learn.group, test.group).size
    assert learn.known.max() <= at.cutoff <= test.day.min()
    told = compare(rows, beside(rows), at)
    assert told.fitted_ahead.low > 0
    assert told.declared.low < told.declared.value < told.declared.high
    assert told.fitted.value - told.declared.value == pytest.approx(told.fitted_ahead.value)
    assert told.gain.clear and told.learned.adopted
    # Points are all that there is, and enter as planted: boosting cannot know more.
    assert told.challenger is not None and told.challenger.value < told.fitted.value + 0.02
    plain = told.to_dict()
    assert set(plain["fitted"]) == {"auc", "low", "high"}
    assert plain["test"]["events"] == test.events


def test_declared_weights_that_are_right_are_not_beaten() -> None:
    rows = book(2, declared=(0.4, 0.3, 0.2, 0.1))
    told = compare(rows, beside(rows), later(rows, None, None))
    assert abs(told.fitted_ahead.value) < 0.01


def test_few_outcomes_are_not_split() -> None:
    rows = book(3, 60)
    told = later(rows, None, None)
    assert told.split is None and told.reason is not None and "do not leave 20" in told.reason
    with pytest.raises(TrialError, match="fewer than 20 outcomes"):
        later(rows, 180, None)


def test_a_period_that_was_learned_from_is_refused_for_testing() -> None:
    rows = book(4)
    with pytest.raises(TrialError, match="was learned from"):
        later(rows, 180, learned_until=270)
    found = later(rows, None, learned_until=270)
    assert found.cutoff is not None and found.split is not None
    assert found.cutoff >= 270 and rows.day[found.split.test].min() >= 270
    none = later(rows, None, learned_until=100_000)
    assert none.split is None and none.reason is not None and "since the scorecard in force" in none.reason


def test_a_part_that_carries_the_outcome_adds_and_one_of_noise_does_not() -> None:
    rows = book(5, true=(0.6, 0.4, 0.0), declared=(1 / 3, 1 / 3, 1 / 3))
    at = later(rows, None, None)
    found = {one.name: one for one in dropped(rows, at.split, 10.0)}
    first, noise = found["c0.m0"], found["c2.m2"]
    assert first.told == "adds" and first.auc is not None and first.auc.low > 0
    assert first.p_value < 1e-6 and first.gain is not None and first.gain.clear
    assert noise.p_value > 0.05 and noise.told in ("cannot tell", "better without")
    assert noise.declared_auc is not None and noise.declared_auc.value < 0
    assert first.to_dict()["auc"]["low"] > 0


def test_without_held_out_rows_only_the_likelihood_ratio_is_told() -> None:
    found = dropped(book(6, 300, true=(0.9, 0.1), declared=(0.5, 0.5)), None, 10.0)
    assert [one.auc for one in found] == [None, None]
    assert found[0].p_value < 0.05


@pytest.mark.parametrize(("repetitions", "most"), [(60, 8), pytest.param(400, 30, marks=pytest.mark.long)])
def test_a_part_of_noise_is_said_to_add_in_five_percent(repetitions: int, most: int) -> None:
    """60 (400) books of 400 rows; nominal 5 % or less, because the prior leaves a trace: more than 8 (30) of
    them has a chance of 1 % (1.5 %)."""
    said = 0
    for seed in range(repetitions):
        rows = planted(1000 + seed, 400, true=(0.6, 0.4, 0.0), rate=-1.2)
        said += dropped(rows, None, 10.0)[2].p_value < 0.05
    assert said <= most


def test_thresholds_rest_on_scores_of_weights_that_did_not_see_the_account() -> None:
    rows = book(7, declared=BAD)
    told = weigh(rows)
    score = out_of_fold(rows, told)
    assert told.adopted
    assert 0 < np.abs(score - rows.rescored(told.fitted)).max() < 8
    stays = replace(told, adopted=False)
    assert out_of_fold(rows, stays) is rows.score


def test_rows_of_a_replay_become_evidence() -> None:
    found = world(200, 40, seed=2)
    rows = counted(found.replay, found.told, 28, "one")
    told = evidence(found.replay, found.told, rows, "one")
    assert told.names == found.replay.measures
    assert np.allclose(told.base(told.declared), found.replay.computed[rows])
    assert (told.presence.max(axis=1) == 1).all()
    assert (told.presence[np.isnan(found.replay.points[rows])] == 0).all()
    assert set(np.diff(np.unique(told.day)).tolist()) == {28}
    assert CHURN.horizon == 28
    with pytest.raises(TrialError, match="no account was scored"):
        counted(found.replay, found.told, 28, "other")
    never = replace(found.told, matured=np.zeros(len(found.replay), bool))
    with pytest.raises(TrialError, match="has seen the end of its horizon"):
        counted(found.replay, never, 28, "one")


def test_presence_is_what_is_left_of_a_share_as_it_ages() -> None:
    found = world(50, 20, seed=3)
    fresh = np.where(np.isnan(found.replay.points), 0.0, np.array([0.6, 0.4 * 0.25]))
    aged = replace(found.replay, weights=fresh / fresh.sum(axis=1, keepdims=True))
    told = evidence(aged, found.told, counted(aged, found.told, 28, "one"), "one")
    assert set(np.round(np.unique(told.presence[:, 1]), 9).tolist()) == {0.0, 0.25}


def test_later_time_takes_a_proposal_back() -> None:
    rows = book(8, declared=BAD)
    told = weigh(rows)
    held = compare(rows, beside(rows), later(rows, None, None))
    assert told.adopted and held.test_events >= 100
    assert _decided(told, held) is told
    worse = _decided(told, replace(held, gain=Gain(-9.0, 3.0)))
    assert (
        not worse.adopted and worse.proposed.tolist() == list(BAD) and "did worse on later time" in worse.why
    )
    assert not _decided(told, replace(held, gain=Gain(1.0, 3.0))).adopted
    assert not _decided(told, replace(held, fitted_ahead=Estimate(-0.01, -0.02, 0.0))).adopted
    few = replace(held, gain=Gain(1.0, 3.0), test_events=30)
    assert _decided(told, few).adopted
