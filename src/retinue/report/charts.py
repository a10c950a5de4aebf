"""Charts: numbers to SVG text. Each function is pure: the same numbers give the same bytes.

A number that is None or nan is not drawn; a chart without any says so. Nothing is told by colour
alone: lines are dashed differently, things are labelled where they are, and `told` says in words
what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from markupsafe import Markup

from retinue.report.axes import LINE, WIDTH, Axis, Bar, Field, Number, Point, Series, field_of
from retinue.report.svg import (
    Scale,
    around,
    cut,
    drawing,
    element,
    escaped,
    isnum,
    known,
    label,
    line,
    nothing,
    path,
    spread,
    told,
    wide,
)

_ROW = 26.0


# --- lines ---------------------------------------------------------------------------------------


def lines(
    title: str,
    series: Sequence[Series],
    *,
    x: Axis | None = None,
    y: Axis | None = None,
    marks: Mapping[str, float] | None = None,
    height: float = 270.0,
) -> Markup:
    """Lines with their bands, each named at its end; `marks` are level lines with a name."""
    x, y, marks = x or Axis(), y or Axis(), marks or {}
    xs = known(v for one in series for v in one.x)
    ys = known(v for one in series for v in (*one.y, *one.low, *one.high))
    if not xs or not ys:
        return nothing(title, WIDTH)
    ends = [(n, last) for n, one in enumerate(series) if (last := _last(one)) is not None]
    names = [series[n].name for n, _ in ends] + list(marks)
    right = min(max((wide(name) for name in names), default=0) + 14, WIDTH * 0.38)
    field = field_of(xs, [*ys, *known(marks.values())], x, y, height, right)
    parts = list(field.parts)
    for n, one in enumerate(series):
        colour = f"s{n % 6}"
        parts += [path(area, f"{colour} area", closed=True) for area in _areas(one, field)]
        for piece in _pieces(one.x, one.y):
            places = [(field.x(a), field.y(b)) for a, b in piece]
            if len(places) == 1:
                parts.append(
                    element("circle", cx=places[0][0], cy=places[0][1], r=3.0, class_=f"{colour} dot")
                )
            else:
                parts.append(path(places, f"{colour} line"))
    for value in marks.values():
        parts.append(line(field.x.start, field.y(value), field.x.end, field.y(value), "mark"))
    heights = [field.y(last) for _, last in ends] + [field.y(value) for value in marks.values()]
    kinds = [f"s{n % 6} word" for n, _ in ends] + ["quiet"] * len(marks)
    for text, kind, place in zip(names, kinds, spread(heights, LINE, 8, field.bottom), strict=True):
        parts.append(label(field.x.end + 8, place, cut(text, right - 8), kind))
    spoken = "; ".join(
        f"{one.name} from {y.text(values[0])} to {y.text(values[-1])}"
        for one in series
        if (values := known(one.y))
    )
    return drawing(title, f"Lines: {spoken}.", WIDTH, height, parts)


def _last(one: Series) -> float | None:
    values = [float(b) for a, b in zip(one.x, one.y, strict=True) if isnum(a) and isnum(b) and b is not None]
    return values[-1] if values else None


def _pieces(xs: Sequence[Number], ys: Sequence[Number]) -> list[list[tuple[float, float]]]:
    """Runs of points without a gap."""
    found: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(xs, ys, strict=True):
        if a is not None and b is not None and math.isfinite(a) and math.isfinite(b):
            found[-1].append((float(a), float(b)))
        elif found[-1]:
            found.append([])
    return [piece for piece in found if piece]


def _areas(one: Series, field: Field) -> list[list[tuple[float, float]]]:
    """The outline of each unbroken stretch of a line's band."""
    if not one.low or not one.high:
        return []
    whole = [isnum(a) and isnum(b) for a, b in zip(one.low, one.high, strict=True)]
    low = [v if ok else None for v, ok in zip(one.low, whole, strict=True)]
    high = [v if ok else None for v, ok in zip(one.high, whole, strict=True)]
    return [
        [(field.x(a), field.y(b)) for a, b in [*above, *reversed(below)]]
        for below, above in zip(_pieces(one.x, low), _pieces(one.x, high), strict=True)
        if len(below) > 1
    ]


# --- bars and whiskers ---------------------------------------------------------------------------


def bars(
    title: str,
    rows: Sequence[Bar],
    *,
    axis: Axis | None = None,
    reference: float | None = None,
    reference_name: str = "",
) -> Markup:
    """One bar per row from nought to its value, with its interval as a whisker and what it rests on."""
    axis = axis or Axis(zero=True)
    axis = replace(axis, zero=True)
    return _rows(title, rows, axis, reference, reference_name, _bar, "Bars")


