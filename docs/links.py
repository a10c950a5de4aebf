"""Checks that every relative link of the documentation leads somewhere: `python -m docs.links`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from docs import pages


def broken(found: Iterable[Path]) -> list[str]:
    """One line per link that leads nowhere. Links to the web are not followed."""
    wrong = []
    for page in found:
        for line, target in pages.links(page):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = unquote(target).partition("#")
            other = (page.parent / path).resolve() if path else page
            shown = page.relative_to(pages.ROOT) if page.is_relative_to(pages.ROOT) else page
            if not other.exists():
                wrong.append(f"{shown}:{line}: no such file: {target}")
            elif anchor and other.suffix == ".md" and anchor not in pages.anchors(other):
                wrong.append(f"{shown}:{line}: no such heading: {target}")
    return wrong


def main() -> int:
    wrong = broken(pages.every_page())
    print("\n".join(wrong) or "every link leads somewhere")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
