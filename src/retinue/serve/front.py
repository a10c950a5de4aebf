"""What stands before everything: request ids, hosts, sizes, patience, the log and the measures."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retinue.project.serving import Serve
from retinue.serve.logs import request_id, told
from retinue.serve.measures import Measures

#: Bytes of a request's body, and seconds in which it must have come.
BODY, PATIENCE = 512 * 1024, 20.0

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{7,63}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "private, no-cache",
}
_log = logging.getLogger("retinue.requests")

#: Starts and stops what runs beside the requests.
Step = Callable[[], Awaitable[None]]


class Front:
    """An ASGI application around another one, `inner`; `start` and `stop` go with its process."""

    def __init__(self, inner: ASGIApp, settings: Serve, measures: Measures, start: Step, stop: Step):
        self.inner = inner
        self.settings = settings
        self.measures = measures
        self.start = start
        self.stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        number = _number(Headers(scope=scope).get("x-request-id"))
        # Whoever looks at the header inside sees the one that holds.
        kept = [pair for pair in scope["headers"] if pair[0] != b"x-request-id"]
        scope = {**scope, "headers": [*kept, (b"x-request-id", number.encode())], "request_id": number}
        token = request_id.set(number)
        said = {"status": 0, "bytes": 0}

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                said["status"] = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = number
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            else:
                said["bytes"] += len(message.get("body", b""))
            await send(message)

        try:
            await self._checked(scope, receive, send_with)
        except Exception:
            if said["status"] == 0:
                _log.exception("a request failed")
                await refuse(scope, send_with, 500, "something went wrong on our side")
            elif said["status"] < 500:
                _log.exception("an answer broke off")
                raise
        finally:
            seconds = time.perf_counter() - begun
            route = scope.get("route_name") or getattr(scope.get("route"), "path", None) or "none"
            self.measures.answered(route, scope["method"], said["status"], seconds)
            facts = {"method": scope["method"], "route": route, **said, "ms": round(seconds * 1000, 1)}
            told(_log, "answered", **facts)
            request_id.reset(token)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if scope["path"] != "/healthz" and not known_host(headers.get("host", ""), self.settings):
            await refuse(scope, send, 421, "this server goes by another name", _NAMES)
            return
        if "content-length" in headers or "transfer-encoding" in headers:
            try:
                body = await asyncio.wait_for(_body(headers, receive), PATIENCE)
            except TimeoutError:
                await refuse(scope, send, 408, f"the request did not come within {PATIENCE:.0f} seconds")
                return
            if body is None:
                await refuse(scope, send, 413, f"a request has {BODY // 1024} kB at most")
                return
            receive = _replayed(body, receive)
        await self.inner(scope, receive, send)


_NAMES = "ask for it by the `address` that its settings name"


def known_host(header: str, settings: Serve) -> bool:
    """Whether the server goes by the name that was asked for.

    A name of somebody else's that is pointed at this machine would make their pages ours.
    """
    name = _host(header)
    if name is None:
        return False
    own = None if settings.address is None else urlsplit(settings.address).hostname
    if name in _LOOPBACK or name in (own, settings.host):
        return True
    # Where it listens on all addresses; nobody can point a number elsewhere.
    return settings.host in ("0.0.0.0", "::") and _numeric(name)  # noqa: S104 - compared, not bound


def _host(header: str) -> str | None:
    try:
        return urlsplit(f"//{header}").hostname if "@" not in header else None
    except ValueError:
        return None


def _numeric(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _number(stated: str | None) -> str:
    """The id of a request: the one that a proxy gave it, if it is one."""
    return stated if stated is not None and _ID.fullmatch(stated) else uuid.uuid4().hex


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    """All of a request; None if it is too much."""
    stated = headers.get("content-length", "0")
    if not stated.isdigit() or len(stated) > 15 or int(stated) > BODY:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that tells the body at once, and after it whatever comes."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


async def refuse(scope: Scope, send: Send, status: int, message: str, hint: str | None = None) -> None:
    """An answer without a page: problem+json below /api, text elsewhere."""
    if scope["path"].startswith("/api/"):
        told_: dict[str, Any] = {"type": "about:blank", "title": message, "status": status, "detail": message}
        told_ |= {"hint": hint, "request_id": scope.get("request_id")}
        body, kind = json.dumps(told_).encode(), "application/problem+json"
    else:
        body, kind = f"{message}{f' ({hint})' if hint else ''}\n".encode(), "text/plain; charset=utf-8"
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