def forest(
    title: str,
    rows: Sequence[Bar],
    *,
    axis: Axis | None = None,
    reference: float | None = None,
    reference_name: str = "",
) -> Markup:
    """One dot per row with its interval as a whisker, beside the number itself."""
    return _rows(title, rows, axis or Axis(), reference, reference_name, _dot, "Values with intervals")


def _rows(
    title: str,
    rows: Sequence[Bar],
    axis: Axis,
    reference: float | None,
    reference_name: str,
    mark: Callable[[Bar, float, Scale], str],
    what: str,
) -> Markup:
    values = known(v for row in rows for v in (row.value, row.low, row.high))
    if not values:
        return nothing(title, WIDTH)
    texts = [_written(row, axis) for row in rows]
    right = min(max(wide(text) for text in texts), WIDTH * 0.45) + 8
    left = min(max(wide(row.name) for row in rows) + 10, WIDTH * 0.72 - right)
    head = LINE + 8 if reference is not None and reference_name else 6.0
    bottom = head + _ROW * len(rows) + 4
    height = bottom + LINE + 10 + (LINE + 2 if axis.name else 0)
    scale = axis.scale([*values, *known([reference])], left + 6, WIDTH - right - 6)
    parts = []
    edge = -math.inf
    for value, text in axis.ticks(scale, 4):
        middle, half = scale(value), wide(text) / 2
        parts.append(line(middle, head, middle, bottom, "grid"))
        if middle - half > edge:
            edge = middle + half + 8
            parts.append(label(middle, bottom + 6 + LINE / 2, text, "tick", "middle"))
    if reference is not None and math.isfinite(reference):
        parts.append(line(scale(reference), head - 4, scale(reference), bottom, "mark"))
        half = wide(reference_name) / 2
        place = min(max(scale(reference), half), WIDTH - half)
        parts.append(label(place, LINE / 2, cut(reference_name, WIDTH), "quiet", "middle"))
    for n, (row, text) in enumerate(zip(rows, texts, strict=True)):
        middle = head + _ROW * (n + 0.5)
        whole = element("title", escaped(f"{row.name}: {text}"))
        parts.append(
            element(
                "g",
                whole,
                label(left, middle, cut(row.name, left - 4), "word", "end"),
                mark(row, middle, scale),
                label(WIDTH, middle, cut(text, right), "figure", "end"),
            )
        )
    if axis.name:
        middle = (scale.start + scale.end) / 2
        parts.append(label(middle, height - LINE / 2, axis.name, "name", "middle"))
    spoken = "; ".join(f"{row.name}: {text}" for row, text in zip(rows, texts, strict=True))
    beside = f" {reference_name}: {axis.text(reference)}." if reference is not None and reference_name else ""
    return drawing(title, f"{what}: {spoken}.{beside}", WIDTH, height, parts)


def _written(row: Bar, axis: Axis) -> str:
    """The number of a row with its interval, and what it rests on."""
    if row.value is None or not math.isfinite(row.value):
        return "cannot tell" if row.count is None else f"cannot tell, n {row.count:,}"
    step = axis.finest
    text = told(row.value, step, percent=axis.percent)
    if row.low is not None and row.high is not None and math.isfinite(row.low) and math.isfinite(row.high):
        low, high = (told(v, step, percent=axis.percent).removesuffix(" %") for v in (row.low, row.high))
        text += f" [{low}, {high}]"
    return text if row.count is None else f"{text}, n {row.count:,}"


def _whisker(row: Bar, middle: float, scale: Scale) -> str:
    if row.low is None or row.high is None or not (math.isfinite(row.low) and math.isfinite(row.high)):
        return ""
    low, high = scale(row.low), scale(row.high)
    return (
        line(low, middle, high, middle, "whisker")
        + line(low, middle - 4, low, middle + 4, "whisker")
        + line(high, middle - 4, high, middle + 4, "whisker")
    )


def _bar(row: Bar, middle: float, scale: Scale) -> str:
    if row.value is None or not math.isfinite(row.value):
        return ""
    nought, end = scale(0.0), scale(row.value)
    drawn = element(
        "rect",
        x=min(nought, end),
        y=middle - 8,
        width=abs(end - nought),
        height=16.0,
        class_=f"bar {row.kind}".strip(),
    )
    return drawn + _whisker(row, middle, scale)


def _dot(row: Bar, middle: float, scale: Scale) -> str:
    if row.value is None or not math.isfinite(row.value):
        return ""
    x = scale(row.value)
    if row.kind == "reference":
        around_it = [(x, middle - 5), (x + 5, middle), (x, middle + 5), (x - 5, middle)]
        return _whisker(row, middle, scale) + path(around_it, "dot reference", closed=True)
    kind = f"dot {row.kind}".strip()
    return _whisker(row, middle, scale) + element("circle", cx=x, cy=middle, r=5.0, class_=kind)


