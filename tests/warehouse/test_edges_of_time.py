"""Midnight, daylight saving, 29 February, edges of windows, ties, and companies with nothing in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.warehouse.world import Account, Result, Row, Source, World

ONE = {"scorecard": "one", "components": {"c": {"measures": {"count": {"curve": [[0, 0], [10, 100]]}}}}}
N = {"n": pa.int64()}


def row(when: datetime | date, n: int | None = 1, key: str = "a", **more: Any) -> Row:
    occurred = when if isinstance(when, datetime) else datetime.combine(when, time(0))
    return Row(key, occurred, columns={"n": n}, **more)


def world(rows: list[Row], accounts: tuple[Account, ...] | None = None, **metrics: Any) -> World:
    return World(
        accounts=accounts or (Account("a", date(2020, 1, 1)),),
        sources={"events": Source(tuple(rows), N)},
        metrics={"count": {"count": "events", "window": "1d"}, **metrics},
        scorecards=(ONE,),
    )


def values(result: Result, name: str, days: list[date], key: str = "a") -> list[float | None]:
    return [result.metrics[(key, day, name)][0] for day in days]


def zoned(folder: Path, zone: str, instants: list[datetime], dates: list[date], **settings: Any) -> Result:
    """The metrics of one account whose events are instants (with a zone) in a Parquet file."""

    class Instants(Source):
        def write(self, path: Path) -> dict[str, Any]:
            told = super().write(path)
            table = pq.read_table(path)
            column = pa.array(instants, pa.timestamp("us", tz="UTC"))
            pq.write_table(table.set_column(1, "occurred", column), path)
            return told

    base = world([row(at) for at in instants], active={"active": "events", "window": "7d"})
    source = Instants(base.sources["events"].rows, N)
    return replace(base, sources={"events": source}, settings={"timezone": zone, **settings}).compute(
        folder, dates
    )


@pytest.mark.parametrize("zone", ["Australia/Sydney", "America/New_York", "Asia/Kolkata", "UTC"])
def test_a_day_ends_at_midnight_of_the_project(tmp_path: Path, zone: str) -> None:
    midnight = datetime(2024, 6, 11, tzinfo=ZoneInfo(zone))
    instants = [midnight - timedelta(microseconds=1), midnight, midnight + timedelta(hours=5)]
    days = [date(2024, 6, 10), date(2024, 6, 11)]
    told = zoned(tmp_path, zone, [i.astimezone(UTC) for i in instants], days)
    assert values(told, "count", days) == [1, 2]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Australia/Sydney", date(2024, 4, 7), 25),
        ("Australia/Sydney", date(2024, 10, 6), 23),
        ("America/New_York", date(2024, 3, 10), 23),
        ("Europe/Berlin", date(2024, 10, 27), 25),
        # Here midnight itself does not exist.
        ("America/Santiago", date(2024, 9, 8), 23),
    ],
)
def test_a_day_of_daylight_saving_has_its_own_hours(tmp_path: Path, zone: str, day: date, hours: int) -> None:
    first = datetime.combine(day - timedelta(days=1), time(12), ZoneInfo(zone)).astimezone(UTC)
    instants = [first + timedelta(hours=n) for n in range(48)]
    days = [day + timedelta(days=n) for n in (-1, 0, 1)]
    told = zoned(tmp_path, zone, instants, days)
    by_hand = [sum(i.astimezone(ZoneInfo(zone)).date() == d for i in instants) for d in days]
    assert values(told, "count", days) == by_hand
    assert by_hand[1] == hours
    assert values(told, "active", days) == [1, 2, 3]


def test_leap_days_and_month_ends_are_days_like_others(tmp_path: Path) -> None:
    leap = date(2024, 2, 29)
    days = [
        date(2024, 2, 28),
        leap,
        date(2024, 3, 1),
        date(2024, 3, 27),
        date(2024, 3, 28),
        date(2025, 2, 28),
    ]
    told = world(
        [row(leap)],
        accounts=(Account("a", leap), Account("b", date(2020, 2, 29))),
        month={"count": "events", "window": "28d"},
        year={"count": "events", "window": "366d"},
        since={"since": "events"},
    ).compute(tmp_path, days)
    assert [("a", day) in told.rows for day in days] == [False, True, True, True, True, True]
    assert values(told, "month", days[1:]) == [1, 1, 1, 0, 0]
    assert values(told, "year", days[1:]) == [1, 1, 1, 1, 1]
    assert values(told, "since", days[1:]) == [0, 1, 27, 28, 365]
    assert values(told, "since", [leap], "b") == [1461]


@pytest.mark.parametrize("every", [1, 3, 7])
def test_a_row_at_the_edge_of_a_window_is_in_and_the_one_before_is_out(tmp_path: Path, every: int) -> None:
    day = date(2024, 3, 31)
    rows = [row(day - timedelta(days=27)), row(day - timedelta(days=28))]
    rows += [row(datetime.combine(day, time(23, 59, 59, 999999))), row(day + timedelta(days=1))]
    dates = sorted({day, *(day - timedelta(days=n) for n in range(0, 40, every))})
    told = world(rows, month={"count": "events", "window": "28d"}).compute(tmp_path, dates)
    assert values(told, "month", [day]) == [2]


def test_a_window_that_starts_before_the_account_counts_what_there_is(tmp_path: Path) -> None:
    day = date(2024, 3, 1)
    rows = [row(day - timedelta(days=40)), row(day - timedelta(days=3)), row(day)]
    told = world(
        rows,
        accounts=(Account("a", day),),
        month={"count": "events", "window": "28d"},
        every={"count": "events"},
        since={"since": "events"},
        first={"days_to": "events"},
        change={"change": {"count": "events"}, "window": "7d", "baseline": "28d"},
    ).compute(tmp_path, [day])
    assert [told.metrics[("a", day, n)][0] for n in ("month", "every", "since", "first")] == [2, 3, 0, 0]
    assert told.metrics[("a", day, "change")] == (None, "not_applicable")


def test_a_change_applies_from_the_day_that_all_three_spans_have_passed(tmp_path: Path) -> None:
    start = date(2024, 1, 1)
    days = [start + timedelta(days=41), start + timedelta(days=42)]
    rows = [row(start + timedelta(days=n)) for n in range(43)]
    change = {"change": {"count": "events"}, "window": "7d", "baseline": "28d", "gap": "7d"}
    told = world(rows, accounts=(Account("a", start),), change=change).compute(tmp_path, days)
    assert [told.metrics[("a", day, "change")] for day in days] == [(None, "not_applicable"), (0.0, "ok")]


def test_the_latest_of_rows_at_the_same_moment_is_always_the_same(tmp_path: Path) -> None:
    at = datetime(2024, 3, 1, 9)
    rows = [row(at, n) for n in (3, 9, 5, None)]
    days = [at.date()]
    told = [
        world(order, last={"latest": "events.n"})
        .compute(tmp_path / str(n), days)
        .metrics[("a", days[0], "last")]
        for n, order in enumerate((rows, rows[::-1], [rows[2], rows[0], rows[3], rows[1]]))
    ]
    assert told == [(9.0, "ok")] * 3


def test_an_invoice_paid_in_cents_leaves_nothing_open(tmp_path: Path) -> None:
    start = date(2024, 1, 1)
    rows = tuple(
        replace(
            row(start + timedelta(days=n)), columns={"n": 0.1 + n / 100}, ends=start + timedelta(days=n + 9)
        )
        for n in range(60)
    )
    told = replace(
        world([], owed={"open_sum": "events.n"}),
        sources={"events": Source(rows, {"n": pa.float64()}, ends=True)},
    ).compute(tmp_path, [start + timedelta(days=n) for n in (0, 30, 59, 67, 68, 200)])
    last = [told.metrics[("a", start + timedelta(days=n), "owed")][0] for n in (0, 67, 68, 200)]
    assert last == [0.1, 0.69, 0.0, 0.0]


def test_empty_tables_are_missing_or_count_from_the_start(tmp_path: Path) -> None:
    day = date(2020, 1, 31)
    told = world([], since={"since": "events"}, last={"latest": "events.n"}, users={"distinct": "events.n"})
    result = told.compute(tmp_path, [day])
    assert result.metrics[("a", day, "count")] == (None, "missing")
    assert result.metrics[("a", day, "users")] == (None, "missing")
    assert result.metrics[("a", day, "last")] == (None, "missing")
    assert result.metrics[("a", day, "since")] == (30.0, "ok")
    assert result.scores[("a", day)]["status"] == "not_scored"
    assert result.scores[("a", day)]["coverage"] == 0


def test_a_company_without_accounts_has_no_rows(tmp_path: Path) -> None:
    result = replace(world([row(date(2024, 1, 1))]), accounts=()).compute(tmp_path, [date(2024, 1, 1)])
    assert not result.rows and not result.scores and not result.measures


def test_dates_before_every_account_have_no_rows(tmp_path: Path) -> None:
    result = world([row(date(2024, 1, 1))]).compute(tmp_path, [date(2019, 12, 31)])
    assert not result.rows and not result.scores


def test_values_that_are_all_empty_are_missing_or_nothing(tmp_path: Path) -> None:
    day = date(2024, 1, 1)
    told = world(
        [row(day, None), row(day, None)],
        total={"sum": "events.n"},
        mean={"mean": "events.n"},
        last={"latest": "events.n"},
        different={"distinct": "events.n"},
        share={"ratio": ["total", "different"]},
    ).compute(tmp_path, [day])
    assert told.metrics[("a", day, "count")] == (2.0, "ok")
    assert told.metrics[("a", day, "total")] == (0.0, "ok")
    assert told.metrics[("a", day, "different")] == (0.0, "ok")
    assert told.metrics[("a", day, "mean")] == told.metrics[("a", day, "last")] == (None, "missing")
    assert told.metrics[("a", day, "share")] == (None, "missing")


def test_an_account_lives_from_its_first_day_to_its_last_or_until_its_end_is_known(tmp_path: Path) -> None:
    d = [date(2024, 1, 1) + timedelta(days=n) for n in range(10)]
    accounts = (
        Account("one day", d[2], d[2], d[2]),
        Account("ends", d[1], d[4], d[4]),
        Account("told late", d[1], d[4], d[7]),
        Account("told early", d[1], d[4], d[2]),
        Account("always"),
    )
    told = replace(world([], accounts=accounts, left={"attribute": "ended_on"}), clocked_end=True).compute(
        tmp_path, d
    )
    alive = {a.key: [day for day in d if (a.key, day) in told.rows] for a in accounts}
    assert alive["one day"] == [d[2]]
    assert alive["ends"] == alive["told early"] == d[1:5]
    assert alive["told late"] == d[1:7]
    assert alive["always"] == d
    # Nobody knows of an end before it is known.
    assert [told.metrics[("ends", day, "left")] for day in d[1:5]] == [(None, "missing")] * 3 + [(0.0, "ok")]
    assert {told.metrics[("told late", day, "left")][1] for day in d[1:7]} == {"missing"}
    assert {told.rows[("told late", day)]["tenure"] for day in d[1:7]} == set(range(6))
