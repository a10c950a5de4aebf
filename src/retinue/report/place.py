"""Where one score stands: among others like it, and on the curve that gives it its points."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from retinue.report.axes import Axis, field_of
from retinue.report.svg import Scale, drawing, element, label, line, nothing, path
from retinue.words import number, shown


def among(
    title: str,
    counts: Sequence[int],
    score: float,
    *,
    median: float | None = None,
    name: str = "this account",
    width: float = 360.0,
) -> Markup:
    """Accounts by class of score, 0 to 100, with the place of one of them."""
    if not sum(counts):
        return nothing(title, width)
    bottom, top = 96.0, 20.0
    x = Scale(0.0, 100.0, 13.0, width - 13)
    most = max(counts)
    parts = []
    for n, count in enumerate(counts):
        low, high = x(100 * n / len(counts)), x(100 * (n + 1) / len(counts))
        tall = count / most * (bottom - top - 4)
        here = 100 * n / len(counts) <= score < 100 * (n + 1) / len(counts) or (
            score == 100 and n == len(counts) - 1
        )
        kind = "others here" if here else "others"
        if count:
            parts.append(
                element("rect", x=low + 0.5, y=bottom - tall, width=high - low - 1, height=tall, class_=kind)
            )
    parts.append(line(x(0), bottom, x(100), bottom, "axis"))
    parts += [label(x(tick), bottom + 11, tick, "tick", "middle") for tick in (0, 25, 50, 75, 100)]
    if median is not None:
        parts.append(line(x(median), top, x(median), bottom, "mark"))
    parts.append(line(x(score), top - 2, x(score), bottom, "own"))
    anchor = "start" if score < 25 else "end" if score > 75 else "middle"
    parts.append(label(x(score), 9, f"{name} {shown(score)}", "word chosen", anchor))
    told = f"{sum(counts)} accounts by score; {name} has {shown(score)}" + (
        f", the median is {shown(median)}." if median is not None else "."
    )
    return drawing(title, told, width, bottom + 22, parts)


def on_curve(
    title: str,
    pieces: Sequence[tuple[float, float, float, float]],
    value: float | None,
    points: float | None,
    *,
    unit: str = "",
    height: float = 220.0,
) -> Markup:
    """A curve from values to points, of pieces (lo, hi, points at lo, points at hi), and one value on it."""
    ends = [end for lo, hi, _, _ in pieces for end in (lo, hi) if abs(end) < 1e300]
    if not ends:
        return nothing(title, 460.0, "This curve has one value only.")
    low, high = min(ends), max(ends)
    if value is not None:
        low, high = min(low, value), max(high, value)
    margin = (high - low) * 0.05 or 1.0
    low, high = low - margin, high + margin
    field = field_of(
        [low, high],
        [0.0, 100.0],
        Axis(unit, ends=(low, high)),
        Axis("points", ends=(0.0, 100.0)),
        height,
        14.0,
    )
    parts = [*field.parts]
    for lo, hi, first, last in pieces:
        a, b = max(lo, low), min(hi, high)
        if a > b:
            continue
        if lo == hi:
            parts.append(element("circle", cx=field.x(lo), cy=field.y(first), r=2.5, class_="s0 dot"))
            continue
        # Outside of what is drawn a piece is level: only its inner end counts.
        parts.append(path([(field.x(a), field.y(first)), (field.x(b), field.y(last))], "s0 line"))
    told = "Points by value."
    if value is not None and points is not None:
        place = field.x(value), field.y(points)
        parts += [
            line(place[0], field.bottom, place[0], place[1], "mark"),
            line(field.x.start, place[1], place[0], place[1], "mark"),
            element("circle", cx=place[0], cy=place[1], r=5.5, class_="dot chosen"),
        ]
        told = f"A value of {number(value)} gives {shown(points)} points."
    return drawing(title, told, 460.0, height, parts)


def meter(points: float | None, *, width: float = 96.0) -> Markup:
    """Points from 0 to 100 as a bar in a line of text; the number stands beside it."""
    if points is None:
        return Markup("")
    parts = [
        element("rect", x=0.0, y=3.0, width=width, height=8.0, class_="meter-room"),
        element("rect", x=0.0, y=3.0, width=max(width * points / 100, 1.0), height=8.0, class_="meter-full"),
    ]
    return Markup(  # noqa: S704 - numbers only
        element("svg", *parts, viewBox=f"0 0 {width:g} 14", class_="chart meter", aria_hidden="true")
    )
