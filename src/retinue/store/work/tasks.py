"""What people do for accounts: tasks, and who looks after which account. All audited.

`now` is an aware datetime throughout. The actor comes first: what they may not do raises Forbidden, an
account or task that they may not see is NotFound.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, update

from retinue.errors import NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, in_scope, of_current_run, require, sayable
from retinue.store.people.audit_log import write_audit
from retinue.store.tables import assignments, current, notes, tasks
from retinue.store.work.said import known

Status = Literal["open", "done", "dropped"]

#: Longest title, and longest other text, of a task.
TITLE, TEXT = 200, 10_000


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do for an account. `result` is what was done, `said` what the customer said to it.

    Times are UTC without a zone. `name` is that of the account; None where it is gone.
    """

    id: int
    account_id: str
    name: str | None
    title: str
    detail: str | None
    owner: str
    due_on: date | None
    status: Status
    result: str | None
    said: str | None
    origin: str
    by: str
    said_at: datetime
    closed_by: str | None
    closed_at: datetime | None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def add_task(  # noqa: PLR0913 - a task is a statement with this many facts
    store: Store,
    actor: Actor,
    account_id: str,
    title: str,
    *,
    now: datetime,
    owner: str | None = None,
    due_on: date | None = None,
    detail: str | None = None,
    origin: str = "by hand",
) -> int:
    """Give `owner` (by default whoever asks) something to do for an account, and return the id."""
    require(actor, "act")
    values = {
        "account_id": account_id,
        "title": _text("a title", title, TITLE),
        "detail": _maybe("the detail", detail),
        "owner": _text("an owner", owner if owner is not None else actor.name, TITLE),
        "due_on": due_on,
        "status": "open",
        "origin": origin,
    }
    known(store, actor, account_id)
    with store.write() as connection:
        added = connection.execute(
            insert(tasks).values(**values, by=actor.name, said_at=utc(now))
        ).inserted_primary_key
        assert added is not None
        write_audit(connection, actor.name, "add task", account_id, now, None, {"id": added[0], **values})
    return int(added[0])


def close_task(
    store: Store,
    actor: Actor,
    task: int,
    *,
    now: datetime,
    done: bool = True,
    result: str | None = None,
    said: str | None = None,
) -> None:
    """Say that a task is done (with what was done and what the customer said), or dropped."""
    closed = {
        "status": "done" if done else "dropped",
        "result": _maybe("the result", result),
        "said": _maybe("what the customer said", said),
        "closed_by": actor.name,
        "closed_at": utc(now),
    }
    _change(store, actor, task, closed, "close task", now)


def give_task(store: Store, actor: Actor, task: int, owner: str, *, now: datetime) -> None:
    """Make somebody else the owner of an open task."""
    _change(store, actor, task, {"owner": _text("an owner", owner, TITLE)}, "give task", now)


def tasks_of(
    store: Store,
    actor: Actor,
    *,
    account_id: str | None = None,
    owners: frozenset[str] | None = None,
    status: Status | None = "open",
    due_before: date | None = None,
    limit: int = 50,
    after: int | None = None,
) -> list[Task]:
    """Tasks for accounts that the actor may see, the earliest due first (those without a date last).

    `after` is the id of the last task of the page before. `owners`: theirs only.
    """
    conditions: list[ColumnElement[bool]] = [in_scope(actor, tasks.c.account_id)]
    if account_id is not None:
        conditions.append(tasks.c.account_id == account_id.replace("\0", ""))
    if owners is not None:
        conditions.append(tasks.c.owner.in_(sayable(owners)))
    if status is not None:
        conditions.append(tasks.c.status == status)
    if due_before is not None:
        conditions.append(tasks.c.due_on < due_before)
    due = func.coalesce(tasks.c.due_on, date.max)
    with store.read() as connection:
        if after is not None:
            own = and_(tasks.c.id == after, in_scope(actor, tasks.c.account_id))
            last = connection.execute(select(due).where(own)).scalar_one_or_none()
            if last is None:
                raise NotFound(f"task {after}, where the page before ended, is gone", hint="start over")
            conditions.append(or_(due > last, and_(due == last, tasks.c.id > after)))
        rows = connection.execute(_read().where(*conditions).order_by(due, tasks.c.id).limit(limit)).all()
    return [Task(**row._asdict()) for row in rows]


def open_tasks(store: Store, actor: Actor, account_ids: list[str]) -> dict[str, int]:
    """How many tasks are open for each of these accounts, as far as the actor may see them."""
    query = select(tasks.c.account_id, func.count()).where(
        tasks.c.account_id.in_(account_ids), tasks.c.status == "open", in_scope(actor, tasks.c.account_id)
    )
    with store.read() as connection:
        return {row[0]: row[1] for row in connection.execute(query.group_by(tasks.c.account_id))}


def last_touches(store: Store, before: date) -> dict[str, date]:
    """The day (UTC) of each account's last note or task that was done, of days before `before`."""
    end = datetime.combine(before, time())
    said = select(notes.c.account_id, notes.c.said_at.label("at")).where(
        notes.c.withdrawn_at.is_(None), notes.c.said_at < end
    )
    did = select(tasks.c.account_id, tasks.c.closed_at.label("at")).where(
        tasks.c.status == "done", tasks.c.closed_at < end
    )
    every = said.union_all(did).subquery()
    query = select(every.c.account_id, func.max(every.c.at)).group_by(every.c.account_id)
    with store.read() as connection:
        return {account: _moment(at).date() for account, at in connection.execute(query)}


def _moment(value: Any) -> datetime:
    """SQLite gives what it made of times as text."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def assign(store: Store, actor: Actor, account_id: str, owner: str, *, now: datetime) -> None:
    """Make `owner` look after the account, at once and in later runs.

    It holds until the source of accounts names another owner than it does today.
    """
    require(actor, "assign")
    owner = _text("an owner", owner, TITLE)
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


def last_assignment(store: Store) -> int | None:
    """The number of the newest one: while it is the same, owners are the same. Needs no right."""
    with store.read() as connection:
        newest: int | None = connection.execute(select(func.max(assignments.c.id))).scalar_one()
    return newest


def _read() -> Any:
    fields = [current.c.name if f.name == "name" else tasks.c[f.name] for f in dataclasses.fields(Task)]
    own = and_(of_current_run(), current.c.account_id == tasks.c.account_id)
    return select(*fields).select_from(tasks.outerjoin(current, own))


def _change(store: Store, actor: Actor, task: int, values: dict[str, Any], what: str, now: datetime) -> None:
    require(actor, "act")
    with store.write() as connection:
        row: Row[Any] | None = connection.execute(
            select(tasks).where(tasks.c.id == task, in_scope(actor, tasks.c.account_id))
        ).first()
        if row is None:
            raise NotFound(f"no task {task}")
        if row.status != "open":
            raise StoreError(f"task {task} is {row.status} already", hint="add a new one")
        connection.execute(update(tasks).where(tasks.c.id == task).values(**values))
        before = {name: getattr(row, name) for name in values}
        write_audit(connection, actor.name, what, row.account_id, now, {"id": task, **before}, values)


def _text(what: str, text: str, most: int) -> str:
    told = text.strip()
    if not told or "\0" in told:
        raise StoreError(f"a task needs {what}")
    if len(told) > most:
        raise StoreError(f"{what} has {most:,} letters at most, not {len(told):,}")
    return told


def _maybe(what: str, text: str | None) -> str | None:
    return _text(what, text, TEXT) if text is not None and text.strip() else None
