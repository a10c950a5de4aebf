"""Spark as the engine: tables of its catalog are read in place, and results are kept on the executors.

    pyspark://                        the cluster of the environment (spark-submit, a notebook), or here
    pyspark://local[4]                here, on four threads
    pyspark://spark://host:7077       a cluster, by its master; also yarn and k8s://https://...
    pyspark://sc://host:15002         Spark Connect

Options of Spark follow as a query: `pyspark://local[4]?spark.driver.memory=8g`.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import reduce
from importlib import resources
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.schema as sch
import ibis.expr.types as ir
import pyarrow as pa
import pyspark.sql.types as pt
from ibis.backends.pyspark import Backend
from ibis.backends.pyspark.datatypes import PySparkType
from py4j.protocol import Py4JError
from pyspark.core.context import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from retinue.errors import RunError
from retinue.project.project import Project
from retinue.warehouse.engine import Engine, Refused, half_of_memory
from retinue.warehouse.engines import duckdb
from retinue.warehouse.engines.spark_sql import compiler
from retinue.warehouse.trace import Trace

_SETTINGS = {
    # Overflows and impossible casts are errors, as they are elsewhere.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.jsonGenerator.ignoreNullFields": "false",
    "spark.sql.mapKeyDedupPolicy": "LAST_WIN",
    # With it, checkpoints of some plans fail with "key not found" (Spark 4.0).
    "spark.sql.constraintPropagation.enabled": "false",
    # `${...}` is text.
    "spark.sql.variable.substitute": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
#: For a Spark inside of this process. One machine needs few partitions.
_HERE = {
    "spark.sql.shuffle.partitions": "4",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # Wide tables make deep plans.
    "spark.driver.extraJavaOptions": "-Xss16m",
}
_QUIET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
#: From so many rows on, results come out partition by partition.
MANY_ROWS = 1_000_000
_CHUNK = 100_000


@dataclass(frozen=True)
class Address:
    """What a URL says: the master (or the server of Spark Connect, or nothing) and options."""

    master: str
    options: dict[str, str]

    @classmethod
    def of(cls, url: str) -> Address:
        rest = url if url.startswith("spark://") else url.partition("://")[2]
        master, _, query = rest.partition("?")
        options = dict(parse_qsl(query))
        if master.startswith("/"):  # Ibis's own form
            options.setdefault("spark.sql.warehouse.dir", unquote(master))
            master = ""
        return cls(unquote(master), options)

    @property
    def remote(self) -> bool:
        return self.master.startswith("sc://") or (not self.master and bool(os.environ.get("SPARK_REMOTE")))

    @property
    def local(self) -> bool:
        return self.master.startswith("local")


class _Compiling(Backend):
    """Ibis's PySpark without a session of its own."""

    compiler = compiler


