"""When a line of a crontab is due, in the project's timezone, also where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from retinue.project.working import Work
from retinue.worker.schedule import latest

BERLIN = "Europe/Berlin"


def due(cron: str, timezone: str, start: str, days: int) -> list[str]:
    """Every time at which it is due, for somebody who asks every ten minutes; in UTC."""
    last = now = datetime.fromisoformat(start).replace(tzinfo=UTC)
    found = []
    for _ in range(days * 144):
        now += timedelta(minutes=10)
        upcoming = latest(cron, timezone, last, now)
        if upcoming is not None:
            assert last < upcoming <= now
            last = upcoming
            found.append(f"{upcoming.astimezone(UTC):%m-%d %H:%M}")
    return found


def test_it_is_due_by_the_clock_of_the_project():
    assert due("30 6 * * *", BERLIN, "2026-01-10", 2) == ["01-10 05:30", "01-11 05:30"]
    assert due("30 6 * * *", BERLIN, "2026-07-10", 2) == ["07-10 04:30", "07-11 04:30"]
    assert due("0 7 * * 1-5", "America/New_York", "2026-01-09", 4) == ["01-09 12:00", "01-12 12:00"]


@pytest.mark.parametrize(
    ("cron", "timezone", "start", "times"),
    [
        # 29 March has no 02:30: an hour later, once.
        ("30 2 * * *", BERLIN, "2026-03-28", ["03-28 01:30", "03-29 01:30", "03-30 00:30"]),
        # 25 October has two: the first one counts.
        ("30 2 * * *", BERLIN, "2026-10-24", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        ("30 2,3 * * *", BERLIN, "2026-10-25", ["10-25 00:30", "10-25 02:30", "10-26 01:30", "10-26 02:30",
                                                "10-27 01:30", "10-27 02:30"]),
        # Midnight itself is left out.
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-03", ["11-03 03:00", "11-04 03:00", "11-05 02:00"]),
    ],
)  # fmt: skip
def test_each_day_has_it_once_where_clocks_are_changed(
    cron: str, timezone: str, start: str, times: list[str]
):
    assert due(cron, timezone, start, 3) == times


def test_what_is_due_every_hour_is_due_in_both_hours_of_the_same_name():
    found = due("15 * * * *", BERLIN, "2026-10-25", 1)
    assert found == [f"10-25 {hour:02}:15" for hour in range(24)]


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ("1-5", ["mon", "tue", "wed", "thu", "fri"]),
        ("0", ["sun"]),
        ("7", ["sun"]),
        ("5-7", ["fri", "sat", "sun"]),
        ("sat-mon", ["sat", "sun", "mon"]),
        ("*/2", ["sun", "tue", "thu", "sat"]),
        ("mon,3", ["mon", "wed"]),
    ],
)
def test_weekdays_are_counted_as_in_a_crontab(days: str, found: list[str]):
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    monday = datetime(2026, 1, 5, 12, tzinfo=UTC)
    due_on = [
        names[day]
        for day in range(7)
        if latest(f"0 9 * * {days}", "UTC", monday + timedelta(days=day - 0.5), monday + timedelta(days=day))
    ]
    assert set(due_on) == set(found)


@pytest.mark.parametrize(
    "line", ["0 9 * * 8", "0 9 * * x", "0 9 1 * 1", "0 9 * *", "61 * * * *", "0 9 * * mon-"]
)
def test_a_line_that_cannot_be_is_told(line: str):
    with pytest.raises(ValidationError, match="such as `30 6"):
        Work(run=line)


def test_of_what_was_missed_the_last_one_counts_and_who_is_new_has_missed_nothing():
    after, now = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 1, 14, 12, tzinfo=UTC)
    assert latest("30 6 * * *", "UTC", after, now) == datetime(2026, 1, 14, 6, 30, tzinfo=UTC)
    assert latest("30 6 * * *", "UTC", now, now) is None
    assert latest("30 6 * * *", "UTC", None, now) is None
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    assert latest("30 6 * * *", "UTC", long_ago, now) == datetime(2026, 1, 14, 6, 30, tzinfo=UTC)
