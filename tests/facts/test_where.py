"""`where` of a source: rows for which it does not hold are neither facts nor rejected."""

from __future__ import annotations

import pytest

from retinue.errors import SourceError
from retinue.warehouse.facts.sources import Wanted
from tests.facts.tables import Company

TEXT = "account_id,on,kind,amount\na,2024-01-01,x,1\na,,y,2\nb,,x,3\nb,2024-01-02,,4\nz,2024-01-03,,5\n"


def test_rows_outside_where_are_neither_facts_nor_rejected(company: Company) -> None:
    got = company.events(TEXT, where="kind is missing")
    assert [row["ix"] for row in got.sources["events"]] == [1]
    assert (got.counts["events"].read, got.counts["events"].kept, got.counts["events"].rejected) == (2, 1, 1)
    assert got.reasons == ['account_id "z" is not an account']
    assert got.rejected[0]["row"] == 5


def test_a_row_without_its_date_is_left_out_and_not_rejected(company: Company) -> None:
    got = company.events(TEXT, where="on is not missing")
    assert got.counts["events"].kept == 2
    assert len(got.reasons) == 1


def test_where_names_columns_as_metrics_do_or_as_the_table_does(company: Company) -> None:
    got = company.events(TEXT, where={"of": "x"}, columns={"of": "kind"})
    assert got.counts["events"].read == 2
    got = company.events(TEXT, where="amount >= 4", columns={"of": "kind"})
    assert got.counts["events"].read == 2


def test_where_chooses_before_copies_are_told_apart(company: Company) -> None:
    text = "account_id,on,id,kind\na,2024-01-01,1,draft\na,2024-01-05,1,final\n"
    got = company.events(text, Wanted(plain=frozenset({"kind"})), unique=["id"], where={"kind": "final"})
    assert [row["c_kind"] for row in got.sources["events"]] == ["final"]
    assert got.reasons == []


def test_lines_that_are_no_rows_are_rejected_whatever_where_says(company: Company) -> None:
    company.write(
        "e.jsonl",
        '{"account_id": "a", "on": "2024-01-01", "kind": "x"}\n[1]\n{"account_id": "a"}\n',
    )
    got = company.load({"events": {"table": "e.jsonl", "where": {"kind": "x"}}})
    assert got.counts["events"].kept == 1
    assert len(got.reasons) == 1


def test_derived_accounts_see_only_the_rows_of_their_source(company: Company) -> None:
    company.write("e.csv", "who,on,kind\na,2024-01-01,x\nb,2024-01-01,y\n")
    source = {"table": "e.csv", "account": "who", "where": {"kind": "x"}}
    got = company.load({"events": source}, accounts={"fact": "events"})
    assert [row["account_id"] for row in got.accounts] == ["a"]


def test_an_unknown_column_in_where_is_told(company: Company) -> None:
    with pytest.raises(SourceError, match="there is no column 'knd' for `where`"):
        company.events(TEXT, where={"knd": "x"})
