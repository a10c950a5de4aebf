"""A disk that fills up during a run: a line that says what to do, and everything as it was before."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.processes.command import PROGRAM, done, environment, folders, started
from tests.run.company import exported, listed


def _little_room(size: int) -> None:
    """In a child: no file can grow beyond `size` bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _refused(root: Path, before: Callable[[], None]) -> str:
    was = (exported(root), listed(root), folders(root))
    status, out, err = done(started(root, "run", "--quiet", before=before))
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert (exported(root), listed(root), folders(root)) == was
    assert not list((root / ".retinue").rglob("*.tmp"))
    return line


@pytest.mark.parametrize("size", [500, 3000])
def test_a_disk_of_the_home_that_is_full(published: Path, size: int) -> None:
    """At 500 bytes the tables of the run do not fit, at 3000 its manifest or the store."""
    line = _refused(published, partial(_little_room, size))
    assert line.startswith("error: ") and "bug" not in line
    assert "room" in line, line


SPILLING = """
import ibis, sys
from pathlib import Path
from retinue.errors import RunError
from retinue.project.load import load
from retinue.warehouse.engine import connect
try:
    with connect(load(Path.cwd(), {})) as engine:
        rows = ibis.range(0, 3_000_000).unnest().name("n").as_table()
        engine.store("sorted", rows.mutate(text=rows.n.hash().cast("string")).order_by("text"))
except RunError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("size", "told"), [(1_000_000, "the disk of the temporary folder"), (2**40, "more memory than")]
)
def test_what_the_engine_lacks_is_told_in_a_line_and_its_folder_goes(
    published: Path, tmp_path: Path, size: int, told: str
) -> None:
    (tmp_path / "spill").mkdir()
    with (published / "retinue.yaml").open("a") as out:
        out.write(f"memory_limit: {'60MB' if size < 2**40 else '20MB'}\n")
    done = subprocess.run(
        [sys.executable, "-c", SPILLING],
        cwd=published,
        env={**environment(), "TMPDIR": str(tmp_path / "spill")},
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=partial(_little_room, size),
    )
    (line,) = done.stdout.splitlines()
    assert told in line
    assert not list((tmp_path / "spill").iterdir())


def _may_mount() -> bool:
    unshare = shutil.which("unshare")
    told = [unshare or "false", "-m", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(told, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="this machine lets nobody mount a small disk")
def test_a_real_disk_that_fills_up_while_the_run_is_written(published: Path, tmp_path: Path) -> None:
    """The home is on a disk of its own, on which there is room for the store and little more."""
    disk = tmp_path / "disk"
    disk.mkdir()
    home = published / ".retinue"
    size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    script = f"""
mount -t tmpfs -o size={size // 1024 + 64}k none {shlex.quote(str(disk))} || exit 99
cp -r {shlex.quote(str(home))}/. {shlex.quote(str(disk))}
ls {shlex.quote(str(disk))}/runs
{shlex.quote(sys.executable)} -c {shlex.quote(PROGRAM)} run --quiet
echo status $?
ls {shlex.quote(str(disk))}/runs
"""
    with (published / "retinue.yaml").open("a") as out:
        out.write(f"home: {disk}\nstore: sqlite:///{disk}/retinue.db\n")
    told = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        cwd=published,
        env={**environment(), "TMPDIR": os.environ.get("TMPDIR", "/tmp")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert len(told.stderr.splitlines()) == 1, told.stderr
    assert "room" in told.stderr, told.stderr
    there, _, after = told.stdout.partition("status 1\n")
    assert after == there