@dataclass(frozen=True)
class Spark(Engine):
    """`session` is ours alone: what it is told and keeps is seen by no other of the same Spark."""

    session: Any = None
    #: Whether steps are written to a folder that outlives executors.
    shared: bool = False
    frames: dict[str, list[Any]] = field(default_factory=dict)

    errors: ClassVar[tuple[type[Exception], ...]] = (Refused,)

    def has(self, name: str) -> bool:
        return bool(self.session.catalog.tableExists(_quoted(name)))

    def tables(self) -> list[str]:
        """Those of the catalog, as `schema.name`, and of the current schema by their bare names."""
        found = set(self._listed("SHOW TABLES"))
        for schema in _arrow(self.session.sql("SHOW DATABASES")).column(0).to_pylist():
            found |= {f"{schema}.{name}" for name in self._listed(f"SHOW TABLES IN {_quoted(schema)}")}
        return sorted(found)

    def _listed(self, question: str) -> list[str]:
        rows = _arrow(self.session.sql(question)).to_pylist()
        return [row["tableName"] for row in rows if not row["isTemporary"]]

    def table(self, name: str) -> ir.Table:
        with _asked():
            frame = self.session.table(_quoted(name))
            schema = frame.schema
        if all(_plain(one.dataType) for one in schema.fields):
            *before, bare = name.split(".")
            space = ops.Namespace(
                catalog=before[0] if len(before) > 1 else None, database=before[-1] if before else None
            )
            return self._named(bare, _to_ibis(schema), space)

        # What is neither number, text nor time is read as the text that Spark writes.
        columns = [f.col(_quoted_part(one.name)) for one in schema.fields]
        told = [
            column if _plain(one.dataType) else column.cast("string").alias(one.name)
            for one, column in zip(schema.fields, columns, strict=True)
        ]
        frame = frame.select(*told)
        unique = self._unique("read")
        frame.createOrReplaceTempView(unique)
        return self._named(unique, _to_ibis(frame.schema))

    def progress(self) -> float | None:
        """Of the jobs that are running: their tasks that are done."""
        with suppress(Exception):
            tracker = self.session.sparkContext.statusTracker()
            stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
            whole = sum(stage.numTasks for stage in stages if stage)
            if whole:
                return sum(stage.numCompletedTasks for stage in stages if stage) / whole
        return super().progress()

    def interrupt(self) -> None:
        super().interrupt()
        with suppress(Exception):
            self.session.interruptAll()

    def close(self) -> None:
        for unique in list(self.stored):
            self._dropped(unique)

    def _created(self, unique: str, expression: ir.Table) -> ir.Table:
        return self._kept(unique, self._frame(expression), expression.schema())

    def _received(self, unique: str, rows: pa.RecordBatchReader) -> ir.Table:
        schema = sch.Schema.from_pyarrow(rows.schema)
        parts: list[Any] = []
        # A part at a time is in the memory of this process.
        for part in _parts(rows, MANY_ROWS):
            with _asked():
                frame = self.session.createDataFrame(part.cast(schema.to_pyarrow()))
                parts.append(frame.localCheckpoint() if part.num_rows > _CHUNK else frame)
        whole = reduce(lambda one, other: one.union(other), parts)
        whole.createOrReplaceTempView(unique)
        self.frames[unique] = parts
        return self._named(unique, schema)

    def _kept(self, unique: str, frame: Any, schema: sch.Schema) -> ir.Table:
        """The rows of `frame`, computed once. The plan that led to them is forgotten: plans of a
        run would grow without end."""
        wanted = _to_spark(schema)
        if [(one.name, one.dataType) for one in frame.schema] != [(o.name, o.dataType) for o in wanted]:
            frame = frame.to(wanted)
        with _asked():
            kept = frame.checkpoint() if self.shared else frame.localCheckpoint()
            kept.createOrReplaceTempView(unique)
        self.frames[unique] = [kept]
        return self._named(unique, schema)

    def _dropped(self, unique: str) -> None:
        self.session.catalog.dropTempView(unique)
        for frame in self.frames.pop(unique, []):
            with suppress(AttributeError, TypeError, Py4JError):
                # The rows would go with the garbage of Java, which may be late.
                frame._jdf.queryExecution().analyzed().rdd().unpersist(False)

    def _fetched(self, expression: ir.Table) -> pa.Table:
        return _typed(_arrow(self._frame(expression)), expression.schema().to_pyarrow())

    def _batches(self, expression: ir.Table) -> Iterator[pa.RecordBatch]:
        wanted = expression.schema().to_pyarrow()
        with _asked():
            frame = self._frame(expression).localCheckpoint()
            few = frame.count() <= MANY_ROWS
        if few:
            yield from _typed(_arrow(frame), wanted).to_batches(max_chunksize=_CHUNK)
            return

        def written(batches: Iterator[Any]) -> Iterator[Any]:
            # On the executors, which know nothing of us.
            import pyarrow as pa

            for batch in batches:
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, batch.schema) as stream:
                    stream.write_batch(batch)
                packed = pa.array([sink.getvalue().to_pybytes()], pa.binary())
                yield pa.record_batch([packed], names=["rows"])

        with _asked():
            for row in frame.mapInArrow(written, "rows binary").toLocalIterator(prefetchPartitions=True):
                told = pa.ipc.open_stream(row["rows"]).read_all()
                yield from _typed(told, wanted).to_batches()

    def _frame(self, expression: ir.Table) -> Any:
        with _asked():
            return self.session.sql(self.con.compile(expression))

    def _named(self, name: str, schema: sch.Schema, space: ops.Namespace | None = None) -> ir.Table:
        place = space or ops.Namespace()
        return ops.DatabaseTable(name, schema=schema, source=self.con, namespace=place).to_expr()


