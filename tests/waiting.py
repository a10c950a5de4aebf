"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds. What goes on in the background lets everything else go first, on a machine that does much else.
PATIENCE = 300.0


def until(holds: Callable[[], object], what: str = "it never held") -> None:
    """Return when it holds; fail with `what` where it does not in time."""
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends, what
        time.sleep(0.05)
