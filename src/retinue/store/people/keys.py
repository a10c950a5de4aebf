"""Keys of programs: each acts as a person, with the rights of its scopes at most. All audited.

A key is `rtn_<id>_<secret>`; the store has the SHA-256 of the secret only. `now` is an aware datetime.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from retinue.errors import NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, Right, require
from retinue.store.people.audit_log import write_audit
from retinue.store.people.people import NAME, actor_among_rows, with_person
from retinue.store.people.sessions import TOUCH, digest
from retinue.store.tables import api_keys, people

Scope = Literal["read", "act", "admin"]

#: What each scope lets a key do, as far as its person may.
SCOPES: dict[Scope, frozenset[Right]] = {
    "read": frozenset({"read"}),
    "act": frozenset({"read", "act", "override", "assign"}),
    "admin": frozenset({"read", "act", "override", "assign", "audit", "manage"}),
}
#: Live keys of one name: the one in use, and the one that takes over from it.
LIVE = 2
_KEY = re.compile(r"rtn_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Key:
    """A key as people see it, without its secret. Times are UTC without a zone; `email` is its person's."""

    id: str
    email: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_on: date | None
    used_at: datetime | None
    revoked_at: datetime | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def add_key(
    store: Store,
    actor: Actor,
    name: str,
    scopes: Iterable[Scope],
    *,
    now: datetime,
    expires_on: date | None = None,
    person: int | None = None,
) -> tuple[str, str]:
    """Make a key of a person, by default the actor's own, and return its id and the key itself.

    The key is told this once. A second one of the same name is how one key takes over from another;
    a third is refused. Those of others need the right to manage, and so does a key that makes a key.
    """
    name = name.strip()
    if not 0 < len(name) <= NAME or not name.isprintable():
        raise StoreError(f"the name of a key has 1 to {NAME} letters")
    wanted = tuple(scopes)
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        said = f"no such scope: {unknown[0]!r}" if unknown else "a key without a scope does nothing"
        raise StoreError(said, hint="one of " + ", ".join(get_args(Scope)))
    if expires_on is not None and expires_on < utc(now).date():
        raise StoreError(f"a key that expires on {expires_on} would be over already")
    whose = _whose(actor, person)
    with store.write() as connection:
        return _added(connection, actor, whose, name, wanted, now, expires_on)


def rotate_key(store: Store, actor: Actor, key: str, *, now: datetime, keep_days: int = 7) -> tuple[str, str]:
    """Make a key that takes over from `key`, and return its id and the key itself.

    The one before goes on for `keep_days`, so that programs can be given the new one meanwhile.
    """
    with store.write() as connection:
        row = _row(connection, actor, key, now)
        made = _added(
            connection, actor, row.person, row.name, tuple(json.loads(row.scopes)), now, row.expires_on
        )
        last = utc(now).date() + timedelta(days=keep_days)
        if row.expires_on is None or row.expires_on > last:
            connection.execute(update(api_keys).where(api_keys.c.id == key).values(expires_on=last))
    return made


def revoke_key(store: Store, actor: Actor, key: str, *, now: datetime) -> None:
    """End a key at once. Raises NotFound for one that is over, or not the actor's to end."""
    with store.write() as connection:
        row = _row(connection, actor, key, now)
        connection.execute(update(api_keys).where(api_keys.c.id == key).values(revoked_at=utc(now)))
        told = {"id": key, "name": row.name}
        write_audit(connection, actor.name, "revoke key", row.email, now, told, None)


def keys_of(store: Store, actor: Actor, *, person: int | None = None, everybody: bool = False) -> list[Key]:
    """The keys of a person (by default the actor), the newest first; with `everybody` all of them.

    Those of others need the right to manage.
    """
    query = select(*(api_keys.c[name] for name in Key.__slots__ if name != "email"), people.c.email)
    query = query.join(people, people.c.id == api_keys.c.person)
    if everybody:
        require(actor, "manage")
    else:
        query = query.where(api_keys.c.person == _whose(actor, person))
    with store.read() as connection:
        rows = connection.execute(query.order_by(api_keys.c.created_at.desc(), api_keys.c.id)).all()
    return [Key(**{**row._asdict(), "scopes": tuple(json.loads(row.scopes))}) for row in rows]


