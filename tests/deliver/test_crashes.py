"""Workers that are killed at any moment: nothing is lost, and what comes twice comes under one key."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections import Counter, defaultdict

import pytest
from sqlalchemy import text

from retinue.store.database import Store
from retinue.store.work import outbox
from tests.deliver.conftest import STORES_AND_WORKERS
from tests.deliver.forks import Forks, forks
from tests.deliver.receivers import NOW, Request, http_receiver, message, moody

#: As many are put at once. About every tenth one costs a worker its life.
MESSAGES = 60
#: Seconds without a request after which a test gives up: longer than any wait.
QUIET = 120


def workers(url: str, port: int, count: int) -> contextlib.AbstractContextManager[Forks]:
    return forks("tests.deliver.worker", url, str(port), str(time.time()), count=count)  # noqa: TID251


def put(store: Store, first: int, count: int) -> list[str]:
    keys = [outbox.key("crash", n) for n in range(first, first + count)]
    with store.write() as connection:
        outbox.enqueue(connection, [message(key).row("crm") for key in keys], now=NOW)
    return keys


def left(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM outbox WHERE sent_at IS NULL")).scalar_one())


@pytest.mark.timeout(3000)
@STORES_AND_WORKERS
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.long)])
def test_no_message_is_lost_and_each_has_one_effect(store: Store, store_url: str, kills: int, count: int):
    """Half of the kills come just after the receiver took a message and before it says so."""
    chance = random.Random(count * 1000 + kills)
    keys: list[str] = []
    effects: Counter[str] = Counter()
    bodies: dict[str, set[bytes]] = defaultdict(set)
    taken: Counter[str] = Counter()
    doubt, left_to_kill, last = 0, kills, time.monotonic()
    running: list[Forks] = []

    def once(request: Request) -> None:
        """What a receiver does that honours the key."""
        nonlocal left_to_kill
        key = request.headers["webhook-id"]
        taken[key] += 1
        bodies[key].add(request.body)
        if taken[key] == 1:
            effects[key] += 1
        if left_to_kill > 0 and chance.random() < 0.08:
            left_to_kill -= 1
            running[0].kill(chance.randrange(count))

    answers = moody(kills + count, once)

    def counted(request: Request):
        nonlocal doubt, last
        last = time.monotonic()
        before = taken.total()
        answer = answers(request)
        if taken.total() > before and (answer.drop or answer.status != 200):
            doubt += 1
        return answer

    with http_receiver(counted) as receiver, workers(store_url, receiver.port, count) as found:
        running.append(found)
        next_kill = 10
        while time.monotonic() < last + QUIET:
            time.sleep(chance.uniform(0.05, 0.2))
            if left_to_kill > 0 and len(receiver.requests) >= next_kill:
                left_to_kill -= 1
                next_kill += chance.randint(5, 20)
                found.kill(chance.randrange(count))
            waiting = left(store)
            if waiting < 20 and left_to_kill > 0:
                keys += put(store, len(keys), MESSAGES)
            elif waiting == 0:
                break
        assert left(store) == 0
    assert found.started == kills + count
    assert set(effects) == set(keys)
    assert set(effects.values()) == {1}
    assert all(len(body) == 1 for body in bodies.values())
    # What came more than once did so because a worker was killed, or its answer was lost or bad.
    assert taken.total() - len(keys) <= kills + doubt


def test_a_worker_that_is_asked_to_end_gives_back_what_it_has(store: Store, store_url: str):
    put(store, 0, 40)
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
        found.end(0, signal.SIGTERM)
        with store.read() as connection:
            query = text("SELECT count(*) FROM outbox WHERE claimed_by IS NOT NULL")
            assert connection.execute(query).scalar_one() == 0
        sent = 40 - left(store)
        assert sent == len(receiver.requests)
        assert 3 <= sent < 40
