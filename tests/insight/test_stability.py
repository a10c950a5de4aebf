"""The published score and band: deadband, margins, confirmation, caps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.insight.stability import (
    DATA,
    HEALTHY,
    KINDS,
    NO_DAY,
    NONE,
    NOT_SCORED,
    RECALIBRATED,
    RULE,
    WATCH,
    Days,
    Rules,
    State,
    fold,
    grade,
    plain_band,
    shown,
)
from tests.insight.oracle import Row, replay


def days_of(histories):
    rows = [(ix, row) for ix, history in enumerate(histories) for row in history]

    def column(of, kind=float):
        return np.array([of(row) for _, row in rows], kind)

    def number(value):
        return math.nan if value is None else value

    return Days(
        ix=np.array([ix for ix, _ in rows], np.int32),
        as_of=column(lambda r: r.day, np.int32),
        scored=column(lambda r: r.computed is not None, bool),
        computed=column(lambda r: number(r.computed)),
        cap=column(lambda r: number(r.cap)),
        held=column(lambda r: r.held, bool),
        reset=column(lambda r: r.reset, bool),
        old_computed=column(lambda r: number(r.old)),
        rules=Rules(
            edges=column(lambda r: r.edges).reshape(-1, 2),
            deadband=column(lambda r: r.deadband),
            margin=column(lambda r: r.margin),
            down=column(lambda r: r.down),
            up=column(lambda r: r.up),
        ),
    )


def folded(history):
    return fold(days_of([history]))


def daily(scores, **more):
    return [Row(day, score, **more) for day, score in enumerate(scores)]


def test_the_first_scored_snapshot_is_published_as_computed_with_its_plain_band():
    got = folded(daily([None, 40.0, 40.0]))
    assert np.isnan(got.published[0])
    assert got.band[0] == NOT_SCORED
    assert got.band_since[0] == NO_DAY
    assert got.published[1:].tolist() == [40.0, 40.0]
    assert got.band[1:].tolist() == [WATCH, WATCH]
    assert got.band_since[1:].tolist() == [1, 1]
    assert not got.transition.any()


def test_a_step_down_changes_the_band_on_exactly_the_third_day_and_recovery_on_the_seventh():
    got = folded(daily([75.0] * 10 + [55.0] * 10 + [75.0] * 10))
    assert np.flatnonzero(got.transition).tolist() == [12, 26]
    assert got.kind[[12, 26]].tolist() == [DATA, DATA]
    assert got.from_band[12] == HEALTHY
    assert got.to_band[12] == WATCH
    assert got.since[[12, 26]].tolist() == [9, 19], "drivers start before the streak"
    assert got.band_since[[11, 12, 25, 26]].tolist() == [0, 12, 12, 26]


def test_weekly_snapshots_change_on_the_second_low_one():
    got = folded([Row(7 * n, s) for n, s in enumerate([75.0, 75.0, 55.0, 55.0, 75.0, 75.0])])
    assert got.band.tolist() == [2, 2, 2, 1, 1, 2]


def test_a_constant_series_never_changes():
    got = folded(daily([41.0] * 200))
    assert not got.transition.any()
    assert set(got.published) == {41.0}


@pytest.mark.parametrize("middle", [40.0, 70.0])
def test_a_sine_smaller_than_the_margin_never_changes_the_band(middle):
    got = folded(daily([middle + 2.9 * math.sin(n / 5) for n in range(400)]))
    assert not got.transition.any()


def test_an_interrupted_streak_starts_again():
    got = folded(daily([75.0, 60.0, 60.0, 69.0, 60.0, 60.0, 60.0]))
    assert np.flatnonzero(got.transition).tolist() == [6]
    assert got.since[6] == 3


def test_the_number_moves_only_by_the_deadband_or_more():
    got = folded(daily([50.0, 52.9, 53.0, 52.0, 50.0]))
    assert got.published.tolist() == [50.0, 50.0, 53.0, 53.0, 50.0]
    assert folded(daily([50.0, 50.1, 50.0], deadband=0.0)).published.tolist() == [50.0, 50.1, 50.0]


def test_days_without_a_score_freeze_the_state_and_do_not_count():
    got = folded(daily([75.0, 55.0, None, None, None, 55.0, 55.0]))
    assert got.band.tolist() == [2, 2, -1, -1, -1, 2, 1]


def test_a_cap_acts_the_same_day_and_its_release_is_normal():
    got = folded([*daily([75.0, 75.0]), *(Row(d, 30.0, cap=30.0) for d in (2, 3)),
                  *(Row(d, 75.0) for d in range(4, 12))])  # fmt: skip
    assert got.band.tolist() == [2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2]
    assert got.published[2] == 30.0
    assert got.published[4] == 75.0
    assert got.kind[2] == RULE
    assert got.since[2] == 1
    assert got.kind[10] == DATA


def test_a_cap_within_the_deadband_still_limits_the_number():
    assert folded([Row(0, 41.0), Row(1, 40.0, cap=40.0)]).published.tolist() == [41.0, 40.0]


def test_a_dead_feed_never_moves_number_or_band_but_a_cap_does():
    sunk = [Row(d, 5.0, held=True) for d in range(2, 60)]
    got = folded([*daily([75.0, 75.0]), *sunk])
    assert not got.transition.any()
    assert set(got.published) == {75.0}
    got = folded([*daily([75.0, 75.0]), *sunk, Row(60, 5.0, held=True, cap=39.0)])
    assert got.kind[-1] == RULE
    assert got.band[-1] == 0
    assert got.published[-1] == 39.0


def test_held_days_do_not_count_towards_a_streak():
    rows = [Row(0, 75.0), Row(1, 55.0), *(Row(d, 55.0, held=True) for d in range(2, 9)), Row(9, 55.0),
            Row(10, 55.0)]  # fmt: skip
    assert np.flatnonzero(folded(rows).transition).tolist() == [10]


def test_a_new_formula_restarts_from_computed_and_is_called_recalibrated():
    got = folded([*daily([75.0, 75.0]), Row(2, 30.0, reset=True, old=75.0), Row(3, 30.0)])
    assert got.kind.tolist() == [NONE, NONE, RECALIBRATED, NONE]
    assert got.published.tolist() == [75.0, 75.0, 30.0, 30.0]
    assert got.band_since.tolist() == [0, 0, 2, 2]
    assert got.since[2] == 1


def test_a_change_that_the_old_formula_makes_as_well_is_the_work_of_the_data():
    got = folded([*daily([75.0, 55.0, 55.0]), Row(3, 50.0, reset=True, old=55.0)])
    assert got.kind[3] == DATA
    assert got.since[3] == 0
    got = folded([Row(0, 75.0), Row(1, 20.0, reset=True, old=20.0, cap=20.0)])
    assert got.kind[1] == RULE


def test_only_the_edges_changed_is_recalibrated_even_with_a_confirmation_of_one_day():
    got = folded([Row(0, 45.0, down=1.0), Row(1, 45.0, reset=True, old=45.0, edges=(50.0, 70.0), down=1.0)])
    assert got.band.tolist() == [1, 0]
    assert got.kind[1] == RECALIBRATED


def test_a_formula_that_changed_while_not_scored_restarts_on_the_next_score():
    got = folded([Row(0, 75.0), Row(1, None, reset=True), Row(2, 30.0)])
    assert got.kind[2] == RECALIBRATED
    assert got.published[2] == 30.0


def test_a_new_reference_of_a_cohort_that_alone_moves_the_band_is_recalibrated():
    moved = [Row(0, 72.0), Row(1, 60.0, old=72.0), Row(2, 60.0), Row(3, 60.0)]
    assert folded(moved).kind.tolist() == [NONE, NONE, NONE, RECALIBRATED]
    both = [Row(0, 72.0), Row(1, 50.0, old=60.0), Row(2, 50.0), Row(3, 50.0)]
    assert folded(both).kind.tolist() == [NONE, NONE, NONE, DATA]


def test_a_new_reference_while_a_feed_is_dead_is_still_not_data():
    rows = [Row(0, 72.0), Row(1, 60.0, old=72.0, held=True), Row(2, 60.0), Row(3, 60.0), Row(4, 60.0)]
    assert folded(rows).kind.tolist() == [NONE, NONE, NONE, NONE, RECALIBRATED]


scores = st.one_of(
    st.sampled_from([30.0, 37.0, 38.0, 40.0, 43.0, 55.0, 67.0, 70.0, 73.0, 90.0]),
    st.integers(0, 400).map(lambda n: n / 4),
)


@st.composite
def history(draw, quiet=False):
    day, rows = draw(st.integers(-3, 3)), []
    rules = {}
    for _ in range(draw(st.integers(0, 25))):
        reset = draw(st.integers(0, 9)) == 0
        if reset or not rows:
            rules = {
                "edges": draw(st.sampled_from([(40.0, 70.0), (50.0, 60.0), (38.0, 43.0)])),
                "deadband": draw(st.sampled_from([0.0, 3.0, 10.0])),
                "margin": draw(st.sampled_from([0.0, 3.0, 5.0])),
                "down": draw(st.sampled_from([1.0, 3.0, 14.0])),
                "up": draw(st.sampled_from([1.0, 7.0, 14.0])),
            }
        computed = draw(st.one_of(scores, scores, scores, scores, st.none()))
        cap = draw(scores) if draw(st.integers(0, 7)) == 0 else None
        if computed is not None and cap is not None:
            computed = min(computed, cap)
        old = draw(scores) if computed is not None and draw(st.integers(0, 4)) == 0 else None
        rows.append(Row(day, computed, cap, draw(st.integers(0, 5)) == 0, reset, old, **rules))
        day += draw(st.sampled_from([1, 1, 1, 7]))
    return rows


def same(got, wanted):
    assert np.array_equal(got.published, [math.nan if s.published is None else s.published for s in wanted],
                          equal_nan=True)  # fmt: skip
    assert got.band.tolist() == [s.band for s in wanted]
    assert [KINDS[k] for k in got.kind] == [s.kind for s in wanted]
    assert got.from_band.tolist() == [s.from_band for s in wanted]
    assert got.to_band.tolist() == [s.to_band for s in wanted]
    for days, name in ((got.band_since, "band_since"), (got.since, "since")):
        assert days.tolist() == [NO_DAY if getattr(s, name) is None else getattr(s, name) for s in wanted]


@settings(max_examples=80, deadline=None)
@given(st.lists(history(), min_size=1, max_size=4))
def test_the_fold_agrees_with_one_account_at_a_time(histories):
    got = fold(days_of(histories))
    same(got, [said for rows in histories for said in replay(rows)])
    assert not (got.state.above[:, 1] & ~got.state.above[:, 0]).any()


@settings(max_examples=40, deadline=None)
@given(st.lists(history(), min_size=1, max_size=3), st.integers(-3, 60))
def test_replay_equals_online(histories, cut):
    whole = fold(days_of(histories))
    early = fold(days_of([[r for r in h if r.day < cut] for h in histories]))
    kept = {name: array.copy() for name, array in early.state.to_dict().items()}
    late = fold(days_of([[r for r in h if r.day >= cut] for h in histories]), State.from_dict(kept))
    first = np.array([r.day < cut for h in histories for r in h], bool)
    for name in ("published", "band", "band_since", "kind", "from_band", "to_band", "since"):
        wanted = getattr(whole, name)
        assert np.array_equal(getattr(early, name), wanted[first], equal_nan=True)
        assert np.array_equal(getattr(late, name), wanted[~first], equal_nan=True)
    end = late.state.to_dict()
    for name, array in whole.state.to_dict().items():
        assert np.array_equal(array, end[name][: len(array)], equal_nan=True), name
    for name, array in early.state.to_dict().items():
        assert np.array_equal(array, kept[name], equal_nan=True), f"fold wrote into the caller's {name}"


def test_accounts_that_arrive_later_find_their_own_state():
    first = fold(days_of([daily([75.0, 55.0]), daily([20.0, 20.0])]))
    moved = first.state.placed(np.array([0, -1, 1]))
    later = fold(days_of([[Row(2, 55.0), Row(3, 55.0)], [Row(2, 90.0)], [Row(2, 20.0)]]), moved)
    assert later.band.tolist() == [2, 1, 2, 0]
    assert later.band_since.tolist() == [0, 3, 2, 0]


def test_unsorted_repeated_old_and_empty_rows_are_refused():
    for rows in ([Row(1, 50.0), Row(0, 50.0)], [Row(1, 50.0), Row(1, 50.0)]):
        with pytest.raises(ValueError, match="sorted"):
            folded(rows)
    with pytest.raises(ValueError, match="after"):
        fold(days_of([daily([50.0])]), folded(daily([50.0])).state)
    with pytest.raises(ValueError, match="computed"):
        folded([Row(0, math.nan)])
    assert len(fold(days_of([])).published) == 0


def test_lower_edges_are_inclusive_and_display_rounds_half_up():
    assert plain_band(np.array([39.9, 40.0, 69.9, 70.0, math.nan]), np.array([40.0, 70.0])).tolist() == [
        0, 1, 1, 2, -1]  # fmt: skip
    assert [shown(x) for x in (70.5, 70.4, 71.5, 0.49999999999999994)] == [71, 70, 72, 0]
    assert [grade(x, {"A": 90, "B": 80, "F": 0}) for x in (90, 89.9, 0)] == ["A", "B", "F"]
    assert grade(10, {"A": 90}) is None


def test_many_accounts_over_many_dates_take_little_time():
    """A guard against a loop over accounts, not a benchmark: 280,000 rows take about 0.3 s."""
    import time

    accounts, dates = 4000, 70
    rng = np.random.default_rng(1)
    rows = accounts * dates
    flat = Rules(np.tile([40.0, 70.0], (rows, 1)), *(np.full(rows, x) for x in (3.0, 3.0, 3.0, 7.0)))
    days = Days(
        np.repeat(np.arange(accounts), dates), np.tile(np.arange(dates) * 7, accounts), np.ones(rows, bool),
        rng.uniform(0, 100, rows), np.full(rows, np.nan), np.zeros(rows, bool), np.zeros(rows, bool),
        np.full(rows, np.nan), flat,
    )  # fmt: skip
    start = time.perf_counter()
    fold(days)
    assert time.perf_counter() - start < 5


def test_a_cap_of_one_day_leaves_no_streak_behind():
    got = folded([Row(0, 75.0), Row(1, 60.0, cap=60.0), *(Row(d, 75.0) for d in range(2, 10))])
    assert np.flatnonzero(got.transition).tolist() == [1, 8]
    rows = [*daily([50.0] + [75.0] * 6), Row(7, 75.0, cap=60.0, held=True)]
    got = folded([*rows, *(Row(d, 75.0) for d in range(8, 16))])
    assert np.flatnonzero(got.transition).tolist() == [14]
