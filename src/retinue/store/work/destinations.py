"""How destinations are doing, and whether anything is sent to them. Needs the right to audit.

`now` is an aware datetime throughout.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update

from retinue.errors import NotFound
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, require
from retinue.store.people.audit_log import write_audit
from retinue.store.tables import destinations, outbox
from retinue.store.work.outbox import ERROR, OPEN, known_destination


@dataclass(frozen=True, slots=True)
class DestinationState:
    """How a destination is doing. Times are UTC without a zone; `waiting` and `dead` count messages."""

    name: str
    waiting: int
    dead: int
    sent: int
    failures: int
    rests_until: datetime | None
    disabled_at: datetime | None
    reason: str | None


def states(store: Store, actor: Actor, declared: Collection[str] = ()) -> list[DestinationState]:
    """How each destination that is declared, or has messages, is doing; by name."""
    require(actor, "audit")
    counts = [
        func.count().filter(OPEN).label("waiting"),
        func.count().filter(outbox.c.dead_at.is_not(None)).label("dead"),
        func.count().filter(outbox.c.sent_at.is_not(None)).label("sent"),
    ]
    with store.read() as connection:
        messages = {
            row.destination: (row.waiting, row.dead, row.sent)
            for row in connection.execute(
                select(outbox.c.destination, *counts).group_by(outbox.c.destination)
            )
        }
        kept = {row.name: row for row in connection.execute(select(destinations))}
    found = []
    for name in sorted({*messages, *kept, *declared}):
        state = kept.get(name)
        about = (
            (state.failures, state.rests_until, state.disabled_at, state.reason)
            if state
            else (0, None, None, None)
        )
        found.append(DestinationState(name, *messages.get(name, (0, 0, 0)), *about))
    return found


def disable(store: Store, actor: Actor, name: str, reason: str, *, now: datetime) -> None:
    """Send nothing more to a destination; its messages wait. Raises NotFound where it is so already."""
    require(actor, "audit")
    with store.write() as connection:
        known_destination(connection, name)
        done = connection.execute(
            update(destinations)
            .where(destinations.c.name == name, destinations.c.disabled_at.is_(None))
            .values(disabled_at=utc(now), reason=reason[:ERROR])
        )
        if done.rowcount != 1:
            raise NotFound(f"the destination {name} is disabled already")
        write_audit(
            connection, actor.name, "disable destination", name, now, None, {"reason": reason[:ERROR]}
        )


def enable(store: Store, actor: Actor, name: str, *, now: datetime) -> None:
    """Send to a destination again. Raises NotFound where it is not disabled."""
    require(actor, "audit")
    with store.write() as connection:
        done = connection.execute(
            update(destinations)
            .where(destinations.c.name == name, destinations.c.disabled_at.is_not(None))
            .values(disabled_at=None, reason=None, failures=0, stumbles=0, rests_until=None)
        )
        if done.rowcount != 1:
            raise NotFound(f"no destination {name} is disabled", hint="see how destinations are doing")
        write_audit(connection, actor.name, "enable destination", name, now, None, None)
