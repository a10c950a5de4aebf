"""The pages put together: every address once, with who may come through it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from retinue.store.people.access import Actor
from retinue.web import guard
from retinue.web.pages import (
    account,
    acting,
    alerts,
    audit,
    book,
    deliveries,
    leadership,
    me,
    people,
    playbooks,
    portfolio,
    scorecards,
    signin,
    static,
    tasks,
    trust,
)
from retinue.web.site import Door, Site, Visit

#: Every page and every form. A test asks each of them as everybody, so that none is forgotten.
DOORS: tuple[Door, ...] = (
    *static.DOORS,
    *book.DOORS,
    *signin.DOORS,
    *me.DOORS,
    *people.DOORS,
    *audit.DOORS,
    *tasks.DOORS,
    *alerts.DOORS,
    *playbooks.DOORS,
    *deliveries.DOORS,
    *portfolio.DOORS,
    *scorecards.DOORS,
    *trust.DOORS,
    *leadership.DOORS,
    *acting.DOORS,
    *account.DOORS,
    *account.LAST,
)


#: Takes note of who looked at what, or did what, about which account; see `retinue.store.people.uses`.
Record = Callable[[Actor, Literal["view", "act"], str, str | None, datetime], None]


def application(site: Site, record: Record | None = None) -> Starlette:
    """The web of one workspace, as an ASGI application. Without `record` nobody's use is kept."""

    def seen(visit: Visit, door: Door) -> None:
        if record is not None:
            kind: Literal["view", "act"] = "act" if visit.request.method == "POST" else "view"
            record(visit.actor, kind, door.path, visit.about, visit.now)

    def lost(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        visit = guard.visit_of(request, site)
        told = {404: "there is no such page", 405: "this page cannot be asked like that"}
        return guard.error_page(visit, error.status_code, told.get(error.status_code, error.detail))

    return Starlette(
        routes=[
            Route(
                door.path,
                guard.endpoint(site, door, seen),
                methods=[*(["GET"] if door.show else []), *(["POST"] if door.act else [])],
            )
            for door in DOORS
        ],
        middleware=[
            Middleware(guard.SecureHeaders, https=site.secure),
            Middleware(GZipMiddleware, minimum_size=600, compresslevel=5),
        ],
        exception_handlers={HTTPException: lost, Exception: guard.unexpected(site)},
    )
