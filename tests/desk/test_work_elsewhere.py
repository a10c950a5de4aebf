"""Long work that another process has done: it is seen here, and not begun twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from retinue.desk import background
from tests.waiting import until

_ELSEWHERE = """
import sys
from pathlib import Path
from retinue.desk import background
background.sys.executable = sys.argv[2]
print(background.start(Path(sys.argv[1]), "trial", "r1", []), flush=True)
background.wait(60)
"""
COUNTING = """echo '{"doing": "counting", "part": 0.5}'; exec sleep 20"""


def elsewhere(home: Path, does: str) -> subprocess.Popen[str]:
    """Another process, whose work is this script."""
    program = home / "does"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    command = [sys.executable, "-c", _ELSEWHERE, str(home), str(program)]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "True\n"
    return other


def doing(home: Path) -> str | None:
    found = background.work(home, "trial")
    return None if found is None else found.doing


def test_it_is_seen_and_not_begun_twice_and_an_end_before_its_time_is_told(tmp_path: Path) -> None:
    other = elsewhere(tmp_path, COUNTING)
    until(lambda: doing(tmp_path) == "counting")
    found = background.work(tmp_path, "trial")
    assert found is not None and found.going and (found.about, found.part) == ("r1", 0.5)
    assert not background.start(tmp_path, "trial", "r1", [])
    other.kill()
    other.communicate()
    found = background.work(tmp_path, "trial")
    assert found is not None and found.error == "it ended before it was done"
    background.forget(tmp_path)
    assert background.work(tmp_path, "trial") is None


def test_whoever_may_not_write_is_told_of_work_all_the_same(tmp_path: Path) -> None:
    other = elsewhere(tmp_path, COUNTING)
    until(lambda: doing(tmp_path) == "counting")
    [lock] = tmp_path.rglob("trial.lock")
    lock.unlink()
    lock.mkdir()  # nobody can open it for writing, whoever they are
    found = background.work(tmp_path, "trial")
    assert found is not None and found.going
    other.kill()
    other.communicate()


def test_work_of_two_processes_takes_turns(tmp_path: Path) -> None:
    other = elsewhere(tmp_path, "sleep 1; echo '{\"done\": true}'")
    until(lambda: doing(tmp_path) == "starting")
    assert background.start(tmp_path, "plan", "r1", ["of nothing"])
    waiting = background.work(tmp_path, "plan")
    assert waiting is not None and waiting.doing == "waiting for its turn"
    other.communicate(timeout=60)
    assert background.wait(60)
    done, failed = background.work(tmp_path, "trial"), background.work(tmp_path, "plan")
    assert done is not None and done.done
    assert failed is not None and failed.error is not None
