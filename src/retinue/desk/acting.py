"""Acting on accounts: what people say and do about them, the same calls for every surface.

What the actor may not do raises Forbidden; an account, task or statement that they may not see is
NotFound; what cannot be accepted is a StoreError with what to do instead. All of it is audited.
`now` is an aware datetime throughout.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from retinue.action.playbooks import Balance
from retinue.errors import NotFound, StoreError
from retinue.project.metrics import Pulse
from retinue.run.layers import known_day
from retinue.store.people.access import Actor
from retinue.store.work import assignments, balancing, interventions, said, task_changes
from retinue.store.work import tasks as work
from retinue.store.work.said import OutcomeKind, OverrideKind
from retinue.store.work.several import Changed
from retinue.workspace import Workspace

#: What can be taken back.
Said = Literal["note", "pulse", "override", "outcome", "intervention"]

_TAKE_BACK = {
    "note": said.withdraw_note,
    "pulse": said.withdraw_pulse,
    "override": said.withdraw_override,
    "outcome": said.withdraw_outcome,
}


@dataclass(frozen=True, slots=True)
class Done:
    """What was done. `counts_from` is the first as-of date whose score it enters; None: no score.

    That date is scored once it is over: by the run of the day after it.
    """

    what: str
    id: int | None = None
    account_id: str | None = None
    counts_from: date | None = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class PulseChoice:
    """A pulse that the project declares: `pulse` is what is said, `metric` what reads it."""

    metric: str
    pulse: str
    label: str


def pulses(workspace: Workspace) -> tuple[PulseChoice, ...]:
    """The pulses that can be given, each once, in the order of their declaration."""
    found: dict[str, PulseChoice] = {}
    for name, metric in workspace.project.metrics.items():
        if isinstance(metric, Pulse):
            label = metric.label or name.replace("_", " ")
            found.setdefault(metric.pulse, PulseChoice(name, metric.pulse, label))
    return tuple(found.values())


def counts_from(workspace: Workspace, now: datetime) -> date:
    """The first as-of date that what is said at `now` enters."""
    return known_day(now.astimezone(UTC), workspace.project)


def today(workspace: Workspace, now: datetime) -> date:
    """The day where the project is."""
    return now.astimezone(ZoneInfo(workspace.project.settings.timezone)).date()


def note(workspace: Workspace, actor: Actor, account_id: str, text: str, *, now: datetime) -> Done:
    """Write down what is worth knowing; seen at once, in no score."""
    return Done("note", said.add_note(workspace.store, account_id, text, by=actor, now=now), account_id)


def pulse(
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    metric: str,
    value: float,
    *,
    now: datetime,
    note: str | None = None,
    expires_on: date | None = None,
) -> Done:
    """Say how the account is doing, 0 (worst) to 10. `metric` is one of `pulses`, by either name."""
    known = {name: one.pulse for one in pulses(workspace) for name in (one.metric, one.pulse)}
    if metric not in known:
        hint = "one of " + ", ".join(sorted(known)) if known else "declare one, such as `csm: {pulse: csm}`"
        raise StoreError(f"{metric!r} is no metric of the kind `pulse`", hint=hint)
    number = said.add_pulse(
        workspace.store,
        account_id,
        known[metric],
        value,
        by=actor,
        now=now,
        note=_said_or_none(note),
        expires_on=expires_on,
    )
    return Done("pulse", number, account_id, counts_from(workspace, now))


def override(  # noqa: PLR0913 - an override is a statement with this many facts
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    kind: OverrideKind,
    value: float,
    *,
    reason: str,
    now: datetime,
    owner: str | None = None,
    starts_on: date | None = None,
    expires_on: date | None = None,
) -> Done:
    """Set, cap or floor the effective score; the computed and published layers stay as they are.

    `owner` answers for it, by default the actor. It cannot start before what is said now counts.
    """
    first = max(starts_on or date.min, counts_from(workspace, now))
    number = said.add_override(
        workspace.store,
        account_id,
        kind,
        value,
        reason=reason,
        owner=_said_or_none(owner) or actor.name,
        starts_on=first,
        expires_on=expires_on,
        by=actor,
        now=now,
    )
    return Done("override", number, account_id, first)


def outcome(
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    kind: OutcomeKind,
    occurred_on: date,
    *,
    now: datetime,
    amount: float | None = None,
    reason: str | None = None,
) -> Done:
    """Record what became of the account. It enters validation and tuning, never a score."""
    number = said.add_outcome(
        workspace.store,
        account_id,
        kind,
        occurred_on,
        by=actor,
        now=now,
        amount=amount,
        reason=_said_or_none(reason),
    )
    return Done("outcome", number, account_id)


def assign(workspace: Workspace, actor: Actor, account_id: str, owner: str, *, now: datetime) -> Done:
    """Make `owner` look after the account, at once."""
    assignments.assign(workspace.store, actor, account_id, owner, now=now)
    return Done("owner", None, account_id)


def add_task(  # noqa: PLR0913 - a task is a statement with this many facts
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    title: str,
    *,
    now: datetime,
    owner: str | None = None,
    due_on: date | None = None,
    detail: str | None = None,
    checklist: Sequence[str] = (),
    alert: int | None = None,
    among: str | Sequence[str] | None = None,
    balance: Balance = "fewest_tasks",
) -> Done:
    """Give somebody, by default the actor, something to do for the account.

    With `among`, a team or names, it goes to the one of them whose turn it is by `balance`; `alert` is
    the one that it answers.
    """
    number = work.add_task(
        workspace.store,
        actor,
        account_id,
        title,
        now=now,
        owner=_said_or_none(owner),
        due_on=due_on,
        detail=detail,
        checklist=checklist,
        alert=alert,
        among=among,
        balance=balance,
    )
    return Done("task", number, account_id)


def close_task(
    workspace: Workspace,
    actor: Actor,
    task: int,
    *,
    now: datetime,
    done: bool = True,
    result: str | None = None,
    said: str | None = None,
) -> Done:
    """Say that a task is done, with what was done and what the customer said to it, or dropped."""
    store = workspace.store
    account_id = task_changes.close_task(store, actor, task, now=now, done=done, result=result, said=said)
    return Done("done" if done else "dropped", task, account_id)


def give_task(
    workspace: Workspace,
    actor: Actor,
    task: int,
    owner: str | None = None,
    *,
    now: datetime,
    among: str | Sequence[str] | None = None,
    balance: Balance = "fewest_tasks",
) -> Done:
    """Make somebody else the owner of an open task: `owner`, or one `among` a team or names by `balance`."""
    store = workspace.store
    account_id = task_changes.give_task(store, actor, task, owner, now=now, among=among, balance=balance)
    return Done("given", task, account_id)


def snooze_task(workspace: Workspace, actor: Actor, task: int, until: date | None, *, now: datetime) -> Done:
    """Keep an open task out of sight until a day, on which it is back; None: back at once."""
    day = today(workspace, now)
    account_id = task_changes.snooze_task(workspace.store, actor, task, until, now=now, today=day)
    return Done("snoozed" if until is not None else "back", task, account_id)


def tick_task(
    workspace: Workspace, actor: Actor, task: int, item: int, *, now: datetime, done: bool = True
) -> Done:
    """Say of an item of a task's checklist, counted from 1, that it is done, or that it is not."""
    account_id = task_changes.tick_task(workspace.store, actor, task, item, now=now, done=done)
    return Done("ticked" if done else "unticked", task, account_id)


