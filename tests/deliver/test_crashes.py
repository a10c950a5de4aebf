"""Workers that are killed at any moment: nothing is lost, and what comes twice comes under one key."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from retinue.store import outbox
from retinue.store.database import Store
from tests.deliver.receivers import NOW, Request, http_receiver, message, moody

MESSAGES = 120


@dataclass
class Workers:
    """Workers by their place; whoever ends is followed by another."""

    program: subprocess.Popen
    running: dict[int, int] = field(default_factory=dict)
    started: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, place: int) -> None:
        self.started += 1
        self.program.stdin.write(f"w{self.started}\n")
        self.program.stdin.flush()
        self.running[place] = int(self.program.stdout.readline())

    def kill(self, place: int, how: signal.Signals = signal.SIGKILL) -> None:
        with self.lock:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.running[place], how)
            self.start(place)


@contextlib.contextmanager
def workers(url: str, port: int, count: int) -> Iterator[Workers]:
    command = [sys.executable, "-m", "tests.deliver.worker", url, str(port), str(time.time())]  # noqa: TID251
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "ready\n"
        found = Workers(program)
        for place in range(count):
            found.start(place)
        try:
            yield found
        finally:
            for number in found.running.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            program.stdin.close()
            program.wait(30)


def put(store: Store, count: int) -> list[str]:
    keys = [outbox.key("crash", n) for n in range(count)]
    with store.write() as connection:
        outbox.enqueue(connection, [message(key).row("crm") for key in keys], now=NOW)
    return keys


def left(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM outbox WHERE sent_at IS NULL")).scalar_one())


@pytest.mark.parametrize("count", [1, 2], ids=["one worker", "two workers"])
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.long)])
def test_no_message_is_lost_and_each_has_one_effect(store: Store, store_url: str, kills: int, count: int):
    """Half of the kills come just after the receiver took a message and before it says so."""
    chance = random.Random(count * 1000 + kills)
    keys = put(store, MESSAGES * kills // 20)
    effects: Counter[str] = Counter()
    bodies: dict[str, set[bytes]] = {key: set() for key in keys}
    taken: Counter[str] = Counter()
    doubt = 0
    running: list[Workers] = []
    left_to_kill = kills

    def once(request: Request) -> None:
        """What a receiver does that honours the key."""
        nonlocal left_to_kill
        key = request.headers["webhook-id"]
        taken[key] += 1
        bodies[key].add(request.body)
        if taken[key] == 1:
            effects[key] += 1
        if left_to_kill > 0 and chance.random() < 0.15:
            left_to_kill -= 1
            running[0].kill(chance.randrange(count))

    answers = moody(kills + count, once)

    def counted(request: Request):
        nonlocal doubt
        before = taken.total()
        answer = answers(request)
        if taken.total() > before and (answer.drop or answer.status != 200):
            doubt += 1
        return answer

    with http_receiver(counted) as receiver, workers(store_url, receiver.port, count) as found:
        running.append(found)
        ends = time.monotonic() + 60 + kills
        while (left_to_kill > 0 or left(store)) and time.monotonic() < ends:
            time.sleep(chance.uniform(0.02, 0.25))
            if left_to_kill > 0:
                left_to_kill -= 1
                found.kill(chance.randrange(count))
        assert left(store) == 0
    assert found.started >= kills + count
    assert set(effects) == set(keys)
    assert set(effects.values()) == {1}
    assert all(len(body) == 1 for body in bodies.values())
    # What came more than once did so because a worker was killed, or its answer was lost or bad.
    assert taken.total() - len(keys) <= found.started + doubt


def test_a_worker_that_is_asked_to_end_gives_back_what_it_has(store: Store, store_url: str):
    put(store, 40)
    seen = threading.Event()
    with http_receiver() as receiver, workers(store_url, receiver.port, 1) as found:
        ordinary = receiver.answers

        def slow(request: Request):
            if len(receiver.requests) == 3:
                seen.set()
                time.sleep(0.3)
            return ordinary(request)

        receiver.answers = slow
        assert seen.wait(30)
        number = found.running[0]
        os.kill(number, signal.SIGTERM)
        ends = time.monotonic() + 30
        while Path(f"/proc/{number}").exists() and time.monotonic() < ends:
            time.sleep(0.02)
        with store.read() as connection:
            query = text("SELECT count(*) FROM outbox WHERE claimed_by IS NOT NULL")
            assert connection.execute(query).scalar_one() == 0
        sent = 40 - left(store)
        assert sent == len(receiver.requests)
        assert 3 <= sent < 40
