"""What is to be done for accounts, and what was done; all of it audited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from retinue.api import asked
from retinue.api import asked_tasks as told
from retinue.api.calls import Call, caller
from retinue.api.problems import responses
from retinue.api.shapes import shape
from retinue.desk import acting, tasks
from retinue.desk.account import seen
from retinue.desk.acting import Done
from retinue.desk.tasks import Responded, TaskAsk, TaskCard
from retinue.store.work.interventions import Intervention, interventions_of
from retinue.store.work.several import Changed

router = APIRouter(tags=["tasks"], responses=responses(400, 401, 403, 404, 409, 413, 422, 503))
reads = APIRouter(tags=["tasks"], responses=responses(401, 403, 404, 409, 422, 503))
Acting = Annotated[Call, caller("act")]
Reading = Annotated[Call, caller("read")]
Endpoint = Callable[[Callable[..., Any]], Callable[..., Any]]
_DONE: dict[int | str, dict[str, Any]] = {201: {"model": shape(Done)}}
_OK: dict[int | str, dict[str, Any]] = {200: {"model": shape(Done)}}
_MANY: dict[int | str, dict[str, Any]] = {200: {"model": shape(Changed)}}


class TaskList(BaseModel):
    """Tasks, the earliest due first. `after` starts the next page; null: there are no more.

    `counts` are how many are open, overdue and snoozed; on the first page only.
    """

    items: list[shape(TaskCard)]  # type: ignore[valid-type]
    after: int | None
    counts: dict[str, int]


class InterventionList(BaseModel):
    items: list[shape(Intervention)]  # type: ignore[valid-type]


def _say(path: str, summary: str) -> Endpoint:
    return router.post(path, status_code=201, response_model=None, responses=_DONE, summary=summary)


def _do(path: str, summary: str) -> Endpoint:
    return router.post(path, response_model=None, responses=_OK, summary=summary)


def _many(path: str, summary: str) -> Endpoint:
    return router.post(path, response_model=None, responses=_MANY, summary=summary)


@reads.get("/tasks", response_model=TaskList, summary="What is to be done")
def list_tasks(call: Reading, query: Annotated[told.TaskPage, Query()]) -> Any:
    """Tasks for accounts that the key's person may see, with where each comes from and its clock."""
    ask = TaskAsk(
        whose=query.whose,
        status=query.status,
        overdue=query.overdue,
        account_id=query.account_id,
        owner=tuple(query.owner),
        due_before=query.due_before,
        alert=query.alert,
        after=query.after,
        limit=query.limit,
    )
    today = acting.today(call.workspace, call.now)
    found = tasks.tasks(call.workspace, call.actor, ask, today=today)
    return call.answer({"items": found.tasks, "after": found.after, "counts": found.counts})


# Its clock runs on: what is the same is not known before it was counted.
@reads.get(
    "/tasks/responses", response_model=None, summary="How soon people respond",
    responses={200: {"model": shape(Responded)}},
)  # fmt: skip
def response_times(
    call: Annotated[Call, caller("read", tagged=False)], query: Annotated[told.ResponsePage, Query()]
) -> Any:
    """From what tasks answer to the first touch of the account, and to the end of the task: all, by team
    and by owner. Of other people only those are told who may assign accounts."""
    return call.answer(tasks.responded(call.workspace, call.actor, now=call.now, days=query.days))


@reads.get(
    "/tasks/{task}", response_model=None, summary="One task", responses={200: {"model": shape(TaskCard)}}
)
def one_task(call: Reading, task: asked.Number) -> Any:
    """With where it comes from, its checklist and its clock."""
    return call.answer(tasks.task(call.workspace, call.actor, task))


@_say("/accounts/{account_id:path}/tasks", "Add a task")
def add_task(call: Acting, account_id: asked.AccountId, body: told.NewTask) -> Any:
    """Something to do for the account: for its owner, for whoever asks, or for one among several."""
    done = acting.add_task(
        call.workspace,
        call.actor,
        account_id,
        body.title,
        now=call.now,
        owner=body.owner,
        due_on=body.due_on,
        detail=body.detail,
        checklist=body.checklist,
        alert=body.alert,
        among=body.among,
        balance=body.balance,
    )
    return call.answer(done, 201)


