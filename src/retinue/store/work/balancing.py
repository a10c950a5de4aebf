"""Who of several people gets the next tasks: whoever has fewest, or least revenue, or whose turn it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from sqlalchemy import select

from retinue.action.playbooks import Balance, Load, balanced
from retinue.errors import StoreError
from retinue.store.database import Store
from retinue.store.tables import people
from retinue.store.work.assignments import owner_named
from retinue.store.work.plays import desks, members

#: People among whom tasks are shared out, at most.
MOST = 200


def shared_out(store: Store, among: str | Sequence[str], balance: Balance, count: int) -> list[str]:
    """Who gets each of so many tasks, in their order; each is on somebody's desk when the next one is given.

    `among` is a team or a list of names. Raises StoreError where nobody is among them.
    """
    if balance not in get_args(Balance):
        raise StoreError(
            f"tasks are not shared out by {balance!r}", hint="one of " + ", ".join(get_args(Balance))
        )
    if isinstance(among, str):
        names = members(store, among.replace("\0", ""))
        if not names:
            raise StoreError(f"nobody is in the team {among[:80]!r}", hint="name a team with people in it")
    else:
        names = list(dict.fromkeys(owner_named(name) for name in among))
        if not 1 <= len(names) <= MOST:
            raise StoreError(f"tasks are shared out among 1 to {MOST} people, not {len(names)}")
    known = desks(store)
    loads = {name: known.get(name, Load(name, 0, 0.0, 0)) for name in names}
    newest = max((one.last_given for one in known.values()), default=0)
    given = []
    for n in range(count):
        name = balanced(list(loads.values()), balance)
        assert name is not None
        loads[name] = replace(loads[name], tasks=loads[name].tasks + 1, last_given=newest + n + 1)
        given.append(name)
    return given


def teams(store: Store) -> list[str]:
    """The teams with somebody in them who is not disabled."""
    query = select(people.c.team).where(people.c.team.is_not(None), people.c.disabled_at.is_(None))
    with store.read() as connection:
        return list(connection.execute(query.distinct().order_by(people.c.team)).scalars())


def names_of_team(store: Store, team: str) -> frozenset[str]:
    """The names under which tasks and accounts are those of the team's people, also of disabled ones."""
    query = select(people.c.email, people.c.owners).where(people.c.team == team.replace("\0", ""))
    with store.read() as connection:
        rows = connection.execute(query).all()
    return frozenset(name for row in rows for name in (row.email, *json.loads(row.owners)))
