"""How playbooks go on: who is enrolled, which steps start, which end. Decided from states and dates alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal

from retinue.project.conditions import show
from retinue.project.playbooks import Playbook

Status = Literal["active", "completed", "stopped", "held_out"]
StepStatus = Literal["waiting", "going", "done", "dropped"]
#: How tasks are shared out among several people.
Balance = Literal["fewest_tasks", "least_revenue", "round_robin"]


@dataclass(frozen=True)
class StepState:
    """What a step has come to; `task` is the number of its task, `on` the day on which it started."""

    status: StepStatus = "waiting"
    on: date | None = None
    task: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"status": self.status, "on": self.on.isoformat() if self.on else None, "task": self.task}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> StepState:
        on = told.get("on")
        return cls(told["status"], date.fromisoformat(on) if on else None, told.get("task"))


@dataclass(frozen=True)
class Enrolment:
    """An account in a playbook; `id` None before it is written."""

    id: int | None
    playbook: str
    account_id: str
    started_on: date
    status: Status
    reason: str
    steps: Mapping[str, StepState] = field(default_factory=dict)
    ended_on: date | None = None
    ended_because: str | None = None


@dataclass(frozen=True)
class Start:
    """A step that starts now: a task to be made, a message to be sent."""

    step: str
    place: int
    due_on: date | None


@dataclass(frozen=True)
class Next:
    """What becomes of an enrolment on a day: its new state, and what is to be done for it."""

    enrolment: Enrolment
    starts: tuple[Start, ...] = ()
    #: Tasks that nobody needs any more.
    drops: tuple[int, ...] = ()


def held_out(playbook: Playbook, account_id: str, day: date) -> bool:
    """Whether nothing is done for this account, so that the playbook can be compared with nothing.

    By a hash of all three: as good as chance for each account, and the same whoever asks.
    """
    text = f"{playbook.playbook}\0{account_id}\0{day.isoformat()}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return number / 2**64 < playbook.hold_out


def enrolled(
    playbook: Playbook,
    candidates: Sequence[tuple[str, str]],
    others: Sequence[Enrolment],
    groups: Mapping[str, str | None],
    day: date,
) -> list[Enrolment]:
    """New enrolments of the accounts to which something happened on this day: (account_id, reason).

    `others` are enrolments of these accounts in any playbook; `groups` are those of playbooks.
    """
    busy: set[str] = set()
    for one in others:
        mine = one.playbook == playbook.playbook
        together = playbook.group is not None and groups.get(one.playbook) == playbook.group
        going = one.status == "active" and (mine or together)
        recent = mine and (day - one.started_on).days < playbook.once_per.days
        if going or recent:
            busy.add(one.account_id)
    new = []
    for account_id, reason in candidates:
        if account_id in busy:
            continue
        busy.add(account_id)
        status: Status = "held_out" if held_out(playbook, account_id, day) else "active"
        steps = {name: StepState() for name in playbook.step_ids}
        new.append(Enrolment(None, playbook.playbook, account_id, day, status, reason, steps))
    return new


def advanced(
    playbook: Playbook,
    enrolment: Enrolment,
    day: date,
    *,
    tasks: Mapping[int, str],
    gone: bool,
    recovered: bool,
    workdays: Sequence[int],
) -> Next:
    """The enrolment after this day. `tasks` says of each task whether it is open, done or dropped."""
    if enrolment.status != "active":
        return Next(enrolment)
    steps = {name: _settled(state, playbook, name, day, tasks) for name, state in enrolment.steps.items()}
    if gone or recovered:
        drops = tuple(s.task for s in steps.values() if s.status == "going" and s.task is not None)
        why = "the account has recovered" if playbook.until is None else f"until {show(playbook.until)}"
        because = "the account is gone" if gone else why[:200]
        ended = replace(enrolment, steps=steps, status="stopped", ended_on=day, ended_because=because)
        return Next(ended, (), drops)
    starts: list[Start] = []
    for place, name in enumerate(playbook.step_ids):
        state = steps.get(name, StepState())
        if state.status != "waiting":
            continue
        before = [steps[other].status for other in playbook.waits_for(place) if other in steps]
        if any(status in ("waiting", "going") for status in before):
            continue
        step = playbook.steps[place]
        if step.kind == "wait":
            steps[name] = StepState("going", day)
            steps[name] = _settled(steps[name], playbook, name, day, tasks)
        else:
            due = business_days(day, step.due, workdays) if step.kind == "task" else None
            starts.append(Start(name, place, due))
            # A message is done when it is in the outbox; a task when somebody says so.
            steps[name] = StepState("done" if step.kind == "message" else "going", day)
    status: Status = "active"
    if all(state.status in ("done", "dropped") for state in steps.values()):
        status = "completed"
    ended_on, because_ = (day, "all steps are done") if status == "completed" else (None, None)
    return Next(
        replace(enrolment, steps=steps, status=status, ended_on=ended_on, ended_because=because_),
        tuple(starts),
    )


def _settled(
    state: StepState, playbook: Playbook, name: str, day: date, tasks: Mapping[int, str]
) -> StepState:
    """What a step that was going on has come to by now."""
    if state.status != "going" or state.on is None:
        return state
    place = playbook.step_ids.index(name) if name in playbook.step_ids else None
    if place is None:  # the playbook has changed: what it does not know any more is over
        return replace(state, status="dropped")
    step = playbook.steps[place]
    if step.wait is not None:
        return replace(state, status="done") if (day - state.on).days >= step.wait.days else state
    if state.task is not None and tasks.get(state.task) in ("done", "dropped"):
        return replace(state, status="done" if tasks[state.task] == "done" else "dropped")
    return state


def business_days(start: date, count: int, workdays: Sequence[int]) -> date:
    """So many workdays after `start`; with none, `start` itself or the next workday."""
    day = start
    while day.weekday() not in workdays:
        day += timedelta(days=1)
    for _ in range(count):
        day += timedelta(days=1)
        while day.weekday() not in workdays:
            day += timedelta(days=1)
    return day


@dataclass(frozen=True)
class Load:
    """What somebody has on their desk: open tasks, and the revenue of the accounts they are for."""

    name: str
    tasks: int
    revenue: float
    last_given: int


def balanced(candidates: Sequence[Load], by: str) -> str | None:
    """Who gets the next task: fewest tasks, least revenue, or whose turn it is; ties by name."""
    keys = {
        "fewest_tasks": lambda one: (one.tasks, one.revenue, one.name),
        "least_revenue": lambda one: (one.revenue, one.tasks, one.name),
        "round_robin": lambda one: (one.last_given, one.name),
    }
    return min(candidates, key=keys[by]).name if candidates else None
