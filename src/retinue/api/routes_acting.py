"""What people say and do about accounts; all of it audited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel

from retinue.api import asked
from retinue.api.calls import Call, caller
from retinue.api.problems import responses
from retinue.api.shapes import shape
from retinue.desk import acting
from retinue.desk.acting import Done

router = APIRouter(tags=["acting"], responses=responses(400, 401, 403, 404, 409, 413, 422, 503))
reads = APIRouter(tags=["acting"], responses=responses(401, 403, 404, 409, 422, 503))
Acting = Annotated[Call, caller("act")]
Overriding = Annotated[Call, caller("override")]
Assigning = Annotated[Call, caller("assign")]
Reading = Annotated[Call, caller("read")]
Endpoint = Callable[[Callable[..., Any]], Callable[..., Any]]
_DONE: dict[int | str, dict[str, Any]] = {201: {"model": shape(Done)}}
_OK: dict[int | str, dict[str, Any]] = {200: {"model": shape(Done)}}


class PulseList(BaseModel):
    items: list[shape(acting.PulseChoice)]  # type: ignore[valid-type]


def _say(path: str, summary: str) -> Endpoint:
    return router.post(path, status_code=201, response_model=None, responses=_DONE, summary=summary)


def _do(path: str, summary: str) -> Endpoint:
    return router.post(path, response_model=None, responses=_OK, summary=summary)


@reads.get("/pulses", response_model=PulseList, summary="The pulses that can be given")
def pulses(call: Reading) -> Any:
    """Each pulse that the project declares."""
    return call.answer({"items": acting.pulses(call.workspace)})


@_say("/accounts/{account_id:path}/notes", "Write a note")
def add_note(call: Acting, account_id: asked.AccountId, body: asked.NewNote) -> Any:
    """Seen at once by everybody who sees the account; it enters no score."""
    return call.answer(acting.note(call.workspace, call.actor, account_id, body.text, now=call.now), 201)


@_say("/accounts/{account_id:path}/pulses", "Give a pulse")
def add_pulse(call: Acting, account_id: asked.AccountId, body: asked.NewPulse) -> Any:
    """A person's judgement, 0 (worst) to 10; it enters the score where a scorecard declares it."""
    done = acting.pulse(
        call.workspace,
        call.actor,
        account_id,
        body.metric,
        float(body.value),
        now=call.now,
        note=body.note,
        expires_on=body.expires_on,
    )
    return call.answer(done, 201)


@_say("/accounts/{account_id:path}/overrides", "Override a score")
def add_override(call: Overriding, account_id: asked.AccountId, body: asked.NewOverride) -> Any:
    """Set, cap or floor the effective score. The computed and published layers stay as they are."""
    done = acting.override(
        call.workspace,
        call.actor,
        account_id,
        body.kind,
        float(body.value),
        reason=body.reason,
        now=call.now,
        owner=body.owner,
        starts_on=body.starts_on,
        expires_on=body.expires_on,
    )
    return call.answer(done, 201)


@_say("/accounts/{account_id:path}/outcomes", "Record an outcome")
def add_outcome(call: Acting, account_id: asked.AccountId, body: asked.NewOutcome) -> Any:
    """What became of the account. It enters validation and tuning, never a score."""
    done = acting.outcome(
        call.workspace,
        call.actor,
        account_id,
        body.kind,
        body.occurred_on,
        now=call.now,
        amount=None if body.amount is None else float(body.amount),
        reason=body.reason,
    )
    return call.answer(done, 201)


@router.put(
    "/accounts/{account_id:path}/owner", response_model=None, responses=_OK, summary="Assign an owner"
)
def assign(call: Assigning, account_id: asked.AccountId, body: asked.Owner) -> Any:
    """At once and in later runs, until the source of accounts names another owner than it does today."""
    return call.answer(acting.assign(call.workspace, call.actor, account_id, body.owner, now=call.now))


@_do("/notes/{number}/withdraw", "Withdraw a note")
def withdraw_note(call: Acting, number: asked.Number) -> Any:
    """It is shown no more; the audit log keeps that it was."""
    return call.answer(acting.withdraw(call.workspace, call.actor, "note", number, now=call.now))


@_do("/pulses/{number}/withdraw", "Withdraw a pulse")
def withdraw_pulse(call: Acting, number: asked.Number) -> Any:
    """From now on; days before keep it, as they were known."""
    return call.answer(acting.withdraw(call.workspace, call.actor, "pulse", number, now=call.now))


@_do("/overrides/{number}/withdraw", "Withdraw an override")
def withdraw_override(call: Overriding, number: asked.Number) -> Any:
    """From now on; days before keep it, as they were known."""
    return call.answer(acting.withdraw(call.workspace, call.actor, "override", number, now=call.now))


@_do("/outcomes/{number}/withdraw", "Withdraw an outcome")
def withdraw_outcome(call: Acting, number: asked.Number) -> Any:
    """From now on it is used no more."""
    return call.answer(acting.withdraw(call.workspace, call.actor, "outcome", number, now=call.now))
