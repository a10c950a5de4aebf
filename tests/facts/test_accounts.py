"""Who the accounts are and what is known about them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from retinue.warehouse.facts.accounts import in_circles
from tests.facts.tables import Company

COLUMNS = {
    "name": "company",
    "segment": "tier",
    "arr": "arr",
    "started_on": "start",
    "ended_on": "end",
    "renews_on": "renew",
}


def test_accounts_are_counted_in_the_order_of_their_ids(company: Company):
    company.write(
        "a.csv",
        "id,company,tier,arr,start,end,renew\nb,B,1,5,2024-01-02,,2025-01-02\nA,x,2,6.5,,2024-05-01,\n",
    )
    got = company.load({}, accounts={"table": "a.csv", "key": "id", "columns": COLUMNS})
    assert got.accounts == [
        {
            "ix": 0,
            "account_id": "A",
            "started_on": None,
            "ended_on": date(2024, 5, 1),
            "end_known": date(2024, 5, 1),
            "renews_on": None,
            "parent": None,
            "a_name": "x",
            "a_segment": "2",
            "a_arr": 6.5,
        },
        {
            "ix": 1,
            "account_id": "b",
            "started_on": date(2024, 1, 2),
            "ended_on": None,
            "end_known": None,
            "renews_on": date(2025, 1, 2),
            "parent": None,
            "a_name": "B",
            "a_segment": "1",
            "a_arr": 5.0,
        },
    ]


def test_attributes_are_what_all_their_values_are(company: Company):
    company.write(
        "a.csv",
        "account_id,number,day,flag,postcode,mixed,none\n"
        "a,1,2024-01-01,true,01234,1,\nb,2.5,2024-02-29,FALSE,56789,x,\nc,,,,,,\n",
    )
    names = ["number", "day", "flag", "postcode", "mixed", "none"]
    got = company.load({}, accounts={"table": "a.csv", "columns": {name: name for name in names}})
    assert [[row[f"a_{name}"] for name in names] for row in got.accounts] == [
        [1.0, date(2024, 1, 1), True, "01234", "1", None],
        [2.5, date(2024, 2, 29), False, "56789", "x", None],
        [None, None, None, None, None, None],
    ]


def test_parquet_attributes_keep_their_kinds(company: Company):
    table = pa.table(
        {
            "account_id": [1, 2],
            "n": [1.5, float("nan")],
            "i": [7, None],
            "d": [date(2024, 1, 1)] * 2,
            "f": [True, None],
        }
    )
    pq.write_table(table, company.root / "a.parquet")
    got = company.load({}, accounts={"table": "a.parquet", "columns": {c: c for c in "nidf"}})
    assert [[row[f"a_{name}"] for name in "nidf"] for row in got.accounts] == [
        [1.5, 7.0, date(2024, 1, 1), True],
        [None, None, date(2024, 1, 1), None],
    ]


def test_of_repeated_ids_the_first_of_all_values_is_kept(company: Company):
    for text in ("account_id,tier\nx,b\nx.0,a\n x ,c\n,d\n", "account_id,tier\n,d\n x ,c\nx.0,a\nx,b\n"):
        company.write("a.csv", text.replace("x.0", "x"))
        got = company.load({}, accounts={"table": "a.csv", "columns": {"segment": "tier"}})
        # The values are compared as written, and a space comes before letters.
        assert [(row["account_id"], row["a_segment"]) for row in got.accounts] == [("x", "c")]
        assert sorted(got.reasons) == [
            "account_id is empty",
            'duplicate of account_id "x"',
            'duplicate of account_id "x"',
        ]
        assert got.problems == [
            "a.csv: accounts: 2 rows repeat the account_id of another "
            "(the first in the order of all their values is kept; see `rejected`)"
        ]
        assert (
            got.counts["accounts"].read,
            got.counts["accounts"].kept,
            got.counts["accounts"].rejected,
        ) == (4, 1, 3)


def test_dates_that_are_none_are_left_out_but_not_their_accounts(company: Company):
    company.write("a.csv", "account_id,start\na,soon\nb,2024-01-01\n")
    got = company.load({}, accounts={"table": "a.csv", "columns": {"started_on": "start"}})
    assert [row["started_on"] for row in got.accounts] == [None, date(2024, 1, 1)]
    assert got.problems == [
        "a.csv: accounts: 1 values of `started_on` are not dates and are left out (write dates as 2024-01-31)"
    ]


def test_an_end_may_be_known_later(company: Company):
    company.write(
        "a.csv",
        "account_id,end,told\na,2024-01-10,2024-01-20\n"
        "b,2024-01-10,2024-01-01\nc,2024-01-10,\nd,,2024-01-01\n",
    )
    columns = {"ended_on": {"column": "end", "known_at": "told"}}
    got = company.load({}, accounts={"table": "a.csv", "columns": columns})
    assert [row["end_known"] for row in got.accounts] == [date(2024, 1, 20), date(2024, 1, 10), None, None]


def test_an_end_may_be_the_earlier_of_two(company: Company):
    company.write(
        "a.csv",
        "account_id,left,term\na,2024-01-10,2024-06-30\nb,,2024-06-30\n"
        "c,2024-07-01,2024-06-30\nd,2024-01-10,\ne,,\n",
    )
    columns = {"ended_on": {"column": "left", "or_earlier": "term"}}
    got = company.load({}, accounts={"table": "a.csv", "columns": columns})
    left, term = date(2024, 1, 10), date(2024, 6, 30)
    assert [row["ended_on"] for row in got.accounts] == [left, term, term, left, None]
    assert [row["end_known"] for row in got.accounts] == [left, term, term, left, None]


def test_parents_are_positions_and_circles_are_cut(company: Company):
    company.write("a.csv", "account_id,up\na,b\nb,c\nc,a\nd,c\ne,\nf,e\ng,nobody\nh,h\n")
    got = company.load({}, accounts={"table": "a.csv", "columns": {"parent": "up"}})
    assert [row["parent"] for row in got.accounts] == [None, None, None, 2, None, 4, None, None]
    assert got.problems == [
        "a.csv: accounts: 1 parents are not accounts (those accounts have no parent now)",
        'a.csv: accounts: 4 accounts are their own ancestors, such as "a" '
        "(those accounts have no parent now)",
    ]


@given(st.integers(1, 40).flatmap(lambda n: st.lists(st.integers(-1, n - 1), min_size=n, max_size=n)))
def test_positions_in_circles_are_those_that_meet_themselves(parents: list[int]):
    def meets_itself(start: int) -> bool:
        at = parents[start]
        for _ in parents:
            if at in (-1, start):
                return at == start
            at = parents[at]
        return False

    expected = [n for n in range(len(parents)) if meets_itself(n)]
    assert in_circles(np.array(parents, dtype=np.int64)).tolist() == expected


def test_accounts_may_be_derived_from_a_source(company: Company):
    company.write(
        "orders.csv",
        "customer,on,country,n\n7.0,2024-01-05,UK,1\n7,2024-01-02,FR,1\n"
        "8,2024-01-03 10:00,DE,1\n8,2024-01-03 09:00,IT,1\n,2024-01-01,UK,1\n8,bad,UK,1\n",
    )
    got = company.load(
        {"orders": {"table": "orders.csv", "account": "customer"}},
        accounts={"fact": "orders", "columns": {"segment": "country"}},
    )
    assert [(row["account_id"], row["started_on"], row["a_segment"]) for row in got.accounts] == [
        ("7", date(2024, 1, 2), "UK"),
        ("8", date(2024, 1, 3), "DE"),
    ]
    assert sorted(row["ix"] for row in got.sources["orders"]) == [0, 0, 1, 1]
    assert got.reasons == ["customer is empty", 'occurred_at (on) "bad" is not a date']


def test_histories_come_from_tables_and_from_what_was_observed(company: Company):
    company.write("a.csv", "account_id,arr,tier\na,10,gold\nb,20,tin\n")
    company.write(
        "arr.csv",
        "account_id,arr,from\na,5,2024-01-01\na,10,2024-02-01\nb,x,2024-01-01\nzzz,1,2024-01-01\na,1,never\n",
    )
    observed = pa.table(
        {
            "account_id": ["a", "b", "a", "zzz", "a"],
            "attribute": ["segment", "segment", "arr", "segment", "size"],
            "day": [date(2024, 3, 1)] * 5,
            "value_text": ["tin", "tin", "7", "tin", "1"],
        }
    )
    got = company.load(
        {},
        accounts={
            "table": "a.csv",
            "columns": {"arr": "arr", "segment": "tier", "size": "arr"},
            "history": {"arr": {"table": "arr.csv", "valid_from": "from"}, "size": "fixed"},
        },
        observed=observed,
    )
    assert set(got.histories) == {"arr", "segment"}
    assert sorted(
        (r["ix"], r["day"], r["known"], r["value"]) for r in got.histories["arr"] if r["value"]
    ) == [
        (0, date(2024, 1, 1), date(2024, 1, 1), 5.0),
        (0, date(2024, 2, 1), date(2024, 2, 1), 10.0),
    ]
    assert sorted((r["ix"], r["day"], r["value"]) for r in got.histories["segment"]) == [
        (0, date(2024, 3, 1), "tin"),
        (1, date(2024, 3, 1), "tin"),
    ]
    assert got.problems == [
        "arr.csv: history of arr: 2 of 5 rows have no known account or no date and are left out "
        "(check the account ids and dates)"
    ]
