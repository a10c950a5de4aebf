"""Messages on their way: written with the change that they are about, and sent elsewhere.

A row is open until it is sent or dead. A worker claims open rows for a while, by an UPDATE that holds
only while nobody else has them; a claim that ends is open to others again. So a message is delivered at
least once, under one key, and has one effect as far as its receiver honours the key.

`now` is an aware datetime throughout.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from retinue.errors import NotFound
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, in_scope, require
from retinue.store.people.audit_log import write_audit
from retinue.store.tables import destinations, outbox

#: Failures for good in a row after which a destination is disabled.
GIVE_UP_AFTER = 5
#: How long messages are kept once they are sent, and once they are dead.
KEPT, KEPT_DEAD = timedelta(days=30), timedelta(days=180)
#: How long messages wait for a destination that is disabled. An older one would only mislead.
WAITS = timedelta(days=7)
#: Characters of an error that are kept.
ERROR = 500
_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
#: What is neither sent nor given up.
OPEN = and_(outbox.c.sent_at.is_(None), outbox.c.dead_at.is_(None))


@dataclass(frozen=True, slots=True)
class Row:
    """A message to put in the outbox. `id` is its idempotency key: the same one is taken once."""

    id: str
    destination: str
    kind: str
    subject: str
    payload: Mapping[str, Any]
    due_at: datetime
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that a worker has. `attempts` are those that were begun, this one with them."""

    id: str
    destination: str
    kind: str
    subject: str
    payload: dict[str, Any]
    account_id: str | None
    attempts: int
    worker: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Dead:
    """A message that was given up. Times are UTC without a zone."""

    id: str
    destination: str
    kind: str
    subject: str
    account_id: str | None
    attempts: int
    dead_at: datetime
    last_error: str | None


def key(*parts: object) -> str:
    """An idempotency key of what makes a message the one that it is: its alert and destination, say."""
    text = json.dumps([str(part) for part in parts])
    return "msg_" + hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]


# --- writing -------------------------------------------------------------------------------------


def enqueue(connection: Connection, rows: Iterable[Row], *, now: datetime) -> int:
    """Put messages in the outbox, in the transaction of what they are about; how many are new.

    A key that is there already, sent or not, is left as it is. Raises ValueError for a key that cannot
    be one: it has letters, digits, - and _.
    """
    moment = utc(now)
    values = [_values(row, moment) for row in rows]
    if not values:
        return 0
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(outbox).on_conflict_do_nothing(index_elements=["id"])
    return len(connection.execute(statement.returning(outbox.c.id), values).all())


def claim(
    store: Store,
    worker: str,
    *,
    now: datetime,
    limit: int,
    lease: timedelta,
    shares: Mapping[str, int] | None = None,
) -> list[Claimed]:
    """Have at most `limit` messages for `lease`, the longest due first, destinations by turns.

    Of a destination in `shares` no more than so many. Those that rest or are disabled are left out.
    """
    moment = utc(now)
    free = or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= moment)
    due = and_(OPEN, outbox.c.due_at <= moment, free)
    away = select(destinations.c.name).where(
        or_(destinations.c.disabled_at.is_not(None), destinations.c.rests_until > moment)
    )
    with store.read() as connection:
        names = connection.execute(
            select(outbox.c.destination).where(due, outbox.c.destination.not_in(away)).distinct()
        ).scalars()
        turns = []
        for name in list(names):
            most = min(limit, (shares or {}).get(name, limit))
            found = connection.execute(
                select(outbox.c.due_at, outbox.c.id)
                .where(due, outbox.c.destination == name)
                .order_by(outbox.c.due_at, outbox.c.id)
                .limit(max(0, most))
            )
            turns += [(turn, row.due_at, row.id) for turn, row in enumerate(found)]
    wanted = [id_ for _, _, id_ in sorted(turns)[:limit]]
    if not wanted:
        return []
    with store.write() as connection:
        taken = connection.execute(
            update(outbox)
            .where(outbox.c.id.in_(wanted), due)
            .values(claimed_by=worker, claimed_until=moment + lease)
            .returning(outbox)
        ).all()
    order = {id_: place for place, id_ in enumerate(wanted)}
    return [
        Claimed(
            row.id,
            row.destination,
            row.kind,
            row.subject,
            json.loads(row.payload),
            row.account_id,
            row.attempts,
            worker,
            row.created_at,
        )
        for row in sorted(taken, key=lambda row: order[row.id])
    ]


