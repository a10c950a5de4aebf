"""What stands before every page: headers, hosts, sizes, sessions, forged posts, rights, and errors.

Cookies alone never change anything: a post must come from a page of ours (Sec-Fetch-Site or Origin),
and carry the token of its session.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retinue.errors import Forbidden, NotFound, RetinueError
from retinue.store.people.access import Actor, require
from retinue.store.people.sessions import session as session_of
from retinue.web.site import Door, Site, Visit

#: Bytes of a form.
FORM = 256 * 1024
FIELDS = 100

#: No number of the store is as large; databases fail at it.
_TOO_LARGE = 2**63
#: What says that somebody else passed the request on.
_PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

_log = logging.getLogger("retinue.web")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), browsing-topics=()",
    "X-Frame-Options": "DENY",
}
#: Nobody in particular: who has not signed in.
NOBODY = Actor("nobody", everything=False, role="reader", only=frozenset())


class SecureHeaders:
    """Puts the headers that every answer has on every answer, also those of errors."""

    def __init__(self, app: ASGIApp, *, https: bool):
        self.app = app
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                _secure(MutableHeaders(scope=message), self.https)
            await send(message)

        await self.app(scope, receive, send_with if scope["type"] == "http" else send)


def _secure(headers: MutableHeaders, https: bool) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "private, no-cache")
    if https:
        headers["Strict-Transport-Security"] = "max-age=31536000"


class Refused(Exception):
    """An answer that ends a request before its page is asked."""

    def __init__(self, status: int, message: str, hint: str | None = None):
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint


class Seen(Protocol):
    """Told of a view or an action of somebody who is signed in."""

    def __call__(self, visit: Visit, door: Door) -> None: ...


def endpoint(site: Site, door: Door, seen: Seen) -> Callable[[Request], Awaitable[Response]]:
    """The door as Starlette calls it: who comes, may they, then its function in a thread."""

    async def answer(request: Request) -> Response:
        visit = Visit(request, site, NOBODY, site.clock())
        try:
            form = await _form(request) if request.method == "POST" else {}
            return await run_in_threadpool(_through, visit, door, form, seen)
        except Refused as refused:
            return error_page(visit, refused.status, refused.message, refused.hint)
        except ClientDisconnect:
            return Response(status_code=400)

    return answer


def _through(visit: Visit, door: Door, form: Mapping[str, str], seen: Seen) -> Response:
    site, request = visit.site, visit.request
    posted = request.method == "POST"
    try:
        visit = visit_of(request, site, form)
        if any(isinstance(part, int) and part >= _TOO_LARGE for part in request.path_params.values()):
            raise NotFound("there is no such page")
        if posted:
            _not_forged(visit)
        right = door.act_right if posted else door.right
        if right is not None:
            if visit.session is None and visit.actor is NOBODY:
                return _sign_in_first(request, posted)
            require(visit.actor, right)
        function = door.act if posted else door.show
        assert function is not None  # the router knows the methods of each door
        response = function(visit)
        if right is not None and site.records_use and response.status_code < 400:
            seen(visit, door)
        return response
    except Refused as refused:
        return error_page(visit, refused.status, refused.message, refused.hint)
    except NotFound as error:
        return error_page(visit, 404, error.message, error.hint)
    except Forbidden as error:
        return error_page(visit, 403, error.message, error.hint)
    except RetinueError as error:
        return error_page(visit, 400 if posted or request.query_params else 503, error.message, error.hint)


def visit_of(request: Request, site: Site, form: Mapping[str, str] | None = None) -> Visit:
    """The visit, with who makes it."""
    now = site.clock()
    told: dict[str, Any] = {"request": request, "site": site, "now": now, "form": form or {}}
    if site.open_as is not None and local(request):
        return Visit(actor=site.open_as, **told)
    token = request.cookies.get(cookie(site))
    if token:
        found = session_of(site.workspace.store, token, now=now)
        if found is not None:
            return Visit(actor=found.actor, session=found, **told)
    return Visit(actor=NOBODY, **told)


def cookie(site: Site) -> str:
    """The name of the session's cookie: browsers hold `__Host-` ones to https and to this host."""
    return "__Host-retinue" if site.secure else "retinue"


