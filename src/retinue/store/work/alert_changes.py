"""Alerts that have been dealt with: one, or many at once. All audited.

Many are closed in a few statements. What cannot be closed is told with its reason, and keeps no other
from being closed. `now` is an aware datetime.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from retinue.errors import NotFound, RetinueError, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, in_scope, require
from retinue.store.people.audit_log import write_audits
from retinue.store.tables import alerts
from retinue.store.work.task_changes import CHUNK, MOST, Changed

#: Longest result.
RESULT = 5000


def close_alert(store: Store, actor: Actor, alert: int, *, now: datetime, result: str | None = None) -> None:
    """Say that an alert has been dealt with, and how.

    Raises NotFound for one that the actor may not see, StoreError where it is closed already.
    """
    _, refused = _close(store, actor, [alert], now, result)
    for why in refused.values():
        raise why


def close_alerts(
    store: Store, actor: Actor, numbers: Collection[int], *, now: datetime, result: str | None = None
) -> Changed:
    """The same of several, at most `MOST`."""
    wanted = list(dict.fromkeys(numbers))
    if not 1 <= len(wanted) <= MOST:
        raise StoreError(f"1 to {MOST} alerts are closed at once, not {len(wanted)}", hint="choose some")
    closed, refused = _close(store, actor, wanted, now, result)
    return Changed(tuple(closed), {number: str(why) for number, why in refused.items()})


def _close(
    store: Store, actor: Actor, numbers: Sequence[int], now: datetime, result: str | None
) -> tuple[list[int], dict[int, RetinueError]]:
    require(actor, "act")
    told = (result or "").strip() or None
    if told is not None and (len(told) > RESULT or "\0" in told):
        raise StoreError(f"a result has {RESULT:,} letters at most")
    values = {"closed_at": utc(now), "closed_by": actor.name, "result": told}
    with store.write() as connection:
        rows, refused = _open(connection, actor, numbers)
        own = [row.id for row in rows]
        for start in range(0, len(own), CHUNK):
            some = alerts.c.id.in_(own[start : start + CHUNK])
            connection.execute(update(alerts).where(some).values(**values))
        if rows:
            write_audits(
                connection,
                actor.name,
                "close alert",
                now,
                [(row.account_id, {"id": row.id}, values) for row in rows],
            )
    return own, refused


def _open(
    connection: Connection, actor: Actor, numbers: Sequence[int]
) -> tuple[list[Row[Any]], dict[int, RetinueError]]:
    """The open ones that the actor may see, in the order asked for, and what is with the others."""
    found: dict[int, Row[Any]] = {}
    for start in range(0, len(numbers), CHUNK):
        some = alerts.c.id.in_(numbers[start : start + CHUNK])
        query = select(alerts).where(some, in_scope(actor, alerts.c.account_id))
        found.update((row.id, row) for row in connection.execute(query))
    refused: dict[int, RetinueError] = {}
    for number in numbers:
        if number not in found:
            refused[number] = NotFound(f"no alert {number}")
        elif found[number].closed_at is not None:
            refused[number] = StoreError(f"alert {number} is closed already")
    return [found[number] for number in numbers if number not in refused], refused
