from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta

import numpy as np
import pytest

from retinue.demo.calendar import Calendar
from tests.demo.conftest import Tables

_DAY = re.compile(r"20\d\d-(0\d|1[0-2])-([0-2]\d|3[01]) ")


@pytest.fixture(scope="module")
def daily(midsize: Tables) -> dict[date, int]:
    """Events by day (UTC days are the local ones: nothing happens around midnight UTC)."""
    days = midsize.events["occurred_at"].to_numpy().astype("datetime64[D]")
    return Counter(days.tolist())


def _mean(daily: dict[date, int], days: list[date]) -> float:
    return float(np.mean([daily.get(day, 0) for day in days]))


def test_weekends_are_quiet(daily: dict[date, int]) -> None:
    march = [date(2026, 3, 1) + timedelta(days=n) for n in range(31)]
    weekend = _mean(daily, [day for day in march if day.weekday() >= 5])
    working = _mean(daily, [day for day in march if day.weekday() < 5])
    assert 0.15 < weekend / working < 0.4


def test_the_days_around_christmas_are_quieter_than_those_before(daily: dict[date, int]) -> None:
    before = [date(2025, 12, 8) + timedelta(days=n) for n in range(5)]
    holidays = [date(2025, 12, 24) + timedelta(days=n) for n in range(3)]
    assert _mean(daily, holidays) < 0.45 * _mean(daily, before)


def test_summer_is_slower_than_autumn(daily: dict[date, int]) -> None:
    summer = [date(2025, 8, 4) + timedelta(days=n) for n in range(5)]
    autumn = [date(2025, 9, 15) + timedelta(days=n) for n in range(5)]
    assert _mean(daily, summer) < 0.95 * _mean(daily, autumn)


def test_no_events_arrived_from_the_outage_of_the_feed(daily: dict[date, int], midsize: Tables) -> None:
    lost = midsize.story["feeds"]["events lost"]
    first, until = date.fromisoformat(lost["from"]), date.fromisoformat(lost["until"])
    assert all(daily.get(first + timedelta(days=n), 0) == 0 for n in range((until - first).days))
    assert daily[first - timedelta(days=1)] > 0
    assert daily[until] > 0


def test_events_of_the_slow_feed_arrived_when_it_was_mended(midsize: Tables) -> None:
    slow = midsize.story["feeds"]["events loaded late"]
    occurred, loaded = (midsize.events[name].to_numpy() for name in ("occurred_at", "loaded_at"))
    during = (occurred >= np.datetime64(slow["from"])) & (occurred < np.datetime64(slow["until"]))
    assert during.sum() > 100
    assert (loaded[during] >= np.datetime64(slow["until"])).all()


def test_incidents_of_the_product_bring_tickets(midsize: Tables) -> None:
    days = [
        date.fromisoformat(v[:10]) for v in midsize.csv("tickets")["created_at"].to_pylist() if _DAY.match(v)
    ]
    weeks = Counter(day - timedelta(day.weekday()) for day in days)
    for monday in map(date.fromisoformat, midsize.story["incident_weeks"]):
        usual = np.mean([weeks[monday - timedelta(weeks=n)] for n in (2, 3, 4)])
        assert weeks[monday] > 1.8 * usual


@pytest.mark.parametrize(
    ("last", "months", "first"),
    [
        (date(2026, 6, 30), 18, date(2025, 1, 1)),
        (date(2024, 2, 29), 12, date(2023, 3, 1)),
        (date(2026, 1, 15), 1, date(2026, 1, 1)),
    ],
)
def test_time_covers_whole_months_up_to_the_last_day(last: date, months: int, first: date) -> None:
    calendar = Calendar(last, months)
    assert calendar.first == first
    assert calendar.origin.weekday() == 0
    assert 0 <= calendar.first_index < 7
    assert calendar.weeks * 7 > calendar.last_index >= calendar.weeks * 7 - 7


def test_offsets_follow_daylight_saving() -> None:
    calendar = Calendar(date(2026, 6, 30), 6)
    shifts = {day: calendar.utc_shift[calendar.index(day)] for day in (date(2026, 3, 28), date(2026, 3, 29))}
    assert list(shifts.values()) == [-3600, -7200]
