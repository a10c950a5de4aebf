"""Writes into the console blocks of pages what their commands print now.

    python -m docs.refresh PAGE...

Tutorials run in an empty folder, all other pages in the checkout. Where the output of a command ended with
a line `...`, as many lines as before are kept. Ids of runs and times become `...`.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from docs.console import Step, execute, steps
from docs.pages import ROOT, blocks

#: What differs each time: ids of runs, moments, folders for the occasion.
_PASSING = re.compile(
    r"\d+(?= days before the last complete day)|\d{8}T\d{6}-[0-9a-f]{8}|\d{4}-\d\d-\d\d \d\d:\d\d UTC|/tmp/\S*?(?=/\.retinue|\s|$)"
)


def refresh(page: Path, folder: Path) -> None:
    """Run `page` in `folder` and write it anew."""
    lines = page.read_text(encoding="utf-8").splitlines()
    shift, here = 0, folder
    for block in blocks(page):
        if block.language == "console":
            fresh: list[str] = []
            for step in steps(block):
                here, output = execute(step, here)
                fresh += [_written(block.text, step), *_kept(step, output), ""]
            start = block.line + shift
            before = len(block.text.splitlines())
            lines[start : start + before] = fresh[:-1]
            shift += len(fresh) - 1 - before
        elif block.words and "part" not in block.words:
            path = here / block.words[-1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _written(text: str, step: Step) -> str:
    """The line of a block with this command, its status included."""
    return next(line for line in text.splitlines() if line.startswith(f"$ {step.command}"))


def _kept(step: Step, output: str) -> list[str]:
    lines = [_PASSING.sub("...", line).rstrip() for line in output.rstrip().splitlines()]
    if step.lines and step.lines[-1].strip() == "..." and len(step.lines) <= len(lines):
        return [*lines[: max(len(step.lines) - 1, 1)], "..."]
    return lines


def main(pages: list[str]) -> None:
    for name in pages:
        page = Path(name).resolve()
        if "tutorial" in page.parts:
            with tempfile.TemporaryDirectory() as folder:
                refresh(page, Path(folder))
        else:
            refresh(page, ROOT)


if __name__ == "__main__":
    main(sys.argv[1:])
