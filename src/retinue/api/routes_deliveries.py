"""How messages leave: destinations, what was given up, and how to set it right."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from retinue.api import asked_alerts
from retinue.api.calls import Call, caller
from retinue.api.problems import responses
from retinue.api.shapes import shape
from retinue.desk import deliveries as desk
from retinue.desk.acting import Done

reads = APIRouter(tags=["deliveries"], responses=responses(401, 403, 404, 409, 422, 503))
router = APIRouter(tags=["deliveries"], responses=responses(400, 401, 403, 404, 409, 413, 422, 503))
Reading = Annotated[Call, caller("audit", tagged=False)]
Looking = Annotated[Call, caller("audit")]
_OK: dict[int | str, dict[str, Any]] = {200: {"model": shape(Done)}}


@reads.get(
    "/deliveries",
    response_model=None,
    responses={200: {"model": shape(desk.Deliveries)}},
    summary="How messages leave",
)
def deliveries(call: Reading, query: Annotated[asked_alerts.DeadPage, Query()]) -> Any:
    """Every destination, and a page of what was given up, the newest first."""
    return call.answer(desk.deliveries(call.workspace, call.actor, now=call.now, **query.model_dump()))


@router.post(
    "/deliveries/messages/{message}/replay",
    response_model=None,
    responses=_OK,
    summary="Send a message once more",
)
def replay_message(call: Looking, message: asked_alerts.Message) -> Any:
    """One that was given up, under its key: who had it already knows."""
    return call.answer(desk.replay(call.workspace, call.actor, message, now=call.now))


@router.post(
    "/deliveries/{destination}/replay",
    response_model=None,
    responses={200: {"model": shape(desk.Replayed)}},
    summary="Send once more all that was given up",
)
def replay_destination(call: Looking, destination: asked_alerts.DestinationName) -> Any:
    """For one destination."""
    return call.answer(desk.replay_all(call.workspace, call.actor, destination, now=call.now))


@router.post(
    "/deliveries/{destination}/enable", response_model=None, responses=_OK, summary="Enable a destination"
)
def enable_destination(call: Looking, destination: asked_alerts.DestinationName) -> Any:
    """One that was disabled by itself or by somebody: what waits for it is sent."""
    return call.answer(desk.enable(call.workspace, call.actor, destination, now=call.now))


@router.post(
    "/deliveries/{destination}/test", response_model=None, responses=_OK, summary="Send a test message"
)
def test_destination(call: Looking, destination: asked_alerts.DestinationName) -> Any:
    """A worker delivers it as any other; one a minute at most."""
    return call.answer(desk.test(call.workspace, call.actor, destination, now=call.now))
