"""Who asks, and which accounts they may see: decided in SQL, so that no surface can forget it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, true

from retinue.store.tables import current


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or program that reads or acts.

    With `everything` they see all accounts; otherwise those of their `owners` and `territories`.
    """

    name: str
    everything: bool = True
    owners: frozenset[str] = frozenset()
    territories: frozenset[str] = frozenset()


#: Whoever has the files has everything: the actor of the command line.
OPERATOR = Actor("operator")


def visible(actor: Actor) -> ColumnElement[bool]:
    """The condition on `current` that holds for the accounts the actor may see."""
    if actor.everything:
        return true()
    # No text of PostgreSQL has a NUL in it; it refuses to look for one.
    owners, territories = (
        sorted(name for name in names if "\0" not in name) for names in (actor.owners, actor.territories)
    )
    return or_(current.c.owner.in_(owners), current.c.territory.in_(territories))
