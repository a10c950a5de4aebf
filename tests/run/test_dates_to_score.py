"""Which dates a run scores, and which day is complete."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from retinue.errors import RunError
from retinue.project.project import Project, Settings
from retinue.run.recipe import complete_day, dates_to_score, run_id
from tests.run.company import DAY, days

TODAY = date(2024, 5, 15)  # a Wednesday


def asked(published=(), first=None, last=None, every="day") -> list[date]:
    return list(dates_to_score(published, TODAY, first=first, last=last, every=every))


def test_the_first_run_scores_the_last_complete_day() -> None:
    assert asked() == [TODAY]


def test_a_nightly_run_catches_up_with_the_days_since_the_last_one() -> None:
    assert asked([TODAY - 9 * DAY, TODAY - 3 * DAY]) == days(TODAY - 2 * DAY, TODAY)


def test_a_second_run_on_the_same_day_scores_that_day_again() -> None:
    assert asked([TODAY - DAY, TODAY]) == [TODAY]


def test_a_second_run_after_weeks_were_scored_adds_no_days() -> None:
    assert asked([TODAY - 14 * DAY, TODAY - 7 * DAY, TODAY]) == [TODAY]


def test_a_range_is_scored_as_asked() -> None:
    assert asked(first=TODAY - 4 * DAY, last=TODAY - 2 * DAY) == days(TODAY - 4 * DAY, TODAY - 2 * DAY)


def test_a_range_without_an_end_goes_up_to_the_last_complete_day() -> None:
    assert asked(first=TODAY - 4 * DAY) == days(TODAY - 4 * DAY, TODAY)


def test_weeks_are_sundays() -> None:
    found = asked(first=date(2024, 4, 29), every="week")
    assert found == [date(2024, 5, 5), date(2024, 5, 12)]


def test_what_is_published_after_the_range_is_scored_again() -> None:
    published = [TODAY - 9 * DAY, TODAY - 6 * DAY, TODAY - DAY]
    found = asked(published, first=TODAY - 7 * DAY, last=TODAY - 5 * DAY)
    assert found == [*days(TODAY - 7 * DAY, TODAY - 5 * DAY), TODAY - DAY]


def test_an_end_alone_is_that_one_date_and_what_follows_it() -> None:
    published = [TODAY - 9 * DAY, TODAY - 2 * DAY, TODAY - DAY]
    assert asked(published, last=TODAY - 2 * DAY) == [TODAY - 2 * DAY, TODAY - DAY]


def test_a_day_that_is_not_over_is_refused() -> None:
    with pytest.raises(RunError, match="2024-05-16 is not complete yet; the last complete day is 2024-05-15"):
        asked(last=TODAY + DAY)


@pytest.mark.parametrize(
    ("first", "last", "every", "what"),
    [
        (TODAY, TODAY - DAY, "day", "no day between 2024-05-15 and 2024-05-14"),
        (TODAY + DAY, None, "day", "no day between 2024-05-16 and 2024-05-15"),
        (TODAY - DAY, TODAY, "week", "no Sunday between 2024-05-14 and 2024-05-15"),
    ],
)
def test_an_empty_range_is_refused(first: date, last: date | None, every: str, what: str) -> None:
    with pytest.raises(RunError, match=what):
        asked(first=first, last=last, every=every)


def test_a_first_day_in_the_future_does_not_score_published_days() -> None:
    with pytest.raises(RunError):
        asked([TODAY], first=TODAY + DAY)


def _complete(zone: str, closes: str, now: datetime) -> date:
    told = {"project": "t", "timezone": zone, "day_closes": closes, "accounts": {"table": "a.csv"}}
    project = Project(Path(), Settings.model_validate(told), {}, ())
    return complete_day(project, now)


@pytest.mark.parametrize(
    ("zone", "closes", "now", "day"),
    [
        ("UTC", "00:00", "2024-05-16T00:00:00", "2024-05-15"),
        ("UTC", "00:00", "2024-05-15T23:59:59", "2024-05-14"),
        ("UTC", "06:00", "2024-05-16T05:59:59", "2024-05-14"),
        ("UTC", "06:00", "2024-05-16T06:00:00", "2024-05-15"),
        ("Australia/Sydney", "00:00", "2024-05-15T14:00:00", "2024-05-15"),
        ("Australia/Sydney", "00:00", "2024-05-15T13:59:59", "2024-05-14"),
        ("America/Los_Angeles", "00:00", "2024-05-16T06:59:59", "2024-05-14"),
        # Spring forward on 2024-03-31: 02:00 to 03:00 does not exist; 02:30 has passed at 03:00.
        ("Europe/Berlin", "02:30", "2024-03-31T00:59:59", "2024-03-29"),
        ("Europe/Berlin", "02:30", "2024-03-31T01:00:00", "2024-03-30"),
        # Fall back on 2024-10-27: 02:30 happens twice; the day is complete from the first.
        ("Europe/Berlin", "02:30", "2024-10-27T00:29:59", "2024-10-25"),
        ("Europe/Berlin", "02:30", "2024-10-27T00:30:00", "2024-10-26"),
        ("UTC", "00:00", "2024-03-01T12:00:00", "2024-02-29"),
    ],
)
def test_the_last_complete_day(zone: str, closes: str, now: str, day: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert _complete(zone, closes, moment) == date.fromisoformat(day)


def test_the_zone_of_now_does_not_matter() -> None:
    from zoneinfo import ZoneInfo

    moment = datetime(2024, 5, 16, 3, tzinfo=UTC)
    for zone in ("Asia/Tokyo", "America/New_York"):
        assert _complete("UTC", "00:00", moment.astimezone(ZoneInfo(zone))) == date(2024, 5, 15)


def test_ids_of_runs_sort_by_time_whatever_zone_the_clock_is_in() -> None:
    from zoneinfo import ZoneInfo

    first = datetime(2024, 5, 16, 3, tzinfo=UTC)
    then = first + timedelta(minutes=1)
    assert run_id(first) < run_id(then.astimezone(ZoneInfo("America/New_York")))
    assert run_id(first) != run_id(first)
