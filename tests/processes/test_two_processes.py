"""Reading while another process scores, two runs at once, and runs that were killed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from retinue.errors import StoreError
from retinue.run import run
from retinue.store.people.access import OPERATOR
from retinue.store.published.current import accounts
from retinue.store.published.lock import run_lock
from retinue.workspace import open_workspace
from tests.processes.command import NEXT, done, folders, leveled, started
from tests.run.company import exported, noon, score, table
from tests.run.small import D


def test_who_reads_while_another_process_scores_sees_all_of_a_run_or_nothing_of_it(
    published: Path, tmp_path: Path
) -> None:
    """The new run scores all dates again, from other levels: nothing is the same in both."""
    undisturbed = Path(shutil.copytree(published, tmp_path / "undisturbed"))

    def seen(root: Path) -> tuple[object, ...]:
        """Three reads, each of one moment."""
        workspace = open_workspace(root, {})
        try:
            rows = accounts(workspace.store, OPERATOR, limit=1000)
        finally:
            workspace.store.close()
        shown = [row.to_dict() for row in rows]
        return exported(root), shown, table(root, "snapshots", account="a7")

    wholes = [seen(published)]
    for root in (published, undisturbed):
        leveled(1).write(root)
    score(undisturbed, NEXT, D)
    wholes.append(seen(undisturbed))
    assert all(one != other for one, other in zip(*wholes, strict=True))
    reads = 0
    with started(published, "run", "--from", str(D), "--quiet") as child:
        while child.poll() is None:
            for number, found in enumerate(seen(published)):
                assert found in (wholes[0][number], wholes[1][number])
            reads += 1
        assert child.returncode == 0
    assert reads
    assert seen(published) == wholes[1]


def test_a_second_run_is_refused_with_who_runs_and_since_when_or_waits(published: Path) -> None:
    before = exported(published)
    with run_lock(published / ".retinue", noon(D)):
        status, out, err = done(started(published, "run"))
        assert (status, out) == (1, "")
        (line,) = err.splitlines()
        assert f"another run is going on (process {os.getpid()}, since {noon(D).isoformat()})" in line
        assert "--wait" in line
        assert exported(published) == before
        waiting = started(published, "run", "--wait", "300", "--json", "--quiet")
    status, out, err = done(waiting)
    assert (status, err) == (0, "")
    assert json.loads(out)["dates"] == [str(NEXT)]


def test_a_run_that_was_killed_before_it_was_published_is_removed_when_it_is_old(published: Path) -> None:
    """One that is newer than the current run stays: the store may be that of a backup."""
    runs = published / ".retinue" / "runs"
    (current,) = folders(published)
    for name in ("20200101T000000-dead", "29990101T000000-dead"):
        shutil.copytree(runs / current, runs / name)
    score(published, NEXT)
    there = folders(published)
    assert "20200101T000000-dead" not in there
    assert {current, "29990101T000000-dead"} < there
    assert len(there) == 3


def test_a_run_that_cannot_be_published_leaves_no_folder(published: Path) -> None:
    """What it builds on is current no more when it is done."""
    before = folders(published)
    workspace = open_workspace(published, {})

    def meanwhile(what: str, _part: float) -> None:
        if what == "listing accounts":
            with closing(sqlite3.connect(published / ".retinue" / "retinue.db")) as store, store:
                store.execute("DELETE FROM pointer")

    with pytest.raises(StoreError, match="current is no run"):
        run(workspace, now=noon(NEXT), progress=meanwhile)
    workspace.store.close()
    assert folders(published) == before
