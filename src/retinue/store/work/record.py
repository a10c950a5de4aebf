"""The record of one account: what people said and did about it, and what was raised, newest first.

Times are UTC without a zone. An account that the actor may not see is NotFound.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Literal

from sqlalchemy import Connection, Row, Table, bindparam, select, true

from retinue.store.database import Store
from retinue.store.people.access import Actor, of_current_run, sayable, visible
from retinue.store.published.current import CurrentRow
from retinue.store.tables import (
    alerts,
    assignments,
    audit,
    current,
    enrolments,
    interventions,
    notes,
    outcomes,
    overrides,
    pulses,
    tasks,
)
from retinue.store.work.plays import RETINUE, sees_held_out
from retinue.store.work.said import known

Kind = Literal[
    "note", "pulse", "override", "outcome", "task", "owner", "moved", "alert", "playbook", "intervention"
]

#: Entries of a kind that are read, the newest ones.
MOST = 1000

_TABLES: dict[Kind, Table] = {
    "note": notes,
    "pulse": pulses,
    "override": overrides,
    "outcome": outcomes,
    "task": tasks,
    "owner": assignments,
    "moved": audit,
    "alert": alerts,
    "playbook": enrolments,
    "intervention": interventions,
}
#: What the log has of tasks, besides that they were added and closed: each row of theirs says only how they
#: are now.
_MOVES = ("snooze task", "give task")
# Put together once: every page of an account asks for all of them.
_QUERIES = {
    kind: select(table)
    .where((table.c.subject if table is audit else table.c.account_id) == bindparam("account"))
    .where(table.c.what.in_(_MOVES) if table is audit else true())
    .order_by(table.c.id.desc())
    .limit(MOST)
    for kind, table in _TABLES.items()
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Something said or done; `told` is the rest of its row, by column. Withdrawn ones stay."""

    kind: Kind
    id: int
    at: datetime
    by: str
    withdrawn_at: datetime | None
    told: Mapping[str, Any]


def record(
    store: Store, actor: Actor, account_id: str, kinds: Collection[Kind] = tuple(_TABLES)
) -> list[Entry]:
    """Everything of these kinds about the account, the newest first, at most `MOST` of a kind.

    An enrolment that is held out is there only for those who may know of it.
    """
    if not actor.everything:
        known(store, actor, account_id)
    with store.read() as connection:
        found = [entry for kind in kinds for entry in _of(connection, kind, account_id.replace("\0", ""))]
    if not sees_held_out(actor):
        found = [one for one in found if one.kind != "playbook" or one.told["status"] != "held_out"]
    return sorted(found, key=lambda entry: (entry.at, entry.kind, entry.id), reverse=True)


def _of(connection: Connection, kind: Kind, account_id: str) -> list[Entry]:
    return [_entry(kind, row) for row in connection.execute(_QUERIES[kind], {"account": account_id})]


def _entry(kind: Kind, row: Row[Any]) -> Entry:
    told = row._asdict()
    number, by, withdrawn_at = told.pop("id"), told.pop("by", RETINUE), told.pop("withdrawn_at", None)
    told.pop("account_id", None)
    if kind == "alert":
        return Entry(kind, number, told.pop("raised_at"), by, None, told)
    if kind == "playbook":
        # Known at the end of its day.
        return Entry(kind, number, datetime.combine(told["started_on"], time.max), by, None, told)
    if kind == "moved":
        texts = {name: json.loads(told[name] or "{}") for name in ("before", "after")}
        return Entry(kind, number, told["said_at"], told["who"], None, {"what": told["what"], **texts})
    return Entry(kind, number, told.pop("said_at"), by, withdrawn_at, told)


def standing(store: Store, actor: Actor, account_ids: Collection[str]) -> list[CurrentRow]:
    """Those of the accounts that are current and that the actor may see, without their details."""
    columns = [current.c[f.name] for f in dataclasses.fields(CurrentRow) if f.name in current.c]
    query = select(*columns).where(
        of_current_run(),
        current.c.account_id.in_(sayable(frozenset(account_ids))),
        visible(actor),
    )
    with store.read() as connection:
        rows = connection.execute(query.order_by(current.c.account_id)).all()
    return [CurrentRow(**row._asdict()) for row in rows]