# Before those of one task: their addresses would take these.
@_many("/tasks/close", "Close several tasks")
def close_tasks(call: Acting, body: told.CloseMany) -> Any:
    """Those that cannot be closed are told with the reason, and keep no other from being closed."""
    done = acting.close_tasks(
        call.workspace,
        call.actor,
        body.tasks,
        now=call.now,
        done=body.done,
        result=body.result,
        said=body.said,
    )
    return call.answer(done)


@_many("/tasks/snooze", "Snooze several tasks")
def snooze_tasks(call: Acting, body: told.SnoozeMany) -> Any:
    """Those that cannot be snoozed are told with the reason."""
    return call.answer(acting.snooze_tasks(call.workspace, call.actor, body.tasks, body.until, now=call.now))


@_many("/tasks/give", "Give several tasks to somebody")
def give_tasks(call: Acting, body: told.GiveMany) -> Any:
    """To one owner, or shared out among several; those that cannot be given are told with the reason."""
    done = acting.give_tasks(
        call.workspace,
        call.actor,
        body.tasks,
        body.owner,
        now=call.now,
        among=body.among,
        balance=body.balance,
    )
    return call.answer(done)


@_do("/tasks/{task}/close", "Close a task")
def close_task(call: Acting, task: asked.Number, body: told.Closing) -> Any:
    """Done, with what was done and what the customer said to it; or dropped."""
    done = acting.close_task(
        call.workspace, call.actor, task, now=call.now, done=body.done, result=body.result, said=body.said
    )
    return call.answer(done)


@_do("/tasks/{task}/snooze", "Snooze a task")
def snooze_task(call: Acting, task: asked.Number, body: told.Snooze) -> Any:
    """It is out of sight until a day, and back on it."""
    return call.answer(acting.snooze_task(call.workspace, call.actor, task, body.until, now=call.now))


@_do("/tasks/{task}/tick", "Tick an item of a checklist")
def tick_task(call: Acting, task: asked.Number, body: told.Tick) -> Any:
    """Who ticked it, and when, is kept with it."""
    return call.answer(
        acting.tick_task(call.workspace, call.actor, task, body.item, now=call.now, done=body.done)
    )


@router.put("/tasks/{task}/owner", response_model=None, responses=_OK, summary="Give a task to somebody")
def give_task(call: Acting, task: asked.Number, body: told.Given) -> Any:
    """Make somebody else the owner of an open task: one that is named, or one among several."""
    done = acting.give_task(
        call.workspace, call.actor, task, body.owner, now=call.now, among=body.among, balance=body.balance
    )
    return call.answer(done)


@reads.get(
    "/accounts/{account_id:path}/interventions",
    response_model=InterventionList,
    summary="What was done for an account",
)
def list_interventions(call: Reading, account_id: asked.AccountId) -> Any:
    """By playbooks, and recorded by hand; what began last first."""
    seen(call.workspace, call.actor, account_id)
    return call.answer({"items": interventions_of(call.workspace.store, call.actor, account_id)})


@_say("/accounts/{account_id:path}/interventions", "Record an intervention")
def add_intervention(call: Acting, account_id: asked.AccountId, body: told.NewIntervention) -> Any:
    """Something that was or is done for the account, so that its effect can be measured."""
    done = acting.add_intervention(
        call.workspace,
        call.actor,
        account_id,
        body.kind,
        now=call.now,
        started_on=body.started_on,
        ended_on=body.ended_on,
        owner=body.owner,
        reason=body.reason,
    )
    return call.answer(done, 201)


@_do("/interventions/{number}/end", "End an intervention")
def end_intervention(call: Acting, number: asked.Number, body: told.Ending) -> Any:
    """One that was recorded by hand; those of playbooks end with them."""
    return call.answer(
        acting.end_intervention(call.workspace, call.actor, number, now=call.now, ended_on=body.ended_on)
    )


@_do("/interventions/{number}/withdraw", "Withdraw an intervention")
def withdraw_intervention(call: Acting, number: asked.Number) -> Any:
    """One that was recorded by hand and should not have been."""
    return call.answer(acting.withdraw(call.workspace, call.actor, "intervention", number, now=call.now))
