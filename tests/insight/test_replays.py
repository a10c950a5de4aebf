"""Labels, spacing and splits: what may be learned from, and what it is tested on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.errors import TrialError
from retinue.insight.replay import (
    NEVER,
    Coded,
    Events,
    Outcome,
    Replay,
    check_apart,
    check_spacing,
    labels,
    spaced,
    split,
)

CHURN = Outcome("churn", 30)
LAPSE = Outcome("lapse", 30, final=False, absence=True)


def replay(rows: list[tuple[int, int]]) -> Replay:
    account, day = (np.array(one, np.int64) for one in zip(*sorted(rows), strict=True))
    n = len(account)
    zeros = np.zeros(n)
    return Replay(
        account=account,
        group=account,
        day=day,
        computed=np.full(n, 50.0),
        band=np.ones(n, np.int64),
        coverage=zeros + 1,
        adjustment=zeros,
        tenure=zeros,
        arr=zeros,
        assumed=np.zeros(n, bool),
        segment=Coded.none(n),
        stage=Coded.none(n),
        scorecard=Coded(np.zeros(n, np.int64), ("one",)),
        measures=(),
        points=np.zeros((n, 0)),
        weights=np.zeros((n, 0)),
        declared=np.zeros((1, 0)),
        edges=np.array([[40.0, 70.0]]),
        metrics=(),
        values=np.zeros((n, 0)),
    )


def test_an_outcome_counts_from_the_day_after_to_the_last_day_of_the_horizon() -> None:
    rows = replay([(0, day) for day in (69, 70, 99, 100)])
    told = labels(rows, Events.of([0], [100]), CHURN, 1000)
    assert told.event.tolist() == [False, True, True, False]
    assert told.day.tolist() == [NEVER, 100, 100, NEVER]


def test_after_a_final_outcome_an_account_is_not_at_risk() -> None:
    rows = replay([(0, 99), (0, 100), (0, 101), (1, 101)])
    assert labels(rows, Events.of([0], [100]), CHURN, 1000).at_risk.tolist() == [True, False, False, True]
    again = Outcome("contraction", 30, final=False)
    assert labels(rows, Events.of([0], [100]), again, 1000).at_risk.all()


def test_rows_whose_horizon_is_not_over_are_dropped_with_and_without_an_event() -> None:
    rows = replay([(0, 70), (0, 71), (1, 70), (1, 71)])
    told = labels(rows, Events.of([0], [75]), CHURN, 100)
    assert told.matured.tolist() == [True, False, True, False]


def test_silence_is_told_from_signs_of_life() -> None:
    rows = replay([(0, 10), (0, 39), (0, 40), (0, 60), (0, 61), (1, 10)])
    told = labels(rows, Events.of([0, 0, 1, 1], [10, 70, 5, 35]), LAPSE, 1000)
    # From day 10 to 70 is more than a horizon; on day 40 the account has lapsed already.
    assert told.event.tolist() == [True, True, False, False, False, False]
    assert told.at_risk.tolist() == [True, True, False, False, False, True]
    assert told.day[0] == 40


def test_a_label_is_known_when_its_event_is_known_or_its_horizon_is_over() -> None:
    told = labels(replay([(0, 10), (1, 10)]), Events.of([0], [20], [26]), CHURN, 1000)
    assert told.known.tolist() == [26, 40]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), min_size=1, max_size=30, unique=True),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90)), max_size=10),
    st.integers(1, 40),
)
def test_labels_are_those_of_a_search_row_by_row(
    rows: list[tuple[int, int]], happened: list[tuple[int, int]], horizon: int
) -> None:
    told = labels(
        replay(rows),
        Events.of([a for a, _ in happened], [d for _, d in happened]),
        Outcome("churn", horizon),
        50,
    )
    for n, (account, day) in enumerate(sorted(rows)):
        own = [d for a, d in happened if a == account]
        assert told.event[n] == any(day < d <= day + horizon for d in own)
        assert told.at_risk[n] == all(d > day for d in own)
        assert told.matured[n] == (day + horizon <= 50)


def test_a_constant_hazard_gives_a_flat_rate_up_to_the_last_matured_date() -> None:
    """A wrong way to censor gives .054 or 1.0 on the last dates where the truth is .139."""
    random = np.random.default_rng(5)
    ends = random.geometric(0.005, 20_000)
    rows = replay([(a, d) for d in range(0, 180, 30) for a in np.flatnonzero(ends > d).tolist()])
    told = labels(rows, Events.of(np.arange(20_000), ends), CHURN, 170)
    rates = [told.event[told.usable & (rows.day == day)].mean() for day in range(0, 150, 30)]
    assert rates[:5] == pytest.approx([1 - 0.995**30] * 5, abs=0.012)
    assert not told.matured[rows.day == 150].any()


def test_the_rows_of_a_trial_are_a_horizon_apart_counted_back_from_the_last_matured_one() -> None:
    rows = replay([(0, day) for day in range(0, 100, 7)] + [(1, 63)])
    taken = spaced(rows, labels(rows, Events.of([], []), CHURN, 100), 30)
    assert rows.day[taken].tolist() == [0, 35, 70]
    check_spacing(rows.account[taken], rows.day[taken], 30)
    with pytest.raises(TrialError, match="14 snapshots lie within 30 days"):
        check_spacing(rows.account, rows.day, 30)


def test_no_group_is_learned_from_and_tested_on() -> None:
    group = np.repeat(np.arange(100), 4)
    day = np.tile([0, 30, 60, 90], 100)
    found = split(group, day, day + 30, 60)
    assert not set(group[found.train]) & set(group[found.test])
    assert (day[found.train] + 30 <= 60).all() and (day[found.test] >= 60).all()
    assert len(found.train) == len(found.test) == 100
    with pytest.raises(TrialError, match="1 accounts are both in training and in test"):
        check_apart(np.array([1, 2]), np.array([2, 3]))


def test_accounts_of_one_period_only_are_not_thrown_away() -> None:
    group = np.array([0, 1, 2])
    found = split(group, np.array([0, 90, 90]), np.array([30, 120, 120]), 60)
    assert found.train.tolist() == [0] and found.test.tolist() == [1, 2]
