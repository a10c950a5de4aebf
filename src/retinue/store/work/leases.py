"""Who may do what only one may do at a time; and what is done by the clock, so that nothing is missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert, select, update

from retinue.store.database import Store, utc
from retinue.store.tables import leases, schedules

#: What only one worker does: runs, alerts, playbooks, the sweep. And how long it has that to itself from
#: each look around on.
WORKER, HOLDS = "worker", timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Held:
    """Who has something to themselves, and until when."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """Something that is done by the clock: the last time that it was due, and whether it was done then."""

    due_at: datetime
    done_at: datetime | None
    result: str | None


def take(store: Store, name: str, holder: str, *, now: datetime, lease: timedelta) -> bool:
    """Have `name` to oneself for `lease`, again or anew; False while somebody else has it."""
    moment = utc(now)
    with store.write() as connection:
        row = connection.execute(select(leases).where(leases.c.name == name)).first()
        if row is None:
            connection.execute(insert(leases).values(name=name, holder=holder, until=moment + lease))
            return True
        if row.holder != holder and row.until > moment:
            return False
        own = leases.c.name == name
        connection.execute(update(leases).where(own).values(holder=holder, until=moment + lease))
    return True


def give_back(store: Store, name: str, holder: str) -> None:
    """Let others have it at once."""
    with store.write() as connection:
        connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))


def held(store: Store, name: str) -> Held | None:
    """Who has it, or was the last to have it without giving it back; None if nobody is."""
    with store.read() as connection:
        row = connection.execute(select(leases).where(leases.c.name == name)).first()
    return None if row is None else Held(row.holder, row.until.replace(tzinfo=UTC))


def last_due(store: Store, name: str) -> Due | None:
    """When something was last due; None if it never was."""
    with store.read() as connection:
        row = connection.execute(select(schedules).where(schedules.c.name == name)).first()
    if row is None:
        return None
    done = row.done_at.replace(tzinfo=UTC) if row.done_at is not None else None
    return Due(row.due_at.replace(tzinfo=UTC), done, row.result)


def set_due(store: Store, name: str, due_at: datetime, *, done: str | None = None) -> None:
    """Say that something is due, and not done yet; or, with what came of it, that it is done too."""
    row = {"name": name, "due_at": utc(due_at), "done_at": utc(due_at) if done is not None else None}
    with store.write() as connection:
        connection.execute(delete(schedules).where(schedules.c.name == name))
        connection.execute(insert(schedules).values(**row, result=done))


def set_done(store: Store, name: str, result: str, *, now: datetime) -> None:
    """Say what came of what was due."""
    with store.write() as connection:
        own = schedules.c.name == name
        connection.execute(update(schedules).where(own).values(done_at=utc(now), result=result[:500]))
