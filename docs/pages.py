"""Pages of the documentation as data: their links and their fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,}) *(?P<info>[^`]*)$")
_LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: ```` ```yaml metrics.yaml ```` has language `yaml` and words (`metrics.yaml`,)."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        shown = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page
        return f"{shown}:{self.line}"


def every_page() -> list[Path]:
    """All Markdown of the project, in order."""
    folders = ("docs", "examples", "src")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *found])


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, top to bottom; their common indentation is removed."""
    found = []
    opened: re.Match[str] | None = None
    start, lines = 0, list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence is not None:
                opened, start, lines = fence, number, []
        elif fence is not None and not fence["info"].strip() and fence["ticks"].startswith(opened["ticks"]):
            language, *words = opened["info"].split() or [""]
            found.append(Block(page, start, language, tuple(words), "".join(f"{x}\n" for x in lines)))
            opened = None
        else:
            lines.append(line.removeprefix(opened["indent"]))
    return found


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a page that are in no fenced block, without `code`."""
    ticks: str | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if ticks is None and fence is not None:
            ticks = fence["ticks"]
        elif ticks is not None:
            if fence is not None and not fence["info"].strip() and fence["ticks"].startswith(ticks):
                ticks = None
        else:
            yield number, re.sub(r"`[^`]*`", "``", line)


def links(page: Path) -> Iterator[tuple[int, str]]:
    """The line and the target of every link and picture of a page."""
    for number, line in prose(page):
        for match in _LINK.finditer(line):
            yield number, match[1]


def anchors(page: Path) -> set[str]:
    """What `page#...` may name: one anchor per heading, as GitHub writes them."""
    found: set[str] = set()
    for _, line in _headings(page):
        words = re.sub(r"[^\w\- ]", "", line.replace("`", "").lower()).replace(" ", "-")
        anchor, count = words, 0
        while anchor in found:
            count += 1
            anchor = f"{words}-{count}"
        found.add(anchor)
    return found


def _headings(page: Path) -> Iterator[tuple[int, str]]:
    fenced = {
        number
        for block in blocks(page)
        for number in range(block.line, block.line + block.text.count("\n") + 2)
    }
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        heading = _HEADING.match(line)
        if heading is not None and number not in fenced:
            yield number, heading[1]
