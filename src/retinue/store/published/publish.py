"""Making a finished run the current one, so that nobody ever sees half of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, insert, select, update

from retinue.errors import StoreError
from retinue.store.database import Store, utc
from retinue.store.published.manifest import Manifest, read_manifest
from retinue.store.tables import assignments, current, details, pointer, runs, transitions

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows per transaction while staging: others get to write in between.
CHUNK = 10_000

#: The columns that `publish` takes for each account; what is not nullable must be there.
CURRENT_COLUMNS = tuple(
    dict.fromkeys(c.name for t in (current, details) for c in t.c if c.name not in ("run_id", "search"))
)
TRANSITION_COLUMNS = tuple(c.name for c in transitions.c if c.name != "run_id")


def publish(store: Store, manifest: Manifest, accounts: pa.Table, changes: pa.Table, now: datetime) -> None:
    """Make `manifest`, finished and on disk, the current run. `now` is an aware datetime.

    `accounts` has one row per account with `CURRENT_COLUMNS` (nullable ones may be left out), `changes`
    has `TRANSITION_COLUMNS` for the dates of the run: transitions that were published for those dates
    before are replaced. Rows are staged first; then one short transaction makes them count. Killed at
    any point, the run before stays current, and what was staged is removed by the next publish.

    Raises StoreError if the rows do not fit, if the store does not take them, or if the current run is
    no longer `manifest.previous`: then another run was published meanwhile, which this one has not seen.
    """
    run_id = manifest.run_id
    _check(accounts, CURRENT_COLUMNS, (current, details), "the current accounts")
    _check(changes, TRANSITION_COLUMNS, (transitions,), "the transitions")
    with store.read() as connection:
        _expect_previous(connection, manifest)
        if connection.execute(select(runs.c.run_id).where(runs.c.run_id == run_id)).first():
            raise StoreError(f"run {run_id} has been published before")
        leftovers = _staged(connection)
    for other in leftovers:
        _discard(store, other)
    try:
        _stage(store, run_id, accounts, changes)
        _flip(store, manifest, accounts.num_rows, changes.num_rows, now)
    except BaseException:
        _try_discard(store, run_id)
        raise
    if manifest.previous is not None:
        _try_discard(store, manifest.previous)


def unpublished(store: Store, home: Path, own: str | None = None) -> list[str]:
    """Runs that are whole on disk and were never made current, because they were killed before.

    Only those that are older than the current run, and `own`: of others nobody can tell whether the
    store is that of a backup. None of them holds a part of the current run. Raises StoreError.
    """
    with store.read() as connection:
        known = set(connection.execute(select(runs.c.run_id)).scalars())
        now = connection.execute(select(pointer.c.run_id)).scalar_one_or_none()
    used = {part.path.split("/")[1] for part in read_manifest(home, now).parts} if now else set()
    folder = home / "runs"
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    older = [name for name in there if now is not None and name < now and (folder / name).is_dir()]
    return [name for name in there if name not in known | used and (name in older or name == own)]


def _flip(store: Store, manifest: Manifest, accounts: int, changes: int, now: datetime) -> None:
    """The one transaction that counts."""
    run_id = manifest.run_id
    dates = sorted(manifest.dates)
    all_dates = sorted(day for part in manifest.parts for day in part.dates)
    with store.write() as connection:
        _expect_previous(connection, manifest)
        for table, expected in ((current, accounts), (details, accounts), (transitions, changes)):
            staged = select(func.count()).select_from(table).where(table.c.run_id == run_id)
            if connection.execute(staged).scalar_one() != expected:
                raise StoreError("another publish removed what this run had staged", hint="run again")
        connection.execute(
            insert(runs).values(
                run_id=run_id,
                manifest=manifest.path,
                published_at=utc(now),
                first_as_of=all_dates[0] if all_dates else None,
                last_as_of=all_dates[-1] if all_dates else None,
                accounts=accounts,
            )
        )
        _assign(connection, run_id)
        if manifest.previous is None:
            connection.execute(insert(pointer).values(one=1, run_id=run_id))
        else:
            connection.execute(update(pointer).values(run_id=run_id))
        for start in range(0, len(dates), 500):
            restated = transitions.c.as_of.in_(dates[start : start + 500])
            published = transitions.c.run_id.in_(select(runs.c.run_id).where(runs.c.run_id != run_id))
            connection.execute(delete(transitions).where(restated, published))


def _expect_previous(connection: Connection, manifest: Manifest) -> None:
    run_id = manifest.run_id
    found = connection.execute(select(pointer.c.run_id)).scalar_one_or_none()
    if found != manifest.previous:
        raise StoreError(
            f"run {run_id} builds on {manifest.previous or 'no run'}; current is {found or 'no run'}",
            hint="another run was published meanwhile: run again",
        )


def _stage(store: Store, run_id: str, accounts: pa.Table, changes: pa.Table) -> None:
    accounts = accounts.sort_by("account_id")
    own = [c.name for c in current.c if c.name in accounts.column_names]
    long = [c.name for c in details.c if c.name in accounts.column_names]
    for table, rows in (
        (current, accounts.select(own)),
        (details, accounts.select(long)),
        (transitions, changes),
    ):
        for start in range(0, rows.num_rows, CHUNK):
            part = rows.slice(start, CHUNK)
            values = {name: _values(store, part.column(name)) for name in part.column_names}
            values["run_id"] = [run_id] * part.num_rows
            if table is current:
                names = values.get("name", [None] * part.num_rows)
                values["search"] = [
                    search_text(*pair) for pair in zip(names, values["account_id"], strict=True)
                ]
            with store.write() as connection:
                _insert(connection, table, values)


def _assign(connection: Connection, run_id: str) -> None:
    """Give accounts of the run to whom they were assigned, where their source still names the same owner."""
    holds = and_(
        assignments.c.account_id == current.c.account_id,
        assignments.c.withdrawn_at.is_(None),
        assignments.c.source_owner.is_not_distinct_from(current.c.owner),
    )
    owner = select(assignments.c.owner).where(holds).scalar_subquery()
    connection.execute(
        update(current)
        .where(current.c.run_id == run_id, select(assignments.c.id).where(holds).exists())
        .values(owner=owner)
    )


def _values(store: Store, column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa

    if store.engine.dialect.name == "sqlite" and pa.types.is_date(column.type):
        column = column.cast(pa.string())  # ISO text is how SQLite holds dates
    values: list[Any] = column.to_pylist()
    return values


def _insert(connection: Connection, table: Table, values: dict[str, list[Any]]) -> None:
    """Insert columns of values, bound, straight through the driver: SQLAlchemy's own way is half as fast."""
    statement = insert(table).compile(dialect=connection.dialect, column_keys=list(values))
    if statement.positiontup is not None:
        rows: list[Any] = list(zip(*(values[name] for name in statement.positiontup), strict=True))
    else:
        rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    if rows:
        connection.exec_driver_sql(str(statement), rows)


