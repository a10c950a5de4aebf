"""Several processes that answer at one port are one server for whoever asks."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.serve.test_process import COMMAND, PATIENCE, Running, folder, serve  # noqa: F401
from tests.serve.test_worker import lives
from tests.waiting import until
from tests.web.conftest import _ordinary  # noqa: F401

_COUNT = re.compile(r'^retinue_requests_total\{[^}]*route="/healthz"[^}]*\} ([0-9.]+)', re.MULTILINE)


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:  # noqa: F811
    with serve(folder, "--demo", "--no-worker", RETINUE_SERVE__PROCESSES="2") as found:
        until(lambda: beside(found))
        yield found


def beside(running: Running) -> list[int]:
    """The processes that it has started."""
    threads = Path(f"/proc/{running.process.pid}/task").iterdir()
    below = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    return [child for child in below if b"--beside" in Path(f"/proc/{child}/cmdline").read_bytes()]


def counted(running: Running) -> float:
    found = _COUNT.search(running.get("/metrics").text)
    return float(found[1]) if found else 0.0


def answered(running: Running, process: int) -> bool:
    """Whether it is that process which answers a request on a new connection."""
    with httpx.Client(trust_env=False, timeout=PATIENCE) as first:
        first.get(running.address + "/healthz")
        port = int(running.address.rsplit(":", 1)[1])
        inodes = set()
        for link in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                inodes.add(str(link.readlink()))
        table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        here = {f"socket:[{row[9]}]" for row in table if row[3] == "01" and row[1].endswith(f":{port:04X}")}
        return bool(here & inodes)


def test_both_answer_and_what_they_count_is_added_up(running: Running) -> None:
    (other,) = beside(running)
    asked = 0

    def by(process: int) -> bool:
        nonlocal asked
        asked += 1
        return answered(running, process)

    until(lambda: by(other))
    until(lambda: by(running.process.pid))
    assert counted(running) == asked
    assert "retinue_accounts_published 48" in running.get("/metrics").text
    # Pages of both show the same run.
    runs = {re.search(r'name="run" content="([^"]+)"', running.get("/").text)[1] for _ in range(10)}  # type: ignore[index]
    assert len(runs) == 1


def test_one_that_is_killed_is_started_again_and_the_rest_answers_meanwhile(running: Running) -> None:
    (first,) = beside(running)
    os.kill(first, signal.SIGKILL)
    assert all(running.get("/healthz").status_code == 200 for _ in range(10))
    until(lambda: beside(running) not in ([], [first]))
    assert "a process that answers ended (status -9)" in running.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_none_outlives_the_server(running: Running, number: signal.Signals) -> None:
    (other,) = beside(running)
    status = running.end(number)
    assert status == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    until(lambda: not lives(other))
    with pytest.raises(httpx.ConnectError):
        running.get("/healthz")
