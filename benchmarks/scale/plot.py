"""Two curves beside each other on logarithmic axes, as SVG that needs no font and no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 360, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 28, 34, 44
_INK, _FAINT, _LINE = "#24292f", "#d0d7de", "#0b6e75"


@dataclass(frozen=True)
class Panel:
    """What is on the upright axis, and the points."""

    title: str
    x: Sequence[float]
    y: Sequence[float]


def page(across: str, panels: Sequence[Panel]) -> str:
    """An SVG of `panels` over the same axis `across`."""
    width = WIDTH * len(panels)
    drawn = "\n".join(
        f'<g transform="translate({WIDTH * n} 0)">\n{_panel(across, one)}\n</g>'
        for n, one in enumerate(panels)
    )
    label = escape(f"{' and '.join(panel.title for panel in panels)} by {across}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" '
        f'width="{width}" height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="12" '
        f'role="img" aria-label="{label}">\n'
        f'<rect width="{width}" height="{HEIGHT}" fill="#ffffff"/>\n{drawn}\n</svg>\n'
    )


def _panel(across: str, panel: Panel) -> str:
    xs, ys = ticks(min(panel.x), max(panel.x)), ticks(min(panel.y), max(panel.y))
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def at_x(value: float) -> float:
        return _place(value, xs[0], xs[-1], _LEFT, right)

    def at_y(value: float) -> float:
        return _place(value, ys[0], ys[-1], bottom, _TOP)

    parts = [f'<text x="{_LEFT}" y="18" font-weight="600" fill="{_INK}">{escape(panel.title)}</text>']
    for tick in xs:
        x = at_x(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" stroke="{_FAINT}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle" fill="{_INK}">{_short(tick)}</text>'
        )
    for tick in ys:
        y = at_y(tick)
        parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_FAINT}"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{_INK}">{_short(tick)}</text>'
        )
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle:.1f}" y="{HEIGHT - 8}" text-anchor="middle" fill="{_INK}">{escape(across)}</text>'
    )
    places = [(at_x(x), at_y(y)) for x, y in zip(panel.x, panel.y, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="2"/>')
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_LINE}"/>' for x, y in places]
    return "\n".join(parts)


def ticks(low: float, high: float) -> list[float]:
    """Powers of ten around the values; where these are close together, 1, 2 and 5 of each."""
    low, high = max(low, 1e-9), max(high, 1e-9)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    tens = [10.0**n for n in range(first, max(last, first + 1) + 1)]
    if math.log10(high / low) > 1.9:
        return tens
    every = [step * ten for ten in tens for step in (1.0, 2.0, 5.0)]
    below = [tick for tick in every if tick <= low * (1 + 1e-9)]
    above = [tick for tick in every if tick >= high * (1 - 1e-9)]
    return [tick for tick in every if below[-1] <= tick <= max(above[0], every[every.index(below[-1]) + 1])]


def _place(value: float, low: float, high: float, start: float, end: float) -> float:
    return start + (math.log(value) - math.log(low)) / (math.log(high) - math.log(low)) * (end - start)


def _short(number: float) -> str:
    if number >= 1e6:
        return f"{number / 1e6:g} M"
    return f"{number / 1e3:g} k" if number >= 1e4 else f"{number:g}"
