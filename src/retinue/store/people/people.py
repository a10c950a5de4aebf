"""People who may come in, and which accounts each one sees. All audited.

Everything here takes the actor first and needs the right to manage, except where it says otherwise.
`now` is an aware datetime throughout. A person without any password and issuer cannot sign in.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, insert, select, update

from retinue.errors import Forbidden, NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, Role, require
from retinue.store.people.audit_log import write_audit
from retinue.store.tables import api_keys, people, sessions

Sees = Literal["everything", "team", "own"]

#: Which accounts a role's people see where nothing else is said.
SEES: dict[Role, Sees] = {
    "admin": "everything",
    "ops": "everything",
    "leader": "everything",
    "csm": "team",
    "reader": "everything",
}
#: Longest name of a person, a team, an owner or a territory.
NAME = 200
#: What `change_person` takes.
CHANGEABLE = ("email", "name", "role", "sees", "owners", "territories", "team", "issuer")

# Letters of ASCII only: what looks alike, or is alike once casefolded, would let somebody be another.
_EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)*")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in. Times are UTC without a zone.

    `owners` are the names by which accounts know them. With an `issuer` they sign in there; `subject`
    is what it calls them, None until they have done so once. A password with an end (`password_until`)
    was given to them, and is good for choosing their own only.
    """

    id: int
    email: str
    name: str
    role: Role
    sees: Sees
    owners: tuple[str, ...]
    territories: tuple[str, ...]
    team: str | None
    created_at: datetime
    disabled_at: datetime | None
    has_password: bool
    issuer: str | None
    subject: str | None
    password_until: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def actor_of(store: Store, person: Person) -> Actor:
    """What the person may see and do. Needs no right.

    They are audited under their e-mail, and what is given to it is theirs too.
    """
    mates: list[tuple[str, str]] = []
    if person.team is not None:
        with store.read() as connection:
            query = select(people.c.email, people.c.owners)
            enabled = people.c.disabled_at.is_(None)
            found = connection.execute(query.where(people.c.team == person.team, enabled)).all()
        mates = [(row.email, row.owners) for row in found]
    return actor_among(person, mates)


def actor_among(person: Person, mates: Iterable[tuple[str, str]]) -> Actor:
    """The actor of a person, given the e-mails and owners (as kept) of their team."""
    own = frozenset((person.email, *person.owners))
    team = own.union(*((email, *json.loads(owners)) for email, owners in mates))
    return Actor(
        person.email,
        everything=person.sees == "everything",
        owners=own if person.sees == "own" else team,
        territories=frozenset(person.territories),
        role=person.role,
        person=person.id,
        own=own,
        team=team,
    )


def with_person(table: Table, *own: ColumnElement[Any]) -> Select[Any]:
    """`own` of the rows of `table`, with the person whom each belongs to, once for each of their team.

    `actor_among_rows` reads what is found. Whoever is disabled is not.
    """
    mates = people.alias("mates")
    return (
        select(*own, *people.c, mates.c.email.label("mate"), mates.c.owners.label("mate_owners"))
        .join_from(table, people, people.c.id == table.c.person)
        .outerjoin(mates, and_(mates.c.team == people.c.team, mates.c.disabled_at.is_(None)))
        .where(people.c.disabled_at.is_(None))
    )


def actor_among_rows(rows: Sequence[Any]) -> tuple[Person, Actor]:
    """The one person that rows of `with_person` are about."""
    person = person_of(rows[0])
    return person, actor_among(person, [(row.mate, row.mate_owners) for row in rows if row.mate is not None])


def add_person(  # noqa: PLR0913 - a person is this many facts
    store: Store,
    actor: Actor,
    email: str,
    name: str,
    role: Role,
    *,
    now: datetime,
    sees: Sees | None = None,
    owners: Iterable[str] | None = None,
    territories: Iterable[str] = (),
    team: str | None = None,
    password_hash: str | None = None,
    password_days: int | None = None,
    issuer: str | None = None,
) -> int:
    """Let a person in, and return their number.

    `owners` are by default their e-mail and their name. With `password_days` they have to choose a
    password of their own, within so many days. With an `issuer` whoever signs in there with
    this e-mail, verified, is taken for them. Raises StoreError for what cannot be accepted.
    """
    require(actor, "manage")
    email, name = email_of(email), _text("a name", name)
    values = {
        "email": email,
        "name": name,
        "role": _one_of("role", role, Role),
        "sees": _one_of("view", sees or SEES.get(role, "own"), Sees),
        "owners": _names("an owner", (email, name) if owners is None else owners),
        "territories": _names("a territory", territories),
        "team": _maybe("a team", team),
        "issuer": _maybe("an issuer", issuer),
    }
    with store.write() as connection:
        _unused(connection, email)
        row = {**_kept(values), "password": password_hash, "created_at": utc(now)}
        row["password_until"] = _until(now, password_days)
        added = connection.execute(insert(people).values(row)).inserted_primary_key
        assert added is not None
        write_audit(connection, actor.name, "add person", email, now, None, {"id": added[0], **values})
    return int(added[0])


