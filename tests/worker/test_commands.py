"""What follows from a run, on the command line and in Python; and `retinue work` as a process."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

import retinue
from retinue.cli import main
from retinue.errors import RunError
from retinue.parent import COMMAND
from retinue.store.people.access import OPERATOR
from retinue.store.published.current import current_run
from retinue.store.tables import alerts, tasks
from retinue.store.work import leases
from retinue.store.work.alerts import alerts_of
from retinue.worker.working import RUN
from retinue.workspace import Workspace
from tests.alerts.conftest import LAST, noon
from tests.waiting import PATIENCE, until

NOW = noon(LAST)


def called(workspace: Workspace, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner(env={"RETINUE_NOW": NOW.isoformat()}).invoke(
        main, [*arguments, "-C", str(workspace.project.root), "--quiet"]
    )
    return done.exit_code, done.stdout, done.stderr


def raised(workspace: Workspace) -> int:
    return len(alerts_of(workspace.store, OPERATOR, limit=500))


def full(workspace: Workspace, *, mended: bool = False) -> None:
    """No alert can be written."""
    refuse = "CREATE TRIGGER full BEFORE INSERT ON alerts BEGIN SELECT RAISE(ABORT, 'no room'); END"
    with workspace.store.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER full" if mended else refuse)


def test_a_run_raises_the_alerts_of_its_dates_and_says_how_many(acme: Workspace):
    status, out, _ = called(acme, "run", "--no-alerts", "--json")
    assert status == 0
    assert raised(acme) == 0
    assert "followed" not in json.loads(out)
    status, out, _ = called(acme, "run", "--json")
    assert status == 0
    told = json.loads(out)["followed"]
    assert sum(told["evaluated"]["alerts"].values()) == raised(acme) > 0
    with acme.store.read() as connection:
        given = connection.execute(select(func.count()).select_from(tasks)).scalar_one()
    assert told["played"]["tasks"] == given > 0
    status, out, _ = called(acme, "run")
    assert "0 raised" in out and status == 0


def test_a_run_that_was_published_and_raised_nothing_says_so_and_the_next_makes_up_for_it(acme: Workspace):
    full(acme)
    before = current_run(acme.store).run_id
    status, out, err = called(acme, "run")
    assert status == 3
    assert "Scored 1 date" in out
    first, second = err.splitlines()
    assert first.startswith("error: the run was published, but its alerts could not be looked for:")
    assert "no room" in first and "makes up for it" in second
    assert current_run(acme.store).run_id != before
    assert raised(acme) == 0
    full(acme, mended=True)
    assert called(acme, "run")[0] == 0
    assert raised(acme) > 0


def test_a_run_in_python_does_the_same(acme: Workspace):
    project = retinue.open(acme.project.root, {})
    project.run(now=NOW, alerts=False)
    assert raised(acme) == 0
    full(acme)
    with pytest.raises(RunError, match="was published, but its alerts could not be looked for"):
        project.run(now=NOW)
    full(acme, mended=True)
    project.run(now=NOW)
    assert raised(acme) > 0
    project.workspace.store.close()


def test_a_project_without_alerts_reads_nothing_more_for_them(acme: Workspace):
    path = acme.project.root / "retinue.yaml"
    lines = path.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("serve:"))
    path.write_text("\n".join(lines[:start]) + "\n")
    (acme.project.root / "playbooks.yaml").unlink()
    full(acme)
    status, out, err = called(acme, "run")
    assert (status, err) == (0, "")
    assert "raised" not in out
    with acme.store.read() as connection:
        assert connection.execute(select(alerts)).first() is None


# --- a process ---


def started(workspace: Workspace, *arguments: str, end: int | None = None) -> subprocess.Popen[str]:
    """The command in a process that ends when `end`, the other side of its stdin, is closed."""
    return subprocess.Popen(
        [*COMMAND, *arguments, "-C", str(workspace.project.root)],
        stdin=end if end is not None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RETINUE_NOW": NOW.isoformat(), "CRM_SECRET": "none"},
    )


@pytest.fixture
def overdue(evaluated: Workspace) -> Workspace:
    """A run was due yesterday, and nobody has done it."""
    path = evaluated.project.root / "retinue.yaml"
    path.write_text(path.read_text().replace("timezone: UTC\n", 'timezone: UTC\nwork: {run: "30 6 * * *"}\n'))
    leases.set_due(evaluated.store, RUN, NOW - timedelta(days=1))
    return evaluated


def running(workspace: Workspace) -> bool:
    """Whether somebody has the lock of runs."""
    path: Path = workspace.project.home / "run.lock"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize("how", ["SIGTERM", "its parent ended"])
def test_a_worker_that_is_ended_during_a_run_gives_it_back(overdue: Workspace, how: str):
    before = current_run(overdue.store).run_id
    end, ours = os.pipe()
    process = started(overdue, "work", end=end)
    os.close(end)
    until(lambda: running(overdue))
    if how == "SIGTERM":
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        os.close(ours)
    else:
        os.close(ours)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, ""), err
    assert not running(overdue)
    assert current_run(overdue.store).run_id == before
    assert leases.last_due(overdue.store, RUN).done_at is None
    assert leases.held(overdue.store, leases.WORKER) is None
    # The next one makes up for it.
    status, out, _ = called(overdue, "work", "--once", "--json")
    assert status == 0
    assert json.loads(out)["ran"] == f"scored 1 date up to {LAST}"
    assert leases.last_due(overdue.store, RUN).done_at is not None


def test_a_run_ends_with_a_worker_that_is_killed(overdue: Workspace):
    process = started(overdue, "work")
    until(lambda: running(overdue))
    process.kill()
    process.communicate(timeout=PATIENCE)
    until(lambda: not running(overdue))
    assert leases.last_due(overdue.store, RUN).done_at is None
