"""The command line in processes of its own, over a company whose scores are its levels."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from tests.run.company import DAY, Company, noon
from tests.run.small import D, account, company, level
from tests.waiting import PATIENCE

#: Accounts of the company. A run of it takes a second or two.
PEOPLE = 40
NEXT = D + 2 * DAY
PROGRAM = "from retinue.cli import main; main()"
#: In a pipe, it says every stage.
TALKATIVE = f"from retinue.cli import waiting; waiting.EVERY = 0; {PROGRAM}"


def leveled(shift: int = 0, until: date = NEXT) -> Company:
    """The company; `shift` makes another one of it, whose every score differs."""
    people = [account(f"a{n}") for n in range(PEOPLE)]
    days = range((until - D).days + 1)
    levels = [
        level(f"a{n}", D + day * DAY, (5 * (n * 7 + day * 3) + shift) % 100)
        for n in range(PEOPLE)
        for day in days
    ]
    return company(people, levels)


def environment() -> dict[str, str]:
    """In which `NEXT` is the last complete day."""
    told = {"RETINUE_NOW": noon(NEXT).isoformat(), "PYTHONPATH": os.pathsep.join(sys.path)}
    return {**os.environ, **told}


def started(
    root: Path, *arguments: str, before: Callable[[], None] | None = None, program: str = PROGRAM
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,  # noqa: PLW1509 - no thread of the tests holds a lock
    )


def done(child: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its status and what it said. One that does not end is killed: it would take processors from others."""
    try:
        out, err = child.communicate(timeout=PATIENCE)
    finally:
        child.kill()
    return child.returncode, out, err


def on_a_terminal(root: Path, arguments: Sequence[str], until: str | None = None) -> tuple[int, str]:
    """What a command shows on a terminal. When `until` is on it, Ctrl-C is pressed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(root)
        told = {**environment(), "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
        os.execve(sys.executable, [sys.executable, "-c", PROGRAM, *arguments], told)
    shown = ""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                piece = os.read(terminal, 1 << 16)
            except OSError:  # how Linux tells that nobody has it open any more
                break
            shown += piece.decode(errors="replace")
            if until is not None and until in shown:
                os.write(terminal, b"\x03")
                until = None
    else:
        os.kill(child, signal.SIGKILL)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def folders(root: Path) -> set[str]:
    """Folders of runs, whole or not."""
    return {path.name for path in (root / ".retinue" / "runs").iterdir()}
