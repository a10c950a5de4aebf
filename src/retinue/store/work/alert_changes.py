"""Alerts that have been dealt with: one, or many at once in a few statements. All audited.

`now` is an aware datetime.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, update

from retinue.errors import RetinueError, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, require
from retinue.store.people.audit_log import write_audits
from retinue.store.tables import alerts
from retinue.store.work.several import CHUNK, Changed, changeable, chosen_among

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
    """The same of several, as many as are changed at once."""
    closed, refused = _close(store, actor, chosen_among(numbers, "alert", "closed"), now, result)
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
        rows, refused = changeable(connection, actor, alerts, "alert", numbers, _closed)
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


def _closed(row: Row[Any]) -> StoreError | None:
    return None if row.closed_at is None else StoreError(f"alert {row.id} is closed already")
