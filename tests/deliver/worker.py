"""A program that delivers, to be killed: `python -m tests.deliver.worker URL PORT STARTED`.

It imports everything once; each line that it reads starts a worker of that name, whose number it prints.
Time goes 60 times as fast as on the wall since STARTED, for all workers the same.
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

SPEED = 60


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
        time.sleep(0.01)
    store.close()


if __name__ == "__main__":
    _, url, port, started = sys.argv
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            work(url, port, float(started), line.strip())
            os._exit(0)
        print(child, flush=True)
