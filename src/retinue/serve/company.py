"""Processes that a server has beside it, started again when they end: the worker, and others that answer.

What they compute takes no time from requests to this one. They end with the server, however that ends:
`retinue.parent`.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from retinue.parent import COMMAND

#: Seconds before it is started again: the first, and the most. Whoever lived for longer starts anew.
FIRST_WAIT, MOST_WAIT = 1.0, 60.0
#: Seconds that it gets to end in.
PATIENCE = 8.0

_log = logging.getLogger("retinue.serve")


def worker_command(root: Path, log_format: Literal["json", "text"]) -> tuple[str, ...]:
    """What starts the worker of a project, with its log on stdout."""
    return (*COMMAND, "work", "-C", str(root), "--log-format", log_format)


def answering_command(root: Path, listening: int, flags: Sequence[str]) -> tuple[str, ...]:
    """What starts another process that answers at the socket; `flags` are those of this one."""
    return (*COMMAND, "serve", "-C", str(root), "--beside", str(listening), *flags)


class Company:
    """Keeps a process running until it is told to end. `starts` is how often it was started."""

    def __init__(
        self,
        command: Sequence[str],
        first_wait: float = FIRST_WAIT,
        most_wait: float = MOST_WAIT,
        *,
        what: str = "the worker",
        passes: Sequence[int] = (),
    ):
        """`passes` are descriptors that it inherits."""
        self.command = tuple(command)
        self.what = what
        self.passes = tuple(passes)
        self.first_wait = first_wait
        self.most_wait = most_wait
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go, name="retinue-worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def running(self) -> bool:
        process = self._process
        return process is not None and process.poll() is None

    def tell(self, number: int) -> None:
        """Send it a signal. Safe in a signal handler."""
        process = self._process
        if process is not None:
            with suppress(OSError):
                process.send_signal(number)

    def end(self) -> None:
        """Ask it to finish, and start it no more; returns at once. Safe in a signal handler."""
        if not self._over.is_set():
            self._over.set()
            self.tell(signal.SIGTERM)

    def stop(self, patience: float = PATIENCE) -> None:
        """End it, and wait for that; what it does not finish in time is given up, and done by another one."""
        self.end()
        if not self._thread.is_alive():
            return
        self._thread.join(patience)
        if self._thread.is_alive():
            self.tell(signal.SIGKILL)
            self._thread.join(PATIENCE)

    def _go(self) -> None:
        wait = self.first_wait
        while not self._over.is_set():
            began = time.monotonic()
            status = self._lived()
            if self._over.is_set():
                return
            lived = time.monotonic() - began
            wait = self.first_wait if lived > self.most_wait else wait
            _log.error("%s ended (status %s); it is started again in %.0f s", self.what, status, wait)
            self._over.wait(wait)
            wait = min(2 * wait, self.most_wait)

    def _lived(self) -> int | str:
        """One life of the process; how it ended."""
        end, ours = os.pipe()
        try:
            # In a session of its own: Ctrl-C is for the server, which then tells it.
            self._process = subprocess.Popen(
                self.command, stdin=end, start_new_session=True, pass_fds=self.passes
            )
        except OSError as error:
            return f"it could not be started: {error.strerror}"
        else:
            self.starts += 1
            if self._over.is_set():  # there was nobody to tell yet
                self.tell(signal.SIGTERM)
            return self._process.wait()
        finally:
            os.close(end)
            os.close(ours)
