"""Playbooks, who is in them, and what one would do."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from retinue.api import asked, asked_alerts
from retinue.api.calls import Call, caller
from retinue.api.problems import responses
from retinue.api.shapes import shape
from retinue.desk import playbooks as desk
from retinue.desk.acting import Done

reads = APIRouter(tags=["playbooks"], responses=responses(401, 403, 404, 409, 422, 503))
router = APIRouter(tags=["playbooks"], responses=responses(400, 401, 403, 404, 409, 413, 422, 503))
#: A worker takes steps, and work in the background goes on: never answered with 304.
Reading = Annotated[Call, caller("read", tagged=False)]
Acting = Annotated[Call, caller("act")]


class PlaybookList(BaseModel):
    items: list[shape(desk.Summary)]  # type: ignore[valid-type]


class EnrolmentList(BaseModel):
    """Accounts in playbooks, the newest first. `after` starts the next page; null: there are no more."""

    items: list[shape(desk.Enrolled)]  # type: ignore[valid-type]
    after: int | None


class RehearsalStarted(BaseModel):
    """Whether it was started: not where it is going on already."""

    started: bool


@reads.get(
    "/playbooks", response_model=None, responses={200: {"model": PlaybookList}}, summary="The playbooks"
)
def playbooks(call: Reading) -> Any:
    """In words, with how many accounts that the key's person sees are in each."""
    return call.answer({"items": desk.playbooks(call.workspace, call.actor).playbooks})


@reads.get(
    "/playbooks/{playbook}",
    response_model=None,
    responses={200: {"model": shape(desk.PlaybookPage)}},
    summary="One playbook",
)
def one_playbook(call: Reading, playbook: asked_alerts.PlaybookName) -> Any:
    """With the accounts that came into it last, and its effect for who may know whom it holds out."""
    return call.answer(desk.playbook(call.workspace, call.actor, playbook))


@reads.get(
    "/playbooks/{playbook}/rehearsal",
    response_model=None,
    responses={200: {"model": shape(desk.Rehearsed)}},
    summary="What a playbook would do",
)
def rehearsal(
    call: Reading, playbook: asked_alerts.PlaybookName, query: Annotated[asked_alerts.RehearsalOf, Query()]
) -> Any:
    """For one account, or for all of them as it was found out last; see `POST`. Nothing is done."""
    if query.account_id is None:
        return call.answer(desk.rehearsed(call.workspace, call.actor, playbook))
    found = desk.rehearse(call.workspace, call.actor, playbook, query.account_id, now=call.now)
    call.about(query.account_id)
    return call.answer(desk.Rehearsed(playbook, None, found, {}))


@router.post(
    "/playbooks/{playbook}/rehearsal",
    status_code=202,
    response_model=RehearsalStarted,
    summary="Find out what a playbook would do",
)
def new_rehearsal(call: Acting, playbook: asked_alerts.PlaybookName) -> Any:
    """In the background, for all accounts of the last published date. Nothing is done."""
    started = desk.start_rehearsal(call.workspace, call.actor, playbook, now=call.now)
    return call.answer({"started": started}, 202)


@reads.get(
    "/enrolments",
    response_model=None,
    responses={200: {"model": EnrolmentList}},
    summary="Accounts in playbooks",
)
def enrolments(call: Reading, query: Annotated[asked_alerts.EnrolmentPage, Query()]) -> Any:
    """Those that the key's person sees; who is held out is for leaders, ops and admins."""
    found = desk.enrolled(call.workspace, call.actor, **query.model_dump())
    return call.answer({"items": found.enrolments, "after": found.after})


@reads.get(
    "/enrolments/{enrolment}",
    response_model=None,
    responses={200: {"model": shape(desk.EnrolmentShown)}},
    summary="One account in a playbook",
)
def one_enrolment(call: Reading, enrolment: asked.Number) -> Any:
    """Step by step."""
    found = desk.enrolment(call.workspace, call.actor, enrolment)
    call.about(found.account_id)
    return call.answer(found)


@router.post(
    "/enrolments/{enrolment}/stop",
    response_model=None,
    responses={200: {"model": shape(Done)}},
    summary="Take an account out of a playbook",
)
def stop(call: Acting, enrolment: asked.Number, body: asked_alerts.Stopping) -> Any:
    """Its open tasks are dropped, and nothing more is done for it."""
    done = desk.stop(call.workspace, call.actor, enrolment, body.reason, now=call.now)
    call.about(done.account_id)
    return call.answer(done)
