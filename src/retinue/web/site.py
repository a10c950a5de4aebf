"""What the pages need to know of where they are, and one visit to one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from retinue.signin.provider import Provider
from retinue.store.people.access import Actor, Right
from retinue.store.people.sessions import Session
from retinue.web.rendering import rendered
from retinue.workspace import Workspace

#: The main pages, and those of whoever runs this: address, word, and the right that they need.
MENU: tuple[tuple[str, str, Right], ...] = (
    ("/", "Book", "read"),
    ("/portfolio", "Portfolio", "read"),
    ("/alerts", "Alerts", "read"),
    ("/tasks", "Tasks", "read"),
    ("/playbooks", "Playbooks", "read"),
    ("/scorecards", "Scorecards", "read"),
    ("/trust", "Trust", "read"),
    ("/leadership", "Leadership", "read"),
)
OWN_MENU: tuple[tuple[str, str, Right], ...] = (
    ("/people", "People", "manage"),
    ("/audit", "Audit log", "audit"),
    ("/deliveries", "Deliveries", "audit"),
)


@dataclass(frozen=True)
class Site:
    """A workspace that is served. `clock` gives the time, aware.

    `address` is how people reach it (https://retinue.example.com), None if only by the host that they
    name. With `open_as`, whoever comes from this machine is that actor and does not sign in.
    `records_use`: whether views and actions are kept. `provider`: where people can sign in instead;
    `passwords`: whether they can with a password.
    """

    workspace: Workspace
    clock: Callable[[], datetime]
    address: str | None = None
    open_as: Actor | None = None
    records_use: bool = True
    provider: Provider | None = None
    passwords: bool = True
    idle_hours: float = 12.0
    session_days: float = 7.0

    def menu(self, actor: Actor) -> list[tuple[str, str]]:
        """The main pages that the actor may open: address and word."""
        return [(path, word) for path, word, right in MENU if actor.may(right)]

    def own_menu(self, visit: Visit) -> list[tuple[str, str]]:
        """What stands under the person's name."""
        told = [("/me", "My account")] if visit.session is not None else []
        return [*told, *((path, word) for path, word, right in OWN_MENU if visit.actor.may(right))]

    @property
    def secure(self) -> bool:
        """Whether people come over https, so that cookies can insist on it."""
        return self.address is not None and self.address.startswith("https://")


@dataclass(frozen=True)
class Visit:
    """One request to one page by one actor; `form` is what was posted, file fields left out."""

    request: Request
    site: Site
    actor: Actor
    now: datetime
    session: Session | None = None
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Workspace:
        return self.site.workspace

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    @property
    def path(self) -> Mapping[str, Any]:
        return self.request.path_params

    @property
    def about(self) -> str | None:
        """The account that it is about: that of the address, or what the page took it to be."""
        found: str | None = self.path.get("account_id") or getattr(self.request.state, "account_id", None)
        return found

    @property
    def token(self) -> str:
        """For the forms of this page; see `web.guard`."""
        from retinue.web.guard import form_token

        return form_token(self)

    def at(self, path: str) -> bool:
        """Whether this page is that one, or below it."""
        here = self.request.url.path
        below = {"/": ("/accounts",), "/alerts": (path, "/mutes"), "/playbooks": (path, "/enrolments")}
        roots = below.get(path, (path,))
        return here == path or any(here == root or here.startswith(root + "/") for root in roots)

    def page(self, template: str, *, status: int = 200, **told: Any) -> HTMLResponse:
        """The page of that template; it sees `visit` and what it is told."""
        return HTMLResponse(rendered(template, visit=self, **told), status)

    def to(self, path: str) -> RedirectResponse:
        """Go on to another page of ours, after something was posted."""
        return RedirectResponse(path, 303)


@dataclass(frozen=True)
class Door:
    """An address and who may come through it. `right` None: whoever comes, signed in or not.

    `show` answers GET, `act` POST; an account of the path that the actor may not see is not there.
    """

    path: str
    right: Right | None
    show: Callable[[Visit], Response] | None = None
    act: Callable[[Visit], Response] | None = None
    #: The right that posting needs, if it is another one.
    act_right: Right | None = "act"
