"""How the store itself is doing, for whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select, text

from retinue.store import migrations
from retinue.store.database import Store, utc
from retinue.store.published.current import RunInfo, current_run
from retinue.store.tables import alerts, audit, enrolments, people, sessions


@dataclass(frozen=True, slots=True)
class Standing:
    """`migrated`: whether it has the tables that this Retinue knows. `people` are those who may sign in."""

    migrated: bool
    run: RunInfo | None
    people: int
    sessions: int
    bytes: int


def standing(store: Store, now: datetime) -> Standing:
    """Raises StoreError where the store does not answer."""
    with store.read() as connection:
        migrated = migrations.version(connection) == migrations.NEWEST
        enabled = select(func.count()).select_from(people).where(people.c.disabled_at.is_(None))
        live = select(func.count()).where(sessions.c.revoked_at.is_(None), sessions.c.expires_at > utc(now))
        return Standing(
            migrated=migrated,
            run=current_run(store),
            people=connection.execute(enabled).scalar_one(),
            sessions=connection.execute(live).scalar_one(),
            bytes=_bytes(store),
        )


def said_version(store: Store) -> int:
    """A number that grows with whatever anybody says or does, and with what is raised."""
    newest = [
        select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery()
        for table in (audit, alerts, enrolments)
    ]
    with store.read() as connection:
        return int(connection.execute(select(newest[0] + newest[1] + newest[2])).scalar_one())


def _bytes(store: Store) -> int:
    if store.engine.dialect.name == "postgresql":
        with store.read() as connection:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    path = Path(store.engine.url.database or "")
    files = [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm")]
    return sum(file.stat().st_size for file in files if file.is_file())
