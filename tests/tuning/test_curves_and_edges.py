"""Curves drawn from history, edges that rest on what was not fitted, and the whole proposal."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from retinue.errors import TrialError
from retinue.insight.replay import Split
from retinue.insight.tuning.curves import Declared, drawn, propose, ranks
from retinue.insight.tuning.edges import Scored, Wanted, edges
from retinue.insight.tuning.evidence import Evidence
from retinue.insight.tuning.tradeoff import Setting
from retinue.insight.tuning.tune import Asked, Shape, tune
from tests.tuning.planted import planted
from tests.tuning.test_later_time_decides import beside, book
from tests.validation.world import CHURN, world


def told_by(values: np.ndarray, chance: np.ndarray, seed: int) -> Evidence:
    rows = planted(seed, len(values))
    return replace(rows, event=np.random.default_rng([seed, 9]).random(len(values)) < chance)


def test_knots_follow_the_outcome_and_never_turn_back() -> None:
    random = np.random.default_rng(1)
    values = random.exponential(10, 8000)
    event = random.random(8000) < expit(-1.0 - 0.25 * np.minimum(values, 8))
    knots = drawn(values, event, rising=True)
    x, y = np.array(knots).T
    assert 2 <= len(knots) <= 5
    assert np.all(np.diff(x) > 0) and np.all(np.diff(y) >= 0)
    assert y[0] == 0 and y[-1] == 100
    assert drawn(values, event, rising=False) == ()


def test_a_curve_that_misses_the_relation_is_improved_on_and_a_right_one_stays() -> None:
    random = np.random.default_rng(2)
    values = random.uniform(0, 40, 6000)
    rows = told_by(values, expit(-1.0 - 0.4 * np.minimum(values, 8)), 2)
    like = np.zeros(6000, np.int64)
    flat = Declared("use.logins", "points", values, np.clip((values - 20) * 5, 0, 100), True)
    right = replace(flat, points=np.minimum(values, 8) / 8 * 100)
    improved = propose(flat, rows, like)
    assert improved.proposed == "points" and improved.gain is not None and improved.gain.clear
    assert improved.knots is not None and improved.knots[-1][1] == 100
    assert propose(right, rows, like).proposed is None
    assert "stays" in propose(right, rows, like).why


def test_few_outcomes_and_target_bands_get_no_curve() -> None:
    values = np.linspace(0, 1, 400)
    rows = told_by(values, np.full(400, 0.05), 3)
    like = np.zeros(400, np.int64)
    few = propose(Declared("a.b", "points", values, values * 100, True), rows, like)
    assert few.proposed is None and few.knots is None and "not enough evidence" in few.why
    band = propose(Declared("a.b", "target", values, values * 100, None), rows, like)
    assert band.proposed is None and "target band" in band.why


def test_noise_gets_a_curve_in_few_books() -> None:
    """30 books of 1,500 rows in which the metric says nothing: two standard errors let about 2 % through;
    more than 3 of 30 have a chance of 0.3 %."""
    said = 0
    for seed in range(30):
        values = np.random.default_rng(seed).uniform(0, 1, 1500)
        rows = told_by(values, np.full(1500, 0.1), seed)
        like = np.random.default_rng(seed + 1).integers(0, 4, 1500)
        said += (
            propose(Declared("a.b", "points", values, values * 100, True), rows, like).proposed is not None
        )
    assert said <= 3


def test_ranks_among_like_accounts_are_proposed_where_only_they_tell() -> None:
    random = np.random.default_rng(5)
    like = random.integers(0, 3, 6000)
    rank = random.random(6000)
    values = 10.0 ** (2 * like) * (1 + rank)
    rows = told_by(values, expit(-0.5 - 5 * rank), 5)
    points = 100 * np.argsort(np.argsort(values)) / 6000
    told = propose(Declared("use.volume", "points", values, points, True), rows, like)
    assert told.proposed == "cohort"
    assert propose(Declared("use.volume", "cohort", values, points, True), rows, like).cohort_gain is None


def test_ranks_are_mid_ranks_shrunk_to_those_among_all() -> None:
    reference, of = np.array([1.0, 2.0, 3.0, 100.0]), np.array([0, 0, 0, 1])
    found = ranks(reference, of, np.array([2.0]), np.array([0]), rising=True)
    own, everybody = 100 * (0.5 * (1 + 2) + 0.5) / 4, 100 * (0.5 * (1 + 2) + 0.5) / 5
    assert found[0] == pytest.approx(3 / 8 * own + 5 / 8 * everybody)
    falling = ranks(reference, of, np.array([2.0]), np.array([0]), rising=False)
    assert falling[0] == pytest.approx(100 - found[0])


def scored(rows: Evidence) -> Scored:
    none = beside(rows)
    who = (rows.event, rows.account, rows.group, rows.day)
    return Scored(rows.score, rows.score, *who, none.segment, none.stage)


def test_edges_are_learned_on_earlier_rows_and_told_on_later_ones() -> None:
    rows = book(1, declared=(0.4, 0.3, 0.2, 0.1), slope=0.8)
    half = np.arange(len(rows))
    at = Split(half[rows.group < 1000], half[rows.group >= 1000])
    told = edges(scored(rows), (40.0, 70.0), Wanted(chance=0.25), at)
    assert told.red is not None and told.red.chance == pytest.approx(0.25)
    assert told.proposed[0] == pytest.approx(told.red.edge, abs=0.1)
    assert told.proposed[0] <= told.red.edge
    assert told.realised is not None and told.realised.churned_green is not None
    # Red is 25 % and above: its mean is above that; at most a tenth of churners were green.
    assert told.realised.red_churn.low > 0.2
    assert told.realised.churned_green.low <= 0.1 <= told.realised.churned_green.high
    json.dumps(told.to_dict(), allow_nan=False)


def test_capacity_bounds_red() -> None:
    rows = book(2, 500, slope=0.8)
    told = edges(scored(rows), (40.0, 70.0), Wanted(capacity=30), None)
    assert told.red is not None
    reds = [(rows.score[rows.day == day] < told.red.edge).sum() for day in np.unique(rows.day).tolist()]
    assert np.median(reds) == 30
    assert told.red.rule == "the 30 accounts at most risk"


def test_without_a_capacity_there_is_as_much_red_as_today() -> None:
    rows = scored(book(5, declared=(0.4, 0.3, 0.2, 0.1)))
    same = edges(rows, (40.0, 70.0), Wanted(), None)
    assert same.red is not None and same.red.edge == 40.0 and same.proposed[0] == 40.0
    moved = edges(replace(rows, score=rows.score * 0.5 + 40), (40.0, 70.0), Wanted(), None)
    assert moved.red is not None and moved.red.edge == pytest.approx(60.0, abs=0.2)
    assert moved.red.share == pytest.approx(same.red.share, abs=0.002)


def test_with_few_churners_edges_stay_and_the_reason_is_told() -> None:
    rows = book(3, 6)
    assert rows.events < 10
    told = edges(scored(rows), (40.0, 70.0), Wanted(), None)
    assert told.proposed == (40.0, 70.0)
    assert "stays" in told.why and "0.05" in told.refused


def test_edges_that_would_cross_are_not_proposed() -> None:
    rows = book(4, 800)
    told = edges(scored(rows), (40.0, 70.0), Wanted(chance=0.02, alpha=0.2), None)
    assert told.proposed == (40.0, 70.0) and "allow more churners to be green" in told.why


def test_the_whole_proposal_is_plain_json_and_the_same_for_the_same_seed() -> None:
    found = world(250, 60, seed=1)
    asked = Asked(
        "one",
        found.until,
        (Setting(),),
        shapes={"usage.logins": Shape("points", True), "value.goals": Shape("target", None)},
        repetitions=100,
    )
    one = tune(found.replay, found.events, found.told, CHURN, asked).to_dict()
    two = tune(found.replay, found.events, found.told, CHURN, asked).to_dict()
    assert json.dumps(one, allow_nan=False) == json.dumps(two, allow_nan=False)
    assert set(one["weights"]) == {"usage.logins", "value.goals"}
    assert set(one["weights"]["usage.logins"]) >= {"declared", "fitted", "low", "high"}
    assert sum(w["fitted"] for w in one["weights"].values()) == pytest.approx(1)
    assert one["events"] > 50
    assert one["curves"]["value.goals"]["proposed"] is None


def test_a_score_that_knows_the_outcome_is_refused() -> None:
    found = world(250, 60, seed=1)
    leak = np.where(found.told.event, 0.0, 1.0) + np.random.default_rng(0).random(len(found.replay)) * 0.5
    known = replace(found.replay, metrics=(*found.replay.metrics[:2], "leak"),
                    values=np.column_stack([found.replay.values[:, :2], leak]))  # fmt: skip
    with pytest.raises(TrialError, match="leak tells the outcome"):
        tune(known, found.events, found.told, CHURN, Asked("one", found.until, (Setting(),)))


def test_a_score_that_says_nothing_gets_no_proposal() -> None:
    found = world(250, 60, seed=2, strength=0.0)
    asked = Asked(
        "one", found.until, (Setting(0.0, 0.0, 1.0, 1.0),), wanted=Wanted(capacity=20), repetitions=50
    )
    told = tune(found.replay, found.events, found.told, CHURN, asked)
    assert told.weighing.events > 50 and not told.weighing.slope.signal
    assert not told.weighing.adopted and "nor is there evidence" in told.weighing.why
    assert told.edges.proposed == (35.0, 60.0) and "no evidence" in told.edges.why
    assert told.stability.suggested == asked.settings[0]


def test_no_outcomes_propose_exactly_what_is_declared() -> None:
    found = world(60, 30, seed=1, rate=0.0)
    asked = Asked("one", found.until, (Setting(),), repetitions=50)
    told = tune(found.replay, found.events, found.told, CHURN, asked)
    assert told.weighing.proposed.tolist() == [0.6, 0.4]
    assert [(w.fitted, w.low, w.high) for w in told.weighing.weights] == [(0.6,) * 3, (0.4,) * 3]
    assert told.edges.proposed == (35.0, 60.0) and told.stability.suggested == Setting()
    assert told.held_out is None and told.not_held_out
    json.dumps(told.to_dict(), allow_nan=False)
