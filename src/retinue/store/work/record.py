"""The record of one account: what people said and did about it, newest first.

Times are UTC without a zone. An account that the actor may not see is NotFound.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Table, select

from retinue.store.database import Store
from retinue.store.people.access import Actor, of_current_run, sayable, visible
from retinue.store.published.current import CurrentRow
from retinue.store.tables import assignments, current, notes, outcomes, overrides, pulses, tasks
from retinue.store.work.said import known

Kind = Literal["note", "pulse", "override", "outcome", "task", "owner"]

#: Entries of a kind that are read, the newest ones.
MOST = 1000

_TABLES: dict[Kind, Table] = {
    "note": notes,
    "pulse": pulses,
    "override": overrides,
    "outcome": outcomes,
    "task": tasks,
    "owner": assignments,
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
    """Everything of these kinds about the account, the newest first, at most `MOST` of a kind."""
    if not actor.everything:
        known(store, actor, account_id)
    with store.read() as connection:
        found = [entry for kind in kinds for entry in _of(connection, kind, account_id.replace("\0", ""))]
    return sorted(found, key=lambda entry: (entry.at, entry.kind, entry.id), reverse=True)


def _of(connection: Connection, kind: Kind, account_id: str) -> list[Entry]:
    table = _TABLES[kind]
    rows = connection.execute(
        select(table).where(table.c.account_id == account_id).order_by(table.c.id.desc()).limit(MOST)
    )
    found = []
    for row in rows:
        told = row._asdict()
        fixed = [told.pop(name, None) for name in ("id", "said_at", "by", "withdrawn_at", "account_id")]
        found.append(Entry(kind, fixed[0], fixed[1], fixed[2], fixed[3], told))
    return found


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
