"""What is to be done for accounts: tasks, by hand or of a playbook. All audited.

`now` is an aware datetime throughout, `today` the day where the project is. The actor comes first: what
they may not do raises Forbidden, an account or task that they may not see is NotFound.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, case, func, insert, or_, select

from retinue.action.playbooks import Balance
from retinue.errors import NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, in_scope, of_current_run, require, sayable
from retinue.store.people.audit_log import write_audit
from retinue.store.tables import alerts, current, notes, tasks
from retinue.store.work.balancing import shared_out
from retinue.store.work.said import known

Status = Literal["open", "done", "dropped"]
#: What a list of tasks can be of. A task that is snoozed is open, and comes back on its day.
State = Literal["open", "snoozed", "done", "dropped"]

#: Longest title, and longest other text, of a task; items of a checklist.
TITLE, TEXT, ITEMS = 200, 10_000, 50


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a checklist; when it was ticked (UTC without a zone), and by whom."""

    text: str
    done: bool = False
    by: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do for an account. `result` is what was done, `said` what the customer said to it.

    Times are UTC without a zone. `name` is that of the account; None where it is gone. Until the day
    `snoozed_until` an open task is out of sight. `alert`, or `enrolment` and `step` of a playbook, is
    what it comes from.
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
    snoozed_until: date | None = None
    checklist: tuple[Item, ...] = ()
    alert: int | None = None
    enrolment: int | None = None
    step: str | None = None

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
    origin: str | None = None,
    checklist: Sequence[str] = (),
    alert: int | None = None,
    among: str | Sequence[str] | None = None,
    balance: Balance = "fewest_tasks",
) -> int:
    """Give `owner` (by default whoever asks) something to do for an account, and return the id.

    With `among`, a team or names, it goes to the one of them whose turn it is by `balance`. `alert` is
    the one that it answers.
    """
    require(actor, "act")
    if among is not None and owner is not None:
        raise StoreError("a task has an owner, or goes to one among several", hint="say one of the two")
    values = {
        "account_id": account_id,
        "title": text_of("a title", title, TITLE),
        "detail": _maybe("the detail", detail),
        "owner": text_of("an owner", owner if owner is not None else actor.name, TITLE),
        "due_on": due_on,
        "status": "open",
        "origin": origin or "by hand",
        "checklist": _new_checklist(checklist),
        "alert": alert,
    }
    known(store, actor, account_id)
    if alert is not None:
        rule = _rule_of(store, actor, account_id, alert)
        values["origin"] = origin or f"alert {rule}"
    if among is not None:
        [values["owner"]] = shared_out(store, among, balance, 1)
    with store.write() as connection:
        added = connection.execute(
            insert(tasks).values(**values, by=actor.name, said_at=utc(now))
        ).inserted_primary_key
        assert added is not None
        write_audit(connection, actor.name, "add task", account_id, now, None, {"id": added[0], **values})
    return int(added[0])


def tasks_of(  # noqa: PLR0913 - a list can be narrowed down in many ways
    store: Store,
    actor: Actor,
    *,
    account_id: str | None = None,
    owners: frozenset[str] | None = None,
    status: State | None = "open",
    due_before: date | None = None,
    alert: int | None = None,
    numbers: Collection[int] | None = None,
    limit: int = 50,
    after: int | None = None,
    today: date | None = None,
) -> list[Task]:
    """Tasks for accounts that the actor may see, the earliest due first (those without a date last).

    `after` is the id of the last task of the page before. `owners`: theirs only; `numbers`: those
    only. Without `today` those that are snoozed are among the open ones.
    """
    conditions: list[ColumnElement[bool]] = [in_scope(actor, tasks.c.account_id)]
    if account_id is not None:
        conditions.append(tasks.c.account_id == account_id.replace("\0", ""))
    if owners is not None:
        conditions.append(tasks.c.owner.in_(sayable(owners)))
    if status is not None:
        conditions.append(_in_state(status, today))
    if due_before is not None:
        conditions.append(tasks.c.due_on < due_before)
    if alert is not None:
        conditions.append(tasks.c.alert == alert)
    if numbers is not None:
        conditions.append(tasks.c.id.in_(numbers))
    due = func.coalesce(tasks.c.due_on, date.max)
    with store.read() as connection:
        if after is not None:
            own = and_(tasks.c.id == after, in_scope(actor, tasks.c.account_id))
            last = connection.execute(select(due).where(own)).scalar_one_or_none()
            if last is None:
                raise NotFound(f"task {after}, where the page before ended, is gone", hint="start over")
            conditions.append(or_(due > last, and_(due == last, tasks.c.id > after)))
        rows = connection.execute(_read().where(*conditions).order_by(due, tasks.c.id).limit(limit)).all()
    return [_task(row) for row in rows]


