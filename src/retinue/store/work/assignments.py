"""Who looks after which account, where people say so. All audited; `now` is an aware datetime."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, func, insert, select, update

from retinue.errors import StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, of_current_run, require
from retinue.store.people.audit_log import write_audit
from retinue.store.tables import assignments, current
from retinue.store.work.said import known

#: Longest name of an owner.
NAME = 200


def assign(store: Store, actor: Actor, account_id: str, owner: str, *, now: datetime) -> None:
    """Make `owner` look after the account, at once and in later runs.

    It holds until the source of accounts names another owner than it does today.
    """
    require(actor, "assign")
    owner = owner_named(owner)
    known(store, actor, account_id)
    with store.write() as connection:
        own = and_(of_current_run(), current.c.account_id == account_id)
        before = connection.execute(select(current.c.owner).where(own)).scalar_one_or_none()
        # An earlier assignment stands between the source and us: what it covered is what the source says.
        earlier = connection.execute(
            select(assignments)
            .where(assignments.c.account_id == account_id, assignments.c.withdrawn_at.is_(None))
            .order_by(assignments.c.id.desc())
        ).first()
        source = earlier.source_owner if earlier and earlier.owner == before else before
        connection.execute(
            update(assignments)
            .where(assignments.c.account_id == account_id, assignments.c.withdrawn_at.is_(None))
            .values(withdrawn_at=utc(now))
        )
        connection.execute(
            insert(assignments).values(
                account_id=account_id, owner=owner, source_owner=source, by=actor.name, said_at=utc(now)
            )
        )
        connection.execute(update(current).where(own).values(owner=owner))
        write_audit(
            connection, actor.name, "assign owner", account_id, now, {"owner": before}, {"owner": owner}
        )


def assigned(store: Store) -> dict[str, tuple[str, str | None]]:
    """Accounts that were given to somebody: to whom, and whom their source named then. Needs no right."""
    query = select(assignments.c.account_id, assignments.c.owner, assignments.c.source_owner)
    with store.read() as connection:
        rows = connection.execute(
            query.where(assignments.c.withdrawn_at.is_(None)).order_by(assignments.c.id)
        )
        return {row.account_id: (row.owner, row.source_owner) for row in rows}


def last_assignment(store: Store) -> int | None:
    """The number of the newest one: while it is the same, owners are the same. Needs no right."""
    with store.read() as connection:
        newest: int | None = connection.execute(select(func.max(assignments.c.id))).scalar_one()
    return newest


def owner_named(name: str) -> str:
    """The name as it is kept. Raises StoreError for one that is none."""
    told = name.strip()
    if not told or "\0" in told:
        raise StoreError("whoever looks after something has a name", hint="name an owner")
    if len(told) > NAME:
        raise StoreError(f"an owner has {NAME} letters at most, not {len(told):,}")
    return told
