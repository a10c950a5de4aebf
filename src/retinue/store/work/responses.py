"""How soon people respond: from what a task answers to the first touch of its account, and to its end.

A task answers the alert that it was made of, or the trigger of the playbook whose first tasks it is among:
its clock starts when that was raised, at the end of the run which saw the transition. Every other task
starts its own clock. What a touch is stands in `store.people.touches`, as for transitions. `now`, `since`
and `until` are aware; other times are UTC without a zone.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, in_scope, require
from retinue.store.people.touches import touches
from retinue.store.people.uses import quantile
from retinue.store.tables import alerts, interventions, people, tasks
from retinue.store.work.tasks import Task, moment

#: With fewer responses nothing is said of how long they took.
ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Times:
    """When what a task answers was raised, and the first touch of its account since; None: none so far."""

    began_at: datetime
    touched_at: datetime | None

    @property
    def hours(self) -> float | None:
        """From the one to the other."""
        return None if self.touched_at is None else self.until(self.touched_at)

    def until(self, moment: datetime) -> float:
        """Hours from when it was raised."""
        return _hours(self.began_at, moment)


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, in hours: the median, and what nine of ten did not exceed.

    Over all of the `count`, also those that are not `finished`: None where so many are not, or `too_few`.
    """

    count: int
    finished: int
    median: float | None
    p90: float | None

    @property
    def too_few(self) -> bool:
        return self.count < ENOUGH


@dataclass(frozen=True, slots=True)
class Responses:
    """Of an owner's, a team's or all tasks: to the first touch, and to the end of the task."""

    of: Literal["all", "team", "owner"]
    name: str | None
    touch: Spread
    close: Spread

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def times_of(store: Store, actor: Actor, found: Collection[Task]) -> dict[int, Times]:
    """The clock of each of these tasks that the actor may see."""
    if not found:
        return {}
    numbers = tasks.c.id.in_([task.id for task in found])
    accounts = sorted({task.account_id for task in found})
    with store.read() as connection:
        rows = connection.execute(_clocks(actor, numbers, None, accounts)).all()
    return {
        row.id: Times(moment(row.began), None if row.touched is None else moment(row.touched)) for row in rows
    }


def responses(store: Store, actor: Actor, since: datetime, until: datetime) -> tuple[Responses, ...]:
    """Of tasks whose clock started from `since` on, made by `until`: all, then teams, then owners.

    Of other people only those are told who may assign accounts: the others see themselves, their team,
    and all. Several tasks of one owner that answer the same count once for the first touch. What was
    dropped before anybody came to it counts for neither: nobody had to.
    """
    require(actor, "read")
    first, last = utc(since), utc(until)
    # A clock starts before its task is made, by hours at most.
    made = and_(tasks.c.said_at >= first, tasks.c.said_at <= last)
    clocks = _clocks(actor, made, first, None).subquery()
    with store.read() as connection:
        rows = connection.execute(select(clocks).where(clocks.c.began >= first)).all()
        teams = _teams(connection.execute(select(people.c.email, people.c.owners, people.c.team)))
    own = actor.own | {actor.name}
    mine = {teams[name] for name in own if name in teams}
    groups: dict[tuple[Literal["all", "team", "owner"], str | None], list[Any]] = {}
    for row in rows:
        touched = None if row.touched is None else moment(row.touched)
        if row.status == "dropped" and (touched is None or touched > row.closed_at):
            continue
        team = teams.get(row.owner)
        keys: list[tuple[Literal["all", "team", "owner"], str | None]] = [("all", None)]
        if team is not None and (actor.may("assign") or team in mine):
            keys.append(("team", team))
        if actor.may("assign") or row.owner in own:
            keys.append(("owner", row.owner))
        for key in keys:
            groups.setdefault(key, []).append((row, moment(row.began), touched))
    order = {"all": 0, "team": 1, "owner": 2}
    return tuple(
        _told(key, groups[key]) for key in sorted(groups, key=lambda one: (order[one[0]], one[1] or ""))
    )


def _clocks(
    actor: Actor, wanted: ColumnElement[bool], since: datetime | None, accounts: Collection[str] | None
) -> Select[Any]:
    """Tasks with the moment at which their clock started, and the first touch since."""
    raised = select(alerts.c.raised_at).where(alerts.c.id == tasks.c.alert).scalar_subquery()
    enrolled = (
        select(func.min(interventions.c.said_at))
        .where(
            interventions.c.account_id == tasks.c.account_id, interventions.c.enrolment == tasks.c.enrolment
        )
        .scalar_subquery()
    )
    others = tasks.alias("others")
    made_first = (
        select(func.min(others.c.said_at))
        .where(others.c.account_id == tasks.c.account_id, others.c.enrolment == tasks.c.enrolment)
        .scalar_subquery()
    )
    answers = or_(tasks.c.enrolment.is_(None), tasks.c.said_at == made_first)
    began = func.coalesce(case((answers, func.coalesce(raised, enrolled))), tasks.c.said_at)
    told = (
        select(
            *(tasks.c[name] for name in ("id", "account_id", "owner", "status", "closed_at")),
            began.label("began"),
        )
        .where(wanted, in_scope(actor, tasks.c.account_id))
        .subquery("told")
    )
    touch = touches(since=since, account_ids=accounts)
    after = and_(touch.c.account_id == told.c.account_id, touch.c.at >= told.c.began)
    return select(told, func.min(touch.c.at).label("touched")).outerjoin(touch, after).group_by(*told.c)


def _told(key: tuple[Literal["all", "team", "owner"], str | None], rows: list[Any]) -> Responses:
    touches_ = {(row.owner, row.account_id, began): _took(began, touched) for row, began, touched in rows}
    return Responses(
        *key, _spread(touches_.values()), _spread(_took(began, row.closed_at) for row, began, _ in rows)
    )


def _spread(hours: Iterable[float]) -> Spread:
    ordered = sorted(hours)
    finished = sum(math.isfinite(one) for one in ordered)
    enough = len(ordered) >= ENOUGH
    median, p90 = (quantile(ordered, part) if enough else None for part in (0.5, 0.9))
    return Spread(len(ordered), finished, median, p90)


def _took(began: datetime, ended: datetime | None) -> float:
    return math.inf if ended is None else _hours(began, ended)


def _hours(began: datetime, ended: datetime) -> float:
    return max(0.0, (ended - began).total_seconds() / 3600)


def _teams(rows: Iterable[Any]) -> Mapping[str, str]:
    """The team of each name by which somebody is known."""
    return {
        name: row.team
        for row in rows
        if row.team is not None
        for name in (row.email, *json.loads(row.owners))
    }
