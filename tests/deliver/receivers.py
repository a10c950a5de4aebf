"""Receivers on loopback that behave as badly as those of the world."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from retinue.deliver import Message, Outside

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LOOPBACK = ["127.0.0.0/8", "::1"]


def message(key: str = "msg_1", **more) -> Message:
    told = {
        "kind": "band",
        "subject": "Acme fell to At risk",
        "what": "The score went from 62 to 38.",
        "why": ("logins fell by 40 %",),
        "do": ("Call them this week.",),
        "link": "https://retinue.example/accounts/acme",
        "account": "Acme",
        "account_id": "acme",
        "recipient": "Ann",
        "address": "ann@example.com",
        "at": NOW,
    }
    return Message(key=key, **{**told, **more})


@cache
def authority() -> trustme.CA:
    return trustme.CA()


@cache
def trusting() -> ssl.SSLContext:
    """Trusts the authority of the tests, and nobody else."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def certified(*names: str) -> ssl.SSLContext:
    """Of a server that has a certificate for `names`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(*names).configure_cert(context)
    return context


def outside(environ: dict[str, str] | None = None, **more) -> Outside:
    told = {"tls": trusting, "timeout": 5.0, "resolve": lambda _host, _port: ["127.0.0.1"]}
    return Outside(environ=environ or {}, **{**told, **more})


# --- HTTP ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What is answered: nothing where `drop` says when the connection ends."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    delay: float = 0.0
    drop: str = ""  # "before" it is read or "after" it has an effect


@dataclass
class HttpReceiver:
    """Records what it takes. `answers` says what it answers to each request, by default 200."""

    answers: Callable[[Request], Answer] = lambda _request: Answer()
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://hooks.example:{self.port}/in"


@contextlib.contextmanager
def http_receiver(
    answers: Callable[[Request], Answer] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[HttpReceiver]:
    receiver = HttpReceiver(tls=tls is not None)
    if answers is not None:
        receiver.answers = answers

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            receiver.requests.append(request)
            answer = receiver.answers(request)
            time.sleep(answer.delay)
            if answer.drop:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def handle(self) -> None:
            receiver.connections += 1
            with contextlib.suppress(OSError):
                super().handle()

        def finish(self) -> None:
            with contextlib.suppress(OSError):
                super().finish()

        def log_message(self, *_args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self):
            taken, address = super().get_request()
            if tls is not None:
                taken = tls.wrap_socket(taken, server_side=True, do_handshake_on_connect=False)
            return taken, address

        def handle_error(self, *_args: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def moody(seed: int, once: Callable[[Request], None]) -> Callable[[Request], Answer]:
    """Drops, delays, refuses for now, and closes, before and after `once` had its effect.

    Not for ever: waits grow with each failure, so a message is treated badly three times at most.
    """
    chance = random.Random(seed)
    bad: Counter[str] = Counter()
    lock = threading.Lock()

    def answers(request: Request) -> Answer:
        with lock:
            mood = chance.random()
            key = request.headers["webhook-id"]
            if mood < 0.5 and bad[key] == 3:
                mood = 1.0
            bad[key] += mood < 0.5
            if mood < 0.1:
                return Answer(drop="before")
            if mood < 0.2:
                return Answer(429, {"Retry-After": "1"})
            if mood < 0.3:
                return Answer(500)
            once(request)
            if mood < 0.4:
                return Answer(drop="after")
            if mood < 0.5:
                return Answer(502)
            return Answer(delay=0.005 if mood < 0.7 else 0.0)

    return answers


# --- SMTP ----------------------------------------------------------------------------------------


@dataclass
class Mail:
    sender: str
    to: list[str]
    content: bytes
    secure: bool
    signed_in: bool


class SmtpReceiver:
    """A handler of aiosmtpd that keeps mails. `replies` says what it says to RCPT and DATA, in turn."""

    def __init__(self, replies: dict[str, list[str]] | None = None):
        self.replies = replies or {}
        self.mails: list[Mail] = []
        self.port = 0
        self.tried: list[tuple[str, str]] = []

    def _reply(self, what: str) -> str | None:
        told = self.replies.get(what)
        return told.pop(0) if told else None

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        refusal = self._reply(address) or self._reply("RCPT")
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        refusal = self._reply("DATA")
        if refusal == "drop":
            server.transport.abort()
            return "250 OK"
        if refusal:
            return refusal
        self.mails.append(
            Mail(
                envelope.mail_from,
                list(envelope.rcpt_tos),
                envelope.original_content,
                session.ssl is not None,
                bool(session.authenticated),
            )
        )
        return "250 OK"

    def authenticate(self, _server, _session, _envelope, _mechanism, data) -> AuthResult:
        login, password = data.login.decode(), data.password.decode()
        self.tried.append((login, password))
        right = (login, password) == ("retinue", "correct horse")
        return AuthResult(success=right, handled=False)


@contextlib.contextmanager
def smtp_receiver(
    replies: dict[str, list[str]] | None = None,
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    auth: bool = False,
) -> Iterator[SmtpReceiver]:
    handler = SmtpReceiver(replies)
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=_free_port(),
        tls_context=starttls,
        ssl_context=tls,
        require_starttls=starttls is not None,
        auth_required=auth and tls is None,
        auth_require_tls=auth and tls is None,
        authenticator=handler.authenticate if auth else None,
    )
    controller.start()
    handler.port = controller.port
    try:
        yield handler
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
