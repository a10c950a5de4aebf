"""Alerts with their evidence, what is done about them, and mutes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from retinue.api import asked, asked_alerts
from retinue.api.calls import Call, caller
from retinue.api.problems import responses
from retinue.api.shapes import shape
from retinue.desk import alerts as desk
from retinue.desk.acting import Done
from retinue.store.work.alerts import Alert
from retinue.store.work.several import Changed

reads = APIRouter(tags=["alerts"], responses=responses(401, 403, 404, 409, 422, 503))
router = APIRouter(tags=["alerts"], responses=responses(400, 401, 403, 404, 409, 413, 422, 503))
#: A worker raises alerts, and nobody says so in the audit log: never answered with 304.
Reading = Annotated[Call, caller("read", tagged=False)]
Acting = Annotated[Call, caller("act")]
_OK: dict[int | str, dict[str, Any]] = {200: {"model": shape(Done)}}
_DONE: dict[int | str, dict[str, Any]] = {201: {"model": shape(Done)}}


class AlertList(BaseModel):
    """Alerts, the newest first. `after` starts the next page; null: there are no more."""

    items: list[shape(Alert)]  # type: ignore[valid-type]
    after: int | None


class MuteList(BaseModel):
    """Mutes, the newest first. `after` starts the next page; null: there are no more."""

    items: list[shape(desk.MuteShown)]  # type: ignore[valid-type]
    after: int | None


@reads.get("/alerts", response_model=None, responses={200: {"model": AlertList}}, summary="What was raised")
def alerts(call: Reading, query: Annotated[asked_alerts.AlertPage, Query()]) -> Any:
    """Alerts about accounts that the key's person sees, about the portfolio for who sees all of it."""
    found = desk.alerts(call.workspace, call.actor, desk.AlertAsk(**query.model_dump()))
    return call.answer({"items": found.alerts, "after": found.after})


@reads.get(
    "/alerts/{alert}",
    response_model=None,
    responses={200: {"model": shape(desk.AlertPage)}},
    summary="One alert",
)
def one_alert(call: Reading, alert: asked.Number) -> Any:
    """With its evidence: what its rule says, what moved the score, who was told, and what followed."""
    found = desk.alert(call.workspace, call.actor, alert, now=call.now)
    call.about(found.alert.account_id)
    return call.answer(found)


@reads.get(
    "/alerts/{alert}/rows",
    response_model=None,
    responses={200: {"model": shape(desk.Behind)}},
    summary="What an alert rests on",
)
def alert_rows(call: Reading, alert: asked.Number) -> Any:
    """Read from the company's own tables when somebody asks, as they were known then."""
    return call.answer(desk.behind(call.workspace, call.actor, alert))


@router.post(
    "/alerts/close",
    response_model=None,
    responses={200: {"model": shape(Changed)}},
    summary="Close several alerts",
)
def close_alerts(call: Acting, body: asked_alerts.CloseMany) -> Any:
    """Those that cannot be closed are told with the reason, and keep no other from being closed."""
    return call.answer(
        desk.close_many(call.workspace, call.actor, body.alerts, result=body.result, now=call.now)
    )


@router.post("/alerts/{alert}/close", response_model=None, responses=_OK, summary="Close an alert")
def close_alert(call: Acting, alert: asked.Number, body: asked_alerts.Closing) -> Any:
    """Say that it has been dealt with, and how."""
    done = desk.close(call.workspace, call.actor, alert, result=body.result, now=call.now)
    call.about(done.account_id)
    return call.answer(done)


@router.post(
    "/alerts/{alert}/tasks",
    status_code=201,
    response_model=None,
    responses=_DONE,
    summary="Make a task of an alert",
)
def task_of_alert(call: Acting, alert: asked.Number, body: asked_alerts.TaskOfAlert) -> Any:
    """For the account that the alert is about, by default for whoever asks."""
    done = desk.add_task(
        call.workspace,
        call.actor,
        alert,
        body.title,
        owner=body.owner,
        due_on=body.due_on,
        detail=body.detail,
        now=call.now,
    )
    call.about(done.account_id)
    return call.answer(done, 201)


@reads.get("/mutes", response_model=None, responses={200: {"model": MuteList}}, summary="What is muted")
def mutes(call: Reading, query: Annotated[asked_alerts.MutePage, Query()]) -> Any:
    """Mutes that were not withdrawn, of accounts that the key's person sees."""
    found = desk.mutes(call.workspace, call.actor, now=call.now, after=query.after)
    return call.answer({"items": found.mutes, "after": found.after})


@router.post("/mutes", status_code=201, response_model=None, responses=_DONE, summary="Mute or snooze")
def add_mute(call: Acting, body: asked_alerts.NewMute) -> Any:
    """Raise no alerts of an account, of a rule, or of both, until a day."""
    done = desk.mute(
        call.workspace,
        call.actor,
        account_id=body.account_id,
        rule=body.rule,
        until=body.until,
        reason=body.reason,
        now=call.now,
    )
    call.about(done.account_id)
    return call.answer(done, 201)


@router.post("/mutes/{mute}/withdraw", response_model=None, responses=_OK, summary="Withdraw a mute")
def withdraw_mute(call: Acting, mute: asked.Number) -> Any:
    """What still holds is told with the next date."""
    return call.answer(desk.unmute(call.workspace, call.actor, mute, now=call.now))
