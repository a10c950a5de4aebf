"""How scores, bands and values are written for people, the same on every surface."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

#: What every surface prints beside a score.
DIRECTION = "0 = worst health, 100 = best"

#: Bands as people see them: a shape and a word, never colour alone. None: not scored.
SHAPES: dict[str | None, str] = {"healthy": "●", "watch": "◆", "at_risk": "▲", None: "○"}
WORDS: dict[str | None, str] = {
    "healthy": "healthy",
    "watch": "watch",
    "at_risk": "at risk",
    None: "not scored",
}


def shown(score: float | None, digits: int = 0) -> str:
    """A score rounded half up: 70.5 shows as 71. `-` for none; zero has no sign."""
    if score is None:
        return "-"
    # What a person would call 70.5 may be stored as 70.49999999999999.
    exact = Decimal(repr(round(score, 9)))
    rounded = exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return str(rounded or abs(rounded))


def signed(points: float, digits: int = 1) -> str:
    """A change with its sign; none for what rounds to nothing."""
    text = shown(abs(points), digits)
    if not float(text):
        return text
    return f"{'-' if points < 0 else '+'}{text}"


def number(value: float | None) -> str:
    """A value of a metric: whole numbers whole, others with three digits or so."""
    if value is None:
        return "nothing"
    if not math.isfinite(value):
        return str(value)
    if value == math.floor(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 6)}f}"
    # Zeros are only idle behind a point: 199.6 shows as 200.
    return text.rstrip("0").rstrip(".") if "." in text else text


def share(part: float | None, digits: int = 0) -> str:
    """A part of a whole (0 to 1) in percent."""
    return "-" if part is None else f"{shown(100 * part, digits)} %"


def grade(score: float | None, grades: Mapping[str, float]) -> str | None:
    """The letter of a score on a declared scale (letter -> lower edge, inclusive)."""
    if score is None:
        return None
    reached = [(edge, letter) for letter, edge in grades.items() if score >= edge]
    return max(reached)[1] if reached else None


def declared_value(value: object) -> str:
    """A declared value in one line, about as it is written: `none`, 30 and not 30.0, lists in brackets."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        told = (f"{key}: {declared_value(one)}" for key, one in value.items() if one is not None)
        return "{" + ", ".join(told) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(declared_value(one) for one in value) + "]"
    return str(value)
