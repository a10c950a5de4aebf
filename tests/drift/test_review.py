"""The quarterly review on simulated books: silent without drift, and right about the drift that is."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

from retinue.errors import TrialError
from retinue.insight.drift import review as module
from retinue.insight.drift.results import Check, Component, Quarter, Review
from retinue.insight.drift.review import review
from retinue.insight.replay import NEVER, Coded, Replay, labels
from tests.drift.worlds import CHURN, FIRST, HORIZON, book


def reviewed(seed: int, **what: object) -> Review:
    replay, _, told, until = book(seed, **what)  # type: ignore[arg-type]
    return review(replay, told, CHURN, until)


def advised(seeds: range, **what: object) -> Counter[str]:
    return Counter(reviewed(seed, **what).advice for seed in seeds)


def test_without_drift_the_advice_is_nothing() -> None:
    """20 books (seeds 0 on) of 1,500 accounts and 8 quarters, no drift: an alarm in at most .1 by
    design, .3 within three standard errors; measured in 100: .08."""
    assert advised(range(20))["nothing"] >= 20 * (0.9 - 3 * np.sqrt(0.09 / 20))


@pytest.mark.long
def test_without_drift_alarms_are_at_most_one_in_ten() -> None:
    """300 books (seeds 1,000 on) without shocks and 300 with shocks of .15: .1 within two standard
    errors, .135."""
    for shocks in (0.0, 0.15):
        told = advised(range(1000, 1300), shocks=shocks)
        assert told["nothing"] >= 300 * (0.9 - 2 * np.sqrt(0.09 / 300))


@pytest.fixture(scope="module")
def higher() -> list[Review]:
    """12 books (seeds 3,000 on) of 4,000 accounts whose odds are half again as high from quarter 6 on."""
    return [reviewed(seed, accounts=4000, factor={6: 1.5}) for seed in range(3000, 3012)]


def test_a_higher_base_rate_is_an_outcome_alarm_within_two_quarters(higher: list[Review]) -> None:
    """160 events expected a quarter: found in at least 9 of 12 books, never by the ranking alone."""
    assert sum(any(one.over_expected.fails for one in told.quarters[-2:]) for told in higher) >= 9
    assert sum(told.advice in ("new_intercept", "new_thresholds") for told in higher) >= 9


def test_what_is_estimated_before_labels_arrive_stays_silent_on_it(higher: list[Review]) -> None:
    """Nothing has changed in the mix: it expects as many events as before, within 10 %, while 40 % more
    come, and as good a ranking."""
    for told in higher:
        before, after = told.quarters[1], told.quarters[-1]
        assert after.assumed.events == pytest.approx(before.assumed.events, rel=0.1)
        assert after.assumed.auc == pytest.approx(before.assumed.auc, abs=0.03)
        assert told.ahead is not None
        assert told.ahead.events == pytest.approx(before.assumed.events, rel=0.1)
    assert np.mean([told.quarters[-1].events / told.quarters[-1].assumed.events for told in higher]) > 1.3
    # Nor do the accounts look otherwise: one false alarm in twenty books by design.
    assert sum(any(one.alarm for one in told.shifts) for told in higher) <= 3


def test_other_accounts_are_a_shift_and_are_expected_to_leave() -> None:
    """Health falls by .5 from quarter 6 on, what it means stays: shifts are seen in all of 6 books, the
    estimate before labels rises, and events keep to what is expected."""
    books = [reviewed(seed, accounts=2000, lower={6: 0.5}) for seed in range(5000, 5006)]
    for told in books:
        alarms = {one.name for one in told.shifts if one.alarm}
        assert {"score", "m0", "part.m1 (points)"} <= alarms
        assert told.quarters[-1].assumed.rate > 1.2 * told.quarters[1].assumed.rate
    assert sum(told.quarters[-1].over_expected.fails for told in books) <= 2


def test_measures_that_stop_ranking_ask_for_new_weights() -> None:
    books = [reviewed(seed, weaker={5: 0.1}) for seed in range(4000, 4010)]
    assert sum(told.advice == "new_weights" for told in books) >= 9
    assert any("ranks accounts worse" in told.because for told in books)


def test_a_measure_that_never_ranked_is_not_lost() -> None:
    """A measure that points the wrong way, and more so from quarter 5 on, is none that a score rests on."""
    for seed in range(4000, 4004):
        replay, _, told, until = book(seed)
        points = replay.points.copy()
        later = replay.day >= FIRST + 5 * HORIZON
        points[:, 0] = np.where(
            later, 100 - points[:, 0], np.random.default_rng(seed).uniform(0, 100, len(points))
        )
        seen = review(replace(replay, points=points), told, CHURN, until)
        first = seen.components[0]
        assert first.auc_now < first.auc_then
        assert not first.fails


NAN = float("nan")
FINE, BAD = Check(1.0, 0.7, 1.4, 0.8, fails=False), Check(2.0, 0.7, 1.4, 0.001, fails=True)


def quarter(check: Check) -> Quarter:
    told = reviewed_once().quarters[0]
    return replace(told, over_expected=check, slope=FINE, auc_change=FINE)


def reviewed_once() -> Review:
    if not _ONCE:
        _ONCE.append(reviewed(0, accounts=600, quarters=4))
    return _ONCE[0]


_ONCE: list[Review] = []


@pytest.mark.parametrize(
    ("checks", "advice"),
    [
        ([FINE, FINE], "nothing"),
        ([BAD, FINE], "nothing"),
        ([FINE, BAD], "new_intercept"),
        ([BAD, FINE, BAD], "new_intercept"),
        ([FINE, BAD, BAD], "new_thresholds"),
        ([BAD, BAD, BAD], "new_weights"),
        ([Check(NAN, NAN, NAN, NAN, fails=False)], "cannot_tell"),
    ],
)
def test_the_advice_follows_from_quarters_in_a_row(checks: list[Check], advice: str) -> None:
    assert module._advice([quarter(one) for one in checks], ())[0] == advice


def test_a_lost_measure_asks_for_new_weights_at_once() -> None:
    lost = Component("usage.logins", 0.7, 0.5, 0.001, 0.002, fails=True)
    assert module._advice([quarter(FINE)], [lost]) == (
        "new_weights",
        "usage.logins: ranks accounts worse than it did",
    )


def test_the_numbers_are_those_counted_by_hand() -> None:
    """Rows, events and chances of the last quarter, from labels and the calibrator."""
    replay, _, told, until = book(0)
    seen = review(replay, told, CHURN, until)
    last = seen.quarters[-1]
    rows = replay.day == FIRST + HORIZON * 7
    assert (last.first, last.last, last.rows) == (FIRST + HORIZON * 7, FIRST + HORIZON * 7, int(rows.sum()))
    assert last.events == int(told.event[rows].sum())
    assert last.expected == pytest.approx(seen.calibrator.chance(replay.computed[rows]).sum())
    assert last.over_expected.value == pytest.approx(last.events / last.expected)
    assert last.assumed.rate == pytest.approx(last.expected / last.rows)
    # What was learned adds up on the part that it was learned from.
    early = replay.day <= seen.reference[1]
    assert seen.reference_events == int(told.event[early & told.usable].sum())
    assert seen.calibrator.chance(replay.computed[early]).sum() == pytest.approx(
        seen.reference_events, rel=0.01
    )


def test_a_quarter_holds_the_dates_of_about_ninety_days() -> None:
    dates = {28: [3, 3, 1], 35: [3, 3, 1], 91: [1] * 7, 182: [1] * 7}
    for step, sizes in dates.items():
        day = np.repeat(FIRST + step * np.arange(7), 5)
        assert [len(one) for one in module._quarters(day)] == sizes[::-1]


def test_every_version_is_held_against_the_same_rows() -> None:
    replay, _, told, until = book(0)
    rng = np.random.default_rng(1)
    chance = rng.uniform(0, 100, len(replay))
    partly = np.where(rng.random(len(replay)) < 0.5, replay.computed, np.nan)
    seen = review(replay, told, CHURN, until, versions=[("by chance", chance), ("partly", partly)])
    today, random, half = seen.versions
    assert [one.name for one in seen.versions] == ["today", "by chance", "partly"]
    assert len({(one.rows, one.events) for one in seen.versions}) == 1
    assert today.auc == half.auc > random.high
    assert random.low < 0.5 < random.high
    assert today.lift > 1.5 > random.lift
    assert 0.6 < random.over_expected < 1.6


def test_a_good_outcome_is_foreseen_by_high_scores() -> None:
    """The same book upside down: all is told as of the bad outcome, but for what accounts look like."""
    replay, _, told, until = book(0, accounts=800)
    # In 64ths, so that 100 - (100 - score) is the score.
    replay = replace(
        replay, computed=np.round(replay.computed * 64) / 64, points=np.round(replay.points * 64) / 64
    )
    band = 2 - replay.band
    upside_down = replace(replay, computed=100 - replay.computed, points=100 - replay.points, band=band)
    other = [("other", 0.5 * replay.computed)]
    bad = review(replay, told, CHURN, until, versions=other)
    good = review(upside_down, told, CHURN, until, versions=[("other", 100 - other[0][1])], good=True)
    assert replace(good, shifts=(), good=False) == replace(bad, shifts=())
    moved = [next(one.moved for one in seen.shifts if one.name == "score") for seen in (bad, good)]
    assert moved[0] == pytest.approx(-moved[1])


def test_an_early_sign_counts_what_has_come_by_now() -> None:
    """Half of the horizon is over, odds of leaving have doubled: nearly half of the doubled events are
    there, against half of those that were expected."""
    replay, events, _, _ = book(7, accounts=4000, factor={7: 2.5}, quarters=7)
    until = FIRST + 7 * HORIZON + HORIZON // 2
    told = review(replay, labels(replay, events, CHURN, until), CHURN, until)
    early = told.early
    assert early is not None
    assert early.day == FIRST + 7 * HORIZON
    assert early.elapsed == pytest.approx(45 / 91)
    came = (events.day > early.day) & (events.day <= until)
    assert early.events == int(came.sum())
    chance = told.calibrator.chance(replay.computed[replay.day == early.day])
    assert early.expected == pytest.approx((1 - (1 - chance) ** (45 / 91)).sum())
    assert early.over_expected.fails
    assert told.quarters[-1].last < early.day


def test_the_early_sign_is_of_the_date_whose_horizon_is_half_over() -> None:
    """Weekly dates: of those whose horizon is a quarter over or more, the nearest to a half."""
    replay, events, _, _ = book(7, accounts=300, quarters=7)
    until = FIRST + 7 * HORIZON + 60
    last = replay.day == FIRST + 7 * HORIZON
    weeks = [replace(replay.at(last), day=replay.day[last] + 7 * week) for week in range(9)]
    many = _joined([replay.at(~last), *weeks])
    told = review(many, labels(many, events, CHURN, until), CHURN, until)
    assert told.early is not None
    assert told.early.day == FIRST + 7 * HORIZON + 14
    assert told.early.elapsed == pytest.approx(46 / 91)


def _joined(parts: list[Replay]) -> Replay:
    """Parts with the same metrics and names, as one replay."""
    first = parts[0]
    every = {
        field.name: np.concatenate([getattr(one, field.name) for one in parts])
        for field in fields(Replay)
        if isinstance(getattr(first, field.name), np.ndarray) and field.name not in ("declared", "edges")
    }
    rows = sum(len(one) for one in parts)
    none = {name: Coded.none(rows) for name in ("segment", "stage")}
    card = Coded(np.zeros(rows, np.int64), ("one",))
    whole = replace(first, **every, **none, scorecard=card)
    return whole.at(np.lexsort((whole.day, whole.account)))


def test_events_that_are_not_known_yet_are_no_early_sign() -> None:
    replay, events, _, _ = book(7, accounts=2000, quarters=7)
    until = FIRST + 7 * HORIZON + HORIZON // 2
    late = replace(events, known=events.known + 300)
    told = review(replay, labels(replay, late, CHURN, until), CHURN, until)
    assert told.early is not None
    assert told.early.events == 0


def test_the_earlier_part_may_be_named_by_its_last_day() -> None:
    replay, _, told, until = book(0, accounts=600)
    named = review(replay, told, CHURN, until, reference_until=FIRST + 2 * HORIZON + 5)
    assert named.reference == (FIRST, FIRST + 2 * HORIZON)
    assert len(named.quarters) == 5
    with pytest.raises(TrialError, match="leaves no quarter"):
        review(replay, told, CHURN, until, reference_until=FIRST + 99 * HORIZON)


def test_what_cannot_be_reviewed_is_said() -> None:
    replay, events, told, _ = book(0, accounts=200, quarters=3)
    with pytest.raises(TrialError, match="no score has an outcome yet"):
        review(replay, labels(replay, events, CHURN, FIRST + 10), CHURN, FIRST + 10)
    once = labels(replay, events, CHURN, FIRST + HORIZON)
    with pytest.raises(TrialError, match="one quarter"):
        review(replay, once, CHURN, FIRST + HORIZON)
    nothing = replace(told, event=np.zeros(len(replay), bool), day=np.full(len(replay), NEVER))
    with pytest.raises(TrialError, match="0 events on the earlier part"):
        review(replay, nothing, CHURN, FIRST + 3 * HORIZON)


def test_few_events_are_warned_of() -> None:
    told = reviewed(2, accounts=100)
    assert any("only a large drift" in one for one in told.warnings)
    assert any("too few to tell slope" in one for one in told.warnings)


def test_a_review_is_plain_values_and_the_same_each_time() -> None:
    texts = [json.dumps(reviewed(0, accounts=600).to_dict(), allow_nan=False) for _ in range(2)]
    assert texts[0] == texts[1]
    told = json.loads(texts[0])
    assert told["quarters"][0]["first"] == str(np.datetime64(FIRST + 4 * HORIZON, "D"))
    assert told["assumes"] == "assumes that nothing changed but the mix of accounts"
