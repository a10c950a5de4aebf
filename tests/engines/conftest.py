"""The engines that are held against DuckDB. To add one: a fixture `on_<name>`, and its name here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pytest

ENGINES = ("postgres", "spark")


@dataclass(frozen=True)
class Elsewhere:
    """An engine that is not DuckDB: its URL, and what makes a table of rows in it.

    `put` takes a name and the rows, and returns the name under which a project finds the table.
    """

    name: str
    url: str
    put: Callable[[str, pa.Table], str]


@pytest.fixture(params=ENGINES)
def elsewhere(request: pytest.FixtureRequest) -> Elsewhere:
    """Each of the engines in turn."""
    return request.getfixturevalue(f"on_{request.param}")


@pytest.fixture
def on_postgres(postgres: str) -> Elsewhere:
    def put(name: str, rows: pa.Table) -> str:
        with adbc.connect(postgres, autocommit=True) as con, con.cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS company")
            cursor.adbc_ingest(name, rows, mode="create", db_schema_name="company")
        return f"company.{name}"

    return Elsewhere("postgres", postgres, put)


@pytest.fixture
def on_spark(spark: str, spark_session: Any) -> Elsewhere:
    def put(name: str, rows: pa.Table) -> str:
        spark_session.createDataFrame(rows).write.saveAsTable(f"company.{name}")
        return f"company.{name}"

    return Elsewhere("spark", spark, put)
