"""The list of tasks, one task, how soon people respond; and the forms by which tasks change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

from retinue.action.playbooks import Balance
from retinue.desk import acting
from retinue.desk import tasks as desk
from retinue.desk.acting import Done
from retinue.desk.book import offered
from retinue.desk.tasks import TaskAsk, Whose, took
from retinue.errors import StoreError
from retinue.store.work.responses import ENOUGH
from retinue.store.work.several import Changed
from retinue.store.work.tasks import State
from retinue.web.pages.account import SAID, address, minus
from retinue.web.pages.acting import day_in, line
from retinue.web.pages.book import Address
from retinue.web.pages.choosing import back, chosen, how_many, listed
from retinue.web.site import Door, Visit

#: What an address says of the list; nothing else of a form gets into an address.
_KEYS = ("whose", "status", "overdue", "account")


def show(visit: Visit) -> Response:
    return page(visit, visit.query)


def page(visit: Visit, query: Any, report: Changed | None = None) -> Response:
    """The list that `query` asks for; `report` is what became of those that were changed."""
    usual = "mine" if visit.actor.person is not None and visit.actor.role == "csm" else "all"
    ask = TaskAsk(
        whose=cast(Whose, query.get("whose") or usual),
        status=cast(State, query.get("status") or "open"),
        overdue=query.get("overdue") == "yes",
        account_id=query.get("account") or None,
        after=_after(query),
    )
    told = Address(query)
    return visit.page(
        "tasks/list.html",
        found=desk.tasks(visit.workspace, visit.actor, ask, today=acting.today(visit.workspace, visit.now)),
        ask=ask,
        which="overdue" if ask.overdue else ask.status,
        address=told,
        listed=listed(told, _KEYS),
        chosen=query.get("chosen") == "all",
        report=report,
        said=_said(query),
        **_around(visit),
    )


def one(visit: Visit) -> Response:
    return visit.page(
        "tasks/one.html",
        task=desk.task(visit.workspace, visit.actor, int(visit.path["task"])),
        said=_said(visit.query),
        **_around(visit),
    )


def responses(visit: Visit) -> Response:
    found = desk.responded(visit.workspace, visit.actor, now=visit.now)
    return visit.page("tasks/responses.html", found=found, took=took, enough=ENOUGH)


def _around(visit: Visit) -> dict[str, Any]:
    """What the card of a task and its forms need."""
    acts = visit.actor.may("act")
    owners = offered(visit.workspace, visit.actor, ("owner",))["owner"] if acts else ()
    today = acting.today(visit.workspace, visit.now)
    return {
        "account_address": address,
        "owners": [group.value for group in owners if group.value],
        "teams": acting.teams(visit.workspace) if acts else (),
        "today": today,
        "tomorrow": today + timedelta(days=1),
        "took": took,
        "minus": minus,
    }


def _after(query: Any) -> int | None:
    after = query.get("after") or None
    if after is None:
        return None
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise StoreError(f"{after[:40]!r} is no place in the list of tasks", hint="start over")
    return int(after)


def _said(query: Any) -> str | None:
    name = query.get("said", "")
    return how_many(query, "task", "changed") if name == "changed" else SAID.get(name)


# --- one task changes ----------------------------------------------------------------------------


def _act(act: Callable[[Visit, int], Done]) -> Callable[[Visit], Response]:
    def acted(visit: Visit) -> Response:
        done = act(visit, int(visit.path["task"]))
        visit.request.state.account_id = done.account_id
        return _back(visit, done)

    return acted


def _close(visit: Visit, task: int) -> Done:
    return acting.close_task(
        visit.workspace,
        visit.actor,
        task,
        done=_is_done(visit.form.get("how", "done")),
        result=line(visit.form, "result"),
        said=line(visit.form, "said"),
        now=visit.now,
    )


def _snooze(visit: Visit, task: int) -> Done:
    until = None if visit.form.get("wake") == "yes" else day_in(visit.form, "until")
    if until is None and visit.form.get("wake") != "yes":
        raise StoreError("a task is snoozed until a day", hint="say on which day it is to be back")
    return acting.snooze_task(visit.workspace, visit.actor, task, until, now=visit.now)


def _give(visit: Visit, task: int) -> Done:
    return acting.give_task(visit.workspace, visit.actor, task, now=visit.now, **_whom(visit.form))


def _tick(visit: Visit, task: int) -> Done:
    done = "done" in visit.form
    item = visit.form.get("done" if done else "undone", "")
    if not (item.isascii() and item.isdigit() and len(item) < 4):
        raise StoreError("an item of a checklist is ticked by its number")
    return acting.tick_task(visit.workspace, visit.actor, task, int(item), now=visit.now, done=done)


def _back(visit: Visit, done: Done) -> Response:
    """To the page that the form stood on; to no address that a form could make up."""
    assert done.what in SAID
    place = f"#task-{done.id}" if done.what in ("ticked", "unticked") else "#said"
    if visit.form.get("account"):
        return visit.to(address(visit.form["account"], said=done.what) + place)
    if visit.form.get("one") == "yes":
        return visit.to(f"/tasks/{done.id}?said={done.what}{place}")
    return visit.to(f"/tasks?{urlencode([*back(visit.form, _KEYS), ('said', done.what)])}{place}")


# --- many tasks change ---------------------------------------------------------------------------


def bulk(visit: Visit) -> Response:
    """Change those that are chosen; where some cannot be, the list comes back with the reasons."""
    form = visit.form
    how = form.get("how") or _meant(form)
    numbers = chosen(form, "task")
    workspace, actor, now = visit.workspace, visit.actor, visit.now
    if how in ("done", "dropped"):
        result, said = line(form, "result"), line(form, "said")
        done = _is_done(how)
        changed = acting.close_tasks(workspace, actor, numbers, done=done, result=result, said=said, now=now)
    elif how in ("snooze", "wake"):
        until = None if how == "wake" else day_in(form, "until")
        if until is None and how == "snooze":
            raise StoreError("tasks are snoozed until a day", hint="say on which day they are to be back")
        changed = acting.snooze_tasks(workspace, actor, numbers, until, now=now)
    elif how == "give":
        changed = acting.give_tasks(workspace, actor, numbers, now=now, **_whom(form))
    else:
        raise StoreError("tasks are closed, snoozed or given")
    if changed.refused:
        return page(visit, QueryParams(back(form, _KEYS)), changed)
    query = [*back(form, _KEYS), ("said", "changed"), ("count", str(len(changed.changed)))]
    return visit.to(f"/tasks?{urlencode(query)}#said")


def _meant(form: Mapping[str, str]) -> str:
    """What is to be done by what is filled in, where Enter was pressed and no button."""
    filled = {
        "done": bool(line(form, "result") or line(form, "said")),
        "snooze": bool(line(form, "until")),
        "give": bool(line(form, "owner") or line(form, "among")),
    }
    meant = [how for how, stated in filled.items() if stated]
    if len(meant) != 1:
        raise StoreError("it is not clear what is to be done with these tasks", hint="press one button")
    return meant[0]


def _whom(form: Mapping[str, str]) -> dict[str, Any]:
    among = line(form, "among")
    balance = cast(Balance, form.get("balance") or "fewest_tasks")
    return {"owner": line(form, "owner"), "among": among, "balance": balance}


def _is_done(how: str) -> bool:
    if how not in ("done", "dropped"):
        raise StoreError("a task is done or dropped")
    return how == "done"


DOORS = (
    Door("/tasks", "read", show=show),
    Door("/tasks/responses", "read", show=responses),
    Door("/tasks/bulk", "read", act=bulk),
    Door("/tasks/{task:int}", "read", show=one),
    Door("/tasks/{task:int}/close", "read", act=_act(_close)),
    Door("/tasks/{task:int}/snooze", "read", act=_act(_snooze)),
    Door("/tasks/{task:int}/give", "read", act=_act(_give)),
    Door("/tasks/{task:int}/tick", "read", act=_act(_tick)),
)
