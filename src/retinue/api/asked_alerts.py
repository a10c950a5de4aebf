"""What callers may ask and say of alerts, mutes, playbooks and deliveries, as models."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path
from pydantic import AfterValidator, ConfigDict, Field

from retinue.api.asked import MOST, Asked, Day, MaybeLong, Name, Several, Text, no_nul
from retinue.desk.declared import KINDS

PlaybookName = Annotated[str, Path(min_length=1, max_length=200), AfterValidator(no_nul)]
DestinationName = Annotated[str, Path(min_length=1, max_length=200), AfterValidator(no_nul)]
Message = Annotated[str, Path(min_length=1, max_length=200), AfterValidator(no_nul)]
Kind = Literal[tuple(KINDS)]  # type: ignore[valid-type]
After = Annotated[int, Field(ge=1, le=MOST)] | None


class AlertPage(Asked):
    whose: Literal["mine", "team", "all"] = Field("all", description="by who looks after the account now")
    state: Literal["open", "closed", "any"] = "open"
    about: Literal["accounts", "portfolio", "any"] = "any"
    rule: Text | None = Field(None, max_length=200)
    kind: Kind | None = None  # type: ignore[valid-type]
    severity: Literal["high", "normal", "low"] | None = None
    since: Day | None = Field(None, description="the first as-of date")
    account_id: Text | None = Field(None, max_length=500)
    limit: int = Field(50, ge=1, le=500)
    after: After = Field(None, description="`after` of the page before")


class Closing(Asked):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"result": "Talked to the sponsor."}]}
    )
    result: Annotated[str, AfterValidator(no_nul), Field(max_length=5000)] | None = Field(
        None, description="what was done"
    )


class CloseMany(Closing):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"alerts": [12, 13], "result": "The feed was late."}]}
    )
    alerts: Several


class TaskOfAlert(Asked):
    title: Name | None = Field(None, description="by default what the rule says is to be done")
    owner: Name | None = None
    due_on: Day | None = None
    detail: MaybeLong = None


class MutePage(Asked):
    after: After = Field(None, description="`after` of the page before")


class NewMute(Asked):
    """Of an account, of a rule, or of both. A rule for everybody, and a mute without an end, need the
    right to override."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"account_id": "A-0042", "rule": "turned_red", "until": "2027-03-31", "reason": "known"}
            ]
        },
    )
    account_id: Annotated[str, AfterValidator(no_nul), Field(min_length=1, max_length=500)] | None = None
    rule: Name | None = None
    until: Day | None = Field(None, description="the last day; none: for good")
    reason: Annotated[str, AfterValidator(no_nul), Field(min_length=1, max_length=2000)]


class EnrolmentPage(Asked):
    playbook: Text | None = Field(None, max_length=200)
    account_id: Text | None = Field(None, max_length=500)
    status: Literal["active", "completed", "stopped", "held_out"] | None = None
    limit: int = Field(50, ge=1, le=500)
    after: After = Field(None, description="`after` of the page before")


class Stopping(Asked):
    reason: Annotated[str, AfterValidator(no_nul), Field(min_length=1, max_length=1000)]


class RehearsalOf(Asked):
    account_id: Text | None = Field(
        None,
        max_length=500,
        description="for this account, now; by default what was found out for all of them",
    )


class DeadPage(Asked):
    destination: Text | None = Field(None, max_length=200, description="given up for this one only")
    limit: int = Field(50, ge=1, le=500)
    after: Text | None = Field(None, max_length=200, description="`after` of the page before")
