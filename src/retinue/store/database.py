"""Opening the store, and its two kinds of transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from retinue.errors import StoreError
from retinue.store import migrations

#: Seconds that a writer waits for another one.
BUSY = 15
#: Kilobytes that a connection to SQLite keeps of the file: a writer for its indexes, and each of a
#: server's many readers little, since the system keeps the file for all of them.
_WRITER, _READER = 65536, 8192
#: Under which writers to a store in PostgreSQL wait for each other: the letters of our name.
_LOCK = int.from_bytes(b"retinue", "big")

_REASONS = (
    ("lock timeout", "another process is writing to it", "try again in a moment"),
    ("locked", "another process is writing to it", "try again in a moment"),
    ("readonly", "it cannot be written to", "check the owner and mode of the file and its folder"),
    ("read-only", "it cannot be written to", "check the owner and mode of the file and its folder"),
    ("not a database", "the file is not a SQLite database", "name another file, or restore it from a backup"),
    ("malformed", "the file is damaged", "restore it from a backup, or delete it and run again"),
    ("unable to open", "the file cannot be opened or made", "check its path and permissions"),
    ("is full", "the disk is full", "make room and try again"),
    ("disk i/o", "the disk does not take it (full, or failing)", "make room and try again"),
)


#: The transaction in which a thread (or a task) reads, see `Store.moment`.
_HELD: ContextVar[tuple[Engine, Connection] | None] = ContextVar("held", default=None)


@dataclass(frozen=True)
class Store:
    """What is current and what people said, in SQLite or PostgreSQL. Made by `open_store`."""

    engine: Engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One moment of the store, whatever others write meanwhile. Raises StoreError."""
        held = _HELD.get()
        if held is not None and held[0] is self.engine:
            try:
                yield held[1]
            except SQLAlchemyError as error:
                raise told(self.engine, error) from None
            return
        engine = self.engine
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with self._transaction(engine) as connection:
            yield connection

    @contextmanager
    def moment(self) -> Iterator[None]:
        """All that this thread reads meanwhile is of one moment, and costs one transaction.

        What is written meanwhile is not seen before it ends.
        """
        with self.read() as connection:
            before = _HELD.set((self.engine, connection))
            try:
                yield
            finally:
                _HELD.reset(before)

    @contextmanager
    def write(self, wait: float | None = None) -> Iterator[Connection]:
        """All of it or nothing, durable when it returns. Raises StoreError.

        Waits for other writers `wait` seconds at most, `BUSY` where nothing else is said.
        """
        with self._transaction(self.engine.execution_options(writes=True, wait=wait)) as connection:
            yield connection

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                options = engine.get_execution_options()
                if options.get("writes") and engine.dialect.name == "postgresql":
                    # One writer at a time, as in SQLite; its lock goes with the transaction.
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_milliseconds(options)}")
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                yield connection
        except SQLAlchemyError as error:
            raise told(self.engine, error) from None

    def close(self) -> None:
        self.engine.dispose()


def open_store(url: str) -> Store:
    """Open the store at a SQLAlchemy URL, making and migrating it as needed.

    A SQLite file is made with its folder. Raises StoreError, in one line, for a store that cannot be
    opened, is no store, or was made by a newer Retinue.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            # The driver that `retinue[postgres]` installs; SQLAlchemy means another one.
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(f"no driver for this store: {error}", hint="install `retinue[postgres]`") from None
    except ArgumentError:
        raise StoreError("not the URL of a store", hint="write sqlite:///path/to/file.db") from None
    if engine.dialect.name == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            try:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"cannot make the folder of the store {parsed.database}: {error.strerror}"
                ) from None
        _use_sqlite_well(engine)
    store = Store(engine)
    try:
        with store.read() as connection:
            version = migrations.version(connection)
        if version != migrations.NEWEST:
            with store.write() as connection:
                migrations.migrate(connection)
    except BaseException:
        engine.dispose()
        raise
    return store


def told(engine: Engine, error: SQLAlchemyError) -> StoreError:
    """The error as one line for people."""
    cause = str(error.orig if isinstance(error, DBAPIError) and error.orig else error)
    name = engine.url.database if engine.dialect.name == "sqlite" else engine.url.render_as_string()
    for sign, reason, hint in _REASONS:
        if sign in cause.lower():
            return StoreError(f"the store {name}: {reason}", hint=hint)
    return StoreError(f"the store {name}: {' '.join(cause.split())}")


def _use_sqlite_well(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # Transactions are begun by us (below): the driver would begin them too late, and reads not at all.
        connection.isolation_level = None
        cursor = connection.cursor()
        for setting in (
            f"busy_timeout = {BUSY * 1000}",
            "wal_autocheckpoint = 4000",
            "page_size = 16384",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "journal_size_limit = 67108864",
        ):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # A writer takes its lock at once: to upgrade a read in the middle can only fail.
        options = connection.get_execution_options()
        wait = _milliseconds(options)
        if connection.info.get("wait", BUSY * 1000) != wait:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {wait}")
            connection.info["wait"] = wait
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")


def _milliseconds(options: Mapping[str, Any]) -> int:
    """How long to wait for a lock. Not 0, which PostgreSQL takes for ever."""
    return max(1, int((options.get("wait") or BUSY) * 1000))


def utc(moment: datetime) -> datetime:
    """As the store keeps times. `moment` must be aware."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).replace(tzinfo=None)
