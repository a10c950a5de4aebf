"""The engine: where set-based work is done. DuckDB in process, or a database that has the facts.

Facts stay where they are. Tables of the engine are read in place; files are read here, by a
DuckDB of our own, whatever the engine is, so that the same file gives the same rows everywhere.
What is computed from files alone is computed here too, and what comes of it is carried over the
first time that it meets a table of the engine (`_ready`). Code that builds expressions need not
know of it: to it there is one engine.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.common.graph import Node

from retinue.errors import RunError
from retinue.interrupts import interruptible
from retinue.project.project import Project
from retinue.warehouse.trace import Query, Trace

_MODULES = {
    "duckdb": "duckdb",
    "postgres": "postgres",
    "postgresql": "postgres",
    "pyspark": "spark",
    "spark": "spark",
}


class Refused(Exception):
    """What an engine could not do, in one line: not the statement, but what is wrong with it."""


@dataclass(frozen=True)
class Engine:
    """A connection of one run. Tables that it stores live as long as it does.

    `con` is the Ibis backend, `reader` the engine that reads files: this one where it is DuckDB.
    To add an engine: a module in `engines` with a subclass, which says how results are kept and
    how they come out, and `opened`, which connects.
    """

    con: Any
    files: Engine | None = None
    stored: dict[str, str] = field(default_factory=dict)
    number: Iterator[int] = field(default_factory=itertools.count)
    trace: Trace = field(default_factory=Trace)
    #: Files as they were before they were read (`reading.steady`).
    seen: dict[Path, Any] = field(default_factory=dict)

    #: What the driver raises where the engine cannot do something.
    errors: ClassVar[tuple[type[Exception], ...]] = ()

    @property
    def reader(self) -> Engine:
        return self.files or self

    def store(self, name: str, expression: ir.Table) -> ir.Table:
        """Compute `expression` once and keep the result as a temporary table."""
        unique = self._unique(name)
        with self.trace.query(name) as told:
            if self._of_files(expression.op()):
                table = self._received(unique, self._from_files(expression))
            else:
                with self._ready(expression) as ready:
                    table = self._created(unique, ready)
                    self._told(told, ready)
        if self.trace.keeps_sql:
            told.rows = self._fetched(table.aggregate(n=table.count()))["n"][0].as_py()
        return table

    def apart(self, expression: ir.Table) -> ir.Table:
        """`expression` such that its columns are worked out once per row, however often what is built
        on it names them. Most engines do that by themselves."""
        return expression

    def drop(self, *tables: ir.Table) -> None:
        """Give back the room of stored tables that are no longer needed."""
        for table in tables:
            name = table.op().name
            if self.stored.pop(name, None) is not None:
                self._dropped(name)

    def memory(self, table: pa.Table) -> ir.Table:
        """A table of this process as a table of the engine."""
        return self._received(self._unique("memory"), table.to_reader())

    def arrow(self, expression: ir.Table) -> pa.Table:
        """The rows of a table, in the types that Ibis says it has."""
        with self.trace.query("answer") as told, self._ready(expression) as ready:
            table = self._fetched(ready)
            self._told(told, ready)
        told.rows = table.num_rows
        return table

    def count(self, table: ir.Table) -> int:
        """How many rows a table has."""
        return int(self.arrow(table.aggregate(n=table.count()))["n"][0].as_py())

    def stream(self, expression: ir.Table) -> pa.RecordBatchReader:
        """Rows as they are asked for, in memory that does not grow with them.

        It must be read to its end before the engine is asked for anything else.
        """

        def batches() -> Iterator[pa.RecordBatch]:
            with self._ready(expression) as ready:
                self._told(told, ready)
                yield from self._batches(ready)

        told, timed = self.trace.streamed("rows", batches())
        return pa.RecordBatchReader.from_batches(expression.schema().to_pyarrow(), timed)

    def to_parquet(self, expression: ir.Table, path: Path) -> None:
        """Write the rows to a file here, in their order."""
        rows = self.stream(expression)
        with pq.ParquetWriter(path, rows.schema) as writer:
            for batch in rows:
                writer.write_batch(batch)

    def tables(self) -> list[str]:
        """Names under which `table` finds the engine's own tables."""
        found = set(self.con.list_tables())
        # Not every engine has schemas, or lets everybody list them.
        with suppress(Exception):
            for schema in set(self.con.list_databases()) - {"information_schema", "pg_catalog"}:
                found |= {f"{schema}.{name}" for name in self.con.list_tables(database=schema)}
        return sorted(found)

    def has(self, name: str) -> bool:
        """Whether the engine has a table of its own for `table` to find."""
        schema, _, bare = name.rpartition(".")
        if not schema:
            return bare in self.con.list_tables()
        try:
            return bare in self.con.list_tables(database=schema)
        except Exception:  # noqa: BLE001
            # Drivers raise what they like where there is no such schema.
            return False

    def table(self, name: str) -> ir.Table:
        """A table of the engine, `name` or `schema.name`, as it is."""
        schema, _, bare = name.rpartition(".")
        return self.con.table(bare, database=schema or None)

    def sql(self, expression: ir.Table) -> str:
        """What the engine is asked for `expression`."""
        return str(self.con.compile(expression, pretty=True))

    def progress(self) -> float | None:
        """How far the query in flight is (0 to 1); None where there is none, or nobody knows."""
        return self.files.progress() if self.files else None

    def interrupt(self) -> None:
        """End the query in flight; called from another thread. Drivers that hear signals need nothing."""
        if self.files is not None:
            self.files.interrupt()

    def close(self) -> None:
        self.con.disconnect()

    # --- what an engine does its own way ------------------------------------------------------

    def _created(self, unique: str, expression: ir.Table) -> ir.Table:
        """The result of `expression` as the temporary table `unique`."""
        return self.con.create_table(unique, expression, temp=True)

    def _received(self, unique: str, rows: pa.RecordBatchReader) -> ir.Table:
        """Rows of this process as the temporary table `unique`, with the types that they have."""
        return self.con.create_table(unique, rows.read_all(), temp=True)

    def _dropped(self, unique: str) -> None:
        self.con.drop_table(unique, force=True)

    def _fetched(self, expression: ir.Table) -> pa.Table:
        return self.con.to_pyarrow(expression)

    def _batches(self, expression: ir.Table) -> Iterator[pa.RecordBatch]:
        yield from self.con.to_pyarrow_batches(expression, chunk_size=100_000)

    def _told(self, query: Query, expression: ir.Table) -> None:
        if self.trace.keeps_sql:
            query.sql = self.sql(expression)

    # --- what is carried over -----------------------------------------------------------------

    def _unique(self, name: str) -> str:
        unique = f"r{next(self.number)}_{name}"
        self.stored[unique] = name
        return unique

    @contextmanager
    def _ready(self, expression: ir.Table) -> Iterator[ir.Table]:
        """`expression` with what comes of files, and tables of this process, carried over."""
        if self.files is None:
            yield expression
            return
        swap: dict[Any, Any] = {}
        try:
            for node in self._foreign(expression.op()):
                unique = self._unique("carried")
                told = node.to_expr()
                rows = (
                    node.data.to_pyarrow(node.schema).to_reader()
                    if isinstance(node, ops.InMemoryTable)
                    else self._from_files(told)
                )
                swap[node] = self._received(unique, rows).op()
            yield cast(ir.Table, expression.op().replace(swap).to_expr()) if swap else expression
        finally:
            self.drop(*(op.to_expr() for op in swap.values()))

    def _foreign(self, top: Node) -> list[Any]:
        """The largest parts of an expression that come of files alone, and its tables in memory."""
        found: dict[Any, None] = {}
        seen: set[Any] = set()
        waiting: list[Any] = [top]
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            # References only say where a table stands in a join.
            stands = isinstance(node, ops.Relation) and not isinstance(node, ops.Reference)
            if isinstance(node, ops.InMemoryTable) or (stands and self._of_files(node)):
                found[node] = None
            else:
                waiting += node.__children__
        return list(found)

    def _of_files(self, node: Node) -> bool:
        """Whether all tables that `node` reads, and at least one, are of the engine that reads files."""
        if self.files is None:
            return False
        sources = [leaf.source for leaf in node.find((ops.DatabaseTable, ops.SQLQueryResult))]
        return bool(sources) and all(source is self.files.con for source in sources)

    def _from_files(self, expression: ir.Table) -> pa.RecordBatchReader:
        """What comes of files, in types that every engine has."""
        assert self.files is not None
        return self.files.stream(
            expression.select(**{name: _portable(expression[name]) for name in expression.columns})
        )


