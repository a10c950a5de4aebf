"""A process that ends when the one that started it does, however that one ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

#: Seconds that it gets to end in order before it is ended.
PATIENCE = 10.0
#: A command line of ours that ends with the process which starts it.
COMMAND = (
    *(sys.executable, "-c"),
    "from retinue.parent import leave_with_parent; leave_with_parent(); from retinue.cli import main; main()",
)


def leave_with_parent(patience: float = PATIENCE) -> None:
    """End this process as SIGTERM would when its stdin ends, and at once where that takes longer.

    Whoever starts it gives it a pipe and keeps the other end: the system closes that with its process,
    also of one that was killed.
    """
    threading.Thread(target=_watch, args=(patience,), name="retinue-parent", daemon=True).start()


def _watch(patience: float) -> None:
    # Not by sys.stdin: whoever waits in it keeps the interpreter from ending in order.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience)
    os._exit(128 + signal.SIGTERM)
