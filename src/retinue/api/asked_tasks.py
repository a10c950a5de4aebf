"""What callers may ask and say of tasks and interventions, as models; see `retinue.api.asked`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StrictInt

from retinue.action.playbooks import Balance
from retinue.api.asked import MOST, Asked, Day, MaybeLong, Name, Several, Text, Whole, whole
from retinue.desk.tasks import Whose

Flag = Annotated[bool, Field(strict=True)]
_AMONG = "a team, or names, among whom it is shared out by `balance`"


class TaskPage(Asked):
    whose: Whose = Field("all", description="mine, team's, or all that the key's person sees")
    account_id: Text | None = Field(None, max_length=500)
    owner: list[Text] = Field([], description="theirs only; by default everybody's")
    status: Literal["open", "snoozed", "done", "dropped"] | None = Field(
        "open", description="those that are snoozed are not among the open ones"
    )
    overdue: bool = Field(False, description="open ones that were due before today")
    due_before: Day | None = None
    alert: int | None = Field(None, ge=1, le=MOST, description="those that answer this alert")
    limit: int = Field(50, ge=1, le=500)
    after: int | None = Field(None, ge=1, le=MOST, description="`after` of the page before")


class ResponsePage(Asked):
    days: int = Field(90, ge=1, le=3660, description="back from now")


class NewTask(Asked):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"title": "Call the new sponsor", "due_on": "2026-07-15"},
                {"title": "Review the plan", "among": "north", "balance": "least_revenue"},
            ]
        },
    )
    title: Name
    owner: Name | None = Field(None, description="by default whoever asks")
    due_on: Day | None = None
    detail: MaybeLong = None
    checklist: list[Name] = Field([], max_length=50)
    alert: Whole | None = Field(None, description="the alert that it answers")
    among: Name | list[Name] | None = Field(None, description=_AMONG)
    balance: Balance = "fewest_tasks"


class Given(Asked):
    owner: Name | None = None
    among: Name | list[Name] | None = Field(None, description=_AMONG)
    balance: Balance = "fewest_tasks"


class Closing(Asked):
    done: Flag = Field(True, description="false: dropped")
    result: MaybeLong = Field(None, description="what was done")
    said: MaybeLong = Field(None, description="what the customer said to it")


class Snooze(Asked):
    until: Day | None = Field(description="the day on which it is back; null: at once")


class Tick(Asked):
    item: Annotated[StrictInt, Field(ge=1, le=50), BeforeValidator(whole)] = Field(description="from 1 on")
    done: Flag = True


class Chosen(Asked):
    """Tasks that are changed together."""

    tasks: Several


class CloseMany(Chosen, Closing):
    pass


class SnoozeMany(Chosen, Snooze):
    pass


class GiveMany(Chosen, Given):
    pass


class NewIntervention(Asked):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"kind": "training", "started_on": "2026-07-01"}]},
    )
    kind: Annotated[Name, Field(max_length=80)]
    started_on: Day | None = Field(None, description="by default today")
    ended_on: Day | None = None
    owner: Name | None = Field(None, description="who does it; by default whoever asks")
    reason: MaybeLong = None


class Ending(Asked):
    ended_on: Day | None = Field(None, description="by default today")
