"""Accounts in playbooks, what was done for them, and what people have on their desks.

`now` is an aware datetime throughout. Writing is for whoever evaluates a date or advances playbooks;
reading takes the actor.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from retinue.action.playbooks import Enrolment, Load, Next, Status, StepState
from retinue.errors import Forbidden, NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, in_scope, of_current_run, require
from retinue.store.people.audit_log import write_audit
from retinue.store.tables import alerts, current, enrolments, interventions, people, tasks
from retinue.store.work.outbox import Row, enqueue

#: Who does what nobody in particular does.
RETINUE = "retinue"

# Put together once: every step of every account asks for them.
_READ = select(enrolments).where(enrolments.c.id == bindparam("number"))
_WRITE = update(enrolments).where(enrolments.c.id == bindparam("number"))
_WRITE = _WRITE.values({n: bindparam(n) for n in ("status", "state", "ended_on", "ended_because")})
#: Letters of a reason.
REASON = 1000


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task that a step of a playbook makes."""

    step: str
    title: str
    detail: str | None
    owner: str
    due_on: date | None
    checklist: Sequence[str]


def active(store: Store) -> list[Enrolment]:
    """The enrolments that are going on, in the order in which they began."""
    with store.read() as connection:
        query = select(enrolments).where(enrolments.c.status == "active").order_by(enrolments.c.id)
        return [_enrolment(row) for row in connection.execute(query)]


def recent(store: Store, account_ids: Collection[str], since: date) -> list[Enrolment]:
    """Enrolments of these accounts that are going on or began after `since`."""
    found: list[Enrolment] = []
    ids = sorted(account_ids)
    with store.read() as connection:
        for start in range(0, len(ids), 500):
            mine = enrolments.c.account_id.in_(ids[start : start + 500])
            going = or_(enrolments.c.status == "active", enrolments.c.started_on > since)
            query = select(enrolments).where(mine, going).order_by(enrolments.c.id)
            found += [_enrolment(row) for row in connection.execute(query)]
    return found


def enrol(
    connection: Connection, new: Sequence[Enrolment], owners: Mapping[str, str | None], now: datetime
) -> None:
    """Write new enrolments, in the transaction of what they follow from; each begins an intervention,
    except those that are held out."""
    if not new:
        return
    days = sorted({one.started_on for one in new})
    raised = select(alerts.c.id, alerts.c.rule, alerts.c.account_id, alerts.c.as_of)
    raised = raised.where(alerts.c.as_of.in_(days), alerts.c.account_id.is_not(None))
    # The alert that a playbook answers, written before it in the same transaction.
    answers = {
        (f"alert {row.rule}", row.account_id, row.as_of): row.id
        for row in connection.execute(raised.order_by(alerts.c.id))
    }
    rows = [
        {
            "playbook": one.playbook,
            "account_id": one.account_id,
            "started_on": one.started_on,
            "status": one.status,
            "reason": one.reason,
            "state": _state(one),
            "alert": answers.get((one.reason, one.account_id, one.started_on)),
        }
        for one in new
    ]
    connection.execute(insert(enrolments), rows)
    written = select(enrolments).where(enrolments.c.started_on.in_(days), enrolments.c.status == "active")
    mine = {(one.playbook, one.account_id, one.started_on) for one in new}
    began = [
        {
            "account_id": row.account_id,
            "kind": row.playbook,
            "started_on": row.started_on,
            "owner": owners.get(row.account_id) or RETINUE,
            "reason": row.reason,
            "playbook": row.playbook,
            "enrolment": row.id,
            "by": RETINUE,
            "said_at": utc(now),
        }
        for row in connection.execute(written.order_by(enrolments.c.id))
        if (row.playbook, row.account_id, row.started_on) in mine
    ]
    if began:
        connection.execute(insert(interventions), began)


def apply(
    store: Store,
    before: Enrolment,
    after: Next,
    new: Sequence[NewTask],
    messages: Sequence[Row],
    now: datetime,
) -> bool:
    """Write what becomes of an enrolment: its steps, its tasks and messages, all or nothing.

    False, and nothing written, if it is not `before` any more: somebody else was faster.
    """
    with store.write() as connection:
        row = connection.execute(_READ, {"number": before.id}).first()
        if row is None or _enrolment(row) != before:
            return False
        steps = dict(after.enrolment.steps)
        for one in new:
            added = connection.execute(
                insert(tasks),
                {
                    "account_id": before.account_id,
                    "title": one.title,
                    "detail": one.detail,
                    "owner": one.owner,
                    "due_on": one.due_on,
                    "status": "open",
                    "origin": f"playbook {before.playbook}",
                    "by": RETINUE,
                    "said_at": utc(now),
                    "checklist": json.dumps([{"text": text, "done": False} for text in one.checklist])
                    if one.checklist
                    else None,
                    "alert": row.alert,
                    "enrolment": before.id,
                    "step": one.step,
                },
            ).inserted_primary_key
            assert added is not None
            steps[one.step] = dataclasses.replace(steps[one.step], task=added[0])
        if after.drops:
            connection.execute(
                update(tasks)
                .where(tasks.c.id.in_(after.drops), tasks.c.status == "open")
                .values(
                    status="dropped",
                    closed_by=RETINUE,
                    closed_at=utc(now),
                    result=after.enrolment.ended_because,
                )
            )
        whole = dataclasses.replace(after.enrolment, steps=steps)
        _write(connection, whole)
        told = {"playbook": before.playbook, "enrolment": before.id, "status": whole.status}
        write_audit(connection, RETINUE, "advance playbook", before.account_id, now, None, told)
        enqueue(connection, messages, now=now)
    return True


