"""What charts are given, and the axes that some of them share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from retinue.report.svg import (
    Scale,
    around,
    cut,
    day_ticks,
    label,
    line,
    power_ticks,
    step_of,
    ticks,
    told,
    wide,
)

Number = float | None
WIDTH = 460.0
LINE = 16.0


@dataclass(frozen=True)
class Axis:
    """What an axis is called, how its numbers are written, and whether nought must be on it.

    `days`: its numbers are days since 1970-01-01; `powers`: they are exponents of ten. `digits` are
    those of single numbers; in percent, one by default.
    """

    name: str = ""
    percent: bool = False
    zero: bool = False
    days: bool = False
    powers: bool = False
    ends: tuple[float, float] | None = None
    digits: int | None = None

    @property
    def finest(self) -> float:
        """The step that single numbers are rounded to."""
        digits = (1 if self.percent else 2) if self.digits is None else self.digits
        return float(10.0 ** -(digits + 2 * self.percent))

    def scale(self, values: Sequence[float], start: float, end: float) -> Scale:
        if self.ends is not None:
            return Scale(*self.ends, start, end)
        if self.days:
            low, high = min(values), max(values)
            return Scale(low, high if high > low else low + 1, start, end)
        return Scale(*around(values, zero=self.zero), start, end)

    def ticks(self, scale: Scale, most: int = 5) -> list[tuple[float, str]]:
        if self.days:
            return day_ticks(scale.low, scale.high, most)
        if self.powers:
            return power_ticks(scale.low, scale.high)
        step = step_of(scale.low, scale.high, most)
        return [(tick, told(tick, step, percent=self.percent)) for tick in ticks(scale.low, scale.high, most)]

    def text(self, value: float) -> str:
        return told(value, self.finest, percent=self.percent)


@dataclass(frozen=True)
class Series:
    """A line: its points in order, and perhaps a band around it. `band` of the same name as a band of
    scores (healthy, watch, at_risk) gives its colour."""

    name: str
    x: Sequence[Number]
    y: Sequence[Number]
    low: Sequence[Number] = ()
    high: Sequence[Number] = ()


@dataclass(frozen=True)
class Bar:
    """A quantity with its interval. `count` is how many it rests on; `kind` is a band of scores or
    `reference`, and says how it is coloured."""

    name: str
    value: Number
    low: Number = None
    high: Number = None
    count: int | None = None
    kind: str = ""


@dataclass(frozen=True)
class Point:
    """A labelled point; `chosen` ones stand out."""

    x: Number
    y: Number
    name: str = ""
    low: Number = None
    high: Number = None
    count: int | None = None
    chosen: bool = False


@dataclass(frozen=True)
class Field:
    """The part of a drawing within its axes."""

    x: Scale
    y: Scale
    parts: list[str]

    @property
    def bottom(self) -> float:
        return self.y.start


# --- axes ----------------------------------------------------------------------------------------


def field_of(
    xs: Sequence[float], ys: Sequence[float], x: Axis, y: Axis, height: float, right: float
) -> Field:
    """Axes around values, with ticks that do not run into each other."""
    top = 12.0 + (LINE + 6 if y.name else 0)
    bottom = height - LINE - 8 - (LINE + 2 if x.name else 0)
    upright = y.scale(ys, bottom, top)
    marks = y.ticks(upright)
    left = max((wide(text) for _, text in marks), default=0) + 10
    across = x.scale(xs, left, WIDTH - right)
    parts = [
        part
        for value, text in marks
        for part in (
            line(left, upright(value), WIDTH - right, upright(value), "grid"),
            label(left - 6, upright(value), text, "tick", "end"),
        )
    ]
    parts.append(line(left, bottom, WIDTH - right, bottom, "axis"))
    edge = -math.inf
    for value, text in x.ticks(across, 5 if x.days else 6):
        middle, half = across(value), wide(text) / 2
        if middle - half < max(edge, 0.0) or middle + half > WIDTH:
            continue
        edge = middle + half + 8
        parts += [line(middle, bottom, middle, bottom + 4, "axis")]
        parts.append(label(middle, bottom + 6 + LINE / 2, text, "tick", "middle"))
    if y.name:
        parts.append(label(0, LINE / 2, cut(y.name, WIDTH), "name"))
    if x.name:
        middle = (left + WIDTH - right) / 2
        parts.append(label(middle, height - LINE / 2, cut(x.name, WIDTH - left - right), "name", "middle"))
    return Field(across, upright, parts)
