"""Who is signed in: kept here, so that it can be looked at and ended at once.

A browser holds a random token of 256 bits; the store has its SHA-256 only. `now` is an aware datetime.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, insert, select, update

from retinue.errors import Forbidden, NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, require
from retinue.store.people.audit_log import write_audit
from retinue.store.people.people import Person, actor_among_rows, with_person
from retinue.store.tables import people, sessions

#: How long somebody stays signed in: hours unseen, and days at most.
IDLE_HOURS, DAYS = 12, 7
#: That somebody was seen is written down this often.
TOUCH = timedelta(minutes=5)
#: Sessions that are over are kept this long, for whoever asks what happened.
KEPT = timedelta(days=30)
#: Longest name of a browser that is kept.
AGENT = 200


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in. `id` is public to them; `csrf` is what their forms must bring along."""

    id: str
    person: Person
    actor: Actor
    csrf: str


@dataclass(frozen=True, slots=True)
class Open:
    """A session that is not over, as its person sees it. Times are UTC without a zone."""

    id: str
    agent: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


def begin_session(
    store: Store,
    person: int,
    *,
    agent: str | None,
    now: datetime,
    hours: float = IDLE_HOURS,
    days: float = DAYS,
    replaces: str | None = None,
    how: str = "password",
) -> tuple[str, str]:
    """Sign a person in, and return the token for their browser and the one for their forms.

    `replaces` is the token that the browser had before: it ends. Whoever calls this has made sure who
    it is. Raises Forbidden for a person who is disabled.
    """
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with store.write() as connection:
        row = connection.execute(select(people.c.email, people.c.disabled_at).where(people.c.id == person))
        found = row.first()
        if found is None or found.disabled_at is not None:
            raise Forbidden("this person may not sign in")
        connection.execute(delete(sessions).where(sessions.c.expires_at < utc(now) - KEPT))
        if replaces is not None:
            before = and_(sessions.c.id == digest(replaces), sessions.c.revoked_at.is_(None))
            connection.execute(update(sessions).where(before).values(revoked_at=utc(now)))
        connection.execute(
            insert(sessions).values(
                id=digest(token),
                person=person,
                csrf=csrf,
                agent=_cleaned(agent),
                created_at=utc(now),
                seen_at=utc(now),
                idle_hours=hours,
                expires_at=utc(now) + timedelta(days=days),
            )
        )
        write_audit(connection, found.email, "sign in", found.email, now, None, {"how": how})
    return token, csrf


def session(store: Store, token: str, *, now: datetime) -> Session | None:
    """Whoever holds the token; None if it is unknown or over, or its person is disabled."""
    own = [sessions.c.id, sessions.c.csrf, sessions.c.seen_at, sessions.c.idle_hours]
    query = with_person(sessions, *(column.label(f"session_{column.name}") for column in own)).where(
        sessions.c.id == digest(token), sessions.c.revoked_at.is_(None), sessions.c.expires_at > utc(now)
    )
    with store.read() as connection:
        rows = connection.execute(query).all()
    if not rows or utc(now) - rows[0].session_seen_at >= timedelta(hours=rows[0].session_idle_hours):
        return None
    first = rows[0]
    if utc(now) - first.session_seen_at >= TOUCH:
        # Reading goes on where somebody else is writing; the next page tries again.
        with suppress(StoreError), store.write(wait=0.05) as connection:
            connection.execute(
                update(sessions).where(sessions.c.id == first.session_id).values(seen_at=utc(now))
            )
    person, actor = actor_among_rows(rows)
    return Session(first.session_id, person, actor, first.session_csrf)


def end_session(store: Store, token: str, *, now: datetime) -> None:
    """Sign out. Nothing happens where there is no such session any more."""
    with store.write() as connection:
        own = and_(sessions.c.id == digest(token), sessions.c.revoked_at.is_(None))
        email = connection.execute(
            select(people.c.email).join(sessions, sessions.c.person == people.c.id).where(own)
        ).scalar_one_or_none()
        if email is not None:
            connection.execute(update(sessions).where(own).values(revoked_at=utc(now)))
            write_audit(connection, email, "sign out", email, now, None, None)


def sessions_of(store: Store, actor: Actor, *, now: datetime, person: int | None = None) -> list[Open]:
    """The sessions of a person that are not over, the last seen first; by default the actor's own.

    Those of others need the right to manage.
    """
    whose = actor.person if person is None else person
    if whose != actor.person or actor.only is not None:
        require(actor, "manage")
    query = select(sessions).where(
        sessions.c.person == whose, sessions.c.revoked_at.is_(None), sessions.c.expires_at > utc(now)
    )
    with store.read() as connection:
        rows = connection.execute(query.order_by(sessions.c.seen_at.desc(), sessions.c.id)).all()
    return [
        Open(row.id, row.agent, row.created_at, row.seen_at, row.expires_at)
        for row in rows
        if utc(now) - row.seen_at < timedelta(hours=row.idle_hours)
    ]


def revoke_session(store: Store, actor: Actor, session: str, *, now: datetime) -> None:
    """End the session with that id. Raises NotFound for one that is over, or not the actor's to end."""
    if "\0" in session:
        raise NotFound("no such session")
    seen = sessions.c.id == session
    if not actor.may("manage"):
        # A key cannot sign anybody out; -1 is nobody.
        seen &= sessions.c.person == (-1 if actor.person is None or actor.only is not None else actor.person)
    with store.write() as connection:
        email = connection.execute(
            select(people.c.email)
            .join(sessions, sessions.c.person == people.c.id)
            .where(seen, sessions.c.revoked_at.is_(None))
        ).scalar_one_or_none()
        if email is None:
            raise NotFound("no such session")
        connection.execute(update(sessions).where(sessions.c.id == session).values(revoked_at=utc(now)))
        write_audit(connection, actor.name, "end session", email, now, None, None)


def digest(token: str) -> str:
    """What is kept of a token. A random one of 256 bits needs no salt and no slow hash."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _cleaned(agent: str | None) -> str | None:
    if agent is None:
        return None
    return "".join(letter for letter in agent if letter.isprintable())[:AGENT] or None