def task_states(store: Store, numbers: Collection[int]) -> dict[int, str]:
    """The status of each of these tasks."""
    found: dict[int, str] = {}
    ordered = sorted(numbers)
    with store.read() as connection:
        for start in range(0, len(ordered), 500):
            some = tasks.c.id.in_(ordered[start : start + 500])
            rows = connection.execute(select(tasks.c.id, tasks.c.status).where(some))
            found.update((row.id, row.status) for row in rows)
    return found


def desks(store: Store) -> dict[str, Load]:
    """What each owner of open tasks or accounts has: tasks, revenue of their accounts, last task given.

    Somebody with several names, of whom some are those by which accounts know them, has the same under
    each of them.
    """
    known = addresses(store)
    with store.read() as connection:
        opened = select(tasks.c.owner, func.count()).where(tasks.c.status == "open").group_by(tasks.c.owner)
        count = {row[0]: row[1] for row in connection.execute(opened)}
        given = select(tasks.c.owner, func.max(tasks.c.id)).group_by(tasks.c.owner)
        last = {row[0]: row[1] for row in connection.execute(given)}
        money = select(current.c.owner, func.coalesce(func.sum(current.c.arr), 0.0)).where(
            of_current_run(), current.c.owner.is_not(None)
        )
        revenue = {row[0]: float(row[1]) for row in connection.execute(money.group_by(current.c.owner))}
    whole: dict[str, Load] = {}
    for name in {*count, *last, *revenue}:
        who = known.get(name, name)
        own = whole.get(who, Load(who, 0, 0.0, 0))
        whole[who] = Load(
            who,
            own.tasks + count.get(name, 0),
            own.revenue + revenue.get(name, 0.0),
            max(own.last_given, last.get(name, 0)),
        )
    names = {*count, *last, *revenue, *known}
    return {
        name: dataclasses.replace(whole[who], name=name)
        for name in names
        if (who := known.get(name, name)) in whole
    }


def leaders(store: Store) -> list[tuple[str, frozenset[str]]]:
    """Leaders who are not disabled: e-mail and territories (none: of everything), in order of e-mail."""
    query = select(people.c.email, people.c.territories).where(
        people.c.role == "leader", people.c.disabled_at.is_(None)
    )
    with store.read() as connection:
        rows = connection.execute(query.order_by(people.c.email))
        return [(row.email, frozenset(json.loads(row.territories))) for row in rows]


def members(store: Store, team: str) -> list[str]:
    """The e-mails of a team's people who are not disabled."""
    query = select(people.c.email).where(people.c.team == team, people.c.disabled_at.is_(None))
    with store.read() as connection:
        return list(connection.execute(query.order_by(people.c.email)).scalars())


def addresses(store: Store) -> dict[str, str]:
    """The e-mail of each name by which accounts know somebody who is not disabled."""
    query = select(people.c.email, people.c.owners).where(people.c.disabled_at.is_(None))
    with store.read() as connection:
        rows = connection.execute(query.order_by(people.c.id.desc())).all()
    return {name: row.email for row in rows for name in (row.email, *json.loads(row.owners))}


def enrolments_of(
    store: Store,
    actor: Actor,
    *,
    account_id: str | None = None,
    playbook: str | None = None,
    status: Status | None = None,
    limit: int = 100,
    after: int | None = None,
) -> list[Enrolment]:
    """Enrolments of accounts that the actor may see, the newest first; `after` is the last one's id.

    Who is held out only those see who do not work on accounts: see `sees_held_out`.
    """
    conditions = [in_scope(actor, enrolments.c.account_id), _shown(actor)]
    if status is not None:
        conditions.append(enrolments.c.status == status)
    if account_id is not None:
        conditions.append(enrolments.c.account_id == account_id.replace("\0", ""))
    if playbook is not None:
        conditions.append(enrolments.c.playbook == playbook.replace("\0", ""))
    if after is not None:
        conditions.append(enrolments.c.id < after)
    query = select(enrolments).where(*conditions).order_by(enrolments.c.id.desc()).limit(limit)
    with store.read() as connection:
        return [_enrolment(row) for row in connection.execute(query)]


def sees_held_out(actor: Actor) -> bool:
    """Whether the actor may know which accounts are held out: whoever works on them must not, since
    then they would be treated differently. Leaders, ops and admins may."""
    return actor.role in ("leader", "ops", "admin")


