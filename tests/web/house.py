"""A served workspace with people in it: who asks, through which browser."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from starlette.applications import Starlette

from retinue.store.people.access import OPERATOR
from retinue.store.people.people import actor_of, add_person, disable_person, find_person
from retinue.store.people.saved_views import save_view, views_of
from retinue.store.people.sessions import begin_session, session
from retinue.web.app import application
from retinue.web.guard import form_token
from retinue.web.site import Site, Visit
from retinue.workspace import Workspace
from tests.web.company import NOW, PEOPLE

with warnings.catch_warnings():
    # Starlette would rather have a successor of httpx, which the product itself does not need.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

HOST = "http://testserver"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Browser:
    """A signed-in browser (or one that is not): it sends what browsers send, and follows no redirect."""

    client: TestClient
    csrf: str | None = None

    def get(self, path: str, **told: Any) -> Any:
        return self.client.get(path, **told)

    def post(self, path: str, form: Mapping[str, Any] | None = None, **told: Any) -> Any:
        """As the form of a page does it, with the token of the session."""
        fields = dict(form or {})
        if self.csrf is not None:
            fields.setdefault("csrf", self.csrf)
        headers = {"Origin": HOST, "Sec-Fetch-Site": "same-origin", **FORM, **told.pop("headers", {})}
        return self.client.post(path, content=urlencode(fields, doseq=True), headers=headers, **told)


@dataclass
class House:
    """The site, and the people of `company.PEOPLE` by name with a session of each."""

    site: Site
    people: dict[str, int]
    tokens: dict[str, tuple[str, str]]
    app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        self.app = application(self.site)

    @property
    def workspace(self) -> Workspace:
        return self.site.workspace

    @property
    def folder(self) -> Path:
        return self.site.workspace.project.home

    def browser(self, name: str | None = None, *, client: tuple[str, int] = ("192.0.2.7", 50000)) -> Browser:
        """The browser of that person; of nobody without a name."""
        made = TestClient(
            self.app, base_url=HOST, follow_redirects=False, client=client, raise_server_exceptions=True
        )
        if name is None:
            return Browser(made)
        store = self.workspace.store
        if not PEOPLE[name].disabled and session(store, self.tokens[name][0], now=NOW) is None:
            self.tokens[name] = begin_session(store, self.people[name], agent="tests", now=NOW)
        token, csrf = self.tokens[name]
        made.cookies.set("retinue", token)
        return Browser(made, masked(self.site, csrf))

    def raw(self, path: str, name: str | None = None) -> tuple[int, bytes]:
        """Status and body of exactly that address: nothing is tidied up or decoded twice on the way."""
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        here, _, query = path.partition("?")
        cookies = [] if name is None else [(b"cookie", f"retinue={self.tokens[name][0]}".encode())]
        scope = {
            "type": "http",
            "method": "GET",
            "path": unquote(here),
            "raw_path": here.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"testserver"), *cookies],
            "client": ("192.0.2.7", 1),
            "server": ("testserver", 80),
            "scheme": "http",
            "http_version": "1.1",
            "root_path": "",
        }
        asyncio.run(self.app(scope, receive, send))
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)

    def view_of(self, name: str) -> int:
        """A saved view of that person, which is theirs alone."""
        store = self.workspace.store
        actor = actor_of(store, find_person(store, OPERATOR, self.people[name]))
        save_view(store, actor, "Kept", "scope=all", shared=False, now=NOW)
        return next(view.id for view in views_of(store, actor) if view.own and view.name == "Kept")

    def served(self, **changed: Any) -> House:
        """The same house behind another site, such as one that people reach over https."""
        return House(replace(self.site, **changed), self.people, self.tokens)


def masked(site: Site, csrf: str) -> str:
    """The token as a form carries it."""

    @dataclass
    class Known:
        csrf: str

    visit = Visit(request=None, site=site, actor=OPERATOR, now=NOW, session=Known(csrf))
    return form_token(visit)


def furnish(workspace: Workspace, **told: Any) -> House:
    """Let everybody in, and sign them in."""
    store, site = workspace.store, Site(workspace, clock, **told)
    people, tokens = {}, {}
    for name, one in PEOPLE.items():
        number = add_person(
            store,
            OPERATOR,
            f"{name}@example.com",
            name.title(),
            one.role,
            now=NOW,
            sees=one.sees,
            owners=one.owners,
            territories=one.territories,
            team=one.team,
        )
        people[name] = number
        tokens[name] = begin_session(store, number, agent="tests", now=NOW)
        if one.disabled:
            disable_person(store, OPERATOR, number, now=NOW)
    return House(site, people, tokens)


def clock() -> datetime:
    return NOW
