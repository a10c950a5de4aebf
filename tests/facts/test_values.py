"""Keys, numbers, money and duplicates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retinue.errors import SourceError
from retinue.warehouse.facts import values
from retinue.warehouse.facts.sources import Wanted
from tests.facts.tables import Company

N = Wanted(numbers=frozenset({"n"}))


def test_keys_are_trimmed_text_and_whole_numbers_have_no_decimals(company: Company):
    company.write("ids.csv", "account_id\n1001\n 1002 \n1003.0\n1.5\nA.0\n")
    text = "account_id,on\n1001.0,2024-01-01\n 1001 ,2024-01-02\n1002.00,2024-01-03\n1003,2024-01-04\n"
    got = company.events(text + "1.5,2024-01-05\nA.0,2024-01-06\n", accounts={"table": "ids.csv"})
    assert [row["account_id"] for row in got.accounts] == ["1.5", "1001", "1002", "1003", "A.0"]
    assert [
        (row["ix"], row["day"].day) for row in sorted(got.sources["events"], key=lambda row: row["day"])
    ] == [
        (1, 1),
        (1, 2),
        (2, 3),
        (3, 4),
        (0, 5),
        (4, 6),
    ]


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.decimal128(10, 2), pa.int32()])
def test_keys_that_are_numbers_meet_keys_that_are_text(company: Company, kind: pa.DataType):
    company.write("ids.csv", "account_id\n1001\n")
    ids = pa.array([1001, None], pa.int64()).cast(pa.float64() if pa.types.is_decimal(kind) else kind)
    ids = ids.cast(kind)
    pq.write_table(pa.table({"account_id": ids, "on": [date(2024, 1, 1)] * 2}), company.root / "t.parquet")
    got = company.load({"events": {"table": "t.parquet"}}, accounts={"table": "ids.csv"})
    assert [row["ix"] for row in got.sources["events"]] == [0]
    assert got.reasons == ["account_id is empty"]


def test_empty_values_and_nan_are_null_and_other_text_is_rejected(company: Company):
    values = ["", "   ", "NaN", "inf", "-Infinity", "n/a", "1e30", "1_000", "0.1234567", " 7 ", "1e3", "true"]
    text = "account_id,on,n\n" + "\n".join(
        f"a,2024-01-{day:02},{value}" for day, value in enumerate(values, 1)
    )
    got = company.events(text, N)
    rows = sorted(got.sources["events"], key=lambda row: row["day"])
    assert [row["n_n"] for row in rows] == [None] * 5 + [Decimal(x) for x in ("0.123457", "7", "1000", "1")]
    assert got.reasons == ['n "n/a" is not a number', 'n "1e30" is too large', 'n "1_000" is not a number']


def test_doubles_become_decimals_of_the_declared_scale(company: Company):
    table = pa.table(
        {
            "account_id": ["a"] * 5,
            "on": [date(2024, 1, 1)] * 5,
            "x": [0.1 + 0.2, float("nan"), float("inf"), None, 1e15],
        }
    )
    pq.write_table(table, company.root / "t.parquet")
    wanted = {"events": Wanted(numbers=frozenset({"n"}), plain=frozenset({"n"}))}
    columns = {"n": {"column": "x", "scale": 2}}
    got = company.load({"events": {"table": "t.parquet", "columns": columns}}, wanted=wanted)
    assert {row["n_n"] for row in got.sources["events"]} == {
        Decimal("0.30"),
        Decimal("1000000000000000.00"),
        None,
    }
    assert all(row["c_n"] is None or row["c_n"] == row["c_n"] for row in got.sources["events"])
    columns = {"n": {"column": "x", "scale": 6}}
    got = company.load({"events": {"table": "t.parquet", "columns": columns}}, wanted=wanted)
    assert got.reasons == ['n (x) "1000000000000000.0" is too large']


def test_a_number_may_be_a_product_of_two_columns(company: Company):
    got = company.events(
        "account_id,on,quantity,price\n"
        "a,2024-01-01,3,2.55\na,2024-01-02,-2,0.1\na,2024-01-03,,1\na,2024-01-04,7,\n"
        "a,2024-01-05,x,1\na,2024-01-06,1,y\na,2024-01-07,1000000,100000000\n",
        wanted=Wanted(numbers=frozenset({"n"}), plain=frozenset({"n"})),
        columns={"n": {"column": "quantity", "times": "price", "scale": 2}},
    )
    amounts = [Decimal("-0.20"), Decimal("7.65"), Decimal("100000000000000.00")]
    assert sorted(row["n_n"] for row in got.sources["events"] if row["n_n"] is not None) == amounts
    assert all(row["c_n"] == row["n_n"] for row in got.sources["events"])
    assert len(got.sources["events"]) == 5
    assert got.reasons == ['n (quantity) "x" is not a number', 'n (price) "y" is not a number']


def test_a_product_that_is_too_large_is_no_number(company: Company):
    table = pa.table({"account_id": ["a"], "on": [date(2024, 1, 1)], "q": [2**62], "p": [2**62]})
    pq.write_table(table, company.root / "t.parquet")
    columns = {"n": {"column": "q", "times": "p"}}
    got = company.load({"events": {"table": "t.parquet", "columns": columns}}, wanted={"events": N})
    assert got.sources["events"] == []
    assert got.reasons == ["n (q times p) is too large"]


def test_whole_numbers_stay_whole(company: Company):
    table = pa.table({"account_id": ["a", "b"], "on": [date(2024, 1, 1)] * 2, "n": [2**62, None]})
    pq.write_table(table, company.root / "t.parquet")
    got = company.load({"events": {"table": "t.parquet"}}, wanted={"events": N})
    assert {row["n_n"] for row in got.sources["events"]} == {2**62, None}


def test_a_key_of_the_source_may_lead_to_the_account(company: Company):
    company.write("subscriptions.csv", "id,owner\ns1,a\ns2.0,b\ns3,zzz\ns4,a\ns4,c\n")
    via = {"table": "subscriptions.csv", "key": "id", "account": "owner"}
    text = "sub,on\ns1,2024-01-01\ns3,2024-01-02\ns9,2024-01-03\ns4,2024-01-04\n,2024-01-05\n"
    got = company.events(text, account="sub", via=via)
    assert [(row["ix"], row["day"].day) for row in got.sources["events"]] == [(0, 1), (0, 4)]
    assert got.reasons == ['sub "s3" leads to no account', 'sub "s9" leads to no account', "sub is empty"]
    assert got.problems == [
        'subscriptions.csv: source events: 1 keys of `via` lead to several accounts, such as "s4" '
        "(the first account by id is taken)"
    ]


RATES = {"table": "rates.csv", "valid_from": "from"}


def test_amounts_are_converted_at_the_rate_of_their_day(company: Company):
    company.write(
        "rates.csv",
        "currency,rate,from\nUSD,1.5,2024-01-01\nusd,1.6,2024-01-10\nEUR,2,2024-01-05\nEUR,x,2024-02-01\n",
    )
    text = (
        "account_id,on,n,currency\n"
        "a,2024-01-09,10,USD\na,2024-01-10,10, usd\nb,2025-06-01,10,USD\nb,2024-01-01,10,AUD\n"
        "c,2024-01-04,10,EUR\nc,2024-01-06,10,GBP\nc,2024-01-07,10,\nc,2024-01-08,,GBP\n"
    )
    columns = {"n": {"column": "n", "currency": "currency", "scale": 2}}
    got = company.events(text, N, columns=columns, currency="AUD", rates=RATES)
    rows = sorted(got.sources["events"], key=lambda row: (row["ix"], row["day"]))
    assert [row["n_n"] for row in rows] == [Decimal(15), Decimal(16), Decimal(10), Decimal(16), None]
    assert got.reasons == [
        'no rate for "EUR" on 2024-01-04',
        'no rate for "GBP" on 2024-01-06',
        "currency of n (currency) is empty",
    ]
    assert got.problems == ["rates.csv: rates: 1 rows are not rates and are left out"]


def test_a_code_is_the_currency_of_every_row(company: Company):
    company.write("rates.csv", "currency,rate,from\nUSD,1.5,2024-01-01\n")
    columns = {"n": {"column": "n", "currency": "USD"}}
    got = company.events(
        "account_id,on,n\na,2024-01-09,10\n", N, columns=columns, currency="AUD", rates=RATES
    )
    assert got.sources["events"][0]["n_n"] == Decimal(15)
    with pytest.raises(SourceError, match="declare `currency`"):
        company.events("account_id,on,n\na,2024-01-09,10\n", N, columns=columns, rates=RATES)


def test_without_rates_amounts_of_the_project_itself_are_left_alone(company: Company):
    columns = {"n": {"column": "n", "currency": "cur"}}
    got = company.events(
        "account_id,on,n,cur\na,2024-01-09,10,AUD\na,2024-01-09,10,USD\n", N, columns=columns, currency="AUD"
    )
    assert [row["n_n"] for row in got.sources["events"]] == [Decimal(10)]
    assert got.reasons == ['no rate for "USD" on 2024-01-09']


def test_of_copies_the_first_one_seen_is_kept(company: Company):
    text = (
        "account_id,on,n,id,seen\n"
        "a,2024-01-01,2,k,2024-01-05\n"
        "a,2024-01-02,1,k,2024-01-03\n"
        "b,2024-01-01,8,m.0,2024-01-01\n"
        "b,2024-01-01,9,m.0,2024-01-01\n"
        "c,2024-01-01,1,,2024-01-01\n"
        "c,2024-01-01,1,,2024-01-01\n"
    )
    got = company.events(text, N, unique=["id"], known_at="seen")
    assert sorted((row["ix"], int(row["n_n"])) for row in got.sources["events"]) == [
        (0, 1),
        (1, 8),
        (2, 1),
        (2, 1),
    ]
    assert got.reasons == ['duplicate of id "k"', 'duplicate of id "m.0"']


def test_copies_are_found_across_files_and_by_several_columns(company: Company):
    company.write("e1.csv", "account_id,on,id\na,2024-01-01,1\n")
    company.write("e2.csv", "account_id,on,id\na,2024-01-01,1.0\nb,2024-01-01,1\n")
    got = company.load({"events": {"table": "e*.csv", "unique": ["account_id", "id"]}})
    assert [row["ix"] for row in got.sources["events"]] == [0, 1]
    assert got.reasons == ['duplicate of account_id, id "a, 1"']


def test_copies_seen_later_change_nothing(company: Company):
    """A copy that happened earlier but was seen later does not replace the one seen first."""
    early = "account_id,on,n,id,seen\na,2024-01-05,1,k,2024-01-05\n"
    late = early + "a,2024-01-01,9,k,2024-02-01\na,2024-03-01,9,k,2024-01-01\n"
    kept = [company.events(text, N, unique=["id"], known_at="seen").sources for text in (early, late)]
    assert kept[0] == kept[1]


def test_keys_that_are_doubles_of_any_size_are_text() -> None:
    told = [1001.0, 2.5, -3.0, 1e300, float("inf"), float("nan"), None]
    table = ibis.memtable(pa.table({"key": pa.array(told, pa.float64())}))
    found = ibis.duckdb.connect().to_pyarrow(table.select(key=values.key(table.key)))["key"].to_pylist()
    assert found[:3] == ["1001", "2.5", "-3"]
    assert found[3] is not None and found[4] == "inf"
    assert found[5:] == [None, None]