def local(request: Request) -> bool:
    """Whether both ends are this machine, by the address and by the name that was asked for.

    The name counts, so that a page elsewhere whose name is pointed at 127.0.0.1 gets nothing.
    """
    if request.client is None or any(name in request.headers for name in _PASSED_ON):
        return False
    return _loopback(request.client.host) and host_name(request) in ("localhost", "127.0.0.1", "::1")


def host_name(request: Request) -> str:
    """The host that the browser asked for, without port; "" for what is no host."""
    host = request.headers.get("host", "")
    try:
        return "" if "@" in host else urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _sign_in_first(request: Request, posted: bool) -> Response:
    if posted:
        raise Refused(401, "you are not signed in any more", "sign in, then do it again")
    there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/sign-in?next=" + quote(there, safe=""), 303)


# --- posts ---------------------------------------------------------------------------------------


async def _form(request: Request) -> dict[str, str]:
    """What was posted: urlencoded, of a bounded size, each field once."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(415, "this is not a form", "post it as application/x-www-form-urlencoded")
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise Refused(400, "the form does not say how long it is")
    if len(length) > 9 or int(length) > FORM:
        raise Refused(413, f"a form has {FORM // 1024} kB at most")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM:
            raise Refused(413, f"a form has {FORM // 1024} kB at most")
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS, errors="strict"
        )
    except ValueError:
        raise Refused(400, "the form cannot be read") from None
    return dict(pairs)


def _not_forged(visit: Visit) -> None:
    """A post comes from a page of ours; where somebody is signed in, with their session's token."""
    request = visit.request
    site_of = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site_of is not None and site_of not in ("same-origin", "none"):
        raise Refused(403, "this was posted from another site")
    if origin is not None and origin != "null":
        told = urlsplit(origin)
        if told.netloc.casefold() != request.headers.get("host", "").casefold():
            raise Refused(403, "this was posted from another site")
    elif site_of is None:
        raise Refused(403, "your browser does not say where this was posted from")
    if visit.session is not None and not _same_token(visit.form.get("csrf", ""), visit.session.csrf):
        raise Refused(403, "this form is from another sign-in", "go back, reload the page, and do it again")


def form_token(visit: Visit) -> str:
    """The session's token for a form, masked anew each time so that compression cannot leak it."""
    if visit.session is None:
        return ""
    token = visit.session.csrf.encode()
    mask = secrets.token_bytes(len(token))
    return base64.urlsafe_b64encode(mask + _xor(mask, token)).decode()


def _same_token(posted: str, token: str) -> bool:
    try:
        raw = base64.urlsafe_b64decode(posted.encode())
    except ValueError:
        return False
    half = len(raw) // 2
    return hmac.compare_digest(_xor(raw[:half], raw[half:]), token.encode())


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


# --- errors --------------------------------------------------------------------------------------


def error_page(visit: Visit, status: int, message: str, hint: str | None = None) -> Response:
    """What went wrong and what to do, in the frame that every page has."""
    return visit.page("error.html", status=status, code=status, message=message, hint=hint)


def unexpected(site: Site) -> Callable[[Request, Exception], Response]:
    """The page for what is a bug of ours; the log has the rest, under the same number."""

    def answer(request: Request, error: Exception) -> Response:
        number = Headers(scope=request.scope).get("x-request-id") or request.scope.get("request_id", "-")
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        visit = Visit(request, site, NOBODY, site.clock())
        hint = f"it is in the log under {number}; if it stays, tell whoever runs this Retinue"
        response = error_page(visit, 500, "something went wrong on our side", hint)
        # Starlette answers this from outside of what puts the headers on.
        _secure(response.headers, site.secure)
        return response

    return answer
