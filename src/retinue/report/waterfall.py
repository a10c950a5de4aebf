"""A change as a waterfall: from one score to another by steps that sum to it exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from retinue.report.svg import Scale, cut, drawing, element, escaped, label, line, nothing, wide
from retinue.words import shown, signed

_ROW = 26.0
#: Steps that have a bar of their own; the rest share one.
MOST = 8
#: Points that do not show.
_NOTHING = 0.05


@dataclass(frozen=True)
class Step:
    """A part of a change, in points. `kind` value is how the data moved; others are drawn differently."""

    name: str
    points: float
    kind: str = "value"


@dataclass(frozen=True)
class End:
    """A score that the change starts or ends at."""

    name: str
    score: float


def gathered(steps: Sequence[Step], most: int = MOST) -> list[Step]:
    """The largest steps first, the rest in one; together they are the same change."""
    ordered = sorted(steps, key=lambda step: -abs(step.points))
    own = [step for step in ordered[:most] if abs(step.points) >= _NOTHING]
    rest = ordered[len(own) :]
    if len(rest) == 1 and abs(rest[0].points) >= _NOTHING:
        return [*own, rest[0]]
    total = sum(step.points for step in rest)
    name = f"{len(rest)} smaller {'one' if len(rest) == 1 else 'ones'}"
    return [*own, Step(name, total, "rest")] if rest else own


def waterfall(title: str, start: End, steps: Sequence[Step], end: End, *, width: float = 420.0) -> Markup:
    """Bars from the score at `start` to that at `end`; each step begins where the one before it ended."""
    rows = gathered(steps)
    if not rows:
        return nothing(title, width, "Nothing changed.")
    totals = [start.score]
    for row in rows:
        totals.append(totals[-1] + row.points)
    low, high = min([*totals, end.score]), max([*totals, end.score])
    room = max((high - low) * 0.06, 1.0)
    names = [start.name, *(row.name for row in rows), end.name]
    left = min(max(wide(name) for name in names) + 8, width * 0.46)
    x = Scale(low - room, high + room, left + 4, width - 52)
    height = _ROW * (len(rows) + 2) + 4
    parts = [_end(start, 0, x, left, width), *_steps(rows, totals, x, left, width)]
    parts.append(_end(end, len(rows) + 1, x, left, width))
    spoken = "; ".join(f"{row.name} {signed(row.points)}" for row in rows)
    told = f"{start.name} {shown(start.score, 1)}; {spoken}; {end.name} {shown(end.score, 1)}."
    return drawing(title, told, width, height, parts)


def _end(end: End, n: int, x: Scale, left: float, width: float) -> str:
    middle = _ROW * (n + 0.5)
    # A dot, not a bar: the axis does not begin at nought.
    return element(
        "g",
        label(left, middle, cut(end.name, left - 4), "word total", "end"),
        element("circle", cx=x(end.score), cy=middle, r=5.5, class_="total"),
        label(width, middle, shown(end.score, 1), "figure total", "end"),
    )


def _steps(rows: Sequence[Step], totals: Sequence[float], x: Scale, left: float, width: float) -> list[str]:
    parts = []
    for n, row in enumerate(rows):
        before, after, middle = x(totals[n]), x(totals[n + 1]), _ROW * (n + 1.5)
        kind = "fell" if row.points < 0 else "rose"
        parts.append(
            element(
                "g",
                element("title", escaped(f"{row.name}: {signed(row.points)}")),
                line(before, middle - _ROW + 6, before, middle - 7, "link"),
                label(left, middle, cut(row.name, left - 4), "word", "end"),
                element(
                    "rect",
                    x=min(before, after),
                    y=middle - 7,
                    width=max(abs(after - before), 1.0),
                    height=14.0,
                    class_=f"step {kind}{'' if row.kind == 'value' else ' apart'}",
                ),
                label(width, middle, signed(row.points).replace("-", "\u2212"), "figure", "end"),
            )
        )
    last = x(totals[-1])
    parts.append(line(last, _ROW * (len(rows) + 0.5) + 7, last, _ROW * (len(rows) + 1.5) - 6, "link"))
    return parts
