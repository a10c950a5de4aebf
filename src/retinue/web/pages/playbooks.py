"""Playbooks: all of them, one with those who are in it, and what one would do."""

from __future__ import annotations

from starlette.responses import Response

from retinue.desk import playbooks as desk
from retinue.errors import NotFound, StoreError
from retinue.run.rehearsing import Rehearsal
from retinue.store.work.plays import sees_held_out
from retinue.web.pages.account import address
from retinue.web.pages.alerts import place
from retinue.web.pages.book import Address
from retinue.web.site import Door, Visit

SAID = {
    "stopped": "The account is out of the playbook, and its open tasks are dropped.",
    "started": "The rehearsal is being made.",
    "going": "A rehearsal is being made already.",
}
STATUSES = {"active": "going on", "completed": "completed", "stopped": "stopped", "held_out": "held out"}


def every(visit: Visit) -> Response:
    return visit.page(
        "playbooks/list.html",
        found=desk.playbooks(visit.workspace, visit.actor),
        knows=sees_held_out(visit.actor),
    )


def one(visit: Visit) -> Response:
    query, name = visit.query, visit.path["name"]
    found = desk.playbook(
        visit.workspace,
        visit.actor,
        name,
        status=query.get("status") or None,
        after=place(query, "accounts"),
    )
    knows = sees_held_out(visit.actor)
    return visit.page(
        "playbooks/one.html",
        page=found,
        book=found.summary,
        address=Address(query),
        account_address=address,
        knows=knows,
        statuses={key: word for key, word in STATUSES.items() if knows or key != "held_out"},
        said=SAID.get(query.get("said", "")),
    )


def stop(visit: Visit) -> Response:
    number = int(visit.path["enrolment"])
    try:
        done = desk.stop(visit.workspace, visit.actor, number, visit.form.get("reason", ""), now=visit.now)
    except StoreError as error:
        return _enrolment(visit, failure=str(error), status=400)
    visit.request.state.account_id = done.account_id
    return visit.to(f"/enrolments/{number}?said={done.what}#said")


def enrolment(visit: Visit) -> Response:
    return _enrolment(visit)


def _enrolment(visit: Visit, *, failure: str | None = None, status: int = 200) -> Response:
    """One account in a playbook: its steps, and how to stop it."""
    there = desk.enrolment(visit.workspace, visit.actor, int(visit.path["enrolment"]))
    visit.request.state.account_id = there.account_id
    return visit.page(
        "playbooks/enrolment.html",
        status=status,
        one=there,
        enrolment=there.enrolment,
        statuses=STATUSES,
        failure=failure,
        typed=visit.form if failure else {},
        account_address=address,
        said=SAID.get(visit.query.get("said", "")),
    )


def test(visit: Visit) -> Response:
    """What a playbook would do: for one account at once, for all of them as it was found out last."""
    name, account_id = visit.path["name"], visit.query.get("account", "").strip()
    alone: Rehearsal | None = None
    trouble = None
    if account_id:
        try:
            alone = desk.rehearse(visit.workspace, visit.actor, name, account_id, now=visit.now)
            visit.request.state.account_id = account_id
        except (NotFound, StoreError) as error:
            trouble = error.message
    found = desk.rehearsed(visit.workspace, visit.actor, name)
    return visit.page(
        "playbooks/test.html",
        status=404 if trouble else 200,
        found=found,
        alone=alone,
        asked=account_id,
        trouble=trouble,
        most=desk.SHOWN,
        may_start=desk.may_rehearse(visit.actor),
        knows=sees_held_out(visit.actor),
        account_address=address,
        said=SAID.get(visit.query.get("said", "")),
        everything=visit.actor.everything,
    )


def begin(visit: Visit) -> Response:
    name = visit.path["name"]
    started = desk.start_rehearsal(visit.workspace, visit.actor, name, now=visit.now)
    return visit.to(f"/playbooks/{name}/test?said={'started' if started else 'going'}#said")


DOORS = (
    Door("/playbooks", "read", show=every),
    Door("/playbooks/{name}", "read", show=one),
    Door("/playbooks/{name}/test", "read", show=test, act=begin),
    Door("/enrolments/{enrolment:int}", "read", show=enrolment),
    Door("/enrolments/{enrolment:int}/stop", "read", act=stop),
)
