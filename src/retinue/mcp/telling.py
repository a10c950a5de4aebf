"""How answers are told to a model: what others wrote is quoted as data, and everything has a bound."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

T = TypeVar("T", bound=BaseModel)

#: Letters of an answer at most: of its text, and of its structured content as JSON.
TEXT, ROOM = 16_000, 32_000
#: Letters of the rows of a page among them: as lines, and as JSON.
LINES, ROWS = 13_000, 26_000
#: Letters of a name, and of other text that somebody wrote.
NAME, WORDS = 80, 400
#: What encloses a text that comes from customers, colleagues or tables.
OPEN, CLOSE = "«", "»"

_INSIDE = str.maketrans({OPEN: "<", CLOSE: ">"})
#: Controls, invisible letters, surrogates, private ones: nothing that a person would see.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean(text: str, most: int = WORDS) -> str:
    """The text in one line, without letters that nobody sees, cut where it is too long."""
    seen = "".join(
        " " if letter.isspace() else letter
        for letter in text
        if letter.isspace() or unicodedata.category(letter) not in _HIDDEN
    )
    line = " ".join(seen.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def quoted(text: Any, most: int = WORDS) -> str | None:
    """A text that is data, marked as such; it cannot end the mark itself. None for None."""
    if text is None:
        return None
    return f"{OPEN}{clean(str(text).translate(_INSIDE), most)}{CLOSE}"


def unquoted(text: str) -> str:
    """What a model gives back, without the mark that it may have copied."""
    told = text.strip()
    return told[1:-1] if told.startswith(OPEN) and told.endswith(CLOSE) and len(told) > 2 else told


def rounded(value: float | None, digits: int = 1) -> float | None:
    """A number as short as it needs to be; never -0."""
    return None if value is None else round(float(value), digits) + 0.0


def letters(value: Any) -> int:
    """How long a value is as JSON."""
    return len(json.dumps(value, ensure_ascii=False, default=str))


def fitting(rows: Sequence[T], line: Callable[[T], str]) -> list[T]:
    """As many rows of a page, from the first on, as there is room for in text and structure; always one."""
    kept: list[T] = []
    room, text = ROWS, LINES
    for row in rows:
        room -= letters(row.model_dump(mode="json")) + 2
        text -= len(line(row)) + 4
        if kept and min(room, text) < 0:
            break
        kept.append(row)
    return kept


def within(lines: Iterator[str], most: int = TEXT) -> str:
    """The lines as one text of so many letters; what is too much is left out, and that is said."""
    kept: list[str] = []
    room = most - 120
    for line in lines:
        line = line if len(line) <= 2000 else line[:1999] + "…"
        room -= len(line) + 1
        if room < 0:
            kept.append("(The rest was left out: the structured content has more, or ask for less.)")
            break
        kept.append(line)
    return "\n".join(kept)
