"""Taking a person out of everything that Retinue keeps: the store, the published files, what is derived.

A person is found by their e-mail address, wherever it stands. Whoever signs in is found by their names
too, where a column says whose something is. What must not be lost (what was said, the audit log) stays,
with `REPLACED` where the person was; what is theirs alone is deleted; what can be made again is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from retinue.errors import NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, require
from retinue.store.people.audit_log import write_audit
from retinue.store.people.people import person_of
from retinue.store.published.parquet import replace_file
from retinue.store.tables import api_keys, audit, erasures, metadata, people, saved_views, sessions, uses
from retinue.store.upkeep.backup import ERASED
from retinue.store.upkeep.erase_files import ADDRESS, WHOSE, Sought, addresses_in, erase_files, tombstone

#: Tables in which a person's rows are theirs alone, and the column that says whose.
_THEIRS: tuple[tuple[Table, str], ...] = (
    (sessions, "person"),
    (api_keys, "person"),
    (saved_views, "person"),
    (uses, "person"),
)


@dataclass(frozen=True)
class Receipt:
    """What was found, and erased unless it is `rehearsed`: rows or files by place.

    `left` are places that could not be changed. `sources` are tables of the company in which the person
    still stands, `unread` those that were not looked through.
    """

    rehearsed: bool
    store: dict[str, int]
    files: dict[str, int]
    left: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def found(self) -> int:
        return sum(self.store.values()) + sum(self.files.values())

    def to_dict(self) -> dict[str, Any]:
        return {
            "rehearsed": self.rehearsed,
            "found": self.found,
            "store": self.store,
            "files": self.files,
            "left": list(self.left),
            "sources": list(self.sources),
            "unread": list(self.unread),
        }


def sought(store: Store, actor: Actor, person: str) -> Sought:
    """Who that is: the e-mail of anybody, or the number of somebody who signs in.

    Raises NotFound for a number of nobody, StoreError for what is no address, and for the last admin.
    """
    require(actor, "manage")
    told = person.strip()
    if "\0" in told:
        raise StoreError("a person is named by their e-mail address")
    own: ColumnElement[bool] = people.c.email == told.casefold()
    if told.isdigit() and len(told) < 18:
        own = people.c.id == int(told)
    with store.read() as connection:
        row = connection.execute(select(people).where(own)).first()
        if row is None:
            if told.isdigit():
                raise NotFound(f"no person {told}", hint="see `retinue people list`")
            if not ADDRESS.fullmatch(told):
                raise StoreError(f"{told[:80]!r} is no e-mail address", hint="such as ann@example.com")
            return Sought(told.casefold())
        found = person_of(row)
        others = (people.c.role == "admin") & people.c.disabled_at.is_(None) & (people.c.id != found.id)
        if found.role == "admin" and found.disabled_at is None and not _any(connection, others):
            raise StoreError(f"{found.email} is the last admin", hint="make somebody else an admin first")
        taken = {
            name
            for row in connection.execute(select(people).where(people.c.id != found.id))
            for name in (row.name, *json.loads(row.owners))
        }
    # A name that somebody else has too says nothing about whose it is.
    return Sought(found.email, frozenset({found.name, *found.owners}) - taken - {found.email}, found.id)


def erase(
    store: Store,
    home: Path,
    actor: Actor,
    person: Sought,
    *,
    now: datetime,
    rehearsal: bool = False,
    before: Receipt | None = None,
) -> Receipt:
    """Erase them, or only say where they are. Call it while holding the home's lock.

    Files come first, then one transaction of the store, which keeps a tombstone. `before` is a receipt
    with what is known of sources. Raises StoreError where the disk or the store does not take it.
    """
    require(actor, "manage")
    known = before or Receipt(rehearsal, {}, {})
    files = erase_files(home, person, rehearsal=rehearsal)
    with store.read() if rehearsal else store.write() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
        found = erase_rows(connection, person, rehearsal=rehearsal)
        receipt = Receipt(
            rehearsal, found, files.counts, (*known.left, *files.left), known.sources, known.unread
        )
        if not rehearsal:
            _bury(connection, actor, person, receipt, now)
    if not rehearsal:
        _remember(home, person, now)
        scrub(store)
    return receipt


def _bury(connection: Connection, actor: Actor, person: Sought, receipt: Receipt, now: datetime) -> None:
    own = erasures.c.id == person.tombstone
    connection.execute(delete(erasures).where(own))
    who = person.without("by", actor.name)
    told = json.dumps(receipt.to_dict())
    connection.execute(insert(erasures).values(id=person.tombstone, by=who, erased_at=utc(now), receipt=told))
    write_audit(connection, who, "erase person", person.tombstone[:12], now, None, receipt.to_dict())


def scrub(store: Store) -> None:
    """Leave nothing of what was deleted on the pages of the database."""
    engine = store.engine.execution_options(isolation_level="AUTOCOMMIT")
    if store.engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execute(text("VACUUM"))
        return
    raw = store.engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.close()
    finally:
        raw.close()


def _remember(home: Path, person: Sought, now: datetime) -> None:
    """Beside the runs, for a restore after the store was lost."""
    path = home / ERASED
    known = path.read_bytes() if path.is_file() else b""
    line = json.dumps({"id": person.tombstone, "erased_at": utc(now).isoformat()}).encode() + b"\n"
    if person.tombstone.encode() not in known:
        replace_file(path, lambda sink: sink.write(known + line))


# --- the store -----------------------------------------------------------------------------------


def erase_rows(connection: Connection, person: Sought, *, rehearsal: bool = False) -> dict[str, int]:
    """Take the person out of every table; rows by table."""
    found: dict[str, int] = {}
    if person.number is not None:
        for table, column in (*_THEIRS, (people, "id")):
            own = table.c[column] == person.number
            count = connection.execute(select(func.count()).select_from(table).where(own)).scalar_one()
            if count:
                found[table.name] = count
            if not rehearsal:
                connection.execute(delete(table).where(own))
        # What an admin wrote about them; that something was done stays.
        about = audit.c.subject == person.address
        if not rehearsal:
            connection.execute(update(audit).where(about).values(before=None, after=None))
    for table in metadata.sorted_tables:
        if table is not erasures:
            count = sum(1 for _ in _redacted(connection, table, person, rehearsal))
            if count:
                found[table.name] = found.get(table.name, 0) + count
    return found


def _redacted(connection: Connection, table: Table, person: Sought, rehearsal: bool) -> Iterator[Any]:
    """The rows of a table with the person in a text of theirs, after they were taken out."""
    texts = [column for column in table.c if isinstance(column.type, String | Text)]
    if not texts:
        return
    conditions: list[ColumnElement[bool]] = [
        column.icontains(person.address, autoescape=True) for column in texts
    ]
    conditions += [column.in_(sorted(person.names)) for column in texts if column.name in WHOSE]
    conditions += [column.contains(name, autoescape=True) for name in person.written() for column in texts]
    if person.number is not None and table is people:
        conditions = [(people.c.id != person.number) & or_(*conditions)]
    keys = list(table.primary_key.columns)
    for row in connection.execute(select(table).where(or_(*conditions))).all():
        told = row._asdict()
        values = {
            column.name: person.without(column.name, told[column.name])
            for column in texts
            if told[column.name] is not None
        }
        changed = {name: value for name, value in values.items() if value != told[name]}
        if not changed:
            continue
        if not rehearsal:
            own = [key == told[key.name] for key in keys]
            connection.execute(update(table).where(*own).values(changed))
        yield row


def _any(connection: Connection, condition: ColumnElement[bool]) -> bool:
    return connection.execute(select(people.c.id).where(condition)).first() is not None


# --- again, after a restore ----------------------------------------------------------------------


def tombstones(connection: Connection) -> dict[str, tuple[str, datetime, str]]:
    """Who was erased in this store: by whom, when, and the receipt."""
    rows = connection.execute(select(erasures))
    return {row.id: (row.by, row.erased_at, row.receipt) for row in rows}


def tombstones_in(path: Path) -> set[str]:
    """Those of a file that `erase` keeps beside the runs. Raises StoreError."""
    try:
        return {str(json.loads(line)["id"]) for line in path.read_text("utf-8").splitlines() if line.strip()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"cannot read the erasures in {path}: {error}") from None


def buried(connection: Connection, home: Path, graves: Iterable[str]) -> list[Sought]:
    """Those of the tombstones whose people stand somewhere again, found by every address that is there."""
    wanted = set(graves)
    found: dict[str, Sought] = {}
    if not wanted:
        return []
    for row in connection.execute(select(people)):
        person = person_of(row)
        if tombstone(person.email) in wanted:
            names = frozenset({person.name, *person.owners}) - {person.email}
            found[tombstone(person.email)] = Sought(person.email, names, person.id)
    for address in {*_addresses_in_store(connection), *addresses_in(home)}:
        if tombstone(address) in wanted:
            found.setdefault(tombstone(address), Sought(address.casefold()))
    return list(found.values())


def _addresses_in_store(connection: Connection) -> Iterator[str]:
    for table in metadata.sorted_tables:
        for column in table.c:
            if isinstance(column.type, String | Text):
                values = select(column).where(column.contains("@")).distinct()
                for value in connection.execute(values).scalars():
                    yield from (one.casefold() for one in ADDRESS.findall(value))


def bury_again(connection: Connection, home: Path, graves: dict[str, tuple[str, datetime, str]]) -> int:
    """Erase whoever was erased before and came back with a backup; how many came back."""
    again = buried(connection, home, graves)
    for person in again:
        erase_files(home, person)
        erase_rows(connection, person)
    known = set(connection.execute(select(erasures.c.id)).scalars())
    for grave, (by, erased_at, receipt) in graves.items():
        if grave not in known:
            connection.execute(insert(erasures).values(id=grave, by=by, erased_at=erased_at, receipt=receipt))
    return len(again)
