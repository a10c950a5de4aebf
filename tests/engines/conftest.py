"""The engines that are held against DuckDB. To add one: a fixture `on_<name>`, and its name here."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pytest

ENGINES = ("postgres", "spark")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


@pytest.fixture(autouse=True)
def no_sockets_are_left_to_later_tests() -> Iterator[None]:
    """PySpark leaves the sockets that results come through to the garbage collector."""
    yield
    gc.collect()


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
