"""The list of tasks."""

from __future__ import annotations

from typing import cast

from starlette.responses import Response

from retinue.desk.book import offered
from retinue.desk.tasks import TaskAsk, Whose, tasks
from retinue.errors import StoreError
from retinue.store.work.tasks import Status
from retinue.web.pages.account import SAID, address
from retinue.web.pages.book import Address
from retinue.web.site import Door, Visit


def show(visit: Visit) -> Response:
    query = visit.query
    usual = "mine" if visit.actor.person is not None and visit.actor.role == "csm" else "all"
    after = query.get("after") or None
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise StoreError(f"{after[:40]!r} is no place in the list of tasks", hint="start over")
    ask = TaskAsk(
        whose=cast(Whose, query.get("whose") or usual),
        status=cast(Status, query.get("status") or "open"),
        overdue=query.get("overdue") == "yes",
        account_id=query.get("account") or None,
        after=int(after) if after else None,
    )
    owners = offered(visit.workspace, visit.actor, ("owner",))["owner"] if visit.actor.may("act") else ()
    return visit.page(
        "tasks.html",
        found=tasks(visit.workspace, visit.actor, ask, today=visit.now.date()),
        ask=ask,
        address=Address(query),
        account_address=address,
        owners=[group.value for group in owners if group.value],
        said=SAID.get(query.get("said", "")),
        today=visit.now.date(),
    )


DOORS = (Door("/tasks", "read", show=show),)