def change_person(store: Store, actor: Actor, person: int, *, now: datetime, **changes: Any) -> None:
    """Change any of `CHANGEABLE`; what is not named stays. A new role or view ends their sessions.

    A changed `issuer` forgets what the one before called them. Raises StoreError for what cannot be
    accepted, such as an organisation without an admin.
    """
    require(actor, "manage")
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise StoreError(f"people have no {unknown[0]!r} to change", hint="one of " + ", ".join(CHANGEABLE))
    takers: dict[str, Any] = {
        "email": email_of,
        "name": lambda value: _text("a name", value),
        "role": lambda value: _one_of("role", value, Role),
        "sees": lambda value: _one_of("view", value, Sees),
        "owners": lambda value: _names("an owner", value),
        "territories": lambda value: _names("a territory", value),
        "team": lambda value: _maybe("a team", value),
        "issuer": lambda value: _maybe("an issuer", value),
    }
    values = {name: takers[name](value) for name, value in changes.items()}
    with store.write() as connection:
        before = _person(connection, person)
        values = {name: value for name, value in values.items() if getattr(before, name) != value}
        if not values:
            return
        if "email" in values:
            _unused(connection, values["email"])
        if values.get("role", "admin") != "admin":
            _not_the_last_admin(connection, before)
        told = {name: getattr(before, name) for name in values}
        kept = _kept(values)
        if "issuer" in values:
            kept["subject"] = None
        connection.execute(update(people).where(people.c.id == person).values(kept))
        if {"role", "sees"} & set(values):
            end_sessions(connection, person, now)
        write_audit(connection, actor.name, "change person", before.email, now, told, values)


def disable_person(store: Store, actor: Actor, person: int, *, now: datetime) -> None:
    """Keep a person out from now on: their sessions and keys end. What they said stays."""
    require(actor, "manage")
    with store.write() as connection:
        before = _person(connection, person)
        if before.disabled_at is not None:
            raise StoreError(f"{before.email} is disabled already")
        _not_the_last_admin(connection, before)
        connection.execute(update(people).where(people.c.id == person).values(disabled_at=utc(now)))
        end_sessions(connection, person, now)
        own = (api_keys.c.person == person) & api_keys.c.revoked_at.is_(None)
        connection.execute(update(api_keys).where(own).values(revoked_at=utc(now)))
        write_audit(connection, actor.name, "disable person", before.email, now, None, None)


def enable_person(store: Store, actor: Actor, person: int, *, now: datetime) -> None:
    """Let a person in again. Their sessions and keys stay ended."""
    require(actor, "manage")
    with store.write() as connection:
        before = _person(connection, person)
        if before.disabled_at is None:
            raise StoreError(f"{before.email} is not disabled")
        connection.execute(update(people).where(people.c.id == person).values(disabled_at=None))
        write_audit(connection, actor.name, "enable person", before.email, now, None, None)


def set_password(
    store: Store,
    actor: Actor,
    person: int,
    password_hash: str | None,
    *,
    now: datetime,
    days: int | None = None,
    keep: str | None = None,
) -> None:
    """Give a person another password; None: no password. Ends their sessions but the one with id `keep`.

    With `days` they have to choose one of their own, within so many days.

    For oneself it needs no right, except that no key can do it.
    """
    if person != actor.person or actor.only is not None:
        require(actor, "manage")
    with store.write() as connection:
        before = _person(connection, person)
        connection.execute(
            update(people)
            .where(people.c.id == person)
            .values(password=password_hash, password_until=_until(now, days))
        )
        end_sessions(connection, person, now, keep=keep)
        what = "remove password" if password_hash is None else "set password"
        write_audit(connection, actor.name, what, before.email, now, None, None)


def rehash(store: Store, person: int, old: str, new: str) -> None:
    """Keep the same password in a newer way. Needs no right: whoever signs in has shown it."""
    own = (people.c.id == person) & (people.c.password == old)
    with store.write() as connection:
        connection.execute(update(people).where(own).values(password=new))


def link_person(store: Store, person: int, issuer: str, subject: str, *, now: datetime) -> None:
    """Remember what the issuer calls a person who may sign in there and has not yet. Needs no right.

    Raises Forbidden where an admin has not allowed it, or somebody else is called so already.
    """
    with store.write() as connection:
        before = _person(connection, person)
        taken = connection.execute(
            select(people.c.id).where(people.c.issuer == issuer, people.c.subject == subject)
        ).first()
        if before.issuer != issuer or before.subject is not None or taken is not None:
            raise Forbidden(f"{before.email} may not be linked to {issuer}", hint="ask an admin")
        connection.execute(update(people).where(people.c.id == person).values(subject=subject))
        write_audit(connection, before.email, "link person", before.email, now, None, {"issuer": issuer})


