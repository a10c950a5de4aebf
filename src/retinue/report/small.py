"""Charts as small as a word: they stand in a line of text or a row of a table."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from retinue.report.svg import drawing, element, known, path

WIDTH, HEIGHT = 96.0, 24.0
_EDGE = 3.0


def sparkline(scores: Sequence[float | None] | None, band: str | None = None) -> Markup:
    """Scores of weeks, oldest first, all on the scale from 0 to 100 so that rows compare.

    The last one is a dot in the colour of its band.
    """
    values = list(scores or ())
    there = known(values)
    if not there:
        return Markup("")
    step = (WIDTH - 2 * _EDGE) / max(len(values) - 1, 1)
    places = [
        None if value is None else (_EDGE + n * step, HEIGHT - _EDGE - value / 100 * (HEIGHT - 2 * _EDGE))
        for n, value in enumerate(values)
    ]
    parts, piece = [], []
    for place in [*places, None]:
        if place is not None:
            piece.append(place)
        elif piece:
            parts.append(path(piece, "spark"))
            piece = []
    last = next((place for place in reversed(places) if place is not None), None)
    if last is not None:
        parts.append(element("circle", cx=last[0], cy=last[1], r=2.6, class_=band or "quiet"))
    told = f"from {there[0]:.0f} to {there[-1]:.0f} in {len(values)} weeks"
    return drawing("Trend", told, WIDTH, HEIGHT, parts)
