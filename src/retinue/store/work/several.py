"""Several things that are changed at once: each whole or not at all.

What cannot be changed is told with its reason, and keeps no other from being changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from retinue.errors import NotFound, RetinueError, StoreError
from retinue.store.people.access import Actor, in_scope

#: What is changed at once, at most, and numbers per statement.
MOST, CHUNK = 500, 250

#: Why a row cannot be changed any more; None: it can.
Over = Callable[[Row[Any]], StoreError | None]


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of several: those that were changed, and why others were not, by number."""

    changed: tuple[int, ...]
    refused: Mapping[int, str]

    def to_dict(self) -> dict[str, Any]:
        return {"changed": list(self.changed), "refused": dict(self.refused)}


def chosen_among(numbers: Collection[int], noun: str, changed: str) -> list[int]:
    """Each number once. Raises StoreError where they are none or too many."""
    wanted = list(dict.fromkeys(numbers))
    if not 1 <= len(wanted) <= MOST:
        raise StoreError(f"1 to {MOST} {noun}s are {changed} at once, not {len(wanted)}", hint="choose some")
    return wanted


def changeable(
    connection: Connection, actor: Actor, table: Table, noun: str, numbers: Sequence[int], over: Over
) -> tuple[list[Row[Any]], dict[int, RetinueError]]:
    """The rows that can be changed and that the actor may see, in the order asked for, and what is with
    the others. The table has an `id` and an `account_id`."""
    found: dict[int, Row[Any]] = {}
    for start in range(0, len(numbers), CHUNK):
        some = table.c.id.in_(numbers[start : start + CHUNK])
        query = select(table).where(some, in_scope(actor, table.c.account_id))
        found.update((row.id, row) for row in connection.execute(query))
    refused: dict[int, RetinueError] = {}
    for number in numbers:
        why = over(found[number]) if number in found else NotFound(f"no {noun} {number}")
        if why is not None:
            refused[number] = why
    return [found[number] for number in numbers if number not in refused], refused