def actor_of_key(store: Store, secret: str, *, now: datetime) -> Actor | None:
    """Whom the key acts for; None if it is unknown or over, or its person is disabled.

    Their name in the audit log says which key it was.
    """
    parts = _KEY.fullmatch(secret)
    named = api_keys.c.id == (parts[1] if parts else "")
    query = with_person(api_keys, *(column.label(f"key_{column.name}") for column in api_keys.c))
    with store.read() as connection:
        rows = connection.execute(query.where(named, _live(now))).all()
    first = rows[0] if rows else None
    same = hmac.compare_digest(digest(parts[2] if parts else ""), first.key_secret if first else digest(""))
    if first is None or not same:
        return None
    if first.key_used_at is None or utc(now) - first.key_used_at >= TOUCH:
        with suppress(StoreError), store.write(wait=0.05) as connection:
            own = api_keys.c.id == first.key_id
            connection.execute(update(api_keys).where(own).values(used_at=utc(now)))
    _, actor = actor_among_rows(rows)
    only = frozenset[Right]().union(*(SCOPES[scope] for scope in json.loads(first.key_scopes)))
    return replace(actor, name=f"{actor.name} (key {first.key_name})", only=only)


def _whose(actor: Actor, person: int | None) -> int:
    whose = actor.person if person is None else person
    if whose is None:
        raise StoreError("whose key?", hint="name a person")
    if whose != actor.person or actor.only is not None:
        require(actor, "manage")
    return whose


def _added(
    connection: Connection,
    actor: Actor,
    person: int,
    name: str,
    scopes: tuple[Scope, ...],
    now: datetime,
    expires_on: date | None,
) -> tuple[str, str]:
    whose = connection.execute(select(people).where(people.c.id == person)).first()
    if whose is None:
        raise NotFound(f"no person {person}", hint="see `retinue people list`")
    if whose.disabled_at is not None:
        raise StoreError(f"{whose.email} is disabled", hint="enable them first")
    alike = and_(api_keys.c.person == person, api_keys.c.name == name, _live(now))
    if connection.execute(select(func.count()).where(alike)).scalar_one() >= LIVE:
        raise StoreError(f"there are {LIVE} live keys {name!r} already", hint="revoke the older one first")
    key, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    told = {"name": name, "scopes": list(scopes), "expires_on": expires_on}
    connection.execute(
        insert(api_keys).values(
            id=key,
            person=person,
            name=name,
            secret=digest(secret),
            scopes=json.dumps(scopes),
            created_at=utc(now),
            expires_on=expires_on,
        )
    )
    write_audit(connection, actor.name, "add key", whose.email, now, None, {"id": key, **told})
    return key, f"rtn_{key}_{secret}"


def _row(connection: Connection, actor: Actor, key: str, now: datetime) -> Any:
    """A live key that is the actor's to change. Raises NotFound."""
    own = and_(api_keys.c.id == key.replace("\0", ""), _live(now))
    query = select(*api_keys.c, people.c.email).join(people, people.c.id == api_keys.c.person)
    row = connection.execute(query.where(own)).first()
    theirs = row is not None and row.person == actor.person and actor.only is None
    if row is None or not (theirs or actor.may("manage")):
        raise NotFound(f"no live key {key!r}", hint="see `retinue keys list`")
    return row


def _live(now: datetime) -> ColumnElement[bool]:
    last = api_keys.c.expires_on
    return and_(api_keys.c.revoked_at.is_(None), or_(last.is_(None), last >= utc(now).date()))
