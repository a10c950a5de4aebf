"""The one in-memory DuckDB of this process, through which published files are read.

Opening a database costs more than most questions. Files are read by absolute paths and nothing is
kept in it, so that projects and threads share it; what it remembers are the footers of files, which
it reads again where a file has changed.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from retinue.interrupts import interruptible

#: What all questions at once may hold in memory; sorts that need more go to disk.
MEMORY = "1GB"

_lock = threading.Lock()
_database: duckdb.DuckDBPyConnection | None = None


@contextmanager
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of one's own, for one thread; `interrupt` ends what it is asked."""
    with _lock:
        own = _opened().cursor()
    try:
        with interruptible(own.interrupt):
            yield own
    finally:
        own.close()


def _opened() -> duckdb.DuckDBPyConnection:
    global _database  # noqa: PLW0603 - one per process is the point
    if _database is None:
        # DuckDB makes the folder when it first spills, and removes it when it is closed.
        scratch = Path(tempfile.gettempdir()) / f"retinue-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        _database = duckdb.connect()
        _database.execute(f"SET memory_limit = '{MEMORY}'")
        _database.execute("SET temp_directory = ?", [str(scratch)])
        _database.execute("SET enable_progress_bar = false")
        _database.execute("SET parquet_metadata_cache = true")
    return _database


def _close() -> None:
    global _database  # noqa: PLW0603
    if _database is not None:
        _database.close()
        _database = None


def _forked() -> None:
    # The threads of the parent's database are not in the child; nor may the child close it.
    global _database, _lock
    _parents.append(_database)
    _database, _lock = None, threading.Lock()


_parents: list[duckdb.DuckDBPyConnection | None] = []
atexit.register(_close)
os.register_at_fork(after_in_child=_forked)
