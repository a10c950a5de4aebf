"""A program that delivers, to be killed: `python -m tests.deliver.worker URL PORT STARTED`.

Its workers are forks of it. Time goes 150 times as fast as on the wall since STARTED, for all of them.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from datetime import datetime, timedelta

from retinue.deliver import Pace, deliver_due
from retinue.store.database import open_store
from tests.deliver.forks import serve_forks
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
    serve_forks(lambda name: work(url, port, float(started), name))
