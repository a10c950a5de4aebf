"""The verdict: what it takes, and how rarely it is deceived by labels that mean nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retinue.insight.replay import Coded, Events, Outcome, labels, spaced
from retinue.insight.validation import Trial, validate
from retinue.insight.validation.discrimination import measured
from retinue.insight.validation.report import Baseline, Challenger
from retinue.insight.validation.sampling import Estimate, Resampling
from retinue.insight.validation.verdict import Outcomes, Verdict, judge
from tests.validation.world import CHURN, World, world

NONE = Estimate.none()
SILENT = Challenger(NONE, NONE, NONE, float("nan"), 0, 0, 0, 0, None, "too few")


def said(
    auc: Estimate,
    events: int = 100,
    spared: int = 900,
    groups: int = 50,
    baselines: tuple[Baseline, ...] = (),
    challenger: Challenger = SILENT,
) -> Verdict:
    return judge(Outcomes(events, spared, groups), auc, baselines, challenger, 28)


def test_the_rule_has_edges() -> None:
    assert said(Estimate(0.70, 0.60, 0.80)).name == "predicts_well"
    assert said(Estimate(0.699, 0.60, 0.80)).name == "predicts_weakly"
    assert said(Estimate(0.75, 0.599, 0.85)).name == "predicts_weakly"
    assert said(Estimate(0.75, 0.5001, 0.95)).name == "predicts_weakly"
    assert said(Estimate(0.75, 0.50, 0.95)).name == "no_evidence"
    assert said(Estimate(0.9, 0.8, 0.95), events=19).name == "not_enough_churn"
    assert said(Estimate(0.9, 0.8, 0.95), events=20).name == "predicts_well"
    assert said(Estimate(0.9, 0.8, 0.95), events=900, spared=19).name == "not_enough_churn"
    assert said(Estimate(0.9, 0.8, 0.95), groups=9).name == "not_enough_churn"
    assert said(NONE).name == "no_evidence"


def test_the_verdict_says_what_would_change_it() -> None:
    few = said(NONE, events=12)
    assert few.sentence == "12 events within 28 days; 20 are needed to say anything."
    assert few.would_change[0].startswith("8 more events")
    # A tenth above a half, .2 from value to lower end: (.2 / .1)^2 = 4 times the events, and a tenth more.
    assert "about 441 events instead of 100" in said(Estimate(0.6, 0.4, 0.8)).would_change[0]
    assert "near a half" in said(Estimate(0.5, 0.4, 0.6)).would_change[0]
    wrong = said(Estimate(0.3, 0.2, 0.4))
    assert wrong.name == "no_evidence" and "a high score does" in wrong.sentence
    assert "wrong way round" in wrong.would_change[0]


def test_what_is_behind_a_naive_baseline_does_not_predict_well() -> None:
    rival = Baseline("usage", Estimate(0.9, 0.85, 0.95), Estimate(-0.1, -0.15, -0.05), 0.5, 100)
    behind = said(Estimate(0.8, 0.75, 0.85), baselines=(rival,))
    assert behind.name == "predicts_weakly" and "usage, which alone does better" in behind.would_change[0]
    unsure = replace(rival, ahead=Estimate(-0.1, -0.25, 0.05))
    assert said(Estimate(0.8, 0.75, 0.85), baselines=(unsure,)).name == "predicts_well"


def headline(w: World, repetitions: int = 200) -> Verdict:
    """The verdict of a trial without its rivals, which no label of these books favours."""
    rows = spaced(w.replay, w.told, CHURN.horizon)
    risk, group, event = -w.replay.computed[rows], w.replay.group[rows], w.told.event[rows]
    found = measured(risk, event, Resampling.of(group, repetitions, 0))[0]
    spread = Outcomes(int(event.sum()), int((~event).sum()), len(np.unique(group[event])))
    return judge(spread, found, (), SILENT, 28)


def test_labels_that_mean_nothing_are_declared_signal_in_at_most_8_percent_of_runs() -> None:
    """200 permutations (seed 21) of 60 losses, their days kept, among the 300 accounts of one book: nominal
    2.5 %, and 16 of 200 is 8 %. Losses drawn by the health of the accounts are found."""
    assert headline(world(accounts=300, weeks=35, seed=6, rate=0.012)).name == "predicts_well"
    book = world(accounts=300, weeks=35, seed=6, rate=0.0)
    random = np.random.default_rng(21)
    day = random.integers(1, 35 * 7, 60)
    declared = 0
    for _ in range(200):
        events = Events.of(random.permutation(300)[:60], day)
        told = labels(book.replay, events, CHURN, book.until)
        declared += headline(replace(book, events=events, told=told)).name.startswith("predicts")
    assert declared <= 16


@pytest.mark.long
def test_whole_trials_of_a_score_that_knows_nothing_declare_signal_in_at_most_8_percent() -> None:
    """200 books of 400 accounts with strength 0 (seeds 0 to 199)."""
    declared = 0
    for seed in range(200):
        w = world(seed=seed, strength=0.0, rate=0.01)
        found = validate(w.replay, w.events, w.told, CHURN, Trial(w.until, seed=seed, repetitions=200))
        assert found.events >= 20
        declared += found.verdict.startswith("predicts")
    assert declared <= 16


def test_events_of_three_customers_are_not_enough_churn_however_many_they_are() -> None:
    w = world(accounts=400, seed=1)
    three = np.where(np.isin(w.replay.account, w.events.account), w.replay.account % 3, w.replay.group + 10)
    found = validate(replace(w.replay, group=three), w.events, w.told, CHURN, Trial(w.until, repetitions=50))
    assert found.events > 100 and found.verdict == "not_enough_churn"
    assert "all in 3 groups" in found.sentence


def test_silence_as_the_outcome_is_tried_like_any_other() -> None:
    """Purchases come at a rate of the account (seed 8); the outcome is that none comes within 91 days."""
    w = world(accounts=300, weeks=60, rate=0.0)
    random = np.random.default_rng(8)
    health = np.bincount(w.replay.account, w.replay.computed) / np.bincount(w.replay.account)
    rate = np.exp((health - 50) / 15) / 45
    account, day = np.nonzero(random.random((300, 430)) < rate[:, None])
    signs = Events.of(account, day)
    silence = Outcome("lapse", 91, final=False, absence=True)
    told = labels(w.replay, signs, silence, 430)
    found = validate(w.replay, signs, told, silence, Trial(430, repetitions=100))
    assert found.verdict == "predicts_well" and found.horizon_days == 91
    assert found.lead_time.lost > 20 and found.before[0].seen > 20
    assert found.lead_time.capture.value > found.lead_time.null_capture


def test_of_a_good_outcome_high_scores_are_the_foresight() -> None:
    """The same book upside down: what foretold losses foretells expansions, figure by figure."""
    w = world()
    points = 100 - w.replay.points
    mirror = replace(
        w.replay,
        computed=100 - w.replay.computed,
        points=points,
        band=np.digitize(100 - w.replay.computed, [35, 60]),
        values=-w.replay.values,
        tenure=-w.replay.tenure,
    )
    asked = Trial(w.until, repetitions=100, usage="logins", recency="noise")
    bad = validate(w.replay, w.events, w.told, CHURN, asked)
    good = validate(mirror, w.events, w.told, CHURN, replace(asked, good=True))
    assert good.verdict == bad.verdict == "predicts_well"
    assert good.sentence == bad.sentence.replace("A low score", "A high score")
    assert good.auc == bad.auc and good.auc_within == bad.auc_within
    assert [one.auc for one in good.baselines] == [one.auc for one in bad.baselines]
    assert good.calibration.slope.value == pytest.approx(bad.calibration.slope.value)
    assert good.missing.neutral.value == pytest.approx(bad.missing.neutral.value)
    assert good.band("green").lift.value > 1 > good.band("red").lift.value
    assert [one.name for one in good.bars] == ["share of green", "red fits the capacity"]
    wrong = validate(mirror, w.events, w.told, CHURN, asked)
    assert wrong.verdict == "no_evidence" and "a high score does" in wrong.sentence


def test_a_book_without_events_or_with_nothing_but_events_gets_a_report() -> None:
    w = world(accounts=60, weeks=20, rate=0.0)
    none = validate(w.replay, w.events, w.told, CHURN, Trial(w.until, repetitions=50))
    assert none.verdict == "not_enough_churn" and none.events == 0
    none.to_dict()
    gone = Events.of(np.arange(60), np.full(60, 30))
    early = w.replay.at(w.replay.day == 14)
    every = validate(early, gone, labels(early, gone, CHURN, w.until), CHURN, Trial(w.until, repetitions=50))
    assert every.verdict == "not_enough_churn" and every.events == every.observations
    every.to_dict()


def test_a_book_without_measures_metrics_or_segments_gets_a_report() -> None:
    w = world()
    n = len(w.replay)
    bare = replace(
        w.replay,
        segment=Coded.none(n),
        stage=Coded.none(n),
        measures=(),
        points=np.zeros((n, 0)),
        weights=np.zeros((n, 0)),
        declared=np.zeros((1, 0)),
        metrics=(),
        values=np.zeros((n, 0)),
        arr=np.full(n, np.nan),
    )
    found = validate(bare, w.events, w.told, CHURN, Trial(w.until, repetitions=50, recency="absent"))
    assert found.verdict == "predicts_well"
    assert [one.name for one in found.baselines] == ["constant", "tenure"]
    assert found.amounts == ()
