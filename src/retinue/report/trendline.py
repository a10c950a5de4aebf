"""The trend of one score: its line over the bands of its scorecard, with what happened marked on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from markupsafe import Markup

from retinue.report.svg import (
    Scale,
    cut,
    day_ticks,
    drawing,
    element,
    escaped,
    label,
    line,
    nothing,
    path,
    wide,
)
from retinue.words import WORDS, shown

_EPOCH = date(1970, 1, 1)
_LEFT, _TOP = 30.0, 12.0
#: Height of the plot, and of a lane of marks below it with its name.
_PLOT, _LANE = 170.0, 27.0


@dataclass(frozen=True)
class TrendPoint:
    """A published date; `other` is another layer of the score where it differs from the one shown."""

    day: date
    score: float | None
    band: str | None = None
    other: float | None = None


@dataclass(frozen=True)
class Zone:
    """The lower edges of the bands from `first` to `last`."""

    first: date
    last: date
    edges: Mapping[str, float]


@dataclass(frozen=True)
class TrendMark:
    """Something that happened on a day. `kind` `formula` is a line through the plot; others have lanes."""

    day: date
    kind: str
    text: str


@dataclass(frozen=True)
class Trending:
    """What a trend is drawn from; `span` is the change that is explained beside it.

    `moves` are the days on which the band changed, with what it changed to.
    """

    points: Sequence[TrendPoint]
    zones: Sequence[Zone] = ()
    marks: Sequence[TrendMark] = ()
    lanes: Sequence[str] = ()
    moves: Mapping[date, str | None] = field(default_factory=dict)
    span: tuple[date, date] | None = None


def trendline(title: str, told: Trending, *, width: float = 860.0) -> Markup:
    """The drawing, `width` units wide: 360 is for a phone."""
    scored = [point for point in told.points if point.score is not None]
    if not scored:
        return nothing(title, width, "It was never scored.")
    first, last = told.points[0].day, told.points[-1].day
    there = {mark.kind for mark in told.marks if first <= mark.day <= last}
    lanes = [kind for kind in told.lanes if kind in there]
    bottom = _TOP + _PLOT
    height = bottom + 24 + _LANE * len(lanes) + 4
    days = (_number(first), max(_number(last), _number(first) + 1))
    x, y = Scale(*days, _LEFT, width - 10), Scale(0.0, 100.0, bottom, _TOP)
    parts = [*_zones(told.zones, x, y, first, last, width), *_axes(x, y, width, bottom)]
    parts += _formulas(told, x, bottom)
    if told.span is not None and first <= told.span[0] < told.span[1] <= last:
        start, end = (x(_number(day)) for day in told.span)
        parts.append(line(start, bottom - 1.5, end, bottom - 1.5, "span"))
    parts += [path(piece, "other") for piece in _runs([(p.day, p.other) for p in told.points], x, y)]
    parts += [path(piece, "line") for piece in _runs([(p.day, p.score) for p in told.points], x, y)]
    parts += _moves(told, x, y)
    final = scored[-1]
    parts.append(
        element(
            "circle",
            cx=x(_number(final.day)),
            cy=y(final.score or 0.0),
            r=5.0,
            class_=f"end {final.band or 'unscored'}",
        )
    )
    for n, kind in enumerate(lanes):
        parts += _lane(told, kind, x, bottom + 24 + _LANE * n, width)
    return drawing(title, _words(told, scored), width, height, parts)


def _number(day: date) -> float:
    return float((day - _EPOCH).days)


def _zones(zones: Sequence[Zone], x: Scale, y: Scale, first: date, last: date, width: float) -> list[str]:
    parts = []
    for zone in zones:
        start = x(_number(max(zone.first, first)))
        end = x(min(_number(zone.last) + 1, _number(last))) if zone.last < last else width - 10
        ends = sorted(zone.edges.items(), key=lambda pair: pair[1])
        for (band, low), high in zip(ends, [edge for _, edge in ends[1:]] + [100.0], strict=True):
            box = {"x": start, "y": y(high), "width": max(end - start, 0.0), "height": y(low) - y(high)}
            parts.append(element("rect", **box, class_=f"zone {band}"))
    if zones:
        ends = sorted(zones[0].edges.items(), key=lambda pair: pair[1])
        tops = [edge for _, edge in ends[1:]] + [100.0]
        for (band, low), high in zip(ends, tops, strict=True):
            if y(low) - y(high) > 14:
                parts.append(label(_LEFT + 5, y(high) + 9, WORDS.get(band, band), f"zoned {band}"))
    return parts


def _axes(x: Scale, y: Scale, width: float, bottom: float) -> list[str]:
    parts = []
    for value in (0.0, 25.0, 50.0, 75.0, 100.0):
        parts.append(line(_LEFT, y(value), width - 10, y(value), "grid"))
        parts.append(label(_LEFT - 5, y(value), int(value), "tick", "end"))
    parts.append(line(_LEFT, bottom, width - 10, bottom, "axis"))
    edge = -1e9
    for value, text in day_ticks(x.low, x.high, max(4, int(width / 110))):
        half = wide(text, 12) / 2
        middle = min(max(x(value), _LEFT - 20 + half), width - half)
        if middle - half < edge:
            continue
        edge = middle + half + 8
        parts.append(line(x(value), bottom, x(value), bottom + 4, "axis"))
        parts.append(label(middle, bottom + 13, text, "tick", "middle"))
    return parts


def _formulas(told: Trending, x: Scale, bottom: float) -> list[str]:
    return [
        element(
            "g",
            element("title", escaped(f"{mark.day}: {mark.text}")),
            line(x(_number(mark.day)), _TOP - 8, x(_number(mark.day)), bottom, "formula"),
            path(
                [
                    (x(_number(mark.day)) - 4, _TOP - 10),
                    (x(_number(mark.day)) + 4, _TOP - 10),
                    (x(_number(mark.day)), _TOP - 3),
                ],
                "formula-head",
                closed=True,
            ),
        )
        for mark in told.marks
        if mark.kind == "formula" and x.low <= _number(mark.day) <= x.high
    ]


def _runs(values: Sequence[tuple[date, float | None]], x: Scale, y: Scale) -> list[list[tuple[float, float]]]:
    """Unbroken stretches as places; within one, places on a level line are left out."""
    found: list[list[tuple[float, float]]] = [[]]
    for day, value in values:
        if value is None:
            if found[-1]:
                found.append([])
            continue
        here, run = (x(_number(day)), y(value)), found[-1]
        if len(run) > 1 and run[-1][1] == run[-2][1] == here[1]:
            run[-1] = here
        else:
            run.append(here)
    # A single day is drawn as a short stroke.
    return [
        [(run[0][0] - 2, run[0][1]), (run[0][0] + 2, run[0][1])] if len(run) == 1 else run
        for run in found
        if run
    ]


def _moves(told: Trending, x: Scale, y: Scale) -> list[str]:
    """The shape of the new band where the band changed."""
    parts = []
    scores = {point.day: point.score for point in told.points}
    for day, band in told.moves.items():
        score = scores.get(day)
        if score is None or band is None:
            continue
        a, b, size = x(_number(day)), y(score), 5.0
        said = element("title", escaped(f"{day}: became {WORDS.get(band, band)} at {shown(score)}"))
        shape = {
            "at_risk": [(a, b - size - 1), (a + size, b + size - 1), (a - size, b + size - 1)],
            "watch": [(a, b - size - 1), (a + size, b), (a, b + size + 1), (a - size, b)],
        }.get(band)
        mark = (
            path(shape, f"move {band}", closed=True)
            if shape
            else element("circle", cx=a, cy=b, r=4.5, class_=f"move {band}")
        )
        parts.append(element("g", said, mark))
    return parts


def _lane(told: Trending, kind: str, x: Scale, top: float, width: float) -> list[str]:
    middle = top + 20
    own = [mark for mark in told.marks if mark.kind == kind and x.low <= _number(mark.day) <= x.high]
    name = f"{kind.replace('_', ' ')} ({len(own)})"
    parts = [
        label(_LEFT, top + 8, cut(name, width - _LEFT, 12), "tick"),
        line(_LEFT, middle, width - 10, middle, "grid"),
    ]
    for mark in own:
        place = x(_number(mark.day))
        said = element("title", escaped(f"{mark.day}: {mark.text}"))
        parts.append(element("g", said, line(place, middle - 5, place, middle + 5, "event")))
    return parts


def _words(told: Trending, scored: Sequence[TrendPoint]) -> str:
    low = min(scored, key=lambda point: point.score or 0.0)
    high = max(scored, key=lambda point: point.score or 0.0)
    moved = len(told.moves)
    changed = sum(mark.kind == "formula" for mark in told.marks)
    text = (
        f"From {shown(scored[0].score)} on {scored[0].day} to {shown(scored[-1].score)} on {scored[-1].day}, "
        f"lowest {shown(low.score)} on {low.day}, highest {shown(high.score)} on {high.day}. "
        f"The band changed {moved} time{'' if moved == 1 else 's'}"
    )
    return text + (f"; the formula changed {changed} time{'' if changed == 1 else 's'}." if changed else ".")


def zones_of(days: Sequence[tuple[date, str | None]], edges: Mapping[str, Mapping[str, float]]) -> list[Zone]:
    """The stretches of dates under the same edges; `days` are dates with their fingerprints."""
    found: list[Zone] = []
    for day, fingerprint in days:
        own = edges.get(fingerprint or "")
        if own is None:
            continue
        if found and dict(found[-1].edges) == dict(own):
            found[-1] = Zone(found[-1].first, day, found[-1].edges)
        else:
            if found:
                found[-1] = Zone(found[-1].first, day - timedelta(days=1), found[-1].edges)
            found.append(Zone(day, day, own))
    return found
