"""When a fact happened, when it was known, and on which day of the project."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retinue.errors import SourceError
from retinue.warehouse.facts.sources import Wanted
from tests.facts.tables import Company


def days(company: Company, values: list[str], **declared: object) -> list[date]:
    """The days of rows with these times, in the order of the times given."""
    lines = "\n".join(f"a,{value},{n}" for n, value in enumerate(values))
    got = company.events("account_id,on,n\n" + lines, Wanted(numbers=frozenset({"n"})), **declared)
    assert got.reasons == []
    return [row["day"] for row in sorted(got.sources["events"], key=lambda row: row["n_n"])]


def test_a_day_ends_at_midnight_of_the_project(company: Company):
    written = [
        "2024-06-30T13:59:59Z",
        "2024-06-30T14:00:00Z",
        "2024-07-01 00:00:00+10:00",
        "2024-06-30 23:59:59",
    ]
    assert days(company, written, timezone="Australia/Sydney") == [
        date(2024, 6, 30),
        date(2024, 7, 1),
        date(2024, 7, 1),
        date(2024, 6, 30),
    ]


def test_times_without_an_offset_are_in_the_timezone_of_the_source(company: Company):
    source = {
        "table": "events.csv",
        "timezone": "America/New_York",
    }
    company.write(
        "events.csv", "account_id,on\na,2024-01-31 18:30\nb,2024-01-31T23:30:00+00:00\nc,2024-01-31\n"
    )
    got = company.load({"events": source}, timezone="Europe/Berlin")
    by_account = {row["ix"]: row["occurred"] for row in got.sources["events"]}
    assert by_account == {
        0: datetime(2024, 2, 1, 0, 30),
        1: datetime(2024, 2, 1, 0, 30),
        2: datetime(2024, 1, 31),  # a date is a day already
    }


def test_days_on_which_clocks_change_have_all_their_times(company: Company):
    written = [
        "2024-03-31 02:30:00",  # skipped by clocks in Berlin
        "2024-03-31T00:59:59Z",
        "2024-03-31T21:59:59Z",
        "2024-03-31T22:00:00Z",  # midnight of the 1st, summer time
        "2024-10-27 02:30:00",  # shown twice
        "2024-10-26T22:00:00Z",
        "2024-10-27T22:59:59Z",  # the last second of a day of 25 hours
        "2024-10-27T23:00:00Z",
    ]
    spring, autumn = date(2024, 3, 31), date(2024, 10, 27)
    assert days(company, written, timezone="Europe/Berlin") == [
        spring,
        spring,
        spring,
        date(2024, 4, 1),
        autumn,
        autumn,
        autumn,
        date(2024, 10, 28),
    ]


def test_parquet_times_are_the_same_days(company: Company):
    table = pa.table(
        {
            "account_id": ["a", "b"],
            "wall": pa.array([datetime(2024, 10, 27, 23, 30)] * 2, pa.timestamp("us")),
            "instant": pa.array([datetime(2024, 10, 27, 23, 30)] * 2, pa.timestamp("us", "UTC")),
            "nanoseconds": pa.array([datetime(2024, 10, 27, 23, 30)] * 2, pa.timestamp("ns")),
        }
    )
    pq.write_table(table, company.root / "t.parquet")
    for column, day in (("wall", 27), ("instant", 28), ("nanoseconds", 27)):
        got = company.load(
            {"events": {"table": "t.parquet", "occurred_at": column}}, timezone="Europe/Berlin"
        )
        assert {row["day"] for row in got.sources["events"]} == {date(2024, 10, day)}, column


def test_a_leap_day_is_a_day_in_leap_years_only(company: Company):
    got = company.events("account_id,on\na,2024-02-29\nb,2023-02-29\nc,1900-02-29\n")
    assert [row["day"] for row in got.sources["events"]] == [date(2024, 2, 29)]
    assert got.reasons == [
        'occurred_at (on) "2023-02-29" is not a date',
        'occurred_at (on) "1900-02-29" is not a date',
    ]


@pytest.mark.parametrize(
    "text",
    [
        "2024-13-45",
        "infinity",
        "epoch",
        "2024-01-05x",
        "20240105",
        "1.5",
        "12024-01-01",
        "2024-01-01 25:00",
        "05/01/2024",
    ],
)
def test_what_is_not_a_date_is_rejected_with_its_value(company: Company, text: str):
    got = company.events(f"account_id,occurred_at\na,{text}\n", occurred_at="occurred_at")
    assert got.reasons == [f'occurred_at "{text}" is not a date']
    assert got.sources["events"] == []


def test_a_format_reads_what_is_not_iso(company: Company):
    assert days(company, ["31/12/2024"], occurred_at={"column": "on", "format": "%d/%m/%Y"}) == [
        date(2024, 12, 31)
    ]
    zoned = {"column": "on", "format": "%d %b %Y %H:%M %z"}
    assert days(company, ["31 Dec 2024 23:30 +0000"], occurred_at=zoned, timezone="Europe/Berlin") == [
        date(2025, 1, 1)
    ]


def test_a_clock_may_be_shifted_by_days(company: Company):
    assert days(company, ["2024-02-28"], occurred_at={"column": "on", "plus": "2d"}) == [date(2024, 3, 1)]


def test_a_row_loaded_before_the_day_closes_was_known_that_day(company: Company):
    text = (
        "account_id,on,seen\n"
        "a,2024-01-01,2024-01-02 05:59:59\n"
        "b,2024-01-01,2024-01-02 06:00:00\n"
        "c,2024-01-01,2024-01-02\n"  # a date is a day, whenever days close
    )
    got = company.events(text, known_at="seen", day_closes="06:00")
    assert {row["ix"]: row["known"].day for row in got.sources["events"]} == {0: 1, 1: 2, 2: 2}
    assert all(row["day"] == date(2024, 1, 1) for row in got.sources["events"])


def test_a_row_is_visible_once_it_has_happened_and_is_known(company: Company):
    got = company.events(
        "account_id,on,seen\na,2024-01-01,2024-02-01\nb,2024-03-01,2024-02-01\n", known_at="seen"
    )
    assert {row["ix"]: row["visible"] for row in got.sources["events"]} == {
        0: date(2024, 2, 1),
        1: date(2024, 3, 1),
    }


def test_rows_of_the_initial_load_were_known_when_they_occurred(company: Company):
    text = "account_id,on,seen\na,2023-01-01,2024-05-01\nb,2024-05-03,2024-06-01\nc,2023-02-01,\n"
    got = company.events(text, known_at="seen", trusted_from="2024-05-02")
    assert {row["ix"]: row["known"] for row in got.sources["events"]} == {
        0: date(2023, 1, 1),
        1: date(2024, 6, 1),
        2: date(2023, 2, 1),
    }
    strict = company.events(text, known_at="seen")
    assert strict.reasons == ["known_at (seen) is empty"]


def test_ends_have_a_day_and_a_day_on_which_they_were_known(company: Company):
    text = (
        "account_id,on,end,told\n"
        "a,2024-01-01,2024-01-10,2024-01-20\n"
        "b,2024-01-01,,\n"
        "c,2024-01-01,2024-01-10,2024-01-05\n"
        "a,2024-01-02,2024-01-10,\n"
    )
    plain = company.events(text, ends_at="end").sources["events"]
    assert {(row["end_day"], row["end_known"]) for row in plain} == {
        (date(2024, 1, 10), date(2024, 1, 10)),
        (None, None),
    }
    own = company.events(text, ends_at="end", ends_known_at="told").sources["events"]
    assert sorted((row["ix"], row["day"].day, row["end_day"], row["end_known"]) for row in own) == [
        (0, 1, date(2024, 1, 10), date(2024, 1, 20)),
        (0, 2, None, None),  # nobody has learnt of this end
        (1, 1, None, None),
        (2, 1, date(2024, 1, 10), date(2024, 1, 10)),
    ]


def test_a_column_may_become_known_after_its_row(company: Company):
    text = (
        "account_id,on,score,rated\na,2024-01-10,4,2024-01-05\nb,2024-01-10,3,2024-01-20\nc,2024-01-10,2,\n"
    )
    column = {"score": {"column": "score", "known_at": {"column": "rated", "plus": "1d"}}}
    wanted = Wanted(numbers=frozenset({"score"}), plain=frozenset({"score"}))
    got = company.events(text, wanted, columns=column).sources["events"]
    assert {row["ix"]: (row["k_score"], row["n_score"], row["c_score"]) for row in got} == {
        0: (date(2024, 1, 10), 4, "4"),
        1: (date(2024, 1, 21), 3, "3"),
        2: (None, None, None),
    }


def test_a_column_of_numbers_is_no_clock(company: Company):
    pq.write_table(pa.table({"account_id": ["a"], "on": [1.5]}), company.root / "t.parquet")
    with pytest.raises(SourceError) as raised:
        company.load({"events": {"table": "t.parquet"}})
    assert str(raised.value) == (
        "t.parquet: source events: column 'on' for `occurred_at` holds float64, not dates "
        "(name a column of dates or times, or give its `format`)"
    )


def test_people_without_a_start_were_always_there(company: Company):
    company.write("people.csv", "account_id,email,left\na,x@example.org,2024-01-01\n")
    people = {"table": "people.csv", "account": "account_id", "person": "email", "until": "left"}
    got = company.load({}, people=people, wanted={"people": Wanted(plain=frozenset({"person", "user"}))})
    (row,) = got.sources["people"]
    assert (row["day"], row["end_day"], row["c_user"]) == (
        date(1900, 1, 1),
        date(2024, 1, 1),
        "x@example.org",
    )
