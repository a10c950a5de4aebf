"""What is served, put together: the pages, the API, health and measures, and the work beside them."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import anyio.to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from retinue.api.app import application as api
from retinue.api.calls import PREFIX, Api
from retinue.desk.background import forget
from retinue.desk.trust import keep_up
from retinue.errors import ProjectError
from retinue.project.load import load
from retinue.project.serving import Oidc, Serve
from retinue.serve import health
from retinue.serve.background import Repeated
from retinue.serve.company import Company
from retinue.serve.front import Front
from retinue.serve.measures import CONTENT, Measures
from retinue.serve.work_measures import Working
from retinue.signin.provider import Provider
from retinue.signin.provider import Settings as ProviderSettings
from retinue.store.people.access import Actor
from retinue.store.people.keys import actor_of_key
from retinue.store.people.sessions import session
from retinue.store.people.uses import Uses
from retinue.store.published.current import current_run
from retinue.store.published.reading import prepare_apart
from retinue.store.upkeep.standing import standing
from retinue.store.upkeep.working import working
from retinue.web import guard
from retinue.web.app import application as pages
from retinue.web.site import Site
from retinue.workspace import Workspace

#: Seconds between two writes of what people looked at, and between two looks at what is published.
WRITE, LOOK = 3.0, 5.0
#: Seconds between two looks at whether what makes reading quick is there. A run makes it for itself.
QUICK = 30.0

_log = logging.getLogger("retinue.serve")


class Served:
    """A workspace that is being served; its project can be read again while it is."""

    def __init__(
        self,
        settings: Serve,
        workspace: Workspace,
        clock: Callable[[], datetime],
        *,
        open_as: Actor | None = None,
        environ: Mapping[str, str] | None = None,
        ahead: bool = True,
        company: Company | None = None,
        others: Sequence[Company] = (),
    ):
        """With `ahead`, what pages show of a new run is made before somebody asks for it. `company` is the
        worker beside it, `others` answer at the same port; all are started and ended with it."""
        self.settings = settings
        self.environ = os.environ if environ is None else environ
        self.clock = clock
        self.uses = Uses(workspace.store)
        self.site = Site(
            workspace,
            clock,
            address=settings.address,
            open_as=open_as,
            records_use=settings.record_use,
            passwords=settings.passwords,
            provider=provider(settings.oidc, workspace, self.environ),
            idle_hours=settings.session_hours,
            session_days=settings.session_days,
        )
        self._compose()
        self.ahead = ahead
        self.company = company
        self.companies = (*([company] if company is not None else []), *others)
        self._run: str | None = None
        self.beside = [
            Repeated("writing down of use", WRITE, self.uses.write),
            Repeated("look for a new run", LOOK, self.look),
            *([Repeated("making reading quick", QUICK, self.quicken)] if ahead else []),
        ]

    @property
    def workspace(self) -> Workspace:
        return self.site.workspace

    def _compose(self) -> None:
        record = self.uses.add if self.settings.record_use else None
        self.pages: ASGIApp = pages(self.site, record)
        self.api: ASGIApp = api(Api(self.workspace, self.clock, self.signed_in, record))

    def look(self) -> None:
        """See whether another run is current than before: then the project may be another one too."""
        run = current_run(self.workspace.store)
        if run is None or run.run_id == self._run:
            return
        if self._run is not None:
            self.read_again()
        self._run = run.run_id
        if self.ahead:
            keep_up(self.workspace, now=self.clock())

    def quicken(self) -> None:
        """Make what pages read quickly, where no run has: over a home that was restored, say."""
        if current_run(self.workspace.store) is not None:
            prepare_apart(self.workspace.published())

    def read_again(self) -> None:
        """Serve the project as it now stands; what cannot be read is told, and the one before stays."""
        try:
            project = load(self.workspace.project.root, self.environ)
        except ProjectError as error:
            _log.warning("the project stays as it was: %s", error)
            return
        if (
            project.store_url != self.workspace.project.store_url
            or project.home != self.workspace.project.home
        ):
            _log.warning("another store or home needs a restart")
            return
        self.site = replace(self.site, workspace=replace(self.workspace, project=project))
        self._compose()
        _log.info("the project was read again")

    def signed_in(self, request: Request, now: datetime) -> Actor | None:
        """Whoever comes with a session of the pages, or from this machine where it is open."""
        if self.site.open_as is not None and guard.local(request):
            return self.site.open_as
        token = request.cookies.get(guard.cookie(self.site))
        found = session(self.workspace.store, token, now=now) if token else None
        return found.actor if found else None

    # --- what is asked ---------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        own = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}
        if path in own:
            scope["route_name"] = path
            request = Request(scope, receive)
            if request.method in ("GET", "HEAD"):
                response = await run_in_threadpool(own[path], request)
            else:
                response = Response(status_code=405, headers={"Allow": "GET, HEAD"})
            await response(scope, receive, send)
        elif path == "/api" or path.startswith("/api/"):
            try:
                await self.api(scope, receive, send)
            finally:
                if "route" in scope:
                    scope["route_name"] = PREFIX + scope["route"].path
        else:
            await self.pages(scope, receive, send)

    def _healthz(self, _request: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    def _readyz(self, _request: Request) -> Response:
        told = health.to_dict(health.checks(self.workspace, self.settings, self.clock(), self.company))
        status = 200 if told["ready"] else 503
        return Response(json.dumps(told) + "\n", status, media_type="application/json")

    def _metrics(self, request: Request) -> Response:
        if not self._may_measure(request):
            return Response(
                "ask from this machine, from `metrics_from`, or with a key that sees all accounts\n",
                403,
                media_type="text/plain",
            )
        return Response(self.measures.text(), headers={"Content-Type": CONTENT})

    def _may_measure(self, request: Request) -> bool:
        if guard.local(request):
            return True
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            actor = actor_of_key(self.workspace.store, secret, now=self.clock())
            return actor is not None and actor.everything and actor.may("read")
        try:
            client = ipaddress.ip_address(request.client.host if request.client else "")
        except ValueError:
            return False
        return any(client in ipaddress.ip_network(network) for network in self.settings.metrics_from)

    @property
    def measures(self) -> Measures:
        return self.front.measures

    # --- its process -----------------------------------------------------------------------------

    async def start(self) -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = self.settings.threads
        if self.ahead:
            forget(self.workspace.project.home)  # what failed may be tried again
        for work in self.beside:
            work.start()
        for one in self.companies:
            one.start()

    def ending(self) -> None:
        """The server is to stop: the others may begin to, while requests are answered still."""
        for one in self.companies:
            one.end()

    async def stop(self) -> None:
        self.ending()
        for work in self.beside:
            await anyio.to_thread.run_sync(work.stop)
        await anyio.to_thread.run_sync(self.uses.write)
        for one in self.companies:
            await anyio.to_thread.run_sync(one.stop)

    front: Front


def serving(
    settings: Serve,
    workspace: Workspace,
    clock: Callable[[], datetime],
    *,
    open_as: Actor | None = None,
    environ: Mapping[str, str] | None = None,
    ahead: bool = True,
    company: Company | None = None,
    others: Sequence[Company] = (),
) -> Served:
    """Everything that one process serves; its `front` is the ASGI application."""
    served = Served(
        settings,
        workspace,
        clock,
        open_as=open_as,
        environ=environ,
        ahead=ahead,
        company=company,
        others=others,
    )
    measures = Measures(
        lambda: standing(workspace.store, clock()), lambda: health.free_bytes(workspace.project.home)
    )
    measures.beside.register(Working(lambda: working(workspace.store), company))
    served.front = Front(served, settings, measures, served.start, served.stop)
    return served


def application(
    settings: Serve, workspace: Workspace, clock: Callable[[], datetime], *, open_as: Actor | None = None
) -> ASGIApp:
    """The pages at /, the API at /api/v1, /healthz, /readyz and /metrics."""
    return serving(settings, workspace, clock, open_as=open_as).front


def provider(oidc: Oidc | None, workspace: Workspace, environ: Mapping[str, str]) -> Provider | None:
    """Where people can sign in instead. Raises RetinueError for what cannot be."""
    if oidc is None:
        return None
    told = oidc.model_dump(exclude={"client_secret"})
    secret = oidc.client_secret
    value = None if secret is None else secret.value(workspace.project.root, environ)
    return Provider(ProviderSettings(**told, client_secret=value))
