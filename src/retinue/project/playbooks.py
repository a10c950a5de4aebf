"""Playbooks: what people do for an account when something happens to it. A file of `playbooks/` each."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, model_validator

from retinue.project.alerts import AlertRule, Band, no_hold_of_an_event
from retinue.project.conditions import show
from retinue.project.declaration import Declaration, Length, Span, When, Where

#: What a trigger can be, besides an alert.
TRIGGERS = ("alert", "band", "drop", "component", "event", "stage", "holds")

#: What texts may name in braces.
FIELDS = (
    *("account_id", "name", "owner", "segment", "territory", "stage", "score", "band", "arr"),
    *("renews_on", "reason", "why", "advice", "playbook", "link"),
)
_FIELD = re.compile(r"\{([^{}]*)\}")


class Trigger(Declaration):
    """What starts a playbook. It has exactly one of these keys:

    `alert`, an alert of this name is raised; `band`, the account comes into this band; `drop`, its
    score fell by so many points `within` a time; `component`, the points of this component fell by
    at least `by`; `event`, a new row of this source for which `where` holds; `stage`, it comes to
    this stage of its lifecycle; `holds`, a condition begins to hold.
    """

    alert: str | None = None
    band: Band | None = None
    drop: float | None = Field(default=None, gt=0, le=100)
    component: str | None = None
    event: str | None = None
    stage: str | None = None
    holds: When | None = None
    by: float = Field(default=15.0, gt=0, le=100)
    within: Length = Field(default="28d", validate_default=True)
    where: Where | None = None
    hold: Span = Field(default="0d", validate_default=True)

    @model_validator(mode="after")
    def _one(self) -> Trigger:
        no_hold_of_an_event(self.event, self.hold)
        if sum(getattr(self, key) is not None for key in TRIGGERS) != 1:
            raise ValueError(f"a trigger has exactly one of {', '.join(f'`{key}`' for key in TRIGGERS)}")
        return self

    @property
    def kind(self) -> str:
        return next(key for key in TRIGGERS if getattr(self, key) is not None)

    @property
    def reason(self) -> str:
        """What starts it in a few words, as it is kept of each account: `alert turned_red`."""
        value = getattr(self, self.kind)
        return f"{self.kind} {show(value) if self.kind == 'holds' else value}"[:200]

    def rule(self, applies_to: Any, rest: Any) -> AlertRule | None:
        """The same as a rule over the accounts of a date; None for an alert, which is raised elsewhere."""
        told: dict[str, Any] = {"hold": self.hold, "rest": rest, "applies_to": applies_to}
        if self.kind == "alert":
            return None
        if self.kind == "stage":
            told["holds"] = f"stage = '{(self.stage or '').replace(chr(39), chr(39) * 2)}'"
        elif self.kind == "holds":
            told["holds"] = self.holds
        else:
            told[self.kind] = getattr(self, self.kind)
        if self.kind in ("drop", "component"):
            told["within"] = self.within
        if self.kind == "component":
            told["by"] = self.by
        if self.kind == "event":
            told["where"] = self.where
        return AlertRule.model_validate({k: v for k, v in told.items() if v is not None})


class Step(Declaration):
    """One thing to do. It has exactly one of these keys:

    `task`, what somebody is to do; `message`, a text to destinations; `wait`, days in which nothing
    happens. A message to a webhook enrols the account in a campaign elsewhere.

    A step starts when those in `after` are done, by default the one before it. `owner` lists who is
    to do it, the first that there is: `owner` (of the account), `leader` (of its territory), or an
    e-mail address; `among` instead gives it to the one of a team or a list by `balance`. A task is
    due in so many business days. Texts may name {name}, {score} and other facts of the account; {why} is
    what moved its score, {advice} what its scorecard advises for that.
    """

    id: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    task: str | None = Field(default=None, min_length=1, max_length=200)
    message: str | None = Field(default=None, min_length=1, max_length=4000)
    wait: Length | None = None
    subject: str | None = Field(default=None, max_length=200)
    text: str | None = Field(default=None, max_length=10_000)
    checklist: tuple[str, ...] = ()
    owner: tuple[str, ...] = ("owner", "leader")
    among: tuple[str, ...] | str | None = None
    balance: Literal["fewest_tasks", "least_revenue", "round_robin"] = "fewest_tasks"
    due: int = Field(default=2, ge=0, le=365)
    to: tuple[str, ...] = ()
    after: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> Step:
        if sum(getattr(self, key) is not None for key in ("task", "message", "wait")) != 1:
            raise ValueError("a step has exactly one of `task`, `message` and `wait`")
        if self.message is not None and not self.to:
            raise ValueError("a message needs `to`: names of destinations")
        for text in (self.task, self.message, self.subject, self.text, *self.checklist):
            for name in _FIELD.findall(text or ""):
                if name not in FIELDS:
                    raise ValueError(f"a text names {{{name}}}; it may name " + ", ".join(FIELDS))
        return self

    @property
    def kind(self) -> str:
        return "task" if self.task is not None else "message" if self.message is not None else "wait"


class Playbook(Declaration):
    """What is done for an account when something happens to it.

    It starts at most once in `once_per`, never twice at a time, and not while any other playbook of
    the same `group` is going on. It ends when all steps are done, when `until` holds (the account
    has recovered, say), or when the account is gone. Of a share `hold_out` of the accounts nothing is
    done, so that what it is worth can be measured.
    """

    playbook: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: str | None = None
    description: str | None = None
    when: Trigger
    applies_to: Where | None = None
    until: When | None = None
    once_per: Length = Field(default="90d", validate_default=True)
    group: str | None = None
    hold_out: float = Field(default=0.0, ge=0, le=0.9)
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _named(self) -> Playbook:
        names = [step_id(step, n) for n, step in enumerate(self.steps)]
        if len(set(names)) != len(names):
            raise ValueError("two steps have the same `id`")
        for n, step in enumerate(self.steps):
            for other in step.after or ():
                if other not in names[:n]:
                    raise ValueError(f"step {n + 1} waits for {other!r}, which is no step before it")
        return self

    @property
    def step_ids(self) -> tuple[str, ...]:
        return tuple(step_id(step, n) for n, step in enumerate(self.steps))

    def waits_for(self, place: int) -> tuple[str, ...]:
        """The steps that the one at `place` waits for."""
        after = self.steps[place].after
        if after is not None:
            return after
        return (self.step_ids[place - 1],) if place else ()


def step_id(step: Step, place: int) -> str:
    """The name of a step; its number where it has none."""
    return step.id or f"step_{place + 1}"


def filled(text: str, facts: dict[str, Any]) -> str:
    """The text with the account's facts; what is not known is a dash. Braces in facts stay what they are."""

    def put(match: re.Match[str]) -> str:
        value = facts.get(match[1])
        return "-" if value is None else str(value)

    return _FIELD.sub(put, text)