def is_anybody(store: Store) -> bool:
    """Whether anybody was ever let in. Needs no right: whoever comes is told how to begin."""
    with store.read() as connection:
        return connection.execute(select(people.c.id).limit(1)).first() is not None


def people_list(store: Store, actor: Actor) -> list[Person]:
    """Everybody, by name; who is disabled too."""
    require(actor, "manage")
    with store.read() as connection:
        rows = connection.execute(select(people)).all()
    return sorted((person_of(row) for row in rows), key=lambda person: (person.name.casefold(), person.id))


def find_person(store: Store, actor: Actor, person: int | str) -> Person:
    """The person of that number or e-mail. For oneself it needs no right. Raises NotFound."""
    if person != actor.person:
        require(actor, "manage")
    by_email = people.c.email == plain(str(person))
    own = by_email if isinstance(person, str) else people.c.id == _number(person)
    with store.read() as connection:
        row = connection.execute(select(people).where(own)).first()
    if row is None:
        raise NotFound(f"no person {person!r}", hint="see `retinue people list`")
    return person_of(row)


def who_signs_in(
    store: Store, *, email: str | None = None, issuer: str | None = None, subject: str | None = None
) -> tuple[Person, str | None] | None:
    """The person with that e-mail, or that the issuer calls so, and how their password is kept.

    Needs no right: nobody is anybody yet. None where there is none; a disabled person is found.
    """
    own: ColumnElement[bool] = people.c.email == plain(email or "")
    if subject is not None:
        if "\0" in subject or issuer is None:
            return None
        own = and_(people.c.issuer == issuer, people.c.subject == subject)
    with store.read() as connection:
        row = connection.execute(select(people).where(own)).first()
    return None if row is None else (person_of(row), row.password)


def email_of(text: str) -> str:
    """As it is kept. Raises StoreError for what is no e-mail address of plain letters."""
    email = plain(text)
    if len(email) > 254 or not text.isascii() or not _EMAIL.fullmatch(email):
        raise StoreError(f"not an e-mail address: {text.strip()[:80]!r}", hint="such as ann@example.com")
    return email


def plain(email: str) -> str:
    """To look for: what is not ASCII is nobody's address."""
    return email.strip().casefold() if email.isascii() and "\0" not in email else ""


def person_of(row: Any) -> Person:
    """The person of a row that has the columns of `people`."""
    told = {f.name: getattr(row, f.name) for f in dataclasses.fields(Person) if f.name != "has_password"}
    told |= {name: tuple(json.loads(told[name])) for name in ("owners", "territories")}
    return Person(**told, has_password=row.password is not None)


def end_sessions(connection: Connection, person: int, now: datetime, keep: str | None = None) -> None:
    """End the sessions of a person, in the transaction that gives the reason; not the one with id `keep`."""
    own: ColumnElement[bool] = (sessions.c.person == person) & sessions.c.revoked_at.is_(None)
    if keep is not None:
        own &= sessions.c.id != keep
    connection.execute(update(sessions).where(own).values(revoked_at=utc(now)))


def _number(person: int) -> int:
    """No number of a person is larger than a column takes."""
    return person if 0 < person < 1 << 63 else -1


def _person(connection: Connection, person: int) -> Person:
    row = connection.execute(select(people).where(people.c.id == _number(person))).first()
    if row is None:
        raise NotFound(f"no person {person}", hint="see `retinue people list`")
    return person_of(row)


def _not_the_last_admin(connection: Connection, person: Person) -> None:
    """Somebody must be left who can let people in."""
    if person.role != "admin" or person.disabled_at is not None:
        return
    others = (people.c.role == "admin") & people.c.disabled_at.is_(None) & (people.c.id != person.id)
    if connection.execute(select(func.count()).select_from(people).where(others)).scalar_one() == 0:
        raise StoreError(f"{person.email} is the last admin", hint="make somebody else an admin first")


def _unused(connection: Connection, email: str) -> None:
    if connection.execute(select(people.c.id).where(people.c.email == email)).first():
        raise StoreError(f"there is a person with the e-mail {email} already", hint="change that one")


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    """As the table has them: lists as JSON."""
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def _until(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else utc(now) + timedelta(days=days)


def _one_of(what: str, value: Any, choices: Any) -> Any:
    if value not in get_args(choices):
        raise StoreError(f"no such {what}: {value!r}", hint="one of " + ", ".join(get_args(choices)))
    return value


def _text(what: str, text: str) -> str:
    text = text.strip()
    if not text:
        raise StoreError(f"{what} has letters in it")
    if len(text) > NAME:
        raise StoreError(f"{what} has {NAME} letters at most, not {len(text)}")
    if any(ord(letter) < 32 or "\ud800" <= letter <= "\udfff" for letter in text):
        raise StoreError(f"{what} has a character in it that is no text")
    return text


def _maybe(what: str, text: str | None) -> str | None:
    return None if text is None or not text.strip() else _text(what, text)


def _names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_text(what, name) for name in names if name.strip()))
