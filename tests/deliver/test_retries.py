"""When a message is tried again: bounds, chance, and what receivers ask for."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.deliver.failures import (
    BASE,
    LONGEST,
    LONGEST_ASKED,
    LONGEST_REST,
    MOST_ATTEMPTS,
    asked_to_wait,
    wait,
)
from retinue.deliver.pace import Pace

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOTHING, SECOND = timedelta(0), timedelta(seconds=1)


@given(st.integers(0, 10**6), st.integers(0, 2**32))
def test_a_wait_is_within_a_bound_that_doubles_and_never_nothing(attempts: int, seed: int):
    bound = BASE.total_seconds() * 2.0 ** min(max(attempts - 1, 0), 60)
    found = wait(attempts, random.Random(seed)).total_seconds()
    assert 1 <= found <= max(1, min(bound, LONGEST.total_seconds()))
    assert wait(attempts, random.Random(seed), LONGEST_REST) <= LONGEST_REST


def test_waits_are_spread_over_the_whole_of_the_bound():
    """Otherwise all that failed together comes back together."""
    chance = random.Random(7)
    found = sorted(wait(7, chance).total_seconds() / (5 * 2**6) for _ in range(4000))
    for place in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert abs(found[int(place * 4000)] - place) < 0.03


def test_a_message_is_given_up_after_about_a_day():
    chance = random.Random(1)
    totals = [
        sum((wait(attempt, chance) for attempt in range(1, MOST_ATTEMPTS)), NOTHING) for _ in range(500)
    ]
    assert timedelta(hours=20) < sum(totals, NOTHING) / len(totals) < timedelta(hours=30)
    assert max(totals) < timedelta(hours=60)


@given(st.integers(0, 10**30))
def test_seconds_are_honoured_up_to_a_bound(seconds: int):
    expected = min(seconds, int(LONGEST_ASKED.total_seconds()))
    assert asked_to_wait(str(seconds), NOW) == timedelta(seconds=expected)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)), st.integers(-12, 14))
def test_dates_are_honoured_in_any_zone_and_the_past_asks_for_nothing(moment: datetime, hours: int):
    there = moment.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
    expected = min(LONGEST_ASKED, max(NOTHING, there - NOW))
    assert asked_to_wait(format_datetime(there), NOW) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 02 Mar 2026 09:00:30 GMT", timedelta(seconds=30)),
        ("Monday, 02-Mar-26 09:00:30 GMT", timedelta(seconds=30)),  # RFC 850
        ("Mon Mar  2 09:00:30 2026", timedelta(seconds=30)),  # asctime
        (" 7 ", timedelta(seconds=7)),
        ("0", NOTHING),
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("1, 2", None),
        ("Mon, 99 Foo 2026 09:00:30 GMT", None),
    ],
)
def test_what_is_neither_asks_for_nothing(value: str | None, expected: timedelta | None):
    assert asked_to_wait(value, NOW) == expected


@given(st.text(max_size=60))
def test_no_text_of_a_receiver_breaks_it(value: str):
    found = asked_to_wait(value, NOW)
    assert found is None or NOTHING <= found <= LONGEST_ASKED


@given(st.integers(1, 6000), st.lists(st.floats(0, 30), min_size=1, max_size=40), st.randoms())
def test_a_destination_never_gets_more_than_its_pace(
    per_minute: int, gaps: list[float], chance: random.Random
):
    pace, now, taken = Pace(), NOW, 0
    for gap in gaps:
        now += timedelta(seconds=gap)
        for _ in range(chance.randint(0, pace.left("slack", per_minute, now))):
            pace.take("slack", per_minute, now)
            taken += 1
        minutes = (now - NOW).total_seconds() / 60
        assert taken <= max(1, per_minute / 6) + per_minute * minutes + 1e-6
        assert pace.left("other", per_minute, now) >= 1


def test_a_pace_that_is_used_up_comes_back_and_a_clock_that_goes_back_gives_nothing():
    pace = Pace()
    for _ in range(10):
        pace.take("slack", 60, NOW)
    assert pace.left("slack", 60, NOW) == 0
    assert pace.left("slack", 60, NOW - timedelta(hours=1)) == 0
    assert pace.left("slack", 60, NOW + 3 * SECOND) == 3
    assert pace.left("slack", 60, NOW + timedelta(hours=1)) == 10
