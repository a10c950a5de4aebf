"""What accounts did in their first days is counted as it was known then."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from retinue.project.load import load
from retinue.warehouse.engine import connect
from retinue.warehouse.facts import accounts, money
from retinue.warehouse.landmarks import FirstDays, first_days
from tests.discovery.company import declare, table

START = date(2025, 3, 1)
ACCOUNTS = ("days", "late", "values", "none", "startless", "other")
Rows = list[tuple[Any, ...]]


def day(number: int) -> date:
    """The day so many days after the start."""
    return date.fromordinal(START.toordinal() + number)


def counted(folder: Path, usage: Rows, ratings: Rows, days: tuple[int, ...]) -> dict[str, FirstDays]:
    declare(folder)
    table(
        folder / "data" / "accounts.csv",
        ["account_id", "segment", "started", "ended"],
        [(name, "large", "" if name == "startless" else START, "") for name in ACCOUNTS],
    )
    table(folder / "data" / "usage.csv", ["account_id", "day", "loaded", "event"], usage)
    table(folder / "data" / "ratings.csv", ["account_id", "day", "stars", "mood", "rated"], ratings)
    project = load(folder, {})
    wanted = {"usage": ["event"], "ratings": ["stars", "mood"]}
    with connect(project) as engine:
        people = accounts.load(engine, project, money.load(engine, project), None).table
        return {one.source: one for one in first_days(engine, project, people, wanted, days)}


USAGE: Rows = [
    # Day 13 is the fourteenth day, day 14 is not; what came before the start does not count.
    *(("days", day(n), day(n), "login") for n in (-1, 0, 13, 14, 29, 30)),
    # Known 14 days after the start counts for the first 14 days, known a day later does not.
    *(("late", day(2), day(n), "login") for n in (14, 15, 31)),
    ("startless", day(1), day(1), "login"),
    ("other", day(1), day(1), "click"),
]
RATINGS: Rows = [
    ("values", day(1), 3, "fine", day(2)),
    ("values", day(1), 4, "fine", day(20)),
    ("values", day(1), 4, "bad", ""),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FirstDays]:
    return counted(tmp_path_factory.mktemp("early"), USAGE, RATINGS, (14, 30))


def by_name(told: FirstDays) -> dict[str, dict[str, tuple[int, ...]]]:
    """Counts by feature and account, one for each number of days."""
    order = sorted(ACCOUNTS)
    return {
        one.name: {
            order[row["ix"]]: tuple(v for k, v in row.items() if k != "ix") for row in one.rows.to_pylist()
        }
        for one in told.counted
    }


def test_days_are_counted_from_the_start_on(told: dict[str, FirstDays]) -> None:
    assert by_name(told["usage"])["usage"]["days"] == (2, 4)


def test_rows_that_came_to_be_known_later_do_not_count(told: dict[str, FirstDays]) -> None:
    assert by_name(told["usage"])["usage"]["late"] == (1, 2)


def test_a_value_that_becomes_known_later_than_its_row_counts_from_then(told: dict[str, FirstDays]) -> None:
    ratings = by_name(told["ratings"])
    assert ratings["ratings"] == {"values": (3, 3)}
    assert ratings["ratings.mood=fine"] == {"values": (1, 2)}
    assert "ratings.mood=bad" not in ratings


def test_values_are_counted_apart_and_accounts_without_a_start_left_out(told: dict[str, FirstDays]) -> None:
    assert by_name(told["usage"]) == {
        "usage": {"days": (2, 4), "late": (1, 2), "other": (1, 1)},
        "usage.event=click": {"other": (1, 1)},
        "usage.event=login": {"days": (2, 4), "late": (1, 2)},
    }


def test_the_first_row_of_a_source_is_told(told: dict[str, FirstDays]) -> None:
    assert (told["usage"].first, told["ratings"].first) == (day(-1), day(1))


def test_numbers_and_columns_of_many_values_are_left_out_by_name(
    told: dict[str, FirstDays], tmp_path: Path
) -> None:
    assert told["ratings"].left_out == ("stars",)
    many = counted(tmp_path, [("days", day(1), day(1), f"event {n}") for n in range(51)], [], (7,))
    assert many["usage"].left_out == ("event",)
    assert by_name(many["usage"]) == {"usage": {"days": (51,)}}
    assert many["ratings"].first is None
