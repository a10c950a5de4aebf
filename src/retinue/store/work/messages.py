"""What became of messages that were put in the outbox, and messages that somebody puts there by hand.

Times are UTC without a zone; `now` is an aware datetime.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from retinue.store.database import Store
from retinue.store.people.access import Actor, in_scope, require
from retinue.store.people.audit_log import write_audit
from retinue.store.tables import outbox
from retinue.store.work.outbox import Row, enqueue


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a message: to which destination, for whom, and when it was sent or given up.

    `due_at` is when it is tried (again) while it is neither. `error` is why it was not taken.
    """

    id: str
    destination: str
    kind: str
    recipient: str | None
    due_at: datetime
    sent_at: datetime | None
    dead_at: datetime | None
    attempts: int
    error: str | None

    @property
    def state(self) -> str:
        return "sent" if self.sent_at else "given up" if self.dead_at else "waiting"


def put(store: Store, actor: Actor, row: Row, *, now: datetime) -> bool:
    """Put a message of the actor's own in the outbox; False where its key is there already. Needs the
    right to audit."""
    require(actor, "audit")
    with store.write() as connection:
        new = enqueue(connection, [row], now=now) == 1
        if new:
            told = {"id": row.id, "kind": row.kind}
            write_audit(connection, actor.name, "send test message", row.destination, now, None, told)
    return new


def messages_about(
    store: Store, actor: Actor, keys: Collection[str], rule: str, account_id: str | None
) -> list[Told]:
    """What became of these messages about an alert of a rule, which the actor may see; of a digest only
    where the alert stands in it. `error` is for who may audit."""
    named = outbox.c.id.in_(sorted(keys))
    query = select(outbox).where(
        named, or_(in_scope(actor, outbox.c.account_id), outbox.c.account_id.is_(None))
    )
    found = []
    with store.read() as connection:
        for row in connection.execute(query.order_by(outbox.c.destination, outbox.c.id)):
            payload = json.loads(row.payload)
            if row.kind == "digest":
                listed = (payload.get("data") or {}).get("alerts") or []
                if [rule, account_id] not in listed:
                    continue
            recipient = payload.get("recipient")
            error = row.last_error if actor.may("audit") else None
            times = row.due_at, row.sent_at, row.dead_at
            found.append(Told(row.id, row.destination, row.kind, recipient, *times, row.attempts, error))
    return found


def addressed(store: Store) -> list[str]:
    """The destinations that messages are or were for, by name."""
    with store.read() as connection:
        query = select(outbox.c.destination).distinct().order_by(outbox.c.destination)
        return list(connection.execute(query).scalars())
