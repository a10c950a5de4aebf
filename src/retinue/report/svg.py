"""What every chart is drawn with: elements as text, scales, round ticks, room for words.

Colours come from classes, so that one style sheet decides them for light, dark and paper. There are
no style attributes and no identifiers: any number of charts fit on a page under a strict content
security policy.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache

from markupsafe import Markup

#: Size of letters, in the units of the drawing.
FONT = 13.0
#: Mean width of a letter of a sans-serif face, in sizes of the letter; on the safe side.
_LETTER = 0.56
_EPOCH = date(1970, 1, 1)
#: What XML cannot hold.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def escaped(text: object) -> str:
    """Text of somebody else, safe between tags and in attributes."""
    return _escaped(str(text))


# Classes, anchors, days and words of bands are the same on every chart.
@lru_cache(maxsize=4096)
def _escaped(text: str) -> str:
    return html.escape(_UNPRINTABLE.sub("\ufffd", text), quote=True)


def at(value: float) -> str:
    """A coordinate with two decimals, none where they are nought."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def element(name: str, *inside: str, **attributes: object) -> str:
    """One element. `inside` is markup already; `class_` stands for class, `_` in names for `-`."""
    told = "".join(
        f'{_attribute(key)}"{at(value) if isinstance(value, float) else escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{told}>{''.join(inside)}</{name}>" if inside else f"<{name}{told}/>"


@cache
def _attribute(name: str) -> str:
    return f" {name.rstrip('_').replace('_', '-')}="


def label(x: float, y: float, text: object, kind: str = "", anchor: str = "start") -> str:
    """A word on the drawing; `y` is its middle."""
    return element(
        "text",
        escaped(text),
        x=float(x),
        y=float(y),
        dy="0.35em",
        class_=kind or None,
        text_anchor=None if anchor == "start" else anchor,
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=kind)


def path(points: Iterable[tuple[float, float]], kind: str, *, closed: bool = False) -> str:
    told = " L".join(f"{at(x)} {at(y)}" for x, y in points)
    return element("path", d=f"M{told}{' Z' if closed else ''}", class_=kind) if told else ""


def drawing(title: str, told: str, width: float, height: float, parts: Iterable[str]) -> Markup:
    """The whole chart. `told` says in words what it shows, for those who do not see it."""
    inside = (element("title", escaped(title)), element("desc", escaped(told)), *parts)
    return Markup(  # noqa: S704 - everything in it was escaped above
        element(
            "svg",
            *inside,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {at(width)} {at(height)}",
            role="img",
            aria_label=f"{title}. {told}",
            class_="chart",
            font_size=FONT,
        )
    )


def nothing(title: str, width: float, why: str = "No data to draw.") -> Markup:
    """What stands where there is nothing to draw."""
    return drawing(title, why, width, 60.0, [label(width / 2, 30, why, "quiet", "middle")])


# --- words ---------------------------------------------------------------------------------------


def wide(text: object, size: float = FONT) -> float:
    """How wide a text is, about."""
    return len(str(text)) * size * _LETTER


def cut(text: object, room: float, size: float = FONT) -> str:
    """The text, shortened to the room that there is."""
    whole = str(text)
    letters = max(1, int(room / (size * _LETTER)))
    return whole if len(whole) <= letters else whole[: max(1, letters - 1)].rstrip() + "…"


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places moved as little as needed so that none is nearer than `gap` to another, within
    [low, high] as far as there is room."""
    order = sorted(range(len(places)), key=lambda n: (places[n], n))
    moved = [0.0] * len(places)
    edge = low
    for n in order:
        moved[n] = max(places[n], edge)
        edge = moved[n] + gap
    edge = high
    for n in reversed(order):
        moved[n] = min(moved[n], edge)
        edge = moved[n] - gap
    return moved


# --- numbers -------------------------------------------------------------------------------------


def known(values: Iterable[float | None]) -> list[float]:
    """The finite ones."""
    return [float(value) for value in values if value is not None and math.isfinite(value)]


def isnum(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def step_of(low: float, high: float, most: int = 5) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that needs at most `most` steps."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return 1.0
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    return next(size * power for size in (1.0, 2.0, 2.5, 5.0, 10.0) if size * power >= raw * (1 - 1e-9))


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within [low, high]."""
    step = step_of(low, high, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def around(values: Sequence[float], *, zero: bool = False, most: int = 5) -> tuple[float, float]:
    """Round ends of an axis that holds all values, and nought if asked."""
    told = [*values, 0.0] if zero or not values else list(values)
    low, high = min(told), max(told)
    if low == high:
        low, high = (low - abs(low) / 2, high + abs(high) / 2) if low else (0.0, 1.0)
        if zero:
            low, high = min(low, 0.0), max(high, 0.0)
    step = step_of(low, high, most)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def told(value: float, step: float = 0.0, *, percent: bool = False) -> str:
    """A number on an axis, with as many decimals as its step asks for."""
    if percent:
        return f"{told(value * 100, step * 100)} %"
    if step <= 0:
        return f"{value:.3g}"
    digits = next((n for n in range(7) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 6)
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text


@dataclass(frozen=True)
class Scale:
    """A value to a place on the drawing, straight."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def power_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Exponents of ten within [low, high] for an axis: 1, 2, 5, 10 and so on, written short."""
    few = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    steps = (1,) if len(few) > 3 else (1, 3) if len(few) > 1 else (1, 2, 5)
    found = []
    for exponent in range(math.floor(low), math.ceil(high) + 1):
        for step in steps:
            place = exponent + math.log10(step)
            if low - 1e-9 <= place <= high + 1e-9:
                found.append((place, shortened(step * 10.0**exponent)))
    return found


def shortened(value: float) -> str:
    """A large amount in three digits: 12.5 k, 3 M."""
    for size, unit in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size * 0.9995:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


# --- days ----------------------------------------------------------------------------------------


def day_ticks(first: float, last: float, most: int) -> list[tuple[float, str]]:
    """Days since 1970-01-01 within [first, last] for an axis, with what is written there: firsts of
    months that are evenly apart, or single days of a short span."""
    start, end = _EPOCH + timedelta(days=math.ceil(first)), _EPOCH + timedelta(days=math.floor(last))
    months = (end.year - start.year) * 12 + end.month - start.month
    if months >= 2:
        apart = next((n for n in (1, 2, 3, 6, 12, 24, 60) if months / n <= most - 1), 120)
        index = start.year * 12 + start.month - 1 + (start.day > 1)
        found = []
        for month in range(index, end.year * 12 + end.month):
            if month % apart == 0:
                day = date(month // 12, month % 12 + 1, 1)
                found.append((float((day - _EPOCH).days), f"{day:%Y-%m}"))
        return found
    span = (end - start).days
    apart = next((n for n in (1, 2, 7, 14, 28) if span / n <= most - 1), 56)
    return [
        (float((start - _EPOCH).days + n), (start + timedelta(days=n)).isoformat())
        for n in range(0, span + 1, apart)
    ]
