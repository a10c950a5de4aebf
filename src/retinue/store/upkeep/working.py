"""How work stands, for whoever runs it: who works, what was done by the clock, what waits to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import func, select

from retinue.store.database import Store
from retinue.store.tables import alert_rules, alerts, destinations, outbox, schedules, tasks
from retinue.store.work.leases import WORKER, Due, Held, held
from retinue.store.work.outbox import OPEN


@dataclass(frozen=True, slots=True)
class Working:
    """`scheduled` is what is done by the clock, by name. Alerts, tasks and messages are counts of what the
    store keeps; `oldest_due` is since when the message that waits longest is due, `evaluated` the last
    as-of date that was looked at for alerts."""

    worker: Held | None
    scheduled: Mapping[str, Due]
    evaluated: date | None
    alerts: int
    open_alerts: int
    open_tasks: int
    waiting: int
    sent: int
    dead: int
    oldest_due: datetime | None
    disabled: int


def working(store: Store) -> Working:
    """Raises StoreError where the store does not answer."""
    count = func.count()
    with store.read() as connection:

        def one(query: object) -> int:
            return int(connection.execute(query).scalar_one())  # type: ignore[call-overload]

        oldest = connection.execute(select(func.min(outbox.c.due_at)).where(OPEN)).scalar_one_or_none()
        scheduled = {
            row.name: Due(_aware(row.due_at), row.done_at and _aware(row.done_at), row.result)
            for row in connection.execute(select(schedules))
        }
        return Working(
            worker=held(store, WORKER),
            scheduled=scheduled,
            evaluated=connection.execute(select(func.max(alert_rules.c.last_as_of))).scalar_one_or_none(),
            alerts=one(select(count).select_from(alerts)),
            open_alerts=one(select(count).select_from(alerts).where(alerts.c.closed_at.is_(None))),
            open_tasks=one(select(count).select_from(tasks).where(tasks.c.status == "open")),
            waiting=one(select(count).select_from(outbox).where(OPEN)),
            sent=one(select(count).select_from(outbox).where(outbox.c.sent_at.is_not(None))),
            dead=one(select(count).select_from(outbox).where(outbox.c.dead_at.is_not(None))),
            oldest_due=None if oldest is None else _aware(oldest),
            disabled=one(
                select(count).select_from(destinations).where(destinations.c.disabled_at.is_not(None))
            ),
        )


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
