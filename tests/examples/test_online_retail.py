"""The example of invoice lines against plain SQL: amounts, recency, and what is left out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

import retinue
from retinue.run import run
from retinue.workspace import open_workspace

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "online-retail"
DATA = Path(os.environ.get("RETAIL_DATA") or ROOT.parent / "shared" / "data" / "online-retail")
DAY = date(2011, 9, 4)

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (DATA / "online_retail.parquet").exists(),
        reason="Online Retail is not beside the checkout; set RETAIL_DATA",
    ),
]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """`lines` without exact copies, and the published metrics and rejected rows of one Sunday."""
    folder = tmp_path_factory.mktemp("retail")
    shutil.copytree(EXAMPLE, folder / "project", ignore=shutil.ignore_patterns(".retinue"))
    environ = {"RETAIL_DATA": str(DATA)}
    run(
        open_workspace(folder / "project", environ),
        now=datetime(2026, 1, 1, tzinfo=UTC),
        first=DAY,
        last=DAY,
        every="week",
    )
    project = retinue.open(folder / "project", environ)
    with duckdb.connect() as con:
        con.execute("set threads = 2")
        con.execute(f"create table raw as from '{DATA / 'online_retail.parquet'}'")
        con.execute(
            "create table lines as select distinct *, InvoiceDate::date as day,"
            " Quantity * UnitPrice::decimal(18, 6) as amount from raw where CustomerID is not null"
        )
        for name in ("metrics", "rejected"):
            con.register(f"published_{name}", project.table(name).to_arrow())
            con.execute(f"create table {name} as from published_{name}")
        yield con


def test_amounts_recency_and_breadth_equal_plain_sql(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table expected as select CustomerID::varchar as account_id,"
        f" coalesce(sum(amount) filter (day > date '{DAY}' - 91), 0) as spend_91d,"
        f" date '{DAY}' - max(day) as days_since_purchase,"
        f" count(distinct StockCode) filter (day > date '{DAY}' - 182) as products_182d"
        f" from lines where Quantity > 0 and day <= date '{DAY}' group by 1"
    )
    for metric in ("spend_91d", "days_since_purchase", "products_182d"):
        wrong = con.sql(
            f"select account_id, {metric}, value from expected"
            f" full join (from metrics where metric = '{metric}') using (account_id)"
            f" where value is null or {metric} is null or abs({metric}::double - value) > 1e-6 limit 5"
        ).fetchall()
        assert (metric, wrong) == (metric, [])
    assert con.sql("select count(*) from expected").fetchall() > [(3000,)]


def test_lines_without_a_customer_and_copies_are_rejected_with_their_reason(
    con: duckdb.DuckDBPyConnection,
) -> None:
    counted = con.sql(
        "select (select count(*) from rejected where reason = 'CustomerID is empty'),"
        " (select count(*) from rejected where starts_with(reason, 'duplicate of ')),"
        " (select count(*) from raw where CustomerID is null),"
        " (select count(*) from raw where CustomerID is not null) - (select count(*) from lines)"
    ).fetchone()
    assert counted is not None
    empty, copies, without, exact = counted
    assert empty == without == 135_080
    assert copies == exact > 0
