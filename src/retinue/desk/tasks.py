"""Tasks: what is to be done, for whom, and by when."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

from retinue.errors import StoreError
from retinue.store.people.access import Actor
from retinue.store.work.tasks import Status, Task, tasks_of
from retinue.workspace import Workspace

#: Whose tasks: one's own, those of one's team, or all of accounts that one may see.
Whose = Literal["mine", "team", "all"]

PAGE = 50


@dataclass(frozen=True, slots=True)
class TaskAsk:
    """Which tasks. `overdue`: open ones due before today. `after` is the last of the page before."""

    whose: Whose = "all"
    status: Status = "open"
    overdue: bool = False
    account_id: str | None = None
    after: int | None = None
    limit: int = PAGE

    def __post_init__(self) -> None:
        for what, value, allowed in (("tasks", self.whose, Whose), ("status", self.status, Status)):
            if value not in get_args(allowed):
                raise StoreError(f"no such {what}: {value!r}", hint="one of " + ", ".join(get_args(allowed)))
        if not 1 <= self.limit <= 500:
            raise StoreError(f"a page has 1 to 500 tasks, not {self.limit}")


@dataclass(frozen=True, slots=True)
class Tasks:
    """A page of tasks, the earliest due first. `after` starts the next page; None: no more."""

    ask: TaskAsk
    tasks: tuple[Task, ...]
    after: int | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "ask": dataclasses.asdict(self.ask),
            "tasks": [task.to_dict() for task in self.tasks],
            "after": self.after,
        }


def tasks(workspace: Workspace, actor: Actor, ask: TaskAsk, *, today: date) -> Tasks:
    """Tasks for accounts that the actor may see; "mine" go by the names under which accounts are theirs."""
    owners = {"mine": actor.own | {actor.name}, "team": actor.team | actor.own | {actor.name}, "all": None}
    found = tasks_of(
        workspace.store,
        actor,
        account_id=ask.account_id,
        owners=owners[ask.whose],
        status="open" if ask.overdue else ask.status,
        due_before=today if ask.overdue else None,
        limit=ask.limit + 1,
        after=ask.after,
    )
    more = len(found) > ask.limit
    found = found[: ask.limit]
    return Tasks(ask, tuple(found), found[-1].id if more else None)
