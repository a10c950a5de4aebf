"""Whatever ends a run, what was published before stays current and complete."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retinue.errors import RetinueError, SourceError, StoreError
from retinue.store.published.lock import run_lock
from retinue.workspace import open_workspace
from tests.run.company import DAY, exported, listed, noon, opened, score
from tests.run.small import D, account, company, level

PEOPLE = [account(f"a{n}") for n in range(20)]
LEVELS = [level(f"a{n}", D + day * DAY, 5 * ((n * 7 + day * 3) % 20)) for n in range(20) for day in range(6)]

#: A run in a process of its own; it says when it has begun, when it holds the lock, and when it is done.
PROGRAM = """
import sys
from datetime import datetime
from retinue.run import run
from retinue.workspace import open_workspace
import retinue.warehouse.compute, retinue.warehouse.tables, retinue.store.published.publish
workspace = open_workspace(sys.argv[1], {})
print("begun", flush=True)
held = []
def tell(what, part):
    if not held:
        held.append(what)
        print("holding", flush=True)
run(workspace, now=datetime.fromisoformat(sys.argv[2]), progress=tell)
print("done", flush=True)
"""


def _child(root: Path, day, **more) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, str(root), noon(day).isoformat()]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **more
    )


@pytest.fixture
def published(tmp_path: Path) -> Path:
    root = company(PEOPLE, LEVELS).write(tmp_path / "home")
    score(root, D + DAY, D)
    return root


def _files_are_complete(root: Path) -> None:
    workspace = opened(root)
    manifest = workspace.manifest()
    assert manifest is not None
    for path, file in manifest.files.items():
        assert (root / ".retinue" / path).stat().st_size == file.bytes
    workspace.store.close()


def test_a_run_killed_at_any_moment_leaves_the_one_before_current(
    published: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    undisturbed = company(PEOPLE, LEVELS).write(tmp_path / "undisturbed")
    score(undisturbed, D + DAY, D)
    before = (exported(published), listed(published))
    began = time.monotonic()
    score(undisturbed, D + 2 * DAY)
    lasts = time.monotonic() - began
    after = (exported(undisturbed), listed(undisturbed))
    chance = random.Random(1)
    times = 50 if request.config.getoption("--long") else 6
    killed = 0
    for attempt in range(times):
        with _child(published, D + 2 * DAY) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "begun\n"
            # The end of a run, where it is published, gets more than its share.
            time.sleep(chance.uniform(0, lasts) if attempt % 2 else chance.uniform(0.6, 1.0) * lasts)
            child.send_signal(signal.SIGKILL)
            killed += child.wait() == -signal.SIGKILL
        _files_are_complete(published)
        found = (exported(published), listed(published))
        assert found in (before, after)
    assert killed >= times // 4, "too few of them were still running"
    score(published, D + 2 * DAY)
    assert (exported(published), listed(published)) == after
    left = {
        path.name
        for path in (published / ".retinue" / "runs").iterdir()
        if not (path / "manifest.json").exists()
    }
    assert left == set()


@pytest.mark.parametrize("what", ["gone", "truncated", "another shape"])
def test_a_source_that_cannot_be_read_keeps_the_published_run(published: Path, what: str) -> None:
    before = (exported(published), listed(published))
    source = published / "data" / "levels.csv"
    if what == "gone":
        source.unlink()
    elif what == "another shape":
        source.write_text("id,other\na1,2\n")
    else:
        settings = (published / "retinue.yaml").read_text()
        (published / "retinue.yaml").write_text(settings.replace("levels.csv", "levels.parquet"))
        (published / "data" / "levels.parquet").write_bytes(b"PAR1\x00\x01 and then the disk was full")
    with pytest.raises(SourceError) as caught:
        score(published, D + 2 * DAY)
    assert "levels" in str(caught.value) and "\n" not in str(caught.value)
    assert (exported(published), listed(published)) == before


def test_a_second_run_at_the_same_time_is_refused(published: Path) -> None:
    before = exported(published)
    with (
        run_lock(published / ".retinue", noon(D)),
        pytest.raises(StoreError, match="another run is going on"),
    ):
        score(published, D + 2 * DAY)
    assert exported(published) == before
    assert score(published, D + 2 * DAY).dates == (D + 2 * DAY,)


def test_a_run_can_wait_for_the_other_one(published: Path) -> None:
    with _child(published, D + 2 * DAY) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        # Only then: the child itself does not wait, and would be refused.
        assert child.stdout.readline() == "holding\n"
        result = score(published, D + 2 * DAY, wait=120)
        assert child.wait() == 0
    assert result.dates == (D + 2 * DAY,)


def test_a_full_disk_is_told_in_one_line(published: Path) -> None:
    before = (exported(published), listed(published))

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    with _child(published, D + 2 * DAY, preexec_fn=little_room) as child:
        _, errors = child.communicate()
    assert child.returncode != 0
    last = errors.strip().splitlines()[-1]
    assert last.startswith(("retinue.errors.StoreError", "retinue.errors.RunError")), errors[-2000:]
    assert (exported(published), listed(published)) == before


def test_the_store_of_another_place_is_told_about(published: Path) -> None:
    """A store whose current run has no files here says so in one line."""
    workspace = open_workspace(published, {})
    run_id = workspace.manifest().run_id
    workspace.store.close()
    (published / ".retinue" / "runs" / run_id).rename(published / "elsewhere")
    with pytest.raises(RetinueError, match="gone"):
        score(published, D + 2 * DAY)