def enrolment_of(store: Store, actor: Actor, number: int) -> Enrolment:
    """One enrolment. Raises NotFound for one that the actor may not see."""
    with store.read() as connection:
        return _one(connection, actor, number)


def counts(store: Store, actor: Actor) -> dict[str, dict[Status, int]]:
    """How many accounts that the actor may see are in each playbook, by status."""
    query = (
        select(enrolments.c.playbook, enrolments.c.status, func.count())
        .where(in_scope(actor, enrolments.c.account_id), _shown(actor))
        .group_by(enrolments.c.playbook, enrolments.c.status)
    )
    found: dict[str, dict[Status, int]] = {}
    with store.read() as connection:
        for playbook, status, count in connection.execute(query):
            found.setdefault(playbook, {})[status] = count
    return found


def arms(store: Store, actor: Actor, playbook: str) -> list[tuple[str, date, bool]]:
    """The first time that each account came into a playbook: account, day, and whether it is held out.

    Of accounts that the actor may see, or that are gone if they see everything. From the first account
    on that was held out: those before had no chance to be. Raises Forbidden for whoever may not know.
    """
    if not sees_held_out(actor):
        raise Forbidden(f"{actor.name} ({actor.role}) may not know which accounts are held out")
    mine = and_(enrolments.c.playbook == playbook.replace("\0", ""), in_scope(actor, enrolments.c.account_id))
    with store.read() as connection:
        first_out = connection.execute(
            select(func.min(enrolments.c.started_on)).where(
                enrolments.c.playbook == playbook.replace("\0", ""), enrolments.c.status == "held_out"
            )
        ).scalar_one_or_none()
        if first_out is None:
            return []
        rows = connection.execute(
            select(enrolments.c.account_id, enrolments.c.started_on, enrolments.c.status)
            .where(mine, enrolments.c.started_on >= first_out)
            .order_by(enrolments.c.id)
        )
        found: dict[str, tuple[str, date, bool]] = {}
        for row in rows:
            found.setdefault(row.account_id, (row.account_id, row.started_on, row.status == "held_out"))
    return list(found.values())


def stop(store: Store, actor: Actor, number: int, reason: str, *, today: date, now: datetime) -> Enrolment:
    """Take an account out of a playbook: its open tasks are dropped, nothing more is done for it.

    Raises NotFound for an enrolment that the actor may not see, StoreError for one that has ended.
    """
    require(actor, "act")
    told = reason.strip()
    if not told or len(told) > REASON or "\0" in told:
        raise StoreError(f"to stop a playbook needs a reason of {REASON:,} letters at most")
    with store.write() as connection:
        one = _one(connection, actor, number)
        if one.status != "active":
            raise StoreError(
                f"this is {one.status.replace('_', ' ')} already", hint="only what goes on can be stopped"
            )
        because = f"{actor.name}: {told}"
        steps = {
            name: dataclasses.replace(state, status="dropped") if state.status == "going" else state
            for name, state in one.steps.items()
        }
        ended = dataclasses.replace(one, steps=steps, status="stopped", ended_on=today, ended_because=because)
        connection.execute(
            update(tasks)
            .where(tasks.c.enrolment == number, tasks.c.status == "open")
            .values(status="dropped", closed_by=actor.name, closed_at=utc(now), result=because)
        )
        _write(connection, ended)
        values = {"playbook": one.playbook, "enrolment": number, "reason": told}
        write_audit(connection, actor.name, "stop playbook", one.account_id, now, None, values)
    return ended


def _write(connection: Connection, whole: Enrolment) -> None:
    """Write an enrolment as it is now; where it is over, what was done for the account is too."""
    told = {"status": whole.status, "state": _state(whole), "ended_on": whole.ended_on}
    connection.execute(_WRITE, {"number": whole.id, **told, "ended_because": whole.ended_because})
    if whole.status != "active":
        connection.execute(
            update(interventions).where(interventions.c.enrolment == whole.id).values(ended_on=whole.ended_on)
        )


def _shown(actor: Actor) -> ColumnElement[bool]:
    return true() if sees_held_out(actor) else enrolments.c.status != "held_out"


def _one(connection: Connection, actor: Actor, number: int) -> Enrolment:
    mine = and_(enrolments.c.id == number, in_scope(actor, enrolments.c.account_id), _shown(actor))
    row = connection.execute(select(enrolments).where(mine)).first()
    if row is None:
        raise NotFound(f"no account is in a playbook under the number {number}")
    return _enrolment(row)


def _state(one: Enrolment) -> str:
    return json.dumps({name: state.to_dict() for name, state in one.steps.items()})


def _enrolment(row: Any) -> Enrolment:
    return Enrolment(
        id=row.id,
        playbook=row.playbook,
        account_id=row.account_id,
        started_on=row.started_on,
        status=row.status,
        reason=row.reason,
        steps={name: StepState.from_dict(told) for name, told in json.loads(row.state).items()},
        ended_on=row.ended_on,
        ended_because=row.ended_because,
    )
