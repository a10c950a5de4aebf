"""Runs the commands that a page shows, and compares what they print with what it says.

In a page that is run, top to bottom and in one empty folder:

- a fenced block with a file name after its language (```` ```yaml metrics.yaml ````) writes that file, unless it
  has the word `part`;
- a `console` block runs each line that starts with `$ `. The lines below it must be printed, in this order; blanks
  do not matter, `...` in a line stands for anything, and a line that is only `...` says nothing;
- `# exit 2` at the end of a command says that it fails with that status.

`retinue` is this checkout's. No shell is involved: there are no pipes, and variables are not replaced.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from docs.pages import Block, blocks

#: Programs that a page may run besides `retinue` and `cd`.
PROGRAMS = ("cat", "head", "ls", "mkdir", "python")

#: What the installed command does, in this interpreter.
_RETINUE = "import sys; sys.argv[0] = 'retinue'; from retinue.cli import main; sys.exit(main())"

_EXIT = re.compile(r"\s+# exit (\d+)$")


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a page, the status that it ends with, and lines that it prints."""

    command: str
    status: int
    lines: tuple[str, ...]
    place: str


class Mismatch(AssertionError):
    """A page says something that is not so."""


def steps(block: Block) -> list[Step]:
    """The commands of a console block."""
    found: list[tuple[str, list[str], int]] = []
    for number, line in enumerate(block.text.splitlines()):
        if line.startswith("$ "):
            found.append((line[2:], [], number + 1))
        elif line.strip() and found:
            found[-1][1].append(line)
        elif line.strip():
            raise Mismatch(f"{block.place}: output before the first command: {line!r}")
    page = block.place.rpartition(":")[0]
    result = []
    for command, lines, offset in found:
        status = _EXIT.search(command)
        told = _EXIT.sub("", command)
        place = f"{page}:{block.line + offset}"
        result.append(Step(told, int(status[1]) if status else 0, tuple(lines), place))
    return result


def run(page: Path, folder: Path) -> int:
    """Do in `folder` what `page` says; returns the number of commands, raises Mismatch."""
    count = 0
    here = folder
    for block in blocks(page):
        if block.language == "console":
            for step in steps(block):
                here = _do(step, here)
                count += 1
        elif block.words and "part" not in block.words:
            path = here / block.words[-1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    return count


def _do(step: Step, here: Path) -> Path:
    """Run one command and compare; returns the folder that the next one runs in."""
    there, output = execute(step, here)
    absent = first_absent(step.lines, output)
    if absent is not None:
        raise Mismatch(f"{step.place}: `{step.command}` does not print {absent!r} there, but:\n{output}")
    return there


def execute(step: Step, here: Path) -> tuple[Path, str]:
    """Run one command; returns the folder that the next one runs in, and what it printed.

    Raises Mismatch where it ends with another status than the page says.
    """
    program, *arguments = shlex.split(step.command)
    if program == "cd":
        there = (here / arguments[0]).resolve()
        if not there.is_dir():
            raise Mismatch(f"{step.place}: no folder {arguments[0]}")
        return there, ""
    if program == "retinue":
        argv = [sys.executable, "-c", _RETINUE, *arguments]
    elif program == "python":
        argv = [sys.executable, *arguments]
    elif program in PROGRAMS:
        argv = [program, *arguments]
    else:
        raise Mismatch(
            f"{step.place}: a page cannot run {program!r}, only retinue, cd, {', '.join(PROGRAMS)}"
        )
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("RETINUE_", "COV_", "PYTEST_"))}
    done = subprocess.run(
        argv,
        cwd=here,
        env={**plain, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        encoding="utf-8",
        timeout=600,
    )
    if done.returncode != step.status:
        raise Mismatch(
            f"{step.place}: `{step.command}` ended with {done.returncode}, not {step.status}:\n{done.stdout}"
        )
    return here, done.stdout


def first_absent(lines: tuple[str, ...], output: str) -> str | None:
    """The first of `lines` that is not in `output` after the ones before it; None if all are."""
    printed = iter([_words(line) for line in output.splitlines()])
    for line in lines:
        if line.strip() == "...":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in _words(line).split("...")))
        if not any(pattern.fullmatch(told) for told in printed):
            return line
    return None


def _words(line: str) -> str:
    return " ".join(line.split())