# --- points --------------------------------------------------------------------------------------


def reliability(
    title: str,
    points: Sequence[Point],
    *,
    x_name: str = "predicted",
    y_name: str = "observed",
    height: float = 320.0,
) -> Markup:
    """What was predicted beside what happened, both shares, on the line where they are the same.

    The area of a dot goes with how many observations it rests on.
    """
    there = [p for p in points if isnum(p.x) and isnum(p.y)]
    if not there:
        return nothing(title, WIDTH)
    high = max(known(v for p in there for v in (p.x, p.y, p.high)))
    _, top = around([0.0, min(high, 1.0)], zero=True)
    axes = Axis(x_name, percent=True, ends=(0.0, top)), Axis(y_name, percent=True, ends=(0.0, top))
    field = field_of([0.0, top], [0.0, top], *axes, height, 24.0)
    parts = [*field.parts, line(field.x(0), field.y(0), field.x(top), field.y(top), "mark")]
    most = max((p.count or 0 for p in there), default=0)
    for p in there:
        x, y = field.x(p.x or 0.0), field.y(p.y or 0.0)
        radius = 2.5 + 3.5 * math.sqrt((p.count or 0) / most) if most else 4.0
        inside = [element("title", escaped(_said(p, *axes)))]
        if p.low is not None and p.high is not None and isnum(p.low) and isnum(p.high):
            inside.append(line(x, field.y(min(p.low, top)), x, field.y(min(p.high, top)), "whisker"))
        inside.append(element("circle", cx=x, cy=y, r=radius, class_="dot"))
        parts.append(element("g", *inside))
    spoken = "; ".join(_said(p, *axes) for p in there)
    return drawing(title, f"{spoken}. On the line both are the same.", WIDTH, height, parts)


def scatter(
    title: str,
    points: Sequence[Point],
    *,
    x: Axis | None = None,
    y: Axis | None = None,
    joined: bool = False,
    height: float = 300.0,
) -> Markup:
    """Labelled points, joined in the order given if they are settings of one thing."""
    x, y = x or Axis(), y or Axis()
    there = [p for p in points if isnum(p.x) and isnum(p.y)]
    if not there:
        return nothing(title, WIDTH)
    xs, ys = [float(p.x or 0.0) for p in there], known(v for p in there for v in (p.y, p.low, p.high))
    field = field_of(xs, ys, x, y, height, 24.0)
    places = [(field.x(p.x or 0.0), field.y(p.y or 0.0)) for p in there]
    parts = [*field.parts]
    if joined and len(places) > 1:
        parts.append(path(places, "s0 line"))
    taken = [(a - 6, b - 6, a + 6, b + 6) for a, b in places]
    for p, (a, b) in sorted(zip(there, places, strict=True), key=lambda pair: not pair[0].chosen):
        inside = [element("title", escaped(_said(p, x, y)))]
        if p.low is not None and p.high is not None and isnum(p.low) and isnum(p.high):
            inside.append(line(a, field.y(p.low), a, field.y(p.high), "whisker"))
        kind, radius = ("dot chosen", 6.0) if p.chosen else ("dot", 4.5)
        inside.append(element("circle", cx=a, cy=b, r=radius, class_=kind))
        if p.name:
            inside += _beside(p.name, a, b, taken, field, "word chosen" if p.chosen else "word")
        parts.append(element("g", *inside))
    spoken = "; ".join(_said(p, x, y) for p in there)
    return drawing(title, f"Points: {spoken}.", WIDTH, height, parts)


def _beside(
    text: str, a: float, b: float, taken: list[tuple[float, float, float, float]], field: Field, kind: str
) -> list[str]:
    """The name of a point where there is room for it; else it is only said, not drawn."""
    width = wide(text)
    for dx, dy, anchor in ((9, 0, "start"), (-9, 0, "end"), (0, -14, "middle"), (0, 15, "middle")):
        low = a + dx - {"start": 0.0, "end": width, "middle": width / 2}[anchor]
        box = (low, b + dy - 7, low + width, b + dy + 7)
        free = all(
            box[2] <= one[0] or box[0] >= one[2] or box[3] <= one[1] or box[1] >= one[3] for one in taken
        )
        if free and box[0] >= field.x.start and box[2] <= WIDTH and 8 <= box[3] <= field.bottom:
            taken.append(box)
            return [label(a + dx, b + dy, text, kind, anchor)]
    return []


def _said(p: Point, x: Axis, y: Axis) -> str:
    name = f"{p.name}: " if p.name else ""
    count = f" (n {p.count:,})" if p.count is not None else ""
    return f"{name}{x.name} {x.text(p.x or 0.0)}, {y.name} {y.text(p.y or 0.0)}{count}".strip()
