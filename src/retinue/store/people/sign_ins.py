"""Signing in elsewhere that has begun here: what must come back unchanged, once, and soon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from retinue.store.database import Store, utc
from retinue.store.people.sessions import digest
from retinue.store.tables import sign_ins

#: How long somebody has to sign in elsewhere.
TIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Begun:
    """What was sent along, and the page of ours where it began. Only the SHA-256 of its state is kept."""

    nonce: str
    verifier: str
    next: str


def begin(store: Store, state: str, begun: Begun, *, now: datetime) -> None:
    """Remember it until it is taken, or `TIME` is over."""
    with store.write() as connection:
        connection.execute(delete(sign_ins).where(sign_ins.c.expires_at < utc(now)))
        connection.execute(
            insert(sign_ins).values(
                id=digest(state),
                nonce=begun.nonce,
                verifier=begun.verifier,
                next=begun.next,
                expires_at=utc(now) + TIME,
            )
        )


def take(store: Store, state: str, *, now: datetime) -> Begun | None:
    """What was begun with that state, which can be taken once; None where nothing was, or too long ago."""
    with store.write() as connection:
        own = sign_ins.c.id == digest(state)
        row = connection.execute(select(sign_ins).where(own)).first()
        connection.execute(delete(sign_ins).where(own))
    if row is None or row.expires_at < utc(now):
        return None
    return Begun(row.nonce, row.verifier, row.next)
