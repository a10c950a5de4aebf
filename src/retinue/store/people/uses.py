"""What people look at and do, kept to see whether scores are used: who comes, and what follows a score.

Times of `now` are aware; those of the store are UTC without a zone.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Select, and_, func, insert, select

from retinue.errors import StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, in_scope, require
from retinue.store.people.touches import touches
from retinue.store.tables import runs, transitions, uses

Kind = Literal["view", "act"]

#: An act so soon after its person looked at the account's page starts from the score.
FROM_SCORE = timedelta(minutes=30)
#: A transition is news when its day is at most so long before it was published; others are history.
NEWS = timedelta(days=7)
#: Uses that wait to be written, at most: a store that takes none for long costs no memory.
WAITING = 20_000
#: Longest `what` that is kept.
WHAT = 100


class Uses:
    """Takes note of uses at once and writes them later, so that no request waits for it or fails by it.

    `write` is for one thread to call every few seconds, and once at the end.
    """

    def __init__(self, store: Store):
        self.store = store
        self._waiting: deque[dict[str, Any]] = deque(maxlen=WAITING)

    def add(self, actor: Actor, kind: Kind, what: str, account_id: str | None, now: datetime) -> None:
        """Somebody looked at something, or did something. Whoever is nobody in particular is not kept."""
        if actor.person is None:
            return
        account = None if account_id is None or "\0" in account_id else account_id
        row = {"person": actor.person, "kind": kind, "what": what.replace("\0", "")[:WHAT]}
        self._waiting.append({**row, "account_id": account, "at": utc(now)})

    def write(self, wait: float = 1.0) -> int:
        """Write what waits, and return how much that was; what the store does not take waits on."""
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not taken:
            return 0
        try:
            with self.store.write(wait) as connection:
                connection.execute(insert(uses), taken)
        except StoreError:
            # Newer ones may have come meanwhile; where there is no room for all, the oldest go.
            room = max(0, WAITING - len(self._waiting))
            self._waiting.extendleft(reversed(taken[max(0, len(taken) - room) :]))
            return 0
        return len(taken)


@dataclass(frozen=True, slots=True)
class Week:
    """People who came in the week that begins on Monday `start`, and what they did."""

    start: date
    people: int
    views: int
    acts: int


@dataclass(frozen=True, slots=True)
class Response:
    """How long it took from a published transition into `band` to the first touch, in hours.

    What a touch is stands in `touches`. The quartiles are over all transitions, also those without a
    touch so far: None where so many have none.
    """

    band: str
    transitions: int
    touched: int
    lower: float | None
    median: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class Adoption:
    """How scores were used from `since` on and before `until`.

    `from_score` are the acts on an account by somebody who looked at its page in the half hour before.
    """

    since: datetime
    until: datetime
    people: int
    weeks: tuple[Week, ...]
    account_views: int
    accounts_viewed: int
    acts: int
    from_score: int
    responses: tuple[Response, ...]

    @property
    def share_from_score(self) -> float | None:
        """Part of the acts, 0 to 1; None without acts."""
        return self.from_score / self.acts if self.acts else None

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "share_from_score": self.share_from_score}


def adoption(store: Store, actor: Actor, since: datetime, until: datetime) -> Adoption:
    """How scores were used, as far as it was about accounts that the actor may see.

    Whoever sees everything also sees uses that were about no account.
    """
    require(actor, "read")
    then = and_(uses.c.at >= utc(since), uses.c.at < utc(until), in_scope(actor, uses.c.account_id))
    viewed = and_(then, uses.c.kind == "view", uses.c.account_id.is_not(None))
    acted = and_(then, uses.c.kind == "act", uses.c.account_id.is_not(None))
    with store.read() as connection:
        days = connection.execute(
            select(uses.c.person, func.date(uses.c.at), uses.c.kind, func.count())
            .where(then)
            .group_by(uses.c.person, func.date(uses.c.at), uses.c.kind)
        ).all()
        views, accounts = connection.execute(
            select(func.count(), func.count(uses.c.account_id.distinct())).where(viewed)
        ).one()
        before = uses.alias("before")
        last_view = func.max(before.c.at)
        same = and_(
            before.c.kind == "view",
            before.c.person == uses.c.person,
            before.c.account_id == uses.c.account_id,
            before.c.at <= uses.c.at,
            before.c.at >= utc(since) - FROM_SCORE,
        )
        acts = connection.execute(
            select(uses.c.at, last_view).outerjoin(before, same).where(acted).group_by(uses.c.id, uses.c.at)
        ).all()
        touched = connection.execute(_first_touches(actor, since, until)).all()
    return Adoption(
        since=since,
        until=until,
        people=len({person for person, *_ in days}),
        weeks=_weeks(days),
        account_views=views,
        accounts_viewed=accounts,
        acts=len(acts),
        from_score=sum(seen is not None and at - seen <= FROM_SCORE for at, seen in acts),
        responses=_responses(touched),
    )


def _weeks(days: Sequence[Any]) -> tuple[Week, ...]:
    """Uses by person and day, as SQLite or PostgreSQL tell days."""
    people: dict[date, set[int]] = {}
    counted: dict[tuple[date, str], int] = {}
    for person, day, kind, count in days:
        told = date.fromisoformat(day) if isinstance(day, str) else day
        start = told - timedelta(days=told.weekday())
        people.setdefault(start, set()).add(person)
        counted[start, kind] = counted.get((start, kind), 0) + count
    return tuple(
        Week(start, len(people[start]), counted.get((start, "view"), 0), counted.get((start, "act"), 0))
        for start in sorted(people)
    )


def _first_touches(actor: Actor, since: datetime, until: datetime) -> Select[Any]:
    """For each transition to a worse band: its band, its day, when it was published, and its first touch."""
    touch = touches(since=utc(since))
    touched = and_(
        touch.c.account_id == transitions.c.account_id,
        touch.c.at >= runs.c.published_at,
        touch.c.at < utc(until),
    )
    return (
        select(
            transitions.c.to_band,
            transitions.c.as_of,
            runs.c.published_at,
            func.min(touch.c.at),
        )
        .join(runs, runs.c.run_id == transitions.c.run_id)
        .outerjoin(touch, touched)
        .where(
            transitions.c.to_band.in_(("watch", "at_risk")),
            transitions.c.kind != "recalibrated",
            runs.c.published_at >= utc(since),
            runs.c.published_at < utc(until),
            in_scope(actor, transitions.c.account_id),
        )
        .group_by(transitions.c.account_id, transitions.c.to_band, transitions.c.as_of, runs.c.published_at)
    )


def _responses(rows: Sequence[Any]) -> tuple[Response, ...]:
    hours: dict[str, list[float]] = {}
    for band, as_of, published_at, touched_at in rows:
        if published_at.date() - as_of > NEWS:
            continue
        took = math.inf if touched_at is None else (touched_at - published_at).total_seconds() / 3600
        hours.setdefault(band, []).append(took)
    return tuple(
        Response(
            band,
            len(hours[band]),
            sum(math.isfinite(one) for one in hours[band]),
            *(quantile(sorted(hours[band]), part) for part in (0.25, 0.5, 0.75)),
        )
        for band in ("at_risk", "watch")
        if band in hours
    )


def quantile(ordered: list[float], part: float) -> float | None:
    """The smallest that at least this part does not exceed; None where that is never (infinite)."""
    found = ordered[max(0, math.ceil(part * len(ordered)) - 1)]
    return found if math.isfinite(found) else None