def begin(store: Store, claimed: Claimed, *, now: datetime, lease: timedelta) -> Claimed | None:
    """Count an attempt, and have the message for `lease` from now on; None where somebody else has it.

    It is counted before it is made, so that a message that ends its worker is given up at last.
    """
    with store.write() as connection:
        attempts = claimed.attempts + 1
        mine = _give(connection, claimed, claimed.worker, utc(now) + lease, attempts=attempts)
    return replace(claimed, attempts=attempts) if mine else None


def sent(store: Store, claimed: Claimed, *, now: datetime, note: str | None = None) -> bool:
    """It was taken by its receiver, perhaps with a `note`. False where that was known already.

    It is so whoever has it by now.
    """
    with store.write() as connection:
        done = connection.execute(
            update(outbox)
            .where(outbox.c.id == claimed.id, outbox.c.sent_at.is_(None))
            .values(
                sent_at=utc(now),
                dead_at=None,
                last_error=note and note[:ERROR],
                claimed_by=None,
                claimed_until=None,
            )
        )
        connection.execute(
            update(destinations)
            .where(destinations.c.name == claimed.destination, destinations.c.disabled_at.is_(None))
            .values(failures=0, stumbles=0, rests_until=None, reason=None)
        )
        return done.rowcount == 1


def retry(
    store: Store,
    claimed: Claimed,
    error: str,
    *,
    at: datetime,
    rest: Callable[[int], datetime] | None = None,
) -> bool:
    """It failed, and is due again `at`. `error` is kept, and must hold no secret.

    With `rest`, nothing goes to its destination before the time that it gives for the number of rests
    in a row. False where somebody else has it by now, and decides.
    """
    with store.write() as connection:
        done = _give(connection, claimed, due_at=utc(at), last_error=error[:ERROR])
        if done and rest is not None:
            stumbles = _one_more(connection, destinations.c.stumbles, claimed.destination)
            connection.execute(
                update(destinations)
                .where(destinations.c.name == claimed.destination, destinations.c.disabled_at.is_(None))
                .values(rests_until=utc(rest(stumbles)), reason=error[:ERROR])
            )
    return done


def bury(
    store: Store,
    claimed: Claimed,
    error: str,
    *,
    now: datetime,
    counts: bool = True,
    at_once: bool = False,
    tell: Iterable[Row] = (),
) -> bool:
    """It failed for good. True where that disabled its destination.

    With `counts` the destination is to blame: after `GIVE_UP_AFTER` in a row, or `at_once`, it is
    disabled, and `tell` is put in the outbox with it, once.
    """
    with store.write() as connection:
        if not _give(connection, claimed, dead_at=utc(now), last_error=error[:ERROR]) or not counts:
            return False
        failures = _one_more(connection, destinations.c.failures, claimed.destination)
        if failures < GIVE_UP_AFTER and not at_once:
            return False
        disabled = connection.execute(
            update(destinations)
            .where(destinations.c.name == claimed.destination, destinations.c.disabled_at.is_(None))
            .values(disabled_at=utc(now), reason=error[:ERROR])
        )
        if disabled.rowcount != 1:
            return False
        after = {"reason": error[:ERROR], "failures": failures}
        write_audit(connection, "delivery", "disable destination", claimed.destination, now, None, after)
        enqueue(connection, tell, now=now)
    return True


def _one_more(connection: Connection, count: Column[int], destination: str) -> int:
    known_destination(connection, destination)
    more = update(destinations).where(destinations.c.name == destination).values({count: count + 1})
    told: int = connection.execute(more.returning(count)).scalar_one()
    return told


def give_back(store: Store, several: Collection[Claimed]) -> int:
    """Let others have what was claimed and not begun."""
    given = 0
    if not several:
        return 0
    with store.write() as connection:
        for claimed in several:
            given += _give(connection, claimed)
    return given


# --- for whoever looks after it ------------------------------------------------------------------


