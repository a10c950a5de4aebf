"""Retinue from Python and in a notebook."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import retinue as rt


@pytest.fixture
def project(acme):
    return rt.open(acme)


def test_a_project_is_opened_run_and_read(unscored):
    project = rt.open(unscored)
    assert "nothing published yet" in repr(project) and project.dates() == ()
    with pytest.raises(rt.NotFound, match="retinue run"):
        project.accounts()
    result = project.run(first="2026-03-31", last="2026-03-31", now=datetime(2026, 4, 1, 9, tzinfo=UTC))
    assert isinstance(result, rt.RunResult) and result.dates == (date(2026, 3, 31),)
    assert project.dates() == (date(2026, 3, 31),)
    assert "1 dates published, up to 2026-03-31" in repr(project)


def test_a_table_is_arrow_pandas_or_polars(project):
    table = project.table("snapshots", account="A-02", first="2026-03-01", last=date(2026, 3, 15))
    assert isinstance(table.to_arrow(), pa.Table) and len(table) == 3
    frame = table.to_pandas()
    assert isinstance(frame, pd.DataFrame) and frame["as_of"].dt.year.eq(2026).all()
    assert isinstance(table.to_polars(), pl.DataFrame)
    assert table.to_list()[0]["account_id"] == "A-02"
    assert project.table("measures", columns=["metric"]).to_arrow().column_names == ["metric"]
    with pytest.raises(rt.NotFound, match="no published table"):
        project.table("scores")


def test_accounts_are_a_sequence_in_the_order_asked_for(project):
    rows = project.accounts(sort="effective", band=["watch", "at_risk"])
    assert [row.account_id for row in rows] == ["A-04", "A-02", "A-03"]
    assert isinstance(rows[:2], rt.Accounts) and len(rows[:2]) == 2
    assert list(rows.to_pandas()["account_id"]) == ["A-04", "A-02", "A-03"]
    assert "▲ at risk" in repr(rows) and repr(rows).startswith("3 accounts (0 = worst health, 100 = best)")


def test_an_explanation_is_an_object_that_explains_itself(project):
    e = project.explain("A-02", since="2026-02-01")
    assert isinstance(e, rt.Explanation) and e.change.since == date(2026, 2, 1)
    assert repr(e).startswith("Southern Star (A-02): 55 ◆ watch since 2026-03-15, grade C")
    assert "Active days fell from" in repr(e)


def test_what_a_notebook_shows_is_escaped(project):
    assert "Ticket &amp; Sons" in project.accounts()._repr_html_()
    assert "<h4>Ticket &amp; Sons (A-03)</h4>" in project.explain("A-03")._repr_html_()
    html = project.table("metrics")._repr_html_()
    assert html.count("<tr>") == 11 and "rows</p>" in html


def test_tables_are_exported(project, tmp_path):
    assert project.export(tmp_path, "csv", ["components"])["components"] > 0
    assert (tmp_path / "components.csv").exists()
