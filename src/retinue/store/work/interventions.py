"""What was or is done for accounts, so that its effect can be measured: by playbooks, or recorded by hand.

All audited; nothing is deleted: what is withdrawn stays, with the time of its withdrawal. `now` is an
aware datetime throughout, `today` the day where the project is.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from retinue.errors import NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, in_scope, require
from retinue.store.people.audit_log import write_audit
from retinue.store.tables import interventions
from retinue.store.work.assignments import owner_named
from retinue.store.work.said import known

#: Longest kind, and longest reason; interventions of an account that are listed.
KIND, REASON, MOST = 80, 10_000, 1000


@dataclass(frozen=True, slots=True)
class Intervention:
    """Something that was or is done for an account. One by a playbook has its name and its enrolment."""

    id: int
    account_id: str
    kind: str
    started_on: date
    ended_on: date | None
    owner: str
    reason: str | None
    playbook: str | None
    enrolment: int | None
    by: str
    said_at: datetime

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def add_intervention(  # noqa: PLR0913 - an intervention is a statement with this many facts
    store: Store,
    actor: Actor,
    account_id: str,
    kind: str,
    *,
    started_on: date,
    now: datetime,
    today: date,
    ended_on: date | None = None,
    owner: str | None = None,
    reason: str | None = None,
) -> int:
    """Record that something of a `kind` was begun for an account, and return the id.

    `owner` does it, by default whoever records it. It has begun by `today`; what is planned is a task.
    """
    require(actor, "act")
    if started_on > today:
        raise StoreError(f"{started_on} is still to come", hint="add a task for what is planned")
    _in_order(started_on, ended_on, today)
    told = {
        "account_id": account_id,
        "kind": _text("an intervention needs a kind, such as training", kind, KIND),
        "started_on": started_on,
        "ended_on": ended_on,
        "owner": owner_named(owner if owner is not None else actor.name),
        "reason": _text("", reason, REASON) if reason is not None and reason.strip() else None,
    }
    known(store, actor, account_id)
    with store.write() as connection:
        added = connection.execute(
            insert(interventions).values(**told, by=actor.name, said_at=utc(now))
        ).inserted_primary_key
        assert added is not None
        write_audit(
            connection, actor.name, "add intervention", account_id, now, None, {"id": added[0], **told}
        )
    return int(added[0])


def end_intervention(
    store: Store, actor: Actor, number: int, *, ended_on: date, now: datetime, today: date
) -> None:
    """Say on which day an intervention that was recorded by hand ended; another day may be said later.

    Raises NotFound for one that the actor may not see, StoreError for one of a playbook.
    """
    require(actor, "act")
    with store.write() as connection:
        row = _by_hand(connection, actor, number, "it ends with its playbook")
        _in_order(row.started_on, ended_on, today)
        _change(connection, actor, row, "end intervention", {"ended_on": ended_on}, now)


def withdraw_intervention(store: Store, actor: Actor, number: int, *, now: datetime) -> None:
    """Take back an intervention that was recorded by hand. Raises as `end_intervention` does."""
    require(actor, "act")
    with store.write() as connection:
        row = _by_hand(connection, actor, number, "what a playbook does stays on record")
        _change(connection, actor, row, "withdraw intervention", {"withdrawn_at": utc(now)}, now)


def interventions_of(store: Store, actor: Actor, account_id: str) -> list[Intervention]:
    """What was done for an account that the actor may see, what began last first."""
    own = and_(
        interventions.c.account_id == account_id.replace("\0", ""),
        interventions.c.withdrawn_at.is_(None),
        in_scope(actor, interventions.c.account_id),
    )
    order = interventions.c.started_on.desc(), interventions.c.id.desc()
    fields = [interventions.c[f.name] for f in dataclasses.fields(Intervention)]
    with store.read() as connection:
        rows = connection.execute(select(*fields).where(own).order_by(*order).limit(MOST))
        return [Intervention(*row) for row in rows]


def _by_hand(connection: Connection, actor: Actor, number: int, otherwise: str) -> Row[Any]:
    own = and_(
        interventions.c.id == number,
        interventions.c.withdrawn_at.is_(None),
        in_scope(actor, interventions.c.account_id),
    )
    row = connection.execute(select(interventions).where(own)).first()
    if row is None:
        raise NotFound(f"no intervention {number}")
    if row.enrolment is not None:
        raise StoreError(f"intervention {number} is of the playbook {row.playbook}", hint=otherwise)
    return row


def _change(
    connection: Connection, actor: Actor, row: Row[Any], what: str, values: dict[str, Any], now: datetime
) -> None:
    connection.execute(update(interventions).where(interventions.c.id == row.id).values(**values))
    before = {"id": row.id, **{name: getattr(row, name) for name in values}}
    write_audit(connection, actor.name, what, row.account_id, now, before, values)


def _in_order(started_on: date, ended_on: date | None, today: date) -> None:
    if ended_on is None:
        return
    if ended_on < started_on:
        raise StoreError(f"it cannot end on {ended_on}, before it began on {started_on}")
    if ended_on > today:
        raise StoreError(f"{ended_on} is still to come", hint="say when it ended once it has")


def _text(needed: str, text: str, most: int) -> str:
    told = text.strip()
    if not told or "\0" in told:
        raise StoreError(needed or "no text has a NUL in it")
    if len(told) > most:
        raise StoreError(f"an intervention's texts have {most:,} letters at most, not {len(told):,}")
    return told
