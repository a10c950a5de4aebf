"""What is Spark's own: how it is named, started and left, and how rows come and go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from retinue.errors import RunError
from retinue.project.project import Project, Settings
from retinue.warehouse.engine import Engine, connect, shown
from retinue.warehouse.engines import spark as engine_module
from retinue.warehouse.engines.spark import Address
from retinue.warehouse.engines.spark_sql import java_pattern


def project(url: str, zone: str = "Australia/Sydney") -> Project:
    told = {"project": "test", "timezone": zone, "engine": url, "accounts": {"table": "a", "key": "id"}}
    return Project(root=Path(), settings=Settings.model_validate(told), metrics={}, scorecards=())


@pytest.fixture
def engine(spark: str) -> Iterator[Engine]:
    with connect(project(spark)) as found:
        yield found


@pytest.mark.parametrize(
    ("url", "master", "options", "remote"),
    [
        ("pyspark://", "", {}, False),
        ("pyspark://local[4]", "local[4]", {}, False),
        ("pyspark://local[2]?spark.ui.port=1&a=b%26c", "local[2]", {"spark.ui.port": "1", "a": "b&c"}, False),
        ("pyspark://spark://head:7077?x=y", "spark://head:7077", {"x": "y"}, False),
        ("spark://head:7077", "spark://head:7077", {}, False),
        ("pyspark://k8s://https://host:6443", "k8s://https://host:6443", {}, False),
        ("pyspark://yarn", "yarn", {}, False),
        ("pyspark://sc://host:15002/;token=abc", "sc://host:15002/;token=abc", {}, True),
        ("pyspark:///srv/warehouse", "", {"spark.sql.warehouse.dir": "/srv/warehouse"}, False),
    ],
)
def test_a_url_names_a_master_and_options(
    url: str, master: str, options: dict[str, str], remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    found = Address.of(url)
    assert (found.master, found.options, found.remote) == (master, options, remote)


def test_the_token_of_spark_connect_is_not_shown() -> None:
    assert "abc" not in shown("pyspark://sc://host:15002/;token=abc")
    assert "abc" not in shown("pyspark://local[2]?spark.secret=abc")


def test_the_environment_may_name_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "sc://host:15002")
    assert Address.of("pyspark://").remote


def test_days_are_those_of_the_project_and_nothing_is_left_to_other_sessions(spark: str) -> None:
    from pyspark.sql import SparkSession

    with connect(project(spark)) as one, connect(project(spark, "America/New_York")) as other:
        zones = [e.session.conf.get("spark.sql.session.timeZone") for e in (one, other)]  # type: ignore[attr-defined]
        assert zones == ["Australia/Sydney", "America/New_York"]
        kept = one.store("kept", one.memory(pa.table({"x": [1, 2]})).filter(ibis._.x > 1))
        name = kept.op().name
        assert not other.has(name)
        shared = SparkSession.builder.getOrCreate()
        assert not shared.catalog.tableExists(name)
    with connect(project(f"{spark}&spark.sql.shuffle.partitions=7")) as again:
        assert not again.has(name)
        assert again.session.conf.get("spark.sql.shuffle.partitions") == "7"  # type: ignore[attr-defined]
        assert shared.conf.get("spark.sql.shuffle.partitions") == "1"


def test_ctrl_c_stays_with_whoever_had_it(spark: str) -> None:
    before = signal.getsignal(signal.SIGINT)
    with connect(project(spark)):
        assert signal.getsignal(signal.SIGINT) is before


def test_stored_tables_have_the_types_of_their_expressions_and_go_when_dropped(engine: Engine) -> None:
    rows = engine.memory(pa.table({"k": [1, 1, 2], "n": pa.array([1, 2, 3], pa.int32())}))
    told = rows.group_by("k").agg(
        s=rows.n.sum(),
        d=rows.n.cast("decimal(18, 6)").sum().cast("decimal(38, 6)"),
        c=ibis.literal(1, "int8"),
        t=ibis.null("timestamp"),
    )
    stored = engine.store("sums", told)
    assert stored.schema() == told.schema()
    assert engine.arrow(stored.order_by("k")).column("s").to_pylist() == [3, 3]
    assert engine.arrow(stored).schema.field("c").type == pa.int8()
    engine.drop(stored)
    assert not engine.has(stored.op().name)


def test_many_rows_come_out_in_order_partition_by_partition(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = engine.session  # type: ignore[attr-defined]
    session.conf.set("spark.sql.shuffle.partitions", "3")
    numbers = list(range(4000))
    told = pa.table({"n": numbers[::-1], "text": [f"row {n}" for n in numbers[::-1]]})
    # What comes in comes in parts, too, and is kept on the executors.
    monkeypatch.setattr(engine_module, "MANY_ROWS", 1000)
    monkeypatch.setattr(engine_module, "_CHUNK", 900)
    table = engine._received("told", told.to_reader(max_chunksize=300))
    read = list(engine.stream(table.order_by("n")))
    assert len(read) > 1
    assert pa.Table.from_batches(read).to_pydict() == {"n": numbers, "text": [f"row {n}" for n in numbers]}


def test_steps_may_be_written_to_a_folder_that_outlives_executors(spark: str, tmp_path: Path) -> None:
    with connect(project(f"{spark}&spark.checkpoint.dir={tmp_path}")) as engine:
        kept = engine.store("kept", engine.memory(pa.table({"x": [1, 2]})).filter(ibis._.x > 1))
        assert engine.arrow(kept).to_pydict() == {"x": [2]}
    assert any(path.is_file() for path in tmp_path.rglob("part-*"))


def test_columns_that_are_no_number_text_or_time_are_read_as_text(spark_session: Any, spark: str) -> None:
    spark_session.sql(
        "CREATE TABLE company.odd AS SELECT 1 AS id, array(1, 2) AS many, map('a', 1) AS named,"
        " named_struct('x', 1.5D) AS inner, timestamp_ltz'2024-01-01 00:00:00Z' AS instant,"
        " timestamp_ntz'2024-01-01 00:00:00' AS wall, CAST('x' AS VARCHAR(9)) AS short"
    )
    with connect(project(spark)) as engine:
        table = engine.table("company.odd")
        kinds = {name: str(kind) for name, kind in table.schema().items()}
        told = engine.arrow(table).to_pylist()[0]
    assert kinds == {
        "id": "int32",
        "many": "string",
        "named": "string",
        "inner": "string",
        "instant": "timestamp('UTC')",
        "wall": "timestamp(6)" if "(6)" in kinds["wall"] else "timestamp",
        "short": "string",
    }
    assert (told["many"], told["named"], told["inner"]) == ("[1, 2]", "{a -> 1}", "{1.5}")


def test_what_spark_refuses_is_one_line(spark: str) -> None:
    with (
        pytest.raises(RunError, match=r"^Spark: .*CAST_INVALID_INPUT") as error,
        connect(project(spark)) as engine,
    ):
        engine.arrow(engine.memory(pa.table({"x": ["abc"]})).select(y=ibis._.x.cast("int64")))
    assert "\n" not in str(error.value)


def test_a_mark_of_strptime_without_a_counterpart_is_named() -> None:
    with pytest.raises(RunError, match="%U"):
        java_pattern("%Y %U")
    assert java_pattern("%Y-%m-%dT%H:%M") == "y-M-d'T'H:m"
    assert java_pattern("%Y%m%d") == "yyyyMMdd"


PROGRAM = """
import sys
sys.modules |= dict.fromkeys(sys.argv[1:])  # as if they were not installed
from pathlib import Path
from retinue.errors import RetinueError
from retinue.project.project import Project, Settings
from retinue.warehouse.engine import connect
told = {"project": "test", "engine": "pyspark://local[1]", "accounts": {"table": "a", "key": "id"}}
project = Project(root=Path(), settings=Settings.model_validate(told), metrics={}, scorecards=())
try:
    with connect(project):
        print("started")
except RetinueError as error:
    print(error)
"""


def _started(*missing: str, **environment: str) -> str:
    command = [sys.executable, "-c", PROGRAM, *missing]
    told = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert told.stdout.count("\n") == 1, "one line"
    return told.stdout


def test_without_java_one_line_says_what_to_install() -> None:
    told = _started(JAVA_HOME="/nowhere")
    assert "Java 17" in told
    assert "default-jre-headless" in told


def test_without_pyspark_one_line_says_which_extra_to_install() -> None:
    assert "pip install 'retinue[spark]'" in _started("pyspark")


def test_spark_connect_says_which_packages_it_needs(spark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    url = replace(project(spark), settings=project("pyspark://sc://127.0.0.1:1").settings)
    with pytest.raises(RunError, match=r"pyspark\[connect\]"), connect(url):
        pass
