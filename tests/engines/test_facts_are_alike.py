"""Text that may or may not be a time or a number: read alike from a CSV here and in place elsewhere."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from retinue.errors import RetinueError
from retinue.warehouse.facts.sources import Wanted
from tests.engines.conftest import Elsewhere
from tests.engines.differences import expected
from tests.facts.tables import Company, Loaded

TIMES = [
    *(
        "2024-01-31",
        "2024-1-5",
        " 2024-02-29 ",
        "2023-02-29",
        "2024-13-01",
        "31.01.2024",
        "infinity",
        "epoch",
    ),
    *("0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "now", "", " ", None, "nan", "20240131"),
    *("2024-01-31 10:00", "2024-01-31T10:00:00.1234567", "2024-01-31 9:05:07", "2024-01-31 23:59:59.999999"),
    *(
        "2024-01-31 24:00:00",
        "2024-01-31 24:00:01",
        "2024-01-31 25:00",
        "2024-01-31 10:60",
        "2024-01-31 10:00:60",
    ),
    *("2024-01-31T10:00Z", "2024-01-31 23:59:59+05:30", "2024-01-31 23:00:00+0530", "2024-01-31 23:00 -08"),
    *("2024-01-31 10:00 UTC", "2024-01-31 10:00:01 GMT", "2024-01-31 10:00:00.5Z", "2024-01-31 10:00:00UTC"),
    # Hours that clocks in Berlin skip, or show twice.
    *("2024-03-31 02:30", "2024-10-27 02:30", "2024-10-27T00:30Z", "2024-10-27T01:30Z"),
]
NUMBERS = [
    *("1", "1.5", "-0", "+3", "1e3", "1E-3", "1_000", "0x1F", "1,5", " 7 ", "nan", "inf", "-Infinity", "abc"),
    *(
        None,
        "",
        "99999999999999999",
        "123456789012.1234567",
        "1.0000005",
        "-1.0000005",
        "0.0000005",
        ".5",
        "5.",
    ),
    *("+.5", "1e", "--1", "0x1p3", "1e400", "-1e400", "1e-400", "true", "FALSE", "12345678901234567890"),
]
KEYS = ["a", "b ", "c", "1001.0", "1001.00", "A", "é", "1e3", " ", None, "a.b", "-5.0", "+7.0", "Zürich", "z"]
ACCOUNTS = "account_id\na\nb\nc\n1001\nA\né\n-5\n1e3\nZürich\nz\n"


def rows(count: int = 300) -> pa.Table:
    columns = {
        "account_id": [KEYS[n % len(KEYS)] if n % 3 == 0 else "abc"[n % 3] for n in range(count)],
        "on": [TIMES[n % len(TIMES)] for n in range(count)],
        "n": [NUMBERS[(n // len(TIMES) + n) % len(NUMBERS)] for n in range(count)],
        "kind": [KEYS[n * 7 % len(KEYS)] for n in range(count)],
        "id": [f"{n % 90}.0" if n % 5 else None for n in range(count)],
    }
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def load(folder: Path, table: str, engine: str = "duckdb", **declared: Any) -> Loaded:
    company = Company(folder)
    company.write("accounts.csv", ACCOUNTS)
    return company.load(
        {"events": {"table": table, **declared}},
        accounts={"table": "accounts.csv"},
        wanted={"events": Wanted(numbers=frozenset({"n"}), plain=frozenset({"kind"}))},
        timezone="Europe/Berlin",
        day_closes="03:00",
        engine=engine,
    )


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"unique": ["id"], "known_at": "on"}, id="unique rows"),
        pytest.param({"timezone": "America/New_York", "where": "n > 1 or kind = A"}, id="elsewhere"),
    ],
)
def test_text_in_place_gives_the_facts_and_rejections_of_a_csv(
    declared: dict[str, Any], elsewhere: Elsewhere, tmp_path: Path
) -> None:
    told = rows()
    pyarrow.csv.write_csv(told, tmp_path / "events.csv")
    # Nothing and empty text are the same in a CSV.
    there = elsewhere.put("events", pa.table({n: nothing(told[n]) for n in told.column_names}))
    ours, theirs = load(tmp_path, "events.csv", **declared), load(tmp_path, there, elsewhere.url, **declared)
    assert len(ours.sources["events"]) > 30
    assert theirs.sources == ours.sources
    assert theirs.rejected == ours.rejected
    assert theirs.counts == ours.counts


def nothing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array([value or None for value in column.to_pylist()], pa.string())])


def test_typed_columns_in_place_give_the_facts_of_parquet(elsewhere: Elsewhere, tmp_path: Path) -> None:
    instants = [datetime(2024, 1, 31, 22, 30) + timedelta(hours=7 * n, microseconds=n) for n in range(120)]
    told = pa.table(
        {
            "account_id": pa.array([[1001, -5][n % 2] for n in range(120)], pa.int64()),
            "on": pa.array(instants, pa.timestamp("us", "UTC")),
            "known": pa.array([date(2024, 2, n % 28 + 1) for n in range(120)], pa.date32()),
            "n": pa.array(
                [[0.1, 2.5, -1.0000005, 1e-9, None, float("nan"), 1e17][n % 7] for n in range(120)]
            ),
            "kind": pa.array([n % 2 == 0 for n in range(120)]),
            "cost": pa.array([Decimal(n) / 8 for n in range(120)], pa.decimal128(12, 4)),
            "seats": pa.array([n % 9 for n in range(120)], pa.int16()),
        }
    )
    pq.write_table(told, tmp_path / "events.parquet")
    declared = {"known_at": "known", "columns": {"n": {"column": "n", "times": "cost"}, "kind": "seats"}}
    ours = load(tmp_path, "events.parquet", **declared)
    theirs = load(tmp_path, elsewhere.put("events", told), elsewhere.url, **declared)
    assert len(ours.sources["events"]) > 30
    assert theirs.sources == ours.sources
    assert [row["reason"] for row in theirs.rejected] == [row["reason"] for row in ours.rejected]


FORMATS = {
    "%d.%m.%Y": ["31.01.2024", "1.2.2024", "31.02.2024", "31-01-2024", "", None, "31.01.24"],
    "%d %b %Y %H:%M": ["3 Feb 2024 10:15", "03 FEB 2024 10:15", "3 Foo 2024 10:15", "3 Feb 2024 24:15"],
    "%m/%d/%y %I:%M %p": ["01/31/24 12:05 AM", "01/31/69 12:05 PM", "01/31/24 13:05 PM", "1/31/24 1:05 pm"],
    "%Y%m%dT%H%M%S%z": ["20240131T230000+0000", "20240131T230000-0800", "20240131T230000"],
    "%Y-%m-%d %H:%M:%S.%f": ["2024-01-31 10:00:00.5", "2024-01-31 10:00:00.123456", "2024-01-31 10:00:00"],
    "%B %d, %Y": ["January 31, 2024", "jan 31, 2024", "Smarch 1, 2024"],
}


def test_declared_formats_read_the_same_times(elsewhere: Elsewhere, tmp_path: Path) -> None:
    company = Company(tmp_path)
    company.write("accounts.csv", ACCOUNTS)
    here: dict[str, Any] = {}
    there: dict[str, Any] = {}
    for n, (pattern, texts) in enumerate(FORMATS.items()):
        told = pa.table({"account_id": ["a"] * len(texts), "on": pa.array(texts, pa.string())})
        pq.write_table(told, tmp_path / f"source{n}.parquet")
        clock = {"occurred_at": {"column": "on", "format": pattern}}
        here[f"source{n}"] = {"table": f"source{n}.parquet", **clock}
        there[f"source{n}"] = {"table": elsewhere.put(f"source{n}", told), **clock}
    ours = company.load(here, accounts={"table": "accounts.csv"})
    theirs = company.load(there, accounts={"table": "accounts.csv"}, engine=elsewhere.url)
    assert all(ours.sources.values())
    assert theirs.sources == ours.sources
    assert theirs.rejected == ours.rejected


def test_a_table_that_the_engine_does_not_have_is_named_with_the_nearest(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.put("events", rows(3))
    with pytest.raises(
        RetinueError, match=r"source events: the engine has no table company\.event\b"
    ) as error:
        load(tmp_path, "company.event", elsewhere.url)
    assert "company.events" in str(error.value)


def test_a_format_with_names_of_zones_reads_the_same_times(
    elsewhere: Elsewhere, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected(request, elsewhere.name, "format with %Z")
    told = pa.table({"account_id": ["a"], "on": ["2024-01-31 10:00:00 UTC"], "n": ["1"], "kind": ["k"]})
    pq.write_table(told, tmp_path / "events.parquet")
    clock = {"occurred_at": {"column": "on", "format": "%Y-%m-%d %H:%M:%S %Z"}}
    ours = load(tmp_path, "events.parquet", **clock)
    assert len(ours.sources["events"]) == 1
    assert load(tmp_path, elsewhere.put("events", told), elsewhere.url, **clock).sources == ours.sources


def test_rejected_rows_of_a_table_have_the_numbers_that_they_have_in_a_file(
    on_postgres: Elsewhere, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected(request, "postgres", "row numbers in place")
    told = pa.table({"account_id": ["a", "b", "c"], "on": ["2024-01-31", "never", "2024-02-01"]})
    told = told.append_column("n", pa.array(["1"] * 3)).append_column("kind", pa.array(["k"] * 3))
    pyarrow.csv.write_csv(told, tmp_path / "events.csv")
    there = on_postgres.put("events", told)
    with psycopg.connect(on_postgres.url) as con:
        con.execute("UPDATE company.events SET kind = 'l' WHERE account_id = 'a'")
    ours, theirs = load(tmp_path, "events.csv"), load(tmp_path, there, on_postgres.url)
    assert [row["row"] for row in ours.rejected] == [2]
    assert [row["row"] for row in theirs.rejected] == [2]
