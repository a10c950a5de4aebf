"""Who asks, and which accounts they may see: decided in SQL, so that no surface can forget it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, or_, select, true

from retinue.errors import Forbidden
from retinue.store.tables import current, pointer

Role = Literal["admin", "ops", "leader", "csm", "reader"]
Right = Literal["read", "act", "override", "assign", "audit", "manage"]

#: What each role may do, to the accounts that its person sees. `act` is to write notes, pulses, tasks
#: and outcomes; `audit` is to read who did what, and to look after messages on their way; `manage` is to
#: let people in.
RIGHTS: dict[Role, frozenset[Right]] = {
    "admin": frozenset({"read", "act", "override", "assign", "audit", "manage"}),
    "ops": frozenset({"read", "act", "override", "assign", "audit"}),
    "leader": frozenset({"read", "act", "override", "assign"}),
    "csm": frozenset({"read", "act", "override"}),
    "reader": frozenset({"read"}),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or program that reads or acts.

    With `everything` they see all accounts; otherwise those of their `owners` and `territories`.
    `own` are the names under which accounts are theirs to look after, `team` those of their team:
    what "mine" and "my team's" mean to them. `person` is their number in the store. `rights` are
    those of the role, or fewer for a key.
    """

    name: str
    everything: bool = True
    owners: frozenset[str] = frozenset()
    territories: frozenset[str] = frozenset()
    role: Role = "admin"
    person: int | None = None
    own: frozenset[str] = frozenset()
    team: frozenset[str] = frozenset()
    only: frozenset[Right] | None = None

    @property
    def rights(self) -> frozenset[Right]:
        rights = RIGHTS[self.role]
        return rights if self.only is None else rights & self.only

    def may(self, right: Right) -> bool:
        return right in self.rights


#: Whoever has the files has everything: the actor of the command line.
OPERATOR = Actor("operator")


def require(actor: Actor, right: Right) -> None:
    """Raises Forbidden where the actor has no such right."""
    if not actor.may(right):
        raise Forbidden(
            f"{actor.name} ({actor.role}) may not do this: it needs the right to {right}",
            hint="ask an admin for another role",
        )


def visible(actor: Actor) -> ColumnElement[bool]:
    """The condition on `current` that holds for the accounts the actor may see."""
    if actor.everything:
        return true()
    return or_(
        current.c.owner.in_(sayable(actor.owners)), current.c.territory.in_(sayable(actor.territories))
    )


def of_current_run() -> ColumnElement[bool]:
    """The condition on `current` that holds for the rows of the run that readers see."""
    return current.c.run_id == select(pointer.c.run_id).scalar_subquery()


def seen_accounts(actor: Actor) -> Select[Any]:
    """The ids of the accounts that are current and that the actor may see."""
    return select(current.c.account_id).where(of_current_run(), visible(actor))


def in_scope(actor: Actor, account_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that holds where `account_id` is one that the actor may see.

    Whoever sees everything also sees accounts that are gone, and rows that are about none.
    """
    return true() if actor.everything else account_id.in_(seen_accounts(actor))


def sayable(names: frozenset[str]) -> list[str]:
    """No text of PostgreSQL has a NUL in it; it refuses to look for one."""
    return sorted(name for name in names if "\0" not in name)
