"""Tables of PostgreSQL as sources: the same rows give the same facts as from files."""

from __future__ import annotations

import sys
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from retinue.errors import SourceError
from retinue.warehouse.facts.sources import Wanted
from tests.facts.tables import Company
from tests.postgres import Server

EVENTS = """
CREATE TABLE events (
    id uuid PRIMARY KEY, account_id varchar(20), "on" timestamptz, loaded timestamp, "until" date,
    amount numeric(12, 2), exact numeric, points float8, small smallint, "user" text, "is it" boolean,
    mood mood, details jsonb, padded char(8), "odd ""name" text[]
)
"""
ROWS = """
INSERT INTO events
SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid,
    (ARRAY['a', 'b', 'c', ' b ', 'z', NULL])[1 + i % 6],
    timestamptz '2026-03-01 09:30:15.25+00' + i * interval '7 hours',
    CASE WHEN i % 11 > 0 THEN timestamp '2026-03-02 01:00:00' + i * interval '7 hours' END,
    CASE WHEN i % 4 > 0 THEN date '2026-03-05' + i / 3 END,
    CASE WHEN i % 5 > 0 THEN i * 1234.56 END, i * 0.123456, i / 8.0, i - 50,
    'user ' || i % 9 || CASE WHEN i % 2 = 0 THEN ' Ünïcode "quoted", and, commas' ELSE '' END, i % 3 = 0,
    (CASE WHEN i % 2 = 0 THEN 'good' ELSE 'bad' END)::mood, jsonb_build_object('n', i), 'p' || i % 4,
    ARRAY['x', i::text]
FROM generate_series(1, 200) i
"""
DECLARED: dict[str, Any] = {
    "known_at": "loaded",
    "ends_at": "until",
    "user": "user",
    "value": {"column": "amount", "scale": 2},
    "columns": {
        **{name: name for name in ("id", "exact", "points", "small", "mood", "details", "padded")},
        "flag": "is it",
    },
    "unique": ["id"],
    "trusted_from": "2026-03-01",
}
WANTED = Wanted(
    plain=frozenset({"user", "id", "small", "flag", "mood", "padded", "details"}),
    numbers=frozenset({"value", "exact", "points", "small"}),
)


@pytest.fixture
def shop(postgres: str) -> str:
    """A database with a table of events of many types, rows without an account among them."""
    with psycopg.connect(postgres) as con:
        con.execute("CREATE TYPE mood AS ENUM ('good', 'bad')")
        con.execute(EVENTS)
        con.execute(ROWS)
    return postgres


def exported(url: str) -> pa.Table:
    """The rows as PostgreSQL itself writes them into a file."""
    with psycopg.connect(url) as con, con.cursor() as cursor:
        con.execute("SET TimeZone TO 'UTC'")
        with cursor.copy("COPY (SELECT * FROM events ORDER BY id) TO STDOUT (FORMAT csv, HEADER)") as copy:
            text = b"".join(bytes(part) for part in copy)
    strings = dict.fromkeys(
        ("account_id", "id", "on", "loaded", "until", "amount", "exact", "small", "points", "padded"),
        pa.string(),
    )
    return pyarrow.csv.read_csv(
        pa.BufferReader(text),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=strings, strings_can_be_null=True, true_values=["t"], false_values=["f"]
        ),
    )


