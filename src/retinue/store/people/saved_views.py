"""Filters and orders of the book that people keep under a name, for themselves or for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, or_, select

from retinue.errors import NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, require
from retinue.store.tables import saved_views

#: Longest name, longest query, and most views of one person.
NAME, QUERY, MOST = 80, 2000, 50


@dataclass(frozen=True, slots=True)
class SavedView:
    """`query` is that of the book's address; `own` says whether it is the actor's."""

    id: int
    name: str
    query: str
    shared: bool
    own: bool


def save_view(store: Store, actor: Actor, name: str, query: str, *, shared: bool, now: datetime) -> None:
    """Keep a view, in place of one of the same name. What it shows each reader is theirs to see."""
    require(actor, "read")
    name = " ".join(name.split())
    if actor.person is None:
        raise StoreError("a view belongs to a person", hint="sign in to save one")
    if not name or len(name) > NAME or "\0" in name:
        raise StoreError(f"a view needs a name of 1 to {NAME} letters")
    if len(query) > QUERY or "\0" in query:
        raise StoreError(f"a view has {QUERY:,} letters at most")
    own = saved_views.c.person == actor.person
    with store.write() as connection:
        connection.execute(delete(saved_views).where(own, saved_views.c.name == name))
        if len(connection.execute(select(saved_views.c.id).where(own)).all()) >= MOST:
            raise StoreError(f"you have {MOST} views", hint="remove one first")
        connection.execute(
            insert(saved_views).values(
                person=actor.person, name=name, query=query, shared=shared, created_at=utc(now)
            )
        )


def views_of(store: Store, actor: Actor) -> tuple[SavedView, ...]:
    """The actor's own views, then those that others share, by name."""
    table = saved_views
    mine = table.c.person == actor.person
    query = select(table.c.id, table.c.name, table.c.query, table.c.shared, mine)
    with store.read() as connection:
        rows = connection.execute(query.where(or_(mine, table.c.shared)).order_by(table.c.name, table.c.id))
        found = [SavedView(id_, name, text, shared, bool(own)) for id_, name, text, shared, own in rows]
    return tuple(sorted(found, key=lambda view: not view.own))


def remove_view(store: Store, actor: Actor, view: int) -> None:
    """Forget one of the actor's own views. Raises NotFound for any other."""
    with store.write() as connection:
        own = (saved_views.c.id == view) & (saved_views.c.person == actor.person)
        if not connection.execute(delete(saved_views).where(own)).rowcount:
            raise NotFound(f"you have no view {view}")