def teams(workspace: Workspace) -> tuple[str, ...]:
    """The teams among whom tasks can be shared out."""
    return tuple(balancing.teams(workspace.store))


def close_tasks(
    workspace: Workspace,
    actor: Actor,
    numbers: Collection[int],
    *,
    now: datetime,
    done: bool = True,
    result: str | None = None,
    said: str | None = None,
) -> Changed:
    """The same as `close_task` of many; those that cannot be closed are told, and keep no other from it."""
    store = workspace.store
    return task_changes.close_tasks(store, actor, numbers, now=now, done=done, result=result, said=said)


def give_tasks(
    workspace: Workspace,
    actor: Actor,
    numbers: Collection[int],
    owner: str | None = None,
    *,
    now: datetime,
    among: str | Sequence[str] | None = None,
    balance: Balance = "fewest_tasks",
) -> Changed:
    """The same as `give_task` of many; `among` several people they are shared out."""
    store = workspace.store
    return task_changes.give_tasks(store, actor, numbers, owner, now=now, among=among, balance=balance)


def snooze_tasks(
    workspace: Workspace, actor: Actor, numbers: Collection[int], until: date | None, *, now: datetime
) -> Changed:
    """The same as `snooze_task` of many."""
    day = today(workspace, now)
    return task_changes.snooze_tasks(workspace.store, actor, numbers, until, now=now, today=day)


def add_intervention(  # noqa: PLR0913 - an intervention is a statement with this many facts
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    kind: str,
    *,
    now: datetime,
    started_on: date | None = None,
    ended_on: date | None = None,
    owner: str | None = None,
    reason: str | None = None,
) -> Done:
    """Record that something was begun for the account, today if no day is said."""
    day = today(workspace, now)
    number = interventions.add_intervention(
        workspace.store,
        actor,
        account_id,
        kind,
        started_on=started_on or day,
        ended_on=ended_on,
        owner=_said_or_none(owner),
        reason=reason,
        now=now,
        today=day,
    )
    return Done("intervention", number, account_id)


def end_intervention(
    workspace: Workspace, actor: Actor, number: int, *, now: datetime, ended_on: date | None = None
) -> Done:
    """Say on which day an intervention ended, today if no day is said."""
    day = today(workspace, now)
    interventions.end_intervention(
        workspace.store, actor, number, ended_on=ended_on or day, now=now, today=day
    )
    return Done("ended", number)


def withdraw(workspace: Workspace, actor: Actor, what: Said, number: int, *, now: datetime) -> Done:
    """Take back something said. Days before `counts_from` keep it, as they were known."""
    if what not in get_args(Said):
        raise NotFound(
            f"nothing called {what!r} can be withdrawn", hint="one of " + ", ".join(get_args(Said))
        )
    if what == "intervention":
        interventions.withdraw_intervention(workspace.store, actor, number, now=now)
        return Done("withdrawn", number)
    _TAKE_BACK[what](workspace.store, number, by=actor, now=now)
    scored = what in ("pulse", "override")
    return Done("withdrawn", number, counts_from=counts_from(workspace, now) if scored else None)


def _said_or_none(text: str | None) -> str | None:
    return text.strip() if text is not None and text.strip() else None
