"""Draws docs/images/explain.svg: what `retinue` prints on a terminal, of the demo's company.

python -m docs.picture
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from docs.console import _RETINUE
from docs.pages import ROOT

IMAGE = ROOT / "docs" / "images" / "explain.svg"
DEMO = ["demo", "meridian", "--accounts", "400", "--months", "12"]
WIDTH = 110
#: The library would have the reader's browser fetch a font from elsewhere.
_FETCHED_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def retinue(arguments: list[str], folder: Path) -> str:
    environ = {**os.environ, "COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    for name in ("NO_COLOR", "RETINUE_NOW", "RETINUE_PROJECT"):
        environ.pop(name, None)
    return subprocess.run(
        [sys.executable, "-c", _RETINUE, *arguments],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        check=True,
        encoding="utf-8",
    ).stdout


def draw(commands: list[tuple[str, str]]) -> str:
    """Commands and what they printed, as SVG."""
    from rich.console import Console
    from rich.text import Text

    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        for command, output in commands:
            console.print(Text(f"$ {command}", style="bold"))
            console.print(Text.from_ansi(output.rstrip()))
            console.print()
        # A fixed id, so that the same output gives the same picture.
        return _FETCHED_FONT.sub("", console.export_svg(title="retinue", unique_id="retinue"))


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        retinue(DEMO, folder)
        project = folder / "meridian"
        listed = json.loads(retinue(["accounts", "--band", "at_risk", "--movers", "28", "--json"], project))
        account = next(
            row["account_id"]
            for row in listed["accounts"]
            if row["cap"] is None and (row["delta_28"] or 0) < 0
        )
        shown = [["accounts", "--movers", "28", "--limit", "6"], ["explain", account]]
        text = draw([(" ".join(["retinue", *one]), retinue(one, project)) for one in shown])
    IMAGE.parent.mkdir(exist_ok=True)
    IMAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
