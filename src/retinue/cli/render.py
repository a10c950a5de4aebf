"""Text for people: pretty on a terminal, plain in a pipe. Only this module and `waiting` know rich."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from retinue.words import SHAPES, WORDS, signed

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

COLOURS = {"healthy": "green", "watch": "yellow", "at_risk": "red", None: "dim"}
_BARS = "▁▂▃▄▅▆▇█"
_ASCII = str.maketrans(
    {"●": "o", "◆": "*", "▲": "!", "○": "-", "·": "-", "→": "->", "↗": "up", "↘": "down", "…": "~"}
)
#: Width of text in a pipe, so that nothing is cut there.
_ENDLESS = 4000
#: Columns that may be shortened go down to this where leaving others out is not enough.
NARROWEST = 8


@dataclass(frozen=True)
class Column:
    """A column of a table. `least` is how narrow it may become before others are left out; without
    it the column keeps its width. `rank`: columns with higher ranks are left out first where there
    is no room."""

    title: str
    right: bool = False
    least: int | None = None
    rank: int = 0


@dataclass
class Table:
    columns: Sequence[Column]
    rows: list[Sequence[Text | str]] = field(default_factory=list)

    def add(self, *cells: Text | str) -> None:
        self.rows.append(cells)


class Page:
    """What a command prints, in order."""

    def __init__(self) -> None:
        from rich.console import Console

        self.out: Console = Console(highlight=False, soft_wrap=False, emoji=False, markup=False)
        self.pretty = self.out.is_terminal
        self.width = self.out.width if self.pretty else _ENDLESS
        if not self.pretty:
            self.out = Console(
                highlight=False,
                width=_ENDLESS,
                color_system=None,
                emoji=False,
                markup=False,
                force_terminal=False,
            )
        try:
            "●▲◆▁".encode(sys.stdout.encoding or "ascii")
            self.unicode = True
        except (UnicodeEncodeError, LookupError):
            self.unicode = False

    def line(self, text: Text | str = "", style: str | None = None) -> None:
        """One paragraph; long ones are wrapped on a terminal, below their own indent."""
        from rich.text import Text

        told = text if isinstance(text, Text) else Text(text, style or "")
        indent = len(told.plain) - len(told.plain.lstrip(" "))
        lines = [told]
        if told.cell_len > self.width > indent + 20:
            lines = [Text(" " * indent) + part for part in told[indent:].wrap(self.out, self.width - indent)]
        for line in lines:
            self._print(line)

    def heading(self, text: str) -> None:
        self.line()
        self.line(text, "bold")

    def table(self, table: Table, indent: int = 0) -> None:
        """Columns side by side, shortened or left out where a terminal is too narrow for them."""
        from rich.text import Text

        columns = list(range(len(table.columns)))
        cells = [[c if isinstance(c, Text) else Text(c) for c in row] for row in table.rows]
        wide = [
            max([len(column.title), *(row[n].cell_len for row in cells)])
            for n, column in enumerate(table.columns)
        ]

        def room(chosen: Sequence[int]) -> int:
            return self.width - indent - sum(wide[n] for n in chosen) - 2 * (len(chosen) - 1)

        def slack(chosen: Sequence[int]) -> int:
            return sum(max(0, wide[n] - (table.columns[n].least or wide[n])) for n in chosen)

        while room(columns) + slack(columns) < 0 and any(table.columns[n].rank for n in columns):
            columns.remove(max(columns, key=lambda n: table.columns[n].rank))
        missing = -room(columns)
        elastic = [n for n in columns if table.columns[n].least is not None]
        for least in ({n: table.columns[n].least or 0 for n in elastic}, dict.fromkeys(elastic, NARROWEST)):
            for n in sorted(elastic, key=lambda n: -wide[n]):
                taken = min(max(0, missing), max(0, wide[n] - least[n]))
                wide[n] -= taken
                missing -= taken
        lines = (
            [[Text(table.columns[n].title, "dim") for n in columns]]
            if any(c.title for c in table.columns)
            else []
        )
        for row in [*lines, *([row[n] for n in columns] for row in cells)]:
            told = Text(" " * indent)
            for place, (n, cell) in enumerate(zip(columns, row, strict=True)):
                cell = cell.copy()
                cell.truncate(wide[n], overflow="ellipsis")
                gap = Text(" " * (wide[n] - cell.cell_len))
                last = place == len(columns) - 1
                told += (gap + cell if table.columns[n].right else cell + (Text("") if last else gap)) + (
                    Text("" if last else "  ")
                )
            self._print(told)

    def _print(self, text: Text) -> None:
        from rich.text import Text as Plain

        text.rstrip()
        self.out.print(text if self.unicode else Plain(text.plain.translate(_ASCII)), soft_wrap=True)


def styled(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(text, style)


def band(name: str | None) -> Text:
    """A band as a shape and a word."""
    return styled(f"{SHAPES.get(name, '?')} {WORDS.get(name, str(name))}", COLOURS.get(name, ""))


def moved(points: float | None, digits: int = 0) -> Text:
    """A change in points, with its sign; nothing where it is not known."""
    if points is None:
        return styled("-", "dim")
    text = signed(points, digits)
    return styled(text, {"-": "red", "+": "green"}.get(text[0], "dim"))


def sparkline(values: Sequence[float | None] | None, *, unicode: bool = True) -> str:
    """Scores as bars from 0 to 100, a space where there was none."""
    if not values or not unicode:
        return ""
    return "".join(" " if value is None else _BARS[min(7, max(0, int(value / 100 * 8)))] for value in values)


def money(value: float | None) -> str:
    """A sum in four characters or so: 1,234 as 1.2k."""
    if value is None:
        return "-"
    for size, sign in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            scaled = value / size
            return f"{scaled:.0f}{sign}" if abs(scaled) >= 100 else f"{scaled:.1f}{sign}"
    return f"{value:.0f}"


def day(value: date | None) -> str:
    return value.isoformat() if value else "-"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