def search_text(name: str | None, account_id: str) -> str:
    """What a search looks through, and what names are sorted by: case does not count."""
    return f"{name or account_id}\n{account_id}".casefold()


def _staged(connection: Connection) -> list[str]:
    """Runs that have rows here without being current."""
    published = select(runs.c.run_id)
    of_current = select(current.c.run_id).where(current.c.run_id.not_in(select(pointer.c.run_id)))
    of_details = select(details.c.run_id).where(details.c.run_id.not_in(select(pointer.c.run_id)))
    of_changes = select(transitions.c.run_id).where(transitions.c.run_id.not_in(published))
    return sorted(connection.execute(of_current.union(of_details, of_changes)).scalars())


def _discard(store: Store, run_id: str) -> None:
    """Remove the rows of a run that is not current; its transitions only if it was never published."""
    for table in (current, details):
        while _discard_some(store, table, run_id):
            pass
    with store.write() as connection:
        unpublished = transitions.c.run_id.not_in(select(runs.c.run_id))
        connection.execute(delete(transitions).where(transitions.c.run_id == run_id, unpublished))


def _discard_some(store: Store, table: Table, run_id: str) -> bool:
    """Remove up to a chunk of rows; whether there were more. Never those of the current run."""
    own: ColumnElement[bool] = table.c.run_id == run_id
    with store.write() as connection:
        if connection.execute(select(pointer.c.run_id)).scalar_one_or_none() == run_id:
            return False
        edge = connection.execute(
            select(table.c.account_id).where(own).order_by(table.c.account_id).offset(CHUNK).limit(1)
        ).scalar_one_or_none()
        connection.execute(delete(table).where(own if edge is None else own & (table.c.account_id < edge)))
    return edge is not None


def _try_discard(store: Store, run_id: str) -> None:
    """Tidy up now if the store lets us; if not, the next publish does."""
    with suppress(StoreError):
        _discard(store, run_id)


def _check(rows: pa.Table, known: tuple[str, ...], tables: tuple[Table, ...], what: str) -> None:
    import pyarrow.compute as pc

    unknown = sorted(set(rows.column_names) - set(known))
    if unknown:
        raise StoreError(f"{what} have no column {', '.join(unknown)}")
    for table in tables:
        for column in table.c:
            if column.nullable or column.name not in known:
                continue
            if column.name not in rows.column_names:
                raise StoreError(f"{what} lack the column {column.name}")
            if rows[column.name].null_count:
                raise StoreError(
                    f"{what}, column {column.name}: {rows[column.name].null_count} rows are empty"
                )
    keys = [name for name in ("account_id", "as_of") if tables[0].c[name].primary_key]
    counted = rows.select(keys).group_by(keys).aggregate([([], "count_all")])
    if counted.num_rows != rows.num_rows:
        twice = counted.filter(pc.greater(counted["count_all"], 1)).slice(0, 1).to_pylist()[0]
        raise StoreError(f"{what}: {', '.join(str(twice[key]) for key in keys)} is there twice")
