"""What becomes of tasks: closed, snoozed, given to others, ticked; one, or many at once. All audited.

Many are looked at and changed in a few statements. Each is changed whole or not at all, and what cannot
be changed is told with its reason, and keeps no other from being changed. `now` is an aware datetime.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, update

from retinue.action.playbooks import Balance
from retinue.errors import RetinueError, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, require
from retinue.store.people.audit_log import write_audit, write_audits
from retinue.store.tables import tasks
from retinue.store.work.balancing import shared_out
from retinue.store.work.several import CHUNK, Changed, changeable, chosen_among
from retinue.store.work.tasks import TEXT, TITLE, items_of, text_of, written

#: What is written of each of these tasks.
_Values = Callable[[Sequence[Row[Any]]], Sequence[Mapping[str, Any]]]


def close_tasks(
    store: Store,
    actor: Actor,
    numbers: Collection[int],
    *,
    now: datetime,
    done: bool = True,
    result: str | None = None,
    said: str | None = None,
) -> Changed:
    """Say that tasks are done (with what was done and what the customer said), or dropped."""
    return _many(numbers, lambda some: _close(store, actor, some, now, done, result, said))


def close_task(
    store: Store,
    actor: Actor,
    task: int,
    *,
    now: datetime,
    done: bool = True,
    result: str | None = None,
    said: str | None = None,
) -> str:
    """The same of one task; returns its account. Raises NotFound, or StoreError where it is closed."""
    return _one(_close(store, actor, [task], now, done, result, said))


def snooze_tasks(
    store: Store, actor: Actor, numbers: Collection[int], until: date | None, *, now: datetime, today: date
) -> Changed:
    """Keep tasks out of sight until a day; None: back at once. `today` is the day where the project is."""
    return _many(numbers, lambda some: _snooze(store, actor, some, until, now, today))


def snooze_task(
    store: Store, actor: Actor, task: int, until: date | None, *, now: datetime, today: date
) -> str:
    """The same of one task; returns its account. Raises NotFound, or StoreError where it is closed."""
    return _one(_snooze(store, actor, [task], until, now, today))


def give_tasks(
    store: Store,
    actor: Actor,
    numbers: Collection[int],
    owner: str | None = None,
    *,
    now: datetime,
    among: str | Sequence[str] | None = None,
    balance: Balance = "fewest_tasks",
) -> Changed:
    """Make somebody else the owner of open tasks, or share them out among a team or names by `balance`."""
    return _many(numbers, lambda some: _give(store, actor, some, owner, now, among, balance))


def give_task(
    store: Store,
    actor: Actor,
    task: int,
    owner: str | None = None,
    *,
    now: datetime,
    among: str | Sequence[str] | None = None,
    balance: Balance = "fewest_tasks",
) -> str:
    """The same of one task; returns its account. Raises NotFound, or StoreError where it is closed."""
    return _one(_give(store, actor, [task], owner, now, among, balance))


def tick_task(store: Store, actor: Actor, task: int, item: int, *, now: datetime, done: bool = True) -> str:
    """Say of an item of the checklist, counted from 1, that it is done, or that it is not.

    Who ticked it, and when, is kept with it; ticking it again changes nothing. Returns the account.
    """
    require(actor, "act")
    with store.write() as connection:
        found, refused = _open(connection, actor, [task])
        if refused:
            raise refused[task]
        items = list(items_of(found[0].checklist))
        if not 1 <= item <= len(items):
            hint = f"it has {len(items)}" if items else "it has no checklist"
            raise StoreError(f"task {task} has no item {item}", hint=hint)
        before = items[item - 1]
        if before.done == done:
            return str(found[0].account_id)
        told = {"by": actor.name, "at": utc(now)} if done else {"by": None, "at": None}
        items[item - 1] = replace(before, done=done, **told)
        connection.execute(update(tasks).where(tasks.c.id == task).values(checklist=written(items)))
        write_audit(
            connection,
            actor.name,
            "tick task",
            found[0].account_id,
            now,
            {"id": task, "item": before.text, "done": before.done},
            {"done": done},
        )
    return str(found[0].account_id)


def _close(
    store: Store,
    actor: Actor,
    numbers: Sequence[int],
    now: datetime,
    done: bool,
    result: str | None,
    said: str | None,
) -> _Outcome:
    values = {
        "status": "done" if done else "dropped",
        "result": _maybe("the result", result),
        "said": _maybe("what the customer said", said),
        "closed_by": actor.name,
        "closed_at": utc(now),
    }
    return _change(store, actor, numbers, "close task", now, lambda rows: [values] * len(rows))


def _snooze(
    store: Store, actor: Actor, numbers: Sequence[int], until: date | None, now: datetime, today: date
) -> _Outcome:
    if until is not None and until <= today:
        raise StoreError(f"{until} has come already", hint="snooze until a day after today")
    values = {"snoozed_until": until}
    return _change(store, actor, numbers, "snooze task", now, lambda rows: [values] * len(rows))


def _give(
    store: Store,
    actor: Actor,
    numbers: Sequence[int],
    owner: str | None,
    now: datetime,
    among: str | Sequence[str] | None,
    balance: Balance,
) -> _Outcome:
    if (owner is None) == (among is None):
        raise StoreError("a task is given to somebody, or to one among several", hint="say one of the two")
    if among is not None:
        require(actor, "act")
        # As many turns as there may be tasks; those that cannot be given take none.
        turns = shared_out(store, among, balance, len(numbers))
        return _change(
            store,
            actor,
            numbers,
            "give task",
            now,
            lambda rows: [{"owner": one} for one in turns[: len(rows)]],
        )
    values = {"owner": text_of("an owner", owner or "", TITLE)}
    return _change(store, actor, numbers, "give task", now, lambda rows: [values] * len(rows))


# --- in the store --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Outcome:
    """`changed`: numbers and accounts."""

    changed: tuple[tuple[int, str], ...]
    refused: Mapping[int, RetinueError]


def _change(
    store: Store, actor: Actor, numbers: Sequence[int], what: str, now: datetime, values: _Values
) -> _Outcome:
    """Change those of the tasks that are open and that the actor may see, in one transaction."""
    require(actor, "act")
    with store.write() as connection:
        rows, refused = _open(connection, actor, numbers)
        told = values(rows)
        if rows:
            for same, own in _alike(rows, told):
                for start in range(0, len(own), CHUNK):
                    some = tasks.c.id.in_(own[start : start + CHUNK])
                    connection.execute(update(tasks).where(some).values(**same))
            write_audits(
                connection,
                actor.name,
                what,
                now,
                [
                    (row.account_id, {"id": row.id, **{name: getattr(row, name) for name in one}}, one)
                    for row, one in zip(rows, told, strict=True)
                ],
            )
    return _Outcome(tuple((row.id, row.account_id) for row in rows), refused)


def _alike(
    rows: Sequence[Row[Any]], told: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], list[int]]]:
    """What is written, with the numbers of the tasks of which it is."""
    found: dict[tuple[Any, ...], tuple[Mapping[str, Any], list[int]]] = {}
    for row, one in zip(rows, told, strict=True):
        found.setdefault(tuple(one.items()), (one, []))[1].append(row.id)
    return list(found.values())


def _open(
    connection: Connection, actor: Actor, numbers: Sequence[int]
) -> tuple[list[Row[Any]], dict[int, RetinueError]]:
    return changeable(connection, actor, tasks, "task", numbers, _closed)


def _closed(row: Row[Any]) -> StoreError | None:
    if row.status == "open":
        return None
    return StoreError(f"task {row.id} is {row.status} already", hint="add a new one")


def _many(numbers: Collection[int], change: Callable[[Sequence[int]], _Outcome]) -> Changed:
    outcome = change(chosen_among(numbers, "task", "changed"))
    refused = {number: str(why) for number, why in outcome.refused.items()}
    return Changed(tuple(number for number, _ in outcome.changed), refused)


def _one(outcome: _Outcome) -> str:
    for why in outcome.refused.values():
        raise why
    return outcome.changed[0][1]


def _maybe(what: str, text: str | None) -> str | None:
    return text_of(what, text, TEXT) if text is not None and text.strip() else None