def dead(
    store: Store, actor: Actor, *, destination: str | None = None, limit: int = 100, after: str | None = None
) -> list[Dead]:
    """What was given up, the newest first, as far as it is about accounts that the actor may see.

    `after` is the id of the last one of the page before. Needs the right to audit.
    """
    require(actor, "audit")
    columns = [outbox.c[field.name] for field in fields(Dead)]
    conditions = [outbox.c.dead_at.is_not(None), in_scope(actor, outbox.c.account_id)]
    if destination is not None:
        conditions.append(outbox.c.destination == destination.replace("\0", ""))
    with store.read() as connection:
        if after is not None:
            last = connection.execute(
                select(outbox.c.dead_at).where(outbox.c.id == after.replace("\0", ""), *conditions)
            ).scalar_one_or_none()
            if last is None:
                raise NotFound("the message where the page before ended is gone", hint="start over")
            older = and_(outbox.c.dead_at == last, outbox.c.id > after)
            conditions.append(or_(outbox.c.dead_at < last, older))
        rows = connection.execute(
            select(*columns).where(*conditions).order_by(outbox.c.dead_at.desc(), outbox.c.id).limit(limit)
        ).mappings()
        return [Dead(**row) for row in rows]


def replay(store: Store, actor: Actor, id_: str, *, now: datetime) -> None:
    """Send what was given up once more, under its key. Raises NotFound if there is none such."""
    require(actor, "audit")
    if not _replayed(store, actor, outbox.c.id == id_.replace("\0", ""), id_, now):
        raise NotFound(f"no message was given up under {id_!r}", hint="see the list of dead messages")


def replay_all(store: Store, actor: Actor, destination: str, *, now: datetime) -> int:
    """Send once more all that was given up for a destination, and return how many they are."""
    require(actor, "audit")
    there = outbox.c.destination == destination.replace("\0", "")
    return _replayed(store, actor, there, destination, now)


def _replayed(store: Store, actor: Actor, which: ColumnElement[bool], subject: str, now: datetime) -> int:
    with store.write() as connection:
        done = connection.execute(
            update(outbox)
            .where(which, outbox.c.dead_at.is_not(None), in_scope(actor, outbox.c.account_id))
            .values(dead_at=None, due_at=utc(now), attempts=0, claimed_by=None, claimed_until=None)
        )
        if done.rowcount:
            told = {"messages": done.rowcount}
            write_audit(connection, actor.name, "replay message", subject, now, None, told)
    return done.rowcount


def housekeep(store: Store, *, now: datetime) -> int:
    """Delete what was sent or given up long ago, give up what waits for a disabled destination.

    Returns how many rows that changed.
    """
    moment = utc(now)
    disabled = select(destinations.c.name).where(destinations.c.disabled_at.is_not(None))
    with store.write() as connection:
        given_up = connection.execute(
            update(outbox)
            .where(OPEN, outbox.c.destination.in_(disabled), outbox.c.created_at < moment - WAITS)
            .values(dead_at=moment, last_error="its destination was disabled for too long")
        )
        gone = connection.execute(
            delete(outbox).where(or_(outbox.c.sent_at < moment - KEPT, outbox.c.dead_at < moment - KEPT_DEAD))
        )
    return given_up.rowcount + gone.rowcount


# --- parts ---------------------------------------------------------------------------------------


def _values(row: Row, moment: datetime) -> dict[str, Any]:
    if not _KEY.fullmatch(row.id):
        raise ValueError(f"not a key of a message: {row.id[:40]!r}")
    return {
        "id": row.id,
        "destination": row.destination,
        "kind": row.kind,
        # No text of PostgreSQL has a NUL in it, and none of either a half of a character.
        "subject": row.subject.replace("\0", "").encode(errors="replace").decode(),
        "payload": json.dumps(dict(row.payload), ensure_ascii=True, allow_nan=False),
        "account_id": row.account_id,
        "due_at": utc(row.due_at),
        "attempts": 0,
        "created_at": moment,
    }


def _give(
    connection: Connection,
    claimed: Claimed,
    to: str | None = None,
    until: datetime | None = None,
    **values: Any,
) -> bool:
    """Let go of a claim, where it is still ours: a lease that ended may have been somebody else's since."""
    done = connection.execute(
        update(outbox)
        .where(
            outbox.c.id == claimed.id,
            OPEN,
            outbox.c.claimed_by == claimed.worker,
            outbox.c.attempts == claimed.attempts,
        )
        .values(claimed_by=to, claimed_until=until, **values)
    )
    return done.rowcount == 1


def known_destination(connection: Connection, name: str) -> None:
    """Make sure that there is a row of a destination."""
    here = select(destinations.c.name).where(destinations.c.name == name)
    if connection.execute(here).first() is None:
        connection.execute(insert(destinations).values(name=name, failures=0, stumbles=0))
