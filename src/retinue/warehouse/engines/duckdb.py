"""DuckDB in process, in memory, one per run: the default engine, and what reads files for all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.errors import RunError
from retinue.project.project import Project
from retinue.warehouse.engine import Engine, half_of_memory
from retinue.warehouse.trace import Trace


@dataclass(frozen=True)
class DuckDB(Engine):
    errors: ClassVar[tuple[type[Exception], ...]] = (duckdb.Error,)

    def progress(self) -> float | None:
        try:
            told = float(self.con.con.query_progress())
        except duckdb.Error:
            return None
        return told / 100 if 0 <= told <= 100 else None

    def interrupt(self) -> None:
        with suppress(duckdb.Error):
            self.con.con.interrupt()

    def to_parquet(self, expression: ir.Table, path: Path) -> None:
        expression.to_parquet(path)

    def _created(self, unique: str, expression: ir.Table) -> ir.Table:
        # `create_table` of Ibis copies the tree of the query twice, which takes longer than most queries do.
        table = self.con.create_table(unique, schema=expression.schema(), temp=True)
        self.con.con.execute(f'INSERT INTO temp.main."{unique}" {self.con.compile(expression)}')
        return table

    def _received(self, unique: str, rows: pa.RecordBatchReader) -> ir.Table:
        return self.con.create_table(unique, ibis.memtable(rows.read_all()), temp=True)


@contextmanager
def opened(project: Project, threads: int | None, trace: Trace) -> Iterator[Engine]:
    """An engine whose memory is bounded by the project's `memory_limit`, half of the machine by
    default; what does not fit spills into a temporary folder that goes with the engine."""
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
        engine = DuckDB(con, trace=trace)
        try:
            yield engine
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise _no_room(project, spill, str(error)) or error from None
        finally:
            engine.close()


def _no_room(project: Project, spill: str, error: str) -> RunError | None:
    """What to do where memory, or the disk that the engine spills to, did not suffice."""
    full = ("max_temp_directory_size", "No space left", "File too large", "quota")
    if any(sign in error for sign in full):
        return RunError(
            f"the disk of the temporary folder {Path(spill).parent} is full",
            hint="make room there and run again, or set TMPDIR to a folder on a larger disk",
        )
    if "Out of Memory" in error:
        limit = project.settings.memory_limit or half_of_memory()
        return RunError(
            f"the engine needs more memory than the memory_limit of {limit}",
            place=project.place("settings", "memory_limit"),
            hint="raise `memory_limit` in retinue.yaml",
        )
    return None
