"""Workers that are killed at any moment of a quarter: all is done once, as if nobody had been killed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from retinue.workspace import Workspace
from tests.alerts.quarter import Quarter, draw
from tests.deliver.conftest import STORES_AND_WORKERS
from tests.deliver.forks import Forks, forks
from tests.deliver.receivers import Request, http_receiver, moody, outside
from tests.deliver.test_passing import SECRET
from tests.waiting import PATIENCE, until
from tests.worker.program import Marking
from tests.worker.world import Clock, End, declarations, end, phases, sent, waiting

#: Days that are lived through; and seconds after which a phase that does not end is a failure.
DAYS, LONG_DAYS = 10, 60


def drawn(days: int) -> Quarter:
    return draw(120, days + 10, seed=5)


def undisturbed(folder: Path, days: int) -> list[End]:
    """How each day of the same quarter ends with one worker that nobody kills, and a receiver that takes
    everything."""
    quarter, found, keys = drawn(days), [], set[str]()
    with http_receiver() as receiver:
        workspace = quarter.open(folder / "co", **declarations(receiver.port))
        clock = Clock(folder)
        worker = Marking(workspace, clock.now, outside({"S": SECRET}), marks=clock)
        phase = 0
        for place in range(days):
            for moment, happens in phases(quarter, workspace, place):
                happens()
                clock.set(phase := phase + 1, moment)
                while clock.idle() < phase or waiting(workspace, clock.now()):
                    worker.tick()
            found.append(end(workspace))
            keys |= sent(workspace)
        assert sorted(one.headers["webhook-id"] for one in receiver.requests) == sorted(keys)
        workspace.store.close()
    return found


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], list[End]]:
    made: dict[int, list[End]] = {}

    def twin(days: int) -> list[End]:
        if days not in made:
            made[days] = undisturbed(tmp_path_factory.mktemp("twin"), days)
        return made[days]

    return twin


@dataclass
class Taken:
    """What a receiver has that honours the key; some who bring it are killed before it says so."""

    kill: Callable[[], None]
    chance: random.Random
    left: int
    effects: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))

    def once(self, request: Request) -> None:
        key = request.headers["webhook-id"]
        self.effects[key] += not self.bodies[key]
        self.bodies[key].add(request.body)
        if self.left > 0 and self.chance.random() < 0.04:
            self.left -= 1
            self.kill()


def settled(clock: Clock, workspace: Workspace, phase: int) -> None:
    until = time.monotonic() + PATIENCE
    while clock.idle() < phase or waiting(workspace, clock.now()):
        assert time.monotonic() < until, f"phase {phase} does not end"
        time.sleep(0.05)


def check(workspace: Workspace, taken: Taken, keys: set[str], twin: End) -> None:
    """`keys` are those of all messages that were sent on the way."""
    found = end(workspace)
    assert set(found.alerts.values()) == set(found.tasks.values()) == set(found.enrolments.values()) == {1}
    assert found.alerts == twin.alerts
    assert found.enrolments == twin.enrolments
    assert found.tasks == twin.tasks
    assert found.messages == twin.messages
    assert set(taken.effects) == keys
    assert set(taken.effects.values()) == {1}
    assert all(len(body) == 1 for body in taken.bodies.values())


@pytest.mark.timeout(3000)
@STORES_AND_WORKERS
@pytest.mark.parametrize(
    ("kills", "days"), [(20, DAYS), pytest.param(200, LONG_DAYS, marks=pytest.mark.long)]
)
def test_workers_that_are_killed_leave_what_one_would_have_done_alone(
    store_url: str, tmp_path: Path, twins: Callable[[int], list[End]], kills: int, days: int, count: int
):
    """Half of the kills come at a random moment of a phase, half just after a message was taken."""
    twin, quarter, clock = twins(days)[-1], drawn(days), Clock(tmp_path)
    chance = random.Random(kills + count)
    running: list[Forks] = []
    keys: set[str] = set()
    taken = Taken(lambda: running[0].kill(chance.randrange(count)), chance, kills // 2)
    ordinary = moody(kills + count, taken.once)
    with http_receiver(ordinary) as receiver:
        url = "" if store_url.startswith("sqlite") else store_url
        workspace = quarter.open(tmp_path / "co", url, **declarations(receiver.port))
        clock.set(0, quarter.at(0, hour=2))
        with forks("tests.worker.program", str(tmp_path), count=count) as found:
            running.append(found)
            left, phase = kills - kills // 2, 0
            for place in range(days):
                for moment, happens in phases(quarter, workspace, place):
                    happens()
                    clock.set(phase := phase + 1, moment)
                    while left > 0 and chance.random() < left / (3 * days - phase + 1):
                        left -= 1
                        time.sleep(chance.uniform(0, 0.4))
                        found.kill(chance.randrange(count))
                    settled(clock, workspace, phase)
                    keys |= sent(workspace)
            assert found.started == count + kills - left - taken.left
            assert left == 0
        check(workspace, taken, keys, twin)
        workspace.store.close()


def lives(number: int, folder: Path) -> bool:
    """Whether the worker of this folder that has this number is there."""
    with suppress(OSError):
        return str(folder).encode() in Path(f"/proc/{number}/cmdline").read_bytes()
    return False


def kill(number: int, folder: Path) -> None:
    """Kill the worker that has this number, and nobody who has it after it."""
    with suppress(ProcessLookupError):
        exactly = os.pidfd_open(number)
        if lives(number, folder):
            signal.pidfd_send_signal(exactly, signal.SIGKILL)
        os.close(exactly)


@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    ("kills", "days"), [(20, DAYS), pytest.param(200, LONG_DAYS, marks=pytest.mark.long)]
)
def test_servers_and_their_workers_that_are_killed_leave_the_same(
    store_url: str, tmp_path: Path, twins: Callable[[int], list[End]], kills: int, days: int
):
    """By turns the server, with which its worker ends, and the worker, which the server starts again."""
    twin, quarter, clock = twins(days)[-1], drawn(days), Clock(tmp_path)
    chance = random.Random(kills)
    taken = Taken(lambda: None, chance, 0)
    numbers: set[int] = set()
    keys: set[str] = set()

    def worker() -> int:
        path = tmp_path / "number"
        number = int(path.read_text() or 0) if path.exists() else 0
        return number if number and lives(number, tmp_path) else 0

    with http_receiver(moody(kills, taken.once)) as receiver:
        url = "" if store_url.startswith("sqlite") else store_url
        workspace = quarter.open(tmp_path / "co", url, **declarations(receiver.port))
        clock.set(0, quarter.at(0, hour=2))
        with forks("tests.worker.server", str(tmp_path), count=1) as found:
            left, phase = kills, 0
            for place in range(days):
                for moment, happens in phases(quarter, workspace, place):
                    happens()
                    clock.set(phase := phase + 1, moment)
                    while left > 0 and chance.random() < left / (3 * days - phase + 1):
                        left -= 1
                        until(worker, "no worker is started")
                        time.sleep(chance.uniform(0, 0.4))
                        number = worker()
                        numbers.add(number)
                        if left % 2:
                            kill(number, tmp_path)
                        else:
                            found.kill(0)
                            until(lambda one=number: not lives(one, tmp_path), "a worker outlives its server")
                    settled(clock, workspace, phase)
                    keys |= sent(workspace)
            port = int((tmp_path / "port").read_text())
            told = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=PATIENCE).json()
            assert told["ready"] and all(check["ok"] for check in told["checks"])
            assert left == 0
            last = worker()
        until(lambda: not lives(last, tmp_path), "a worker outlives its server")
        assert len(numbers | {last}) > kills // 2
        check(workspace, taken, keys, twin)
        workspace.store.close()
