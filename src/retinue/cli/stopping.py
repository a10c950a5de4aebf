"""Ctrl-C and SIGTERM: the first one ends the work in order, the second one at once."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from retinue.interrupts import interrupt

if TYPE_CHECKING:
    from retinue.store.published.manifest import Manifest
    from retinue.workspace import Workspace

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Stop:
    """Which signal has come, if any. Whatever exception follows it is of no interest: engines
    make errors of their own of it."""

    signal: int | None = None

    @property
    def status(self) -> int:
        """As shells tell it."""
        return 128 + (self.signal or 0)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Within, the first SIGINT or SIGTERM raises KeyboardInterrupt, and the next ends the process.

    A signal that the process was told to ignore stays ignored (`nohup`, jobs in the background).
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def first(number: int, _frame: FrameType | None) -> None:
        if stop.signal is None:
            stop.signal = number
            # What the watcher said may have been lost on a query that was about to begin. DuckDB runs this in
            # the middle of one, and works on at what it then throws away unless that is interrupted too.
            interrupt()
            raise KeyboardInterrupt

    ours = [one for one in _SIGNALS if signal.getsignal(one) in (signal.SIG_DFL, signal.default_int_handler)]
    end, begin = os.pipe()
    os.set_blocking(begin, False)
    # Python runs `first` only between two of its own steps. The bytes come at once.
    watcher = threading.Thread(target=_watch, args=(end, set(ours), stop), name="signals", daemon=True)
    watcher.start()
    woken = signal.set_wakeup_fd(begin, warn_on_full_buffer=False)
    before = {one: signal.signal(one, first) for one in ours}
    unraisable = sys.unraisablehook
    sys.unraisablehook = lambda lost: _again(lost, stop, unraisable)
    try:
        yield stop
    finally:
        sys.unraisablehook = unraisable
        for one, handler in before.items():
            signal.signal(one, handler)
        signal.set_wakeup_fd(woken)
        os.close(begin)
        watcher.join(timeout=1)
        os.close(end)


def _again(lost: Any, stop: Stop, otherwise: Callable[[Any], object]) -> None:
    """Raise again what was raised where Python throws exceptions away: while an object is being removed."""
    if stop.signal is None or not issubclass(lost.exc_type, KeyboardInterrupt):
        otherwise(lost)
        return
    # A little later: raised here and now it would be thrown away too.
    threading.Timer(0.05, _raise_in_main).start()


def _raise_in_main() -> None:
    main = ctypes.c_ulong(threading.main_thread().ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(main, ctypes.py_object(KeyboardInterrupt))


def _watch(end: int, ours: set[int], stop: Stop) -> None:
    count = 0
    with suppress(OSError):
        while True:
            # A query that begins forgets what was said to the one before, so it is said until it was heard.
            if unheard := count == 1 and stop.signal is None:
                interrupt()
            if not select.select([end], [], [], 0.1 if unheard else None)[0]:
                continue
            if not (told := os.read(end, 64)):
                return
            for number in told:
                count += number in ours
                if count > 1:
                    if sys.stderr.isatty():
                        os.write(2, b"\x1b[?25h\n")  # the progress bar has hidden the cursor
                    os._exit(128 + number)


def stopped(workspace: Workspace, before: Manifest | None) -> str:
    """What is current after a run was stopped; `before` is what was current when it began."""
    after = workspace.manifest()
    again = "run again whenever you like"
    if after is None:
        return f"stopped: nothing is published yet; {again}"
    if before is None or after.run_id != before.run_id:
        return "stopped after the new run was made current; nothing is left to do"
    days = [day for part in after.parts for day in part.dates]
    return f"stopped: the scores up to {max(days)} that were published before stay current; {again}"
