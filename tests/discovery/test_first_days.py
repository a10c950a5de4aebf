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


def day(number: int) -> date:
    """The day so many days after the start."""
    return date.fromordinal(START.toordinal() + number)


Rows = list[tuple[Any, ...]]


def counted(
    folder: Path, usage: Rows, ratings: Rows | None = None, days: tuple[int, ...] = (14, 30)
) -> dict[str, FirstDays]:
    declare(folder)
    table(
        folder / "data" / "accounts.csv",
        ["account_id", "segment", "started", "ended"],
        [("A", "large", START, ""), ("B", "large", START, ""), ("C", "small", "", "")],
    )
    table(folder / "data" / "usage.csv", ["account_id", "day", "loaded", "event"], usage)
    table(folder / "data" / "ratings.csv", ["account_id", "day", "stars", "mood", "rated"], ratings or [])
    project = load(folder, {})
    wanted = {"usage": ["event"], "ratings": ["stars", "mood"]}
    with connect(project) as engine:
        people = accounts.load(engine, project, money.load(engine, project), None).table
        return {one.source: one for one in first_days(engine, project, people, wanted, days)}


def by_name(told: FirstDays) -> dict[str, dict[int, tuple[int, ...]]]:
    """Counts by feature and account."""
    return {
        one.name: {row["ix"]: tuple(v for k, v in row.items() if k != "ix") for row in one.rows.to_pylist()}
        for one in told.counted
    }


def test_days_are_counted_from_the_start_on(tmp_path: Path) -> None:
    """Day 13 is the fourteenth day, day 14 is not; what came before the start does not count."""
    usage = [("A", day(n), day(n), "login") for n in (-1, 0, 13, 14, 29, 30)]
    assert by_name(counted(tmp_path, usage)["usage"]) == {
        "usage": {0: (2, 4)},
        "usage.event=login": {0: (2, 4)},
    }


def test_rows_that_came_to_be_known_later_do_not_count(tmp_path: Path) -> None:
    """Known 14 days after the start counts for the first 14 days, known a day later does not."""
    usage = [
        ("A", day(2), day(14), "login"),
        ("A", day(2), day(15), "login"),
        ("A", day(2), day(31), "login"),
    ]
    assert by_name(counted(tmp_path, usage)["usage"])["usage"] == {0: (1, 2)}


def test_a_value_that_becomes_known_later_than_its_row_counts_from_then(tmp_path: Path) -> None:
    ratings = [
        ("A", day(1), 3, "fine", day(2)),
        ("A", day(1), 4, "fine", day(20)),
        ("A", day(1), 4, "bad", ""),
    ]
    told = by_name(counted(tmp_path, [("A", day(1), day(1), "x")], ratings)["ratings"])
    assert told["ratings"] == {0: (3, 3)}
    assert told["ratings.mood=fine"] == {0: (1, 2)}
    assert "ratings.mood=bad" not in told


def test_accounts_are_kept_apart_and_those_without_a_start_left_out(tmp_path: Path) -> None:
    usage = [("A", day(1), day(1), "login"), ("B", day(1), day(1), "click"), ("C", day(1), day(1), "login")]
    told = by_name(counted(tmp_path, usage)["usage"])
    assert told == {
        "usage": {0: (1, 1), 1: (1, 1)},
        "usage.event=click": {1: (1, 1)},
        "usage.event=login": {0: (1, 1)},
    }


def test_numbers_and_columns_of_many_values_are_left_out_by_name(tmp_path: Path) -> None:
    usage = [("A", day(1), day(1), f"event {n}") for n in range(51)]
    told = counted(tmp_path, usage, [("A", day(1), n, "fine", day(1)) for n in range(4)])
    assert told["usage"].left_out == ("event",)
    assert by_name(told["usage"]) == {"usage": {0: (51, 51)}}
    assert told["ratings"].left_out == ("stars",)
    assert set(by_name(told["ratings"])) == {"ratings", "ratings.mood=fine"}


def test_the_first_row_of_a_source_is_told(tmp_path: Path) -> None:
    told = counted(tmp_path, [("A", day(-40), day(1), "login"), ("B", day(3), day(3), "login")])
    assert told["usage"].first == day(-40)
    assert told["ratings"].first is None


@pytest.mark.parametrize("days", [(7,), (14, 30, 60, 90)])
def test_each_number_of_days_is_a_column(tmp_path: Path, days: tuple[int, ...]) -> None:
    told = counted(tmp_path, [("A", day(1), day(1), "login")], days=days)
    assert by_name(told["usage"])["usage"] == {0: (1,) * len(days)}