def _portable(column: ir.Value) -> ir.Value:
    kind = column.type()
    if kind.is_unsigned_integer():
        return column.cast("int64" if kind.nbytes < 8 else "decimal(20, 0)")
    if kind.is_timestamp():
        return column.cast(dt.Timestamp(timezone=kind.timezone, scale=6))
    known = kind.is_boolean() or kind.is_numeric() or kind.is_string() or kind.is_date()
    return column if known else column.cast("string")


def connect(
    project: Project, *, threads: int | None = None, trace: Trace | None = None
) -> AbstractContextManager[Engine]:
    """An engine for one run; days are counted in the project's timezone.

    Raises RunError where `engine` names none, its driver is not installed, or it does not answer.
    """
    url = project.settings.engine
    # `duckdb` alone is the one in this process; with a path it is one like others, with tables in place.
    module = "other" if url.startswith("duckdb:") else _MODULES.get(url.partition(":")[0])
    if module is None and "://" in url:
        module = "other"
    if module is None:
        raise RunError(
            f"there is no engine {shown(url)!r}",
            place=project.place("settings", "engine"),
            hint="write duckdb, or a URL such as postgres://user@host/database",
        )
    try:
        engines = importlib.import_module(f"retinue.warehouse.engines.{module}")
    except ImportError as error:
        raise no_driver(project, module, error) from None
    return _watched(engines.opened(project, threads, trace or Trace()))


