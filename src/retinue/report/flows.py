"""Charts of groups: how the bands of each are spread, and the curves that points are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from retinue.report.axes import WIDTH, Axis, Number, Series
from retinue.report.charts import lines
from retinue.report.svg import cut, drawing, element, escaped, label, nothing, told, wide
from retinue.words import SHAPES, WORDS

_ROW = 24.0
#: From the worst to the best; None: not scored.
BANDS: tuple[str | None, ...] = ("at_risk", "watch", "healthy", None)


@dataclass(frozen=True)
class BandRow:
    """A group with a number for each of its bands (accounts, or revenue), and what stands at its end."""

    name: str
    bands: Mapping[str | None, float]
    text: str = ""


def band_bars(title: str, rows: Sequence[BandRow], *, width: float = WIDTH) -> Markup:
    """One bar per group over its whole length, in the shares of its bands, worst first."""
    there = [row for row in rows if sum(row.bands.values()) > 0]
    if not there:
        return nothing(title, width)
    left = min(max(wide(row.name) for row in there) + 10, width * 0.36)
    right = min(max(wide(row.text) for row in there) + 10, width * 0.3)
    room = width - left - right
    parts = []
    for n, row in enumerate(there):
        middle = _ROW * (n + 0.5)
        place = left
        inside = [
            element("title", escaped(_said(row))),
            label(left - 8, middle, cut(row.name, left - 8), "word", "end"),
        ]
        for band, share in _shares(row):
            if share <= 0:
                continue
            size = share * room
            kind = f"part {band or 'unscored'}"
            inside.append(element("rect", x=place, y=middle - 8, width=size, height=16.0, class_=kind))
            mark = f"{SHAPES[band]} {told(share, 0.01, percent=True)}"
            if wide(mark, 11) + 6 < size:
                inside.append(label(place + size / 2, middle, mark, f"on {band or 'unscored'}", "middle"))
            place += size
        inside.append(label(width, middle, cut(row.text, right), "figure", "end"))
        parts.append(element("g", *inside))
    return drawing(title, "; ".join(_said(row) for row in there) + ".", width, _ROW * len(there) + 4, parts)


def mini_bar(title: str, bands: Mapping[str | None, float]) -> Markup:
    """The same for one group, as small as a cell of a table."""
    row = BandRow(title, bands)
    if sum(bands.values()) <= 0:
        return Markup("")
    place, parts = 0.0, []
    for band, share in _shares(row):
        if share > 0:
            kind = f"part {band or 'unscored'}"
            parts.append(element("rect", x=place, y=1.0, width=share * 120, height=12.0, class_=kind))
            place += share * 120
    return drawing(title, _said(row), 120.0, 14.0, parts)


def _shares(row: BandRow) -> list[tuple[str | None, float]]:
    whole = sum(row.bands.values())
    return [(band, row.bands.get(band, 0.0) / whole) for band in BANDS]


def _said(row: BandRow) -> str:
    shares = ", ".join(
        f"{told(share, 0.01, percent=True)} {WORDS[band]}" for band, share in _shares(row) if share > 0
    )
    return f"{row.name}: {shares}"


@dataclass(frozen=True)
class Knots:
    """A curve: [value, points] in order, straight between them or in steps from each on."""

    name: str
    knots: Sequence[tuple[float, float]]
    steps: bool = False


def point_curves(title: str, curves: Sequence[Knots], *, unit: str = "", height: float = 210.0) -> Markup:
    """The points that values get, on the scale from 0 to 100; flat beyond the ends."""
    there = [one for one in curves if one.knots]
    if not there:
        return nothing(title, WIDTH, "No curve is declared or learned.")
    ends = [value for one in there for value, _ in one.knots]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    first = low if low >= 0 > low - room else low - room
    series = [_series(one, first, high + room) for one in there]
    return lines(
        title,
        series,
        x=Axis(unit or "value", ends=(first, high + room)),
        y=Axis("points", ends=(0.0, 100.0), digits=0),
        height=height,
    )


def _series(one: Knots, first: float, last: float) -> Series:
    x: list[Number] = []
    y: list[Number] = []
    if not one.steps:
        x = [first, *(value for value, _ in one.knots), last]
        y = [one.knots[0][1], *(points for _, points in one.knots), one.knots[-1][1]]
        return Series(one.name, x, y)
    # Below the first value a step gives nothing.
    before = [(first, 0.0)] if first < one.knots[0][0] else []
    for (value, points), (until, _) in pairwise([*before, *one.knots, (last, 0.0)]):
        x += [value, until]
        y += [points, points]
    return Series(one.name, x, y)