def test_the_same_rows_give_the_same_facts_from_csv_parquet_and_postgresql(
    company: Company, shop: str
) -> None:
    rows = exported(shop)
    pyarrow.csv.write_csv(rows, company.root / "events.csv")
    pq.write_table(rows, company.root / "events.parquet")
    places = [
        {"table": "events.csv"},
        {"table": "events.parquet"},
        {"table": "events", "database": shop},
        {"table": "public.events", "database": shop.replace("postgresql://", "postgres://")},
    ]
    read = [
        company.load({"events": {**DECLARED, **place}}, wanted={"events": WANTED}, timezone="Asia/Kolkata")
        for place in places
    ]
    assert len(read[0].sources["events"]) > 100
    assert set(read[0].reasons) >= {"account_id is empty", 'account_id "z" is not an account'}
    assert len({row["c_mood"] for row in read[0].sources["events"]}) == 2
    for one in read[1:]:
        assert comparable(one.sources["events"]) == comparable(read[0].sources["events"])
        assert one.counts == read[0].counts
        # A table of PostgreSQL has no order, so its rows have other numbers.
        assert sorted(one.reasons) == sorted(read[0].reasons)


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Plain values as text: a file has no types, a database has."""
    plain = {name for name in rows[0] if name.startswith("c_")}
    told = [
        {name: str(value).strip().lower() if name in plain else value for name, value in row.items()}
        for row in rows
    ]
    return sorted(told, key=str)


def test_accounts_histories_bridges_people_and_rates_come_from_postgresql_too(
    company: Company, postgres: str
) -> None:
    with psycopg.connect(postgres) as con:
        con.execute("CREATE SCHEMA crm")
        con.execute(
            "CREATE TABLE crm.accounts AS SELECT 'a' AS id, 'smb'::text AS segment, 10.5::numeric AS arr"
        )
        con.execute(
            "CREATE TABLE crm.segments AS SELECT 'a' AS id, date '2026-01-01' AS since, 'mid' AS segment"
        )
        con.execute("CREATE TABLE crm.orgs AS SELECT 7::bigint AS org, 'a' AS account")
        con.execute(
            "CREATE TABLE rates AS SELECT 'USD' AS currency, 0.5::numeric AS rate, date '2026-01-01' AS d"
        )
        con.execute("CREATE VIEW crm.bills AS SELECT 7 AS org, date '2026-02-03' AS day, 8::money AS amount")
    loaded = company.load(
        {
            "bills": {
                "table": "crm.bills",
                "database": postgres,
                "account": "org",
                "via": {"table": "crm.orgs", "key": "org", "account": "account"},
                "occurred_at": "day",
                "value": {"column": "amount", "currency": "USD"},
            }
        },
        wanted={"bills": Wanted(numbers=frozenset({"value"}))},
        currency="EUR",
        rates={"table": "rates", "database": postgres, "valid_from": "d"},
        accounts={
            "table": "crm.accounts",
            "database": postgres,
            "key": "id",
            "columns": {"segment": "segment", "arr": "arr"},
            "history": {
                "segment": {
                    "table": "crm.segments",
                    "database": postgres,
                    "account": "id",
                    "valid_from": "since",
                }
            },
        },
    )
    assert [(row["account_id"], row["a_segment"], row["a_arr"]) for row in loaded.accounts] == [
        ("a", "smb", 10.5)
    ]
    assert [row["value"] for row in loaded.histories["segment"]] == ["mid"]
    assert [row["n_value"] for row in loaded.sources["bills"]] == [4]


def test_decimals_are_exact_whatever_their_size(company: Company, postgres: str) -> None:
    kept = {
        "numeric(12, 2)": "1234567890.12",
        "numeric(38, 10)": "1234567890.1234567891",
        "numeric": "1234567890.123457",
        "numeric(60, 6)": "0.000001",
        "money": "1234.50",
        "amount": "99.5",
    }
    with psycopg.connect(postgres) as con:
        con.execute("CREATE DOMAIN amount AS numeric(8, 1) CHECK (VALUE >= 0)")
        columns = ", ".join(
            f"CAST('{value}' AS {kind}) AS c{n}" for n, (kind, value) in enumerate(kept.items())
        )
        con.execute(
            "CREATE TABLE t AS SELECT 'a' AS account_id, date '2026-01-01' AS on, "
            f"'NaN'::numeric(5, 1) AS nan, {columns}"
        )
    names = [f"c{n}" for n in range(len(kept))]
    loaded = company.load(
        {"t": {"table": "t", "database": postgres}},
        wanted={"t": Wanted(plain=frozenset({*names, "nan"}), numbers=frozenset({"c0", "c2", "nan"}))},
    )
    (row,) = loaded.sources["t"]
    assert [str(row[f"c_{name}"]) for name in names] == list(kept.values())
    assert (row["c_nan"], row["n_nan"]) == (None, None)
    assert (str(row["n_c0"]), str(row["n_c2"])) == ("1234567890.120000", "1234567890.123457")


def test_what_ends_at_infinity_has_no_end(company: Company, postgres: str) -> None:
    with psycopg.connect(postgres) as con:
        con.execute(
            "CREATE TABLE t AS SELECT 'a' AS account_id, date '2026-01-01' AS on, e AS until "
            "FROM (VALUES ('infinity'::timestamptz), ('2026-02-01 12:00+00'), (NULL)) v(e)"
        )
    loaded = company.load({"t": {"table": "t", "database": postgres, "ends_at": "until"}})
    assert sorted(str(row["end_day"]) for row in loaded.sources["t"]) == ["2026-02-01", "None", "None"]
    assert loaded.rejected == []


def test_text_of_a_server_with_another_encoding_is_read_right(
    company: Company, postgres_server: Server
) -> None:
    with psycopg.connect(postgres_server.url(), autocommit=True) as con:
        con.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    url = postgres_server.url("latin")
    try:
        with psycopg.connect(url) as con:
            con.execute(
                "CREATE TABLE t AS SELECT 'a' AS account_id, date '2026-01-01' AS on, 'Zürich' AS town"
            )
        loaded = company.load(
            {"t": {"table": "t", "database": url}}, wanted={"t": Wanted(plain=frozenset({"town"}))}
        )
    finally:
        postgres_server.drop_database(url)
    assert [row["c_town"] for row in loaded.sources["t"]] == ["Zürich"]


def failing(company: Company, **place: str) -> str:
    with pytest.raises(SourceError) as raised:
        company.load({"events": place})
    text = str(raised.value)
    assert "\n" not in text
    assert "geheim" not in text
    return text


def test_errors_name_the_table_and_what_to_do(
    company: Company, shop: str, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "there is no table 'evens' (did you mean events?)" in failing(
        company, table="evens", database=shop
    )
    assert "there is no table 'crm.events'" in failing(company, table="crm.events", database=shop)
    with psycopg.connect(shop) as con:
        con.execute("DROP ROLE IF EXISTS nosy")
        con.execute("CREATE ROLE nosy LOGIN PASSWORD 'geheim'")
        con.execute('CREATE TABLE alike AS SELECT 1 AS "A", 2 AS a')
        con.execute("CREATE TABLE bare ()")
    assert "differ by case only: A, a (name a view" in failing(company, table="alike", database=shop)
    assert "bare has no columns" in failing(company, table="bare", database=shop)
    nosy = shop.replace("retinue@", "nosy:geheim@")
    assert "no permission to read events (GRANT SELECT" in failing(company, table="events", database=nosy)
    away = nosy.replace(f":{postgres_server.port}/", ":1/")
    text = failing(company, table="events", database=away)
    assert "cannot connect to postgresql://nosy@127.0.0.1:1/" in text
    assert "Connection refused" in text
    odd = "postgresql://nosy:geheim@[::1/db?password=geheim&nonsense"
    assert "cannot connect to postgresql://nosy@[::1/db: " in failing(company, table="events", database=odd)
    text = failing(company, table="events", database="mysql://nosy:geheim@db.example.com/shop")
    assert (
        "mysql://nosy@db.example.com/shop: source events: cannot read databases of the kind 'mysql'" in text
    )
    assert "postgresql://" in text
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)
    text = failing(company, table="events", database=shop)
    assert text.endswith("the driver of PostgreSQL is not installed (pip install 'retinue[postgres]')")


def test_a_table_that_breaks_while_it_is_read_is_an_error(company: Company, postgres: str) -> None:
    with psycopg.connect(postgres) as con:
        con.execute(
            "CREATE VIEW t AS SELECT 'a' AS account_id, date '2026-01-01' AS on, 1 / (50000 - i) AS n "
            "FROM generate_series(1, 100000) i"
        )
    assert "t cannot be read" in (text := failing(company, table="t", database=postgres))
    assert "division by zero" in text
