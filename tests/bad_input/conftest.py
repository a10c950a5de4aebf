"""The command line as people use it: a process of its own over a small company that is published."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from retinue.cli import main
from tests.once import made_once

NOW = "2024-03-11T12:00:00+00:00"

SETTINGS = """\
project: small
accounts:
  table: data/accounts.csv
  key: id
  columns: {name: name, segment: segment, started_on: started}
facts:
  usage: {table: data/usage.csv, account: id, occurred_at: day, user: user}
  tickets: {table: data/tickets.parquet, account: id, occurred_at: day}
"""
METRICS = """\
metrics:
  users: {distinct: usage.user, window: 28d}
  tickets_28d: {count: tickets, window: 28d}
"""
CARD = """\
scorecard: all
components:
  use: {measures: {users: {curve: [[0, 0], [3, 100]], max_age: 7d}}}
  service: {measures: {tickets_28d: {curve: [[0, 100], [5, 0]], max_age: 60d}}}
"""


@dataclass(frozen=True)
class Done:
    """What a command did; `peak` is the most memory of any child so far, in MB."""

    status: int
    out: str
    err: str
    peak: float

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


def without_privileges() -> None:
    """In a child: permissions of files bind root too, by giving up the two rights to pass them by."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def on_a_full_disk() -> None:
    """In a child: no file can grow beyond some bytes, which is as far as a full disk goes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


@dataclass(frozen=True)
class Company:
    root: Path

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def retinue(self, *arguments: str, before: Callable[[], None] | None = None, **environ: str) -> Done:
        """One command in a process of its own, told that it is 11 March 2024."""
        command = [sys.executable, "-c", "from retinue.cli import main; main()", *arguments]
        settings = {"RETINUE_NOW": NOW, "RETINUE_PROJECT": str(self.root), **environ}
        told = subprocess.run(
            command,
            env={**os.environ, **settings},
            cwd=self.root,
            capture_output=True,
            timeout=120,
            check=False,
            preexec_fn=before,
        )
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        return Done(told.returncode, told.stdout.decode(), told.stderr.decode(), peak)

    def refuses(self, *arguments: str, lines: int = 1, **options: str) -> str:
        """What a command says that fails; as many lines as there are problems, and no traceback."""
        done = self.retinue(*arguments, **options)
        assert done.status not in (0, -9, -11), done.out + done.err
        assert "Traceback" not in done.err and "this is a bug" not in done.err, done.err
        assert len(done.lines) == lines, done.err
        return done.err

    def still_reads(self) -> None:
        """What was published is current, and can be read. In this process: nothing is wrong any more."""
        told = CliRunner(env={"RETINUE_NOW": NOW}).invoke(main, ["accounts", "-C", str(self.root)])
        assert told.exit_code == 0 and "a1" in told.stdout, told.output


def make(root: Path) -> Company:
    import pyarrow as pa
    import pyarrow.parquet as pq

    company = Company(root)
    company.write("retinue.yaml", SETTINGS)
    company.write("metrics.yaml", METRICS)
    company.write("scorecards/all.yaml", CARD)
    company.write(
        "data/accounts.csv", "id,name,segment,started\na1,One,smb,2024-01-01\na2,Two,mid,2024-01-01\n"
    )
    days = [f"2024-03-{n:02},a{1 + n % 2},u{n % 3}" for n in range(1, 11)]
    company.write("data/usage.csv", "\n".join(["day,id,user", *days]) + "\n")
    pq.write_table(
        pa.table({"id": ["a1", "a2", "a1"], "day": ["2024-02-20", "2024-03-01", "2024-03-05"]}),
        root / "data/tickets.parquet",
    )
    return company


@pytest.fixture(scope="session")
def _published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def published(root: Path) -> None:
        done = make(root).retinue("run")
        assert done.status == 0, done.err

    return made_once(tmp_path_factory, "small", published)


@pytest.fixture
def company(_published: Path, tmp_path: Path) -> Company:
    """A company with a published run of its own."""
    shutil.copytree(_published, tmp_path / "company")
    return Company(tmp_path / "company")
