"""A program that delivers, to be killed: `python -m tests.deliver.worker URL PORT STARTED`.

It imports everything once. Each line that it reads is the name of a worker to start, and perhaps the
number and signal of one to end first; it prints the number of the new one. Nobody else's number is ever
signalled: a worker that ended is only forgotten here. Time goes 150 times as fast as on the wall since
STARTED, for all workers the same.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from datetime import datetime, timedelta

from retinue.deliver import Pace, deliver_due
from retinue.store.database import open_store
from tests.deliver.receivers import NOW, outside
from tests.deliver.test_passing import SECRET, hook

SPEED = 150


def work(url: str, port: str, started: float, name: str) -> None:
    ended = False

    def end(*_args: object) -> None:
        nonlocal ended
        ended = True

    def clock() -> datetime:
        return NOW + timedelta(seconds=SPEED * (time.time() - started))  # noqa: TID251

    signal.signal(signal.SIGTERM, end)
    store, pace, chance = open_store(url), Pace(), random.Random(name)
    destinations = {"crm": hook(f"http://hooks.example:{port}/in")}
    while not ended:
        deliver_due(
            store,
            destinations,
            clock=clock,
            worker=name,
            outside=outside({"S": SECRET}),
            pace=pace,
            chance=chance,
            stop=lambda: ended,
        )
        time.sleep(0.05)
    store.close()


if __name__ == "__main__":
    _, url, port, started = sys.argv
    print("ready", flush=True)
    for line in sys.stdin:
        name, *other = line.split()
        if other:
            number, how = map(int, other)
            os.kill(number, how)
            os.waitpid(number, 0)
        child = os.fork() if name != "-" else -1
        if child == 0:
            status = 1
            try:
                work(url, port, float(started), name)
                status = 0
            finally:
                sys.excepthook(*sys.exc_info()) if status else None
                os._exit(status)
        print(child, flush=True)