@contextmanager
def _asked() -> Iterator[None]:
    """What Spark refuses is one line, without its stack and the statement."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise Refused(_first_line(error)) from None


def _arrow(frame: Any) -> pa.Table:
    with _asked():
        return frame.toArrow()


def _parts(rows: pa.RecordBatchReader, size: int) -> Iterator[pa.Table]:
    """The rows in tables of about `size`; one without rows where there are none."""
    held: list[pa.RecordBatch] = []
    several = False
    for batch in rows:
        held.append(batch)
        if sum(one.num_rows for one in held) >= size:
            yield pa.Table.from_batches(held, rows.schema)
            held, several = [], True
    if held or not several:
        yield pa.Table.from_batches(held, rows.schema)


def _typed(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    return table.rename_columns(wanted.names).cast(wanted)


def _quoted(name: str) -> str:
    return ".".join(_quoted_part(part) for part in name.split("."))


def _quoted_part(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _plain(kind: Any) -> bool:
    times = pt.DateType | pt.TimestampType | pt.TimestampNTZType
    return isinstance(kind, pt.NumericType | pt.BooleanType | pt.StringType | times)


def _to_ibis(schema: Any) -> sch.Schema:
    """Ibis takes both kinds of times of Spark for times without a zone."""

    def kind(one: Any) -> dt.DataType:
        if isinstance(one, pt.TimestampType):
            return dt.Timestamp(timezone="UTC")
        return dt.string if isinstance(one, pt.StringType) else PySparkType.to_ibis(one)

    return sch.Schema({one.name: kind(one.dataType) for one in schema.fields})


def _to_spark(schema: sch.Schema) -> Any:
    def kind(one: dt.DataType) -> Any:
        if one.is_timestamp():
            return pt.TimestampNTZType() if one.timezone is None else pt.TimestampType()
        return PySparkType.from_ibis(one)

    return pt.StructType([pt.StructField(name, kind(one)) for name, one in schema.items()])


@contextmanager
def opened(project: Project, threads: int | None, trace: Trace) -> Iterator[Engine]:
    """A session of its own, whose days are those of the project.

    A Spark that already runs in this process is used as it is, whatever master the URL names.
    """
    address = Address.of(project.settings.engine)
    with duckdb.opened(project, threads, trace) as files:
        session = _session(project, address)
        shared = "spark.checkpoint.dir" in address.options
        engine = Spark(_Compiling(), files, trace=trace, session=session, shared=shared)
        _Compiling.register_options()
        try:
            yield engine
        except (Refused, PySparkException, Py4JError) as error:
            told = str(error) if isinstance(error, Refused) else _first_line(error)
            place = project.place("settings", "engine")
            raise RunError(f"Spark: {told}", place=place, hint="what was published stays") from None
        finally:
            with suppress(PySparkException, Py4JError):
                engine.close()
                if address.remote:
                    session.stop()


def _session(project: Project, address: Address) -> Any:
    place = project.place("settings", "engine")
    if not address.remote and _java() is None and SparkContext._active_spark_context is None:
        raise RunError(
            "Spark needs Java 17 or later, and there is none",
            place=place,
            hint="install it (Debian: apt-get install default-jre-headless), or set JAVA_HOME",
        )
    if address.remote and importlib.util.find_spec("grpc") is None:
        raise RunError(
            "Spark Connect needs packages that are not installed (grpc)",
            place=place,
            hint="pip install 'pyspark[connect]'",
        )
    # What PySpark says of its own exceptions is said by whoever catches them.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL + 1)
    # Without a master the environment has set all of this, or has a Spark that runs.
    known = {**_QUIET, **_of_this_machine(project)} if address.local else _QUIET if address.master else {}
    options = {**known, **_SETTINGS, **address.options}
    builder = SparkSession.builder.appName(f"retinue {project.settings.project}")
    for name, value in options.items():
        builder = builder.config(name, value)
    try:
        with _ctrl_c_kept():
            if address.remote:
                session = (builder.remote(address.master) if address.master else builder).create()
            else:
                if SparkContext._active_spark_context is not None:
                    builder = SparkSession.builder  # what a running session is told is not ours to change
                elif address.master:
                    builder = builder.master(address.master)
                session = builder.getOrCreate().newSession()
                if address.local and "PYSPARK_PYTHON" not in os.environ:
                    # Else the first python3 of the machine, which may not have pyarrow.
                    session.sparkContext.pythonExec = sys.executable
                if folder := address.options.get("spark.checkpoint.dir"):
                    session.sparkContext.setCheckpointDir(folder)
        for name, value in {**options, "spark.sql.session.timeZone": project.settings.timezone}.items():
            # A Spark that runs already has what else it was started with.
            if name.startswith("spark.sql.") and (name in _SETTINGS or session.conf.isModifiable(name)):
                session.conf.set(name, value)
    except (PySparkException, Py4JError) as error:
        raise RunError(
            f"cannot start Spark: {_first_line(error)}",
            place=place,
            hint="check the master in `engine`; Spark 4 needs Java 17 or later",
        ) from None
    return session


def _of_this_machine(project: Project) -> dict[str, str]:
    """Settings for a Spark that starts in this process."""
    limit = project.settings.memory_limit or half_of_memory()
    memory = re.sub(r"\s*([KMGT])i?B$", r"\1", limit, flags=re.IGNORECASE).lower()
    quiet = resources.files(__package__) / "log4j2.properties"
    java = f"{_HERE['spark.driver.extraJavaOptions']} -Dlog4j2.configurationFile={quiet}"
    return {
        **_HERE,
        "spark.driver.memory": memory,
        "spark.driver.extraJavaOptions": java,
        # Else it leaves a folder wherever the command is run.
        "spark.sql.warehouse.dir": str(project.home.absolute() / "spark"),
    }


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")


@contextmanager
def _ctrl_c_kept() -> Iterator[None]:
    """PySpark takes Ctrl-C for itself; it is whoever started us who says what that does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _first_line(error: Exception) -> str:
    """What went wrong at the bottom of it, in a line."""
    told: Any = str(error)
    with suppress(Exception):
        cause = error.java_exception  # type: ignore[attr-defined]
        while cause.getCause() is not None:
            cause = cause.getCause()
        told = cause.getMessage() or cause.toString()
    lines = [line for line in str(told).splitlines() if line.strip()]
    if "Traceback" in str(told):  # of Python on an executor, which ends with what is wrong
        lines = [line for line in lines if not line.startswith((" ", "\t", "Traceback"))][-1:]
    return lines[0].strip() if lines else type(error).__name__