@contextmanager
def _watched(opened: AbstractContextManager[Engine]) -> Iterator[Engine]:
    with (
        _compiling(),
        opened as engine,
        engine.trace.watching(engine.progress),
        interruptible(engine.interrupt),
    ):
        yield engine


@contextmanager
def _compiling() -> Iterator[None]:
    """Makes two thirds of the time go away that Ibis takes to turn wide expressions into SQL.

    Merging nested selects costs more than the rest of a compilation, and engines do it themselves.
    Expressions are hundreds of thousands of objects that live long: looking for cycles among
    them after every 700 new ones finds nothing.
    """
    fused, thresholds = ibis.options.sql.fuse_selects, gc.get_threshold()
    ibis.options.sql.fuse_selects = False
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        ibis.options.sql.fuse_selects = fused
        gc.set_threshold(*thresholds)


def shown(url: str) -> str:
    """`engine` as it may be shown: without passwords, and options that may hold a secret."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return f"{url.partition('://')[0]}://"
    user = f"{parts.username}@" if parts.username else ""
    # Spark Connect has its token there.
    return f"{parts.scheme}://{user}{host}{parts.path.partition(';')[0]}"


def no_driver(project: Project, extra: str, error: ImportError) -> RunError:
    """The engine's driver is not installed."""
    return RunError(
        f"the engine {shown(project.settings.engine)} needs a driver that is not installed ({error.name})",
        place=project.place("settings", "engine"),
        hint=f"pip install 'retinue[{extra}]'",
    )


def half_of_memory() -> str:
    """Half of the machine's memory as DuckDB says it, such as `8192MiB`."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return f"{max(pages * size // 2 // 2**20, 512)}MiB"
