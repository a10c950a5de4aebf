"""Who asks: a program with a key, or somebody who is signed in to the pages and only reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.responses import Response

from retinue import __version__
from retinue.api.problems import NotModified, Unauthorised
from retinue.api.shapes import plain
from retinue.store.people.access import Actor, Right, require
from retinue.store.people.keys import actor_of_key
from retinue.store.published.current import current_run
from retinue.store.upkeep.standing import said_version
from retinue.workspace import Workspace

Record = Callable[[Actor, Literal["view", "act"], str, str | None, datetime], None]

#: Where everything here is.
PREFIX = "/api/v1"

#: For the document: how callers say who they are.
_BEARER = HTTPBearer(
    auto_error=False, scheme_name="key", description="A key of a person: `Authorization: Bearer rtn_...`."
)
_COOKIE = APIKeyCookie(
    name="retinue",
    auto_error=False,
    scheme_name="session",
    description="The session of a browser that is signed in to the pages; it can read only.",
)


@dataclass(frozen=True)
class Api:
    """What the API needs. `signed_in` says who comes with a session of the pages, if anybody does."""

    workspace: Workspace
    clock: Callable[[], datetime]
    signed_in: Callable[[Request, datetime], Actor | None]
    record: Record | None = None


@dataclass(frozen=True)
class Call:
    """One request by somebody who may make it."""

    request: Request
    api: Api
    actor: Actor
    now: datetime

    @property
    def workspace(self) -> Workspace:
        return self.api.workspace

    def answer(self, told: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """What was asked for, as JSON."""
        given = dict(headers or {})
        tag = getattr(self.request.state, "tag", None)
        if tag is not None:
            given |= {"ETag": tag, "Vary": "Authorization, Cookie"}
        self.took_note()
        body = "" if told is None else json.dumps(plain(told), ensure_ascii=False, allow_nan=False)
        return Response(body.encode(errors="replace"), status, given, "application/json")

    def took_note(self) -> None:
        if self.api.record is None:
            return
        route = PREFIX + getattr(self.request.scope.get("route"), "path", "")
        kind: Literal["view", "act"] = "view" if self.request.method == "GET" else "act"
        account_id = getattr(self.request.state, "account_id", None)
        self.api.record(
            self.actor, kind, route, self.request.path_params.get("account_id") or account_id, self.now
        )

    def about(self, account_id: str | None) -> None:
        """Say which account it is about, where the address does not."""
        self.request.state.account_id = account_id


def caller(right: Right, *, tagged: bool = True) -> Any:
    """The dependency of a route that needs `right`.

    A GET that is `tagged` is answered with 304 where the caller has the same already: what it says
    depends on the run, on what people said, on the project, on the day and on who asks, and on nothing else.
    """

    def known(
        request: Request,
        _key: Annotated[object, Depends(_BEARER)],
        _session: Annotated[object, Depends(_COOKIE)],
    ) -> Call:
        api: Api = request.app.state.api
        call = Call(request, api, _actor(request, api), api.clock())
        require(call.actor, right)
        if tagged and request.method == "GET":
            request.state.tag = _tag(call)
            wanted = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
            if request.state.tag in wanted:
                call.took_note()
                raise NotModified(request.state.tag)
        return call

    return Depends(known)


def _actor(request: Request, api: Api) -> Actor:
    stated = request.headers.get("authorization")
    if stated is not None:
        kind, _, secret = stated.partition(" ")
        found = None
        if kind.casefold() == "bearer":
            found = actor_of_key(api.workspace.store, secret.strip(), now=api.clock())
        if found is None:
            raise Unauthorised("this key is not known, or over", "make another one on your own page")
        return found
    if request.method == "GET":
        actor = api.signed_in(request, api.clock())
        if actor is not None:
            return actor
    raise Unauthorised(
        "whoever asks must say who they are",
        "send a key: `Authorization: Bearer rtn_...`; make one on your own page",
    )


def _tag(call: Call) -> str:
    store, project, actor = call.workspace.store, call.workspace.project, call.actor
    run = current_run(store)
    parts = [
        __version__,
        run and run.run_id,
        said_version(store),
        sorted(project.texts.items()),
        f"{call.now:%Y-%m-%dT%H}",  # a day begins in every zone with an hour
        [actor.name, actor.person, sorted(actor.rights), actor.everything],
        [sorted(names) for names in (actor.owners, actor.territories, actor.own, actor.team)],
        call.request.scope["path"],
        call.request.url.query,
    ]
    return f'W/"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"'
