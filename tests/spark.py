"""A Spark of the tests: started when the first test asks for it, gone with the process.

`spark` is the URL of an engine; `spark_session` makes tables in the catalog that the engine has.
With several workers each has one of its own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from retinue.project.project import Project, Settings
from retinue.warehouse.engine import connect

#: Queries of tests are many and small: what costs time is to plan and to compile them.
_SMALL = {
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.shuffle.compress": "false",
    "spark.driver.memory": "2g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -Xss16m",
}


@pytest.fixture(scope="session")
def spark_warehouse() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="retinue-spark-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def spark(spark_warehouse: Path) -> str:
    """The URL of a Spark in this process."""
    if shutil.which("java") is None:
        pytest.skip("no Java on this machine: sudo apt-get install default-jre-headless")
    options = {**_SMALL, "spark.sql.warehouse.dir": str(spark_warehouse)}
    return f"pyspark://local[2]?{urlencode(options)}"


@pytest.fixture
def spark_session(spark: str, spark_warehouse: Path) -> Iterator[Any]:
    """A session of the engine's Spark, with a schema `company` that this test alone has."""
    told = {"project": "test", "accounts": {"table": "accounts", "key": "key"}, "engine": spark}
    project = Project(root=spark_warehouse, settings=Settings.model_validate(told), metrics={}, scorecards=())
    with connect(project) as engine:
        session = engine.session  # type: ignore[attr-defined]
        session.sql("CREATE DATABASE company")
        yield session
        session.sql("DROP DATABASE company CASCADE")
