"""Any other engine of Ibis takes the path that all take. Here it is a second DuckDB, by its URL."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.engines.alike import computed_in_place
from tests.engines.conftest import Elsewhere
from tests.engines.test_metrics_are_alike import wrong
from tests.warehouse import randomly


@pytest.fixture
def another(tmp_path: Path) -> Elsewhere:
    path = tmp_path / "warehouse.duckdb"

    def put(name: str, rows: pa.Table) -> str:
        with duckdb.connect(str(path)) as con:
            con.execute("CREATE SCHEMA IF NOT EXISTS company")
            con.register("rows", rows)
            con.execute(f"CREATE TABLE company.{name} AS FROM rows")
        return f"company.{name}"

    return Elsewhere("another", f"duckdb://{path}", put)


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
def test_a_random_company_is_computed_as_the_oracle_says(another: Elsewhere, tmp_path: Path) -> None:
    world, dates = randomly.company(6, accounts=8), randomly.grid(6)[:12]
    assert wrong(world, computed_in_place(world, dates, tmp_path / "project", another), dates) == {}
