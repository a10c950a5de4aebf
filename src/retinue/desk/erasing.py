"""Erasing a person, and putting back a backup without those who were erased."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from retinue.errors import SourceError
from retinue.project.project import Project
from retinue.store.database import utc
from retinue.store.people.access import Actor
from retinue.store.published.lock import run_lock
from retinue.store.upkeep.backup import Contents, Tell, restore
from retinue.store.upkeep.erase import Receipt, bury_again, erase, scrub, sought, tombstones, tombstones_in
from retinue.store.upkeep.erase_files import Sought, holds
from retinue.warehouse.reading.raw import files_of, is_file
from retinue.workspace import Workspace

_TEXT = (".csv", ".tsv", ".tab", ".psv", ".txt", ".jsonl", ".ndjson", ".json", ".yaml", ".yml", ".md")


def erase_person(
    workspace: Workspace, actor: Actor, person: str, *, now: datetime, rehearsal: bool = False
) -> Receipt:
    """Erase whoever has that e-mail (or number), everywhere, or only say where they are.

    The company's own tables are looked through and never changed: as long as a person stands there, the
    next run publishes them again. Raises NotFound, Forbidden, or StoreError while a run goes on.
    """
    who = sought(workspace.store, actor, person)
    still, unread = _in_sources(workspace.project, who)
    known = Receipt(rehearsal, {}, {}, sources=tuple(still), unread=tuple(unread))
    home = workspace.project.home
    if rehearsal:
        return erase(workspace.store, home, actor, who, now=now, rehearsal=True, before=known)
    with run_lock(home, now):
        return erase(workspace.store, home, actor, who, now=now, before=known)


def restore_backup(
    workspace: Workspace,
    path: Path,
    *,
    now: datetime,
    force: bool = False,
    erasures: Path | None = None,
    tell: Tell | None = None,
) -> tuple[Contents, int]:
    """Put a backup back, and return what it has and how many people it would have brought back.

    Whoever was erased from this store, from the one that the backup is of, or according to the file
    `erasures`, stays erased. Raises StoreError.
    """
    store, home = workspace.store, workspace.project.home
    with store.read() as connection:
        graves = tombstones(connection)
    beside = home / "erasures.jsonl"
    for source in [beside if beside.is_file() else None, erasures]:
        for grave in tombstones_in(source) if source is not None else ():
            graves.setdefault(grave, ("restore", utc(now), "{}"))
    again = 0

    def after(connection: Any) -> None:
        nonlocal again
        theirs = tombstones(connection)
        again = bury_again(connection, home, {**theirs, **graves})

    with run_lock(home, now):
        contents = restore(store, home, path, force=force, after=after, tell=tell)
        scrub(store)
    return contents, again


def _in_sources(project: Project, who: Sought) -> tuple[list[str], list[str]]:
    """Declared tables in which the person stands, and those that were not looked through."""
    found: set[str] = set()
    unread: set[str] = set()
    for table, database in _tables(project.settings.model_dump(mode="json")):
        if database is not None or not is_file(table):
            unread.add(table)
            continue
        try:
            files = files_of(table, project.root, table)
        except SourceError:
            continue
        for file in files:
            readable = file.suffix.lower() in (".parquet", ".pq", ".gz", *_TEXT)
            if not readable:
                unread.add(table)
            elif _stands_in(file, who):
                found.add(table)
    for name, text in project.texts.items():
        if who.pattern().search(text):
            found.add(name)
    return sorted(found), sorted(unread)


def _stands_in(file: Path, who: Sought) -> bool:
    if file.suffix.lower() in (".parquet", ".pq"):
        return holds(file, who)
    opened = gzip.open if file.suffix.lower() == ".gz" else open
    pattern = who.pattern()
    try:
        with opened(file, "rt", encoding="utf-8", errors="replace") as lines:
            return any(pattern.search(line) for line in lines)
    except (OSError, EOFError):
        return False


def _tables(told: Any, database: str | None = None) -> Iterator[tuple[str, str | None]]:
    """Every table that is declared anywhere, with its database."""
    if isinstance(told, dict):
        database = told.get("database") or database
        if isinstance(told.get("table"), str):
            yield told["table"], database
        for one in told.values():
            yield from _tables(one, database)
    elif isinstance(told, list | tuple):
        for one in told:
            yield from _tables(one, database)
