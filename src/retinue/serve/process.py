"""Starting the server and stopping it: one process, one port."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from retinue.errors import RetinueError
from retinue.project.serving import Serve
from retinue.serve.app import Served

#: Seconds that requests get to end in when the server stops, and after which it ends whatever they do.
GRACE, MOST = 7, 9.5
#: Seconds in which the head of a request must have come, and its bytes.
HEAD_SECONDS, HEAD_BYTES = 15.0, 32 * 1024
#: Connections at once; more are told to come again.
CONNECTIONS = 1000

_log = logging.getLogger("retinue.serve")


def clock() -> datetime:
    """The time; the one place of the server that asks for it."""
    return datetime.now(UTC)


def bound(settings: Serve) -> socket.socket:
    """The socket to listen on. Raises RetinueError where the port is taken, or may not be."""
    try:
        infos = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = infos[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(2048)
    except OSError as error:
        place = f"{settings.host}, port {settings.port}"
        raise RetinueError(
            f"cannot listen on {place}: {error.strerror or error}",
            hint="another server has it? Choose another one: `retinue serve --port 8322`",
        ) from None
    made.set_inheritable(False)
    return made


def serve(served: Served, listening: socket.socket, ready: Callable[[], object] | None = None) -> None:
    """Answer until SIGTERM or Ctrl-C; what is being answered then is finished first.

    `ready` is called once it answers. SIGHUP reads the project again. A second signal ends it at once.
    """
    settings = served.settings
    config = uvicorn.Config(
        served.front,
        http=_Patient,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        h11_max_incomplete_event_size=HEAD_BYTES,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE,
    )
    _Server(config, served, ready).run(sockets=[listening])


class _Patient(H11Protocol):
    """Closes connections on which the head of a request does not come to an end."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._late is None and not self._busy():
            self._wait()
        super().data_received(data)
        if self._busy():
            self._done()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        super().connection_lost(exc)

    def _busy(self) -> bool:
        """Whether a request has come that is not answered yet."""
        cycle: Any = self.cycle  # None before the first one
        return cycle is not None and not cycle.response_complete

    def _wait(self) -> None:
        self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _done(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, served: Served, ready: Callable[[], object] | None):
        super().__init__(config)
        self.served = served
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        notify("READY=1")
        if self.ready is not None:
            self.ready()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Ours instead of those of the command line, which would break off what is being answered."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        woken = signal.set_wakeup_fd(-1)
        before = {one: signal.signal(one, self._stop) for one in (signal.SIGINT, signal.SIGTERM)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._again)
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
            signal.set_wakeup_fd(woken)

    def _stop(self, number: int, _frame: object) -> None:
        if self.should_exit:
            self.force_exit = True
            return
        self.should_exit = True
        notify("STOPPING=1")
        self.served.ending()
        # A thread cannot be ended from outside: if one does not end by itself, the process does.
        last = threading.Timer(MOST, os._exit, (128 + number,))
        last.daemon = True
        last.start()

    def _again(self, number: int, _frame: object) -> None:
        for one in self.served.companies:
            one.tell(number)
        threading.Thread(target=self.served.read_again, name="retinue-reload", daemon=True).start()


def notify(state: str) -> None:
    """Tell systemd, where it started us (`Type=notify`)."""
    place = os.environ.get("NOTIFY_SOCKET")
    if not place:
        return
    address = "\0" + place[1:] if place.startswith("@") else place
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sink:
        sink.sendto(state.encode(), address)
