"""Ctrl-C and SIGTERM end a run in order: what was published stays current, and a line says so."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes.command import TALKATIVE, done, environment, folders, on_a_terminal, started
from tests.run.company import DAY, exported, listed
from tests.run.small import D
from tests.waiting import PATIENCE


def test_a_run_that_is_stopped_at_any_moment_leaves_the_one_before_current(
    published: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    undisturbed = Path(shutil.copytree(published, tmp_path / "undisturbed"))
    before = (exported(published), listed(published))
    there = folders(published)
    _, _, err = done(started(undisturbed, "run", program=TALKATIVE))
    stages = list(dict.fromkeys(line.partition(":")[0] for line in err.splitlines()))
    after = (exported(undisturbed), listed(undisturbed))
    chance = random.Random(2)
    times = 30 if request.config.getoption("--long") else 2
    for attempt, stage in enumerate(["publishing", *chance.choices(stages, k=times)]):
        sent = (signal.SIGINT, signal.SIGTERM)[attempt % 2]
        one = Path(shutil.copytree(published, tmp_path / f"try{attempt}"))
        child = started(one, "run", program=TALKATIVE)
        assert child.stderr is not None
        while not child.stderr.readline().startswith(stage):
            assert child.poll() is None
        time.sleep(chance.uniform(0, 0.2))
        child.send_signal(sent)
        status, _, err = done(child)
        assert "Traceback" not in err
        found = (exported(one), listed(one))
        if status in (0, -sent) or "the new run was made current" in err:
            # Too late: it was published. The second is a signal after our last line.
            assert found == after
            continue
        assert status == 128 + sent
        line = err.splitlines()[-1]
        assert line == (
            f"stopped: the scores up to {D + DAY} that were published before stay current; "
            "run again whenever you like"
        )
        assert folders(one) == there
        assert found == before
        again, _, err = done(started(one, "run")) if attempt == 1 else (0, "", "")
        assert again == 0, err
    assert (exported(tmp_path / "try1"), listed(tmp_path / "try1")) == after


def test_ctrl_c_on_a_terminal_takes_the_bar_away_and_leaves_a_line(published: Path) -> None:
    before = exported(published)
    status, shown = on_a_terminal(published, ["run"], until="reading")
    assert status == 130, shown
    assert "stopped: the scores up to" in shown.strip().splitlines()[-1]
    assert exported(published) == before


ENDLESS = """
import sys, threading, os, signal
from retinue.cli.stopping import stoppable
from retinue.project.load import load
from retinue.warehouse.engine import connect
import ibis
project = load(__import__("pathlib").Path(sys.argv[1]), {})
with stoppable() as stop:
    try:
        with connect(project) as engine:
            one, two, three = (ibis.range(0, 10**5).unnest().name(name).as_table() for name in "abc")
            each = one.cross_join(two).cross_join(three)
            found = each.filter((each.a * 31 + each.b * 7 + each.c) % 11 == 12).count().as_table()
            print("begun", flush=True)
            engine.arrow(found)
    except BaseException:
        sys.exit(stop.status)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_query_in_flight_is_interrupted(published: Path, sent: signal.Signals) -> None:
    """The query would take days."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(published)], stdout=subprocess.PIPE, text=True, env=environment()
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        time.sleep(0.3)
        child.send_signal(sent)
        assert ended(child) == 128 + sent


AT_ONCE = """
import os, random, threading
import duckdb
from retinue.cli.stopping import stoppable
from retinue.interrupts import interruptible
chance = random.Random(1)
for _attempt in range(100):
    soon = threading.Timer(chance.uniform(0, 0.004), os.kill, (os.getpid(), 15))
    try:
        with stoppable() as stop, duckdb.connect() as con, interruptible(con.interrupt):
            soon.start()
            con.execute("SELECT count(*) FROM range(100000) a(a), range(100000) b(b), range(100000) c(c)"
                        " WHERE (a * 31 + b * 7 + c) % 11 = 12")
    except BaseException:
        assert stop.signal == 15
print("ended")
"""


def test_a_query_that_has_just_begun_is_interrupted() -> None:
    """DuckDB forgets an interrupt that comes before it, and works on at what it throws away."""
    with subprocess.Popen(
        [sys.executable, "-c", AT_ONCE], stdout=subprocess.PIPE, text=True, env=environment()
    ) as child:
        assert ended(child) == 0


def ended(child: subprocess.Popen[str]) -> int:
    """Its status. One that does not end is killed: who leaves `Popen` waits for it for ever."""
    try:
        return child.wait(timeout=PATIENCE)
    finally:
        child.kill()


SLOW_TO_TIDY = """
import time
from retinue.cli.stopping import stoppable
with stoppable():
    try:
        print("begun", flush=True)
        time.sleep(600)
    finally:
        print("tidying", flush=True)
        time.sleep(600)
"""


def test_a_second_signal_ends_the_process_at_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_TO_TIDY], stdout=subprocess.PIPE, text=True, env=environment()
    ) as child:
        assert child.stdout is not None
        for told in ("begun\n", "tidying\n"):
            assert child.stdout.readline() == told
            child.send_signal(signal.SIGINT)
        assert ended(child) == 130


IGNORING = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from retinue.cli.stopping import stoppable
with stoppable() as stop:
    os.kill(os.getpid(), signal.SIGINT)
    print(stop.signal)
print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
"""


def test_a_signal_that_is_ignored_stays_ignored_and_handlers_are_given_back() -> None:
    told = subprocess.run(
        [sys.executable, "-c", IGNORING], capture_output=True, text=True, env=environment(), check=True
    )
    assert told.stdout.split() == ["None", "True"]


def test_a_demo_that_is_stopped_can_be_made_again(tmp_path: Path) -> None:
    child = started(tmp_path, "demo", "small", "--accounts", "3000", "--months", "12", "--no-run")
    while not any((tmp_path / "small").glob("data/*")):
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGTERM)
    status, _, err = done(child)
    assert (status, err) == (143, "stopped\n")
    assert not (tmp_path / "small").exists()


_DEAF = """
import os, signal, time
from retinue.cli.stopping import stoppable

class Deaf:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)

with stoppable() as stop:
    try:
        Deaf()
        for _step in range(200):
            time.sleep(0.1)
        print("went on")
    except KeyboardInterrupt:
        print("stopped", stop.signal)
"""


def test_a_signal_is_not_lost_where_python_throws_exceptions_away() -> None:
    """An exception in `__del__` or in the callback of a weak reference goes nowhere."""
    command = [sys.executable, "-c", _DEAF]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (told.stdout, told.stderr) == ("stopped 2\n", "")
