"""The engine: where set-based work is done. DuckDB in process, in memory, one per run."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.errors import RunError
from retinue.project.project import Project
from retinue.warehouse.trace import Trace


@dataclass(frozen=True)
class Engine:
    """A connection of one run. Tables that it stores live as long as it does."""

    con: Any
    stored: dict[str, str] = field(default_factory=dict)
    number: Iterator[int] = field(default_factory=itertools.count)
    trace: Trace = field(default_factory=Trace)

    def store(self, name: str, expression: ir.Table) -> ir.Table:
        """Compute `expression` once and keep the result as a temporary table."""
        unique = f"r{next(self.number)}_{name}"
        self.stored[unique] = name
        with self.trace.query(name) as told:
            table = self.con.create_table(unique, expression, temp=True)
        if self.trace.keeps_sql:
            told.sql, told.rows = self.sql(expression), table.count().to_pyarrow().as_py()
        return table

    def drop(self, *tables: ir.Table) -> None:
        """Give back the room of stored tables that are no longer needed."""
        for table in tables:
            name = table.op().name
            if self.stored.pop(name, None) is not None:
                self.con.drop_table(name, force=True)

    @contextmanager
    def passing(self, *kept: list[ir.Table]) -> Iterator[None]:
        """Give back, at the end, what was stored meanwhile, except the tables in the lists."""
        before = set(self.stored)
        yield
        names = {table.op().name for tables in kept for table in tables}
        for name in [n for n in self.stored if n not in before and n not in names]:
            del self.stored[name]
            self.con.drop_table(name, force=True)

    def memory(self, table: pa.Table) -> ir.Table:
        """A table of this process as a table of the engine."""
        return self.store("memory", ibis.memtable(table))

    def arrow(self, expression: ir.Table) -> pa.Table:
        with self.trace.query("answer") as told:
            table = expression.to_pyarrow()
        if self.trace.keeps_sql:
            told.sql, told.rows = self.sql(expression), table.num_rows
        return table

    def stream(self, expression: ir.Table) -> pa.RecordBatchReader:
        """Rows as they are asked for, in memory that does not grow with them."""
        reader = expression.to_pyarrow_batches(chunk_size=100_000)
        told, batches = self.trace.streamed("rows", reader)
        if self.trace.keeps_sql:
            told.sql = self.sql(expression)
        return pa.RecordBatchReader.from_batches(reader.schema, batches)

    def sql(self, expression: ir.Table) -> str:
        """What the engine is asked for `expression`."""
        return str(self.con.compile(expression, pretty=True))

    def progress(self) -> float | None:
        """How far the query in flight is (0 to 1); None where there is none, or nobody knows."""
        try:
            told = float(self.con.con.query_progress())
        except duckdb.Error:
            return None
        return told / 100 if 0 <= told <= 100 else None

    def close(self) -> None:
        self.con.disconnect()


@contextmanager
def connect(project: Project, *, threads: int | None = None, trace: Trace | None = None) -> Iterator[Engine]:
    """An engine for one run; days are counted in the project's timezone.

    Memory is bounded by the project's `memory_limit`, half of the machine by default; what
    does not fit spills into a temporary folder that goes with the engine.
    """
    if project.settings.engine != "duckdb":
        raise RunError(
            f"engine {project.settings.engine!r} is not supported yet", hint="write `engine: duckdb`"
        )
    with tempfile.TemporaryDirectory(prefix="retinue-") as spill:
        try:
            con = ibis.duckdb.connect(
                ":memory:",
                threads=threads or os.cpu_count() or 1,
                memory_limit=project.settings.memory_limit or half_of_memory(),
                temp_directory=str(Path(spill)),
            )
        except duckdb.Error:
            raise RunError(
                f"cannot start the engine with memory_limit {project.settings.memory_limit!r}",
                place=project.place("settings", "memory_limit"),
                hint="write a size such as 4GB",
            ) from None
        # Ibis has no setting for these; the names are constants of ours.
        con.con.execute("SET TimeZone = $zone", {"zone": project.settings.timezone})
        # What a query says of its progress is for `Engine.progress`, not for the terminal.
        con.con.execute("SET enable_progress_bar = true")
        con.con.execute("SET enable_progress_bar_print = false")
        con.con.execute("SET autoinstall_known_extensions = false")
        con.con.execute("SET autoload_known_extensions = false")
        engine = Engine(con, trace=trace or Trace())
        try:
            with engine.trace.watching(engine.progress):
                yield engine
        finally:
            engine.close()


def half_of_memory() -> str:
    """Half of the machine's memory as DuckDB says it, such as `8192MiB`."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return f"{max(pages * size // 2 // 2**20, 512)}MiB"
