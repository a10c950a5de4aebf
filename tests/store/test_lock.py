from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from retinue.errors import StoreError
from retinue.store.published.lock import run_lock
from tests.store.company import NOW

HOLD = """
import sys, time
from pathlib import Path
from retinue.store.published.lock import run_lock
from tests.store.company import NOW
with run_lock(Path(sys.argv[1]), NOW):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(home: Path):
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.communicate()


def test_a_second_run_is_told_which_process_has_the_lock_and_since_when(home: Path, holder):
    expected = rf"another run is going on \(process {holder.pid}, since 2026-03-01T06:30:00"
    with pytest.raises(StoreError, match=expected), run_lock(home, NOW):
        pass


def test_the_lock_of_a_killed_process_is_free(home: Path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with run_lock(home, NOW):
        assert f'"pid": {os.getpid()}' in (home / "run.lock").read_text()


def test_one_that_waits_gets_the_lock_when_it_is_free(home: Path, holder):
    threading.Timer(0.3, holder.kill).start()
    began = time.monotonic()
    with run_lock(home, NOW, wait=30):
        assert 0.2 < time.monotonic() - began < 20


def test_one_that_waits_in_vain_gives_up(home: Path, holder):
    with pytest.raises(StoreError, match=f"process {holder.pid}"), run_lock(home, NOW, wait=0.2):
        pass


def test_a_lock_is_free_again_after_an_error(home: Path):
    def fail() -> None:
        with run_lock(home, NOW):
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail()


def test_a_lock_is_not_shared_within_a_process(home: Path):
    with run_lock(home, NOW), pytest.raises(StoreError, match="another run"), run_lock(home, NOW):
        pass
