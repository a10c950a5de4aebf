"""How messages leave: destinations, what was given up, and how to set it right."""

from __future__ import annotations

from starlette.responses import Response

from retinue.desk import deliveries as desk
from retinue.errors import StoreError
from retinue.web.pages.account import address
from retinue.web.pages.book import Address
from retinue.web.site import Door, Visit

SAID = {
    "replayed": "It is on its way once more.",
    "enabled": "It is sent to again.",
    "tested": "A test message is on its way: a worker delivers it.",
}


def show(visit: Visit) -> Response:
    return _page(visit)


def _page(visit: Visit, *, failure: str | None = None, status: int = 200) -> Response:
    query = visit.query
    found = desk.deliveries(
        visit.workspace,
        visit.actor,
        destination=query.get("destination") or None,
        after=query.get("after") or None,
        now=visit.now,
    )
    return visit.page(
        "deliveries/list.html",
        status=status,
        found=found,
        address=Address(query),
        account_address=address,
        said=SAID.get(query.get("said", "")),
        failure=failure,
        paged=bool(query.get("after")),
    )


def _done(visit: Visit, what: str) -> Response:
    return visit.to(f"/deliveries?said={what}#said")


def replay(visit: Visit) -> Response:
    return _done(visit, desk.replay(visit.workspace, visit.actor, visit.path["message"], now=visit.now).what)


def replay_all(visit: Visit) -> Response:
    desk.replay_all(visit.workspace, visit.actor, visit.path["destination"], now=visit.now)
    return _done(visit, "replayed")


def enable(visit: Visit) -> Response:
    return _done(
        visit, desk.enable(visit.workspace, visit.actor, visit.path["destination"], now=visit.now).what
    )


def test(visit: Visit) -> Response:
    try:
        done = desk.test(visit.workspace, visit.actor, visit.path["destination"], now=visit.now)
    except StoreError as error:
        return _page(visit, failure=str(error), status=400)
    return _done(visit, done.what)


DOORS = (
    Door("/deliveries", "audit", show=show),
    Door("/deliveries/messages/{message}/replay", "audit", act=replay, act_right="audit"),
    Door("/deliveries/{destination}/replay", "audit", act=replay_all, act_right="audit"),
    Door("/deliveries/{destination}/enable", "audit", act=enable, act_right="audit"),
    Door("/deliveries/{destination}/test", "audit", act=test, act_right="audit"),
)
