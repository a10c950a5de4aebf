"""The API put together, and the document that describes it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from retinue import __version__
from retinue.api import (
    routes_accounts,
    routes_acting,
    routes_alerts,
    routes_deliveries,
    routes_details,
    routes_people,
    routes_playbooks,
    routes_portfolio,
    routes_tasks,
)
from retinue.api.calls import PREFIX, Api
from retinue.api.problems import Problem, handle

#: Where its document is.
DOCUMENT = f"{PREFIX}/openapi.json"

_ABOUT = """\
Customer health scores, why they are what they are, and what people say and do about accounts.
Scores are from 0 (worst health) to 100 (best).

Programs send a key of a person, made on that person's own page: `Authorization: Bearer rtn_...`.
A key sees the accounts that its person sees, and may do what its scopes say (`read`, `act`, `admin`),
as far as the person may.

Lists are told a page at a time: ask again with `after` set to the `after` of the page before. Answers have
an `ETag`; send it back as `If-None-Match`, and what has not changed is answered with 304. Whatever goes
wrong is told as `application/problem+json` with one line for people and what to do.
"""
_TAGS = [
    {"name": "accounts", "description": "Scores, and why they are what they are."},
    {"name": "portfolio", "description": "Groups of accounts, scorecards, and trust in the score."},
    {"name": "acting", "description": "What people say and do about accounts; all of it audited."},
    {
        "name": "tasks",
        "description": "What is to be done for accounts, and what was done; all of it audited.",
    },
    {"name": "alerts", "description": "What was raised, on what evidence, and what nobody wants to hear."},
    {"name": "playbooks", "description": "What is done for accounts, step by step, and what it is worth."},
    {"name": "deliveries", "description": "How messages leave; for whoever may audit."},
    {"name": "views", "description": "Filters and orders of the book, under a name."},
    {"name": "people", "description": "Who may come in, and who did what."},
    {"name": "keys", "description": "Keys of programs."},
]
#: Those whose addresses take whatever stands below /accounts/ come last.
ROUTERS = (
    routes_people.reads,
    routes_people.router,
    routes_portfolio.router,
    routes_portfolio.starts,
    routes_tasks.reads,
    routes_tasks.router,
    routes_alerts.reads,
    routes_alerts.router,
    routes_playbooks.reads,
    routes_playbooks.router,
    routes_deliveries.reads,
    routes_deliveries.router,
    routes_acting.reads,
    routes_acting.router,
    routes_details.router,
    routes_accounts.router,
)


def application(api: Api) -> FastAPI:
    """The API of one workspace, as an ASGI application below /api/v1."""
    app = _Documented(
        title="Retinue",
        version=__version__,
        description=_ABOUT,
        openapi_tags=_TAGS,
        openapi_url=DOCUMENT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.api = api
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    handle(app)
    return app


class _Documented(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """FastAPI's document with our one shape for what goes wrong."""
        if self.openapi_schema is None:
            told = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=self.routes,
                tags=self.openapi_tags,
            )
            schemas = told.setdefault("components", {}).setdefault("schemas", {})
            _, found = models_json_schema(
                [(Problem, "serialization")], ref_template="#/components/schemas/{model}"
            )
            schemas |= found["$defs"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            for path in told["paths"].values():
                for method, operation in path.items():
                    if method == "get":
                        operation["responses"]["304"] = {"description": "Not modified"}
            self.openapi_schema = told
        return self.openapi_schema
