"""Work beside the requests: each kind of it in a thread of its own, again and again until the end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger("retinue.serve")


class Repeated:
    """Calls `work` every `seconds`; what it raises is logged, and it is called again all the same."""

    def __init__(self, name: str, seconds: float, work: Callable[[], object]):
        self.name = name
        self.seconds = seconds
        self.work = work
        self._over = threading.Event()
        self._now = threading.Event()
        self._thread = threading.Thread(target=self._go, name=f"retinue-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def soon(self) -> None:
        """Call it now instead of after the wait. Safe in a signal handler."""
        self._now.set()

    def stop(self, patience: float = 3.0) -> None:
        """End it; what is being done is finished first, unless that takes longer than `patience`."""
        self._over.set()
        self._now.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _go(self) -> None:
        while not self._over.is_set():
            self._now.wait(self.seconds)
            self._now.clear()
            if self._over.is_set():
                return
            try:
                self.work()
            except Exception:  # noqa: BLE001 - a thread that dies unseen is worse
                _log.exception("%s failed; it is tried again", self.name)