def task_of(store: Store, actor: Actor, number: int) -> Task:
    """One task. Raises NotFound for one that the actor may not see."""
    found = tasks_of(store, actor, numbers=[number], status=None, limit=1)
    if not found:
        raise NotFound(f"no task {number}")
    return found[0]


def task_counts(
    store: Store,
    actor: Actor,
    today: date,
    *,
    owners: frozenset[str] | None = None,
    account_id: str | None = None,
) -> dict[str, int]:
    """How many are open, overdue (and open) and snoozed, of those that `tasks_of` would list."""
    snoozed = _in_state("snoozed", today)
    overdue = and_(_in_state("open", today), tasks.c.due_on < today)
    query = select(
        func.count(), *(func.coalesce(func.sum(case((one, 1), else_=0)), 0) for one in (overdue, snoozed))
    ).where(tasks.c.status == "open", in_scope(actor, tasks.c.account_id))
    if owners is not None:
        query = query.where(tasks.c.owner.in_(sayable(owners)))
    if account_id is not None:
        query = query.where(tasks.c.account_id == account_id.replace("\0", ""))
    with store.read() as connection:
        every, late, away = connection.execute(query).one()
    return {"open": every - away, "overdue": late, "snoozed": away}


def open_tasks(
    store: Store, actor: Actor, account_ids: list[str], today: date | None = None
) -> dict[str, int]:
    """How many tasks are open for each of these accounts, as far as the actor may see them; those that are
    snoozed on `today` are not counted."""
    query = select(tasks.c.account_id, func.count()).where(
        tasks.c.account_id.in_(account_ids), _in_state("open", today), in_scope(actor, tasks.c.account_id)
    )
    with store.read() as connection:
        return {row[0]: row[1] for row in connection.execute(query.group_by(tasks.c.account_id))}


def last_touches(store: Store, before: date) -> dict[str, date]:
    """The day (UTC) of each account's last note or task that was done, of days before `before`.

    These are about the customer; what `store.people.touches` has besides is about the account.
    """
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
        return {account: moment(at).date() for account, at in connection.execute(query)}


def moment(value: Any) -> datetime:
    """SQLite gives what it made of times as text."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def items_of(told: str | None) -> tuple[Item, ...]:
    """A checklist as it is kept."""
    return tuple(
        Item(one["text"], one["done"], one.get("by"), moment(one["at"]) if one.get("at") else None)
        for one in json.loads(told or "[]")
    )


def written(items: Collection[Item]) -> str | None:
    """A checklist as the store keeps it."""
    return json.dumps([_item(one) for one in items]) if items else None


def text_of(what: str, text: str, most: int) -> str:
    told = text.strip()
    if not told or "\0" in told:
        raise StoreError(f"a task needs {what}")
    if len(told) > most:
        raise StoreError(f"{what} has {most:,} letters at most, not {len(told):,}")
    return told


def _maybe(what: str, text: str | None) -> str | None:
    return text_of(what, text, TEXT) if text is not None and text.strip() else None


def _in_state(state: State, today: date | None) -> ColumnElement[bool]:
    if state not in ("open", "snoozed"):
        return tasks.c.status == state
    if today is None:
        if state == "snoozed":
            raise StoreError("what is snoozed depends on the day")
        return tasks.c.status == "open"
    away = tasks.c.snoozed_until > today
    hidden = away if state == "snoozed" else or_(tasks.c.snoozed_until.is_(None), ~away)
    return and_(tasks.c.status == "open", hidden)


def _read() -> Any:
    fields = [current.c.name if f.name == "name" else tasks.c[f.name] for f in dataclasses.fields(Task)]
    own = and_(of_current_run(), current.c.account_id == tasks.c.account_id)
    return select(*fields).select_from(tasks.outerjoin(current, own))


def _task(row: Any) -> Task:
    return Task(**{**row._asdict(), "checklist": items_of(row.checklist)})


def _item(one: Item) -> Mapping[str, Any]:
    told: dict[str, Any] = {"text": one.text, "done": one.done}
    return told | ({"by": one.by, "at": one.at.isoformat()} if one.by and one.at else {})


def _new_checklist(texts: Sequence[str]) -> str | None:
    told = [text for text in texts if text.strip()]
    if len(told) > ITEMS:
        raise StoreError(f"a checklist has {ITEMS} items at most, not {len(told)}")
    return written([Item(text_of("an item of the checklist", text, TITLE)) for text in told])


def _rule_of(store: Store, actor: Actor, account_id: str, alert: int) -> str:
    own = and_(alerts.c.id == alert, alerts.c.account_id == account_id, in_scope(actor, alerts.c.account_id))
    with store.read() as connection:
        rule: str | None = connection.execute(select(alerts.c.rule).where(own)).scalar_one_or_none()
    if rule is None:
        raise NotFound(f"no alert {alert} of {account_id}")
    return rule
