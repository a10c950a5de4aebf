"""Queries in flight, and how to end them from another thread.

An engine in this process may not return to Python for hours, and only there are signals heard.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# A signal is handled between any two steps of the main thread, which may have the lock.
_lock = threading.RLock()
_enders: list[Callable[[], object]] = []


@contextmanager
def interruptible(end: Callable[[], object]) -> Iterator[None]:
    """Within, `interrupt` calls `end`, which makes a query in flight fail and does nothing without one."""
    with _lock:
        _enders.append(end)
    try:
        yield
    finally:
        with _lock:
            _enders.remove(end)


def interrupt() -> None:
    """End every query in flight. Called by a thread that waits for none, or by the handler of a signal."""
    with _lock:
        for end in _enders:
            end()
