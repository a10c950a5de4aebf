"""Tasks: what is to be done, for whom, by when, why, and how soon people turn to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, get_args

from retinue.errors import StoreError
from retinue.run.advising import drivers
from retinue.store.people.access import Actor
from retinue.store.published.current import explanations
from retinue.store.work.reasons import Reason, reasons_of
from retinue.store.work.responses import Responses, Times, times_of
from retinue.store.work.responses import responses as responses_of
from retinue.store.work.tasks import State, Task, task_counts, task_of, tasks_of
from retinue.workspace import Workspace

#: Whose tasks: one's own, those of one's team, or all of accounts that one may see.
Whose = Literal["mine", "team", "all"]

PAGE = 50
#: Days back over which it is told how soon people respond.
BACK = 90


@dataclass(frozen=True, slots=True)
class TaskAsk:
    """Which tasks; `status` None: all. `overdue`: open ones due before today. `owner` are names, theirs only;
    `alert` is the one that they answer. `after` is the last of the page before."""

    whose: Whose = "all"
    status: State | None = "open"
    overdue: bool = False
    account_id: str | None = None
    owner: tuple[str, ...] = ()
    due_before: date | None = None
    alert: int | None = None
    after: int | None = None
    limit: int = PAGE

    def __post_init__(self) -> None:
        for what, value, allowed in (("whose", self.whose, Whose), ("status", self.status, State)):
            if value is not None and value not in get_args(allowed):
                raise StoreError(f"no such {what}: {value!r}", hint="one of " + ", ".join(get_args(allowed)))
        if not 1 <= self.limit <= 500:
            raise StoreError(f"a page has 1 to 500 tasks, not {self.limit}")

    def owners(self, actor: Actor) -> frozenset[str] | None:
        """Whose tasks these are; None: everybody's."""
        own = actor.own | {actor.name}
        whose = {"mine": own, "team": actor.team | own, "all": None}[self.whose]
        if not self.owner:
            return whose
        named = frozenset(self.owner)
        return named if whose is None else whose & named


@dataclass(frozen=True, slots=True)
class TaskCard(Task):
    """A task with where it comes from and its clock.

    `reason` is None where it was added by hand for nothing in particular. `drivers` are what moved the
    account's score in the last four weeks, the most first, where there is a reason.
    """

    reason: Reason | None = None
    drivers: tuple[str, ...] = ()
    times: Times | None = None

    @property
    def hours_to_touch(self) -> float | None:
        """From what it answers to the first touch of its account; None: none so far."""
        return self.times.hours if self.times is not None else None

    @property
    def hours_to_close(self) -> float | None:
        """From the same to its end."""
        if self.times is None or self.closed_at is None:
            return None
        return self.times.until(self.closed_at)

    def to_dict(self) -> dict[str, Any]:
        hours = {name: getattr(self, name) for name in ("hours_to_touch", "hours_to_close")}
        return {**dataclasses.asdict(self), **hours}


@dataclass(frozen=True, slots=True)
class Tasks:
    """A page of tasks, the earliest due first. `after` starts the next page; None: no more.

    `counts` are how many are open, overdue and snoozed of whose the page is; on the first page only.
    """

    ask: TaskAsk
    tasks: tuple[TaskCard, ...]
    after: int | None
    counts: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "ask": dataclasses.asdict(self.ask),
            "tasks": [task.to_dict() for task in self.tasks],
            "after": self.after,
            "counts": dict(self.counts),
        }


@dataclass(frozen=True, slots=True)
class Responded:
    """How soon people responded to what tasks answer, of tasks begun from `since` on."""

    since: datetime
    until: datetime
    responses: tuple[Responses, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "responses": [one.to_dict() for one in self.responses],
        }


def tasks(workspace: Workspace, actor: Actor, ask: TaskAsk, *, today: date) -> Tasks:
    """Tasks for accounts that the actor may see; "mine" go by the names under which accounts are theirs."""
    owners = ask.owners(actor)
    found = tasks_of(
        workspace.store,
        actor,
        account_id=ask.account_id,
        owners=owners,
        status="open" if ask.overdue else ask.status,
        due_before=_earlier(today, ask.due_before) if ask.overdue else ask.due_before,
        alert=ask.alert,
        limit=ask.limit + 1,
        after=ask.after,
        today=today,
    )
    more = len(found) > ask.limit
    found = found[: ask.limit]
    counts = {}
    if ask.after is None:
        counts = task_counts(workspace.store, actor, today, owners=owners, account_id=ask.account_id)
    return Tasks(ask, cards(workspace, actor, found), found[-1].id if more else None, counts)


def _earlier(one: date, other: date | None) -> date:
    return one if other is None else min(one, other)


def task(workspace: Workspace, actor: Actor, number: int) -> TaskCard:
    """One task. Raises NotFound for one that the actor may not see."""
    return cards(workspace, actor, [task_of(workspace.store, actor, number)])[0]


def cards(workspace: Workspace, actor: Actor, found: Sequence[Task]) -> tuple[TaskCard, ...]:
    """The same tasks with why there are any, and their clocks."""
    reasons = reasons_of(workspace.store, actor, found)
    times = times_of(workspace.store, actor, found)
    accounts = sorted({task.account_id for task in found if task.id in reasons})
    standing = explanations(workspace.store, accounts) if accounts else {}
    return tuple(
        TaskCard(
            **{field.name: getattr(one, field.name) for field in dataclasses.fields(Task)},
            reason=reasons.get(one.id),
            drivers=tuple(drivers(workspace.project, standing.get(one.account_id)))
            if one.id in reasons
            else (),
            times=times.get(one.id),
        )
        for one in found
    )


def responded(workspace: Workspace, actor: Actor, *, now: datetime, days: int = BACK) -> Responded:
    """How soon people responded in the last days: all, teams and owners that the actor may know of."""
    since = now - timedelta(days=days)
    return Responded(since, now, responses_of(workspace.store, actor, since, now))


def took(hours: float) -> str:
    """A span of time as people say it: "40 min", "3.5 h", "4 d"."""
    if hours < 1:
        return f"{round(hours * 60)} min"
    if hours < 48:
        return f"{hours:.1f} h"
    return f"{hours / 24:.0f} d"
