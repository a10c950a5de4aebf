"""Charts of shares: how a group is spread over bins, a whole over time, a table with shades."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from retinue.report.axes import LINE, WIDTH, Axis, Number, field_of
from retinue.report.svg import (
    cut,
    drawing,
    element,
    escaped,
    isnum,
    known,
    label,
    nothing,
    path,
    spread,
    told,
    wide,
)


def histogram(
    title: str,
    edges: Sequence[float],
    counts: Mapping[str, Sequence[Number]],
    *,
    x: Axis | None = None,
    y_name: str = "share",
    height: float = 250.0,
) -> Markup:
    """How each of one to three groups is spread over bins: the share of the group in each bin.

    `edges` has one entry more than every list of counts.
    """
    x = x or Axis()
    totals = {name: sum(known(values)) for name, values in counts.items()}
    there = {name: values for name, values in counts.items() if totals[name] > 0}
    if not there or len(edges) < 2 or len(known(edges)) < len(edges):
        return nothing(title, WIDTH)
    shares = {
        name: [(v if v is not None and math.isfinite(v) else 0.0) / totals[name] for v in values]
        for name, values in there.items()
    }
    highest = [v for one in shares.values() for v in one]
    field = field_of(
        list(edges), highest, Axis(x.name, x.percent, ends=(edges[0], edges[-1])),
        Axis(y_name, percent=True, zero=True), height, 16.0,
    )  # fmt: skip
    parts = [*field.parts]
    nought = field.y(0.0)
    for n, values in enumerate(shares.values()):
        outline = [(field.x(edges[0]), nought)]
        for bin_, value in enumerate(values):
            left, right = field.x(edges[bin_]), field.x(edges[bin_ + 1])
            if n == 0:
                width = right - left
                top = field.y(value)
                parts.append(
                    element("rect", x=left, y=top, width=width, height=nought - top, class_="s0 bar")
                )
            outline += [(left, field.y(value)), (right, field.y(value))]
        if n:
            parts.append(path([*outline, (field.x(edges[-1]), nought)], f"s{n} line"))
    legend = WIDTH
    for n, name in reversed(list(enumerate(shares))):
        text = f"{name} (n {totals[name]:,.0f})"
        if len(shares) > 1:
            parts.append(label(legend, LINE / 2, text, f"s{n} word", "end"))
            legend -= wide(text) + 16
    spoken = "; ".join(
        f"{name}: " + ", ".join(told(v, 0.001, percent=True) for v in values)
        for name, values in shares.items()
    )
    return drawing(title, f"Shares by bin. {spoken}.", WIDTH, height, parts)


def stacked(
    title: str,
    x: Sequence[float],
    shares: Mapping[str, Sequence[Number]],
    kinds: Mapping[str, str] | None = None,
    *,
    axis: Axis | None = None,
    y_name: str = "",
    height: float = 250.0,
) -> Markup:
    """Shares of a whole over time, from the bottom up in the order given, each named at its end."""
    kinds = kinds or {}
    axis = axis or Axis(days=True)
    names = list(shares)
    kept = [n for n in range(len(x)) if all(isnum(shares[name][n]) for name in names)]
    if not kept or not names:
        return nothing(title, WIDTH)
    days = [float(x[n]) for n in kept]
    right = min(max(wide(name) for name in names) + wide(" 100 %") + 14, WIDTH * 0.38)
    field = field_of(days, [0.0, 1.0], axis, Axis(y_name, percent=True, ends=(0.0, 1.0)), height, right)
    below = [0.0] * len(kept)
    parts, middles, texts = [*field.parts], [], []
    for number, name in enumerate(names):
        above = [b + float(shares[name][n] or 0.0) for b, n in zip(below, kept, strict=True)]
        outline = [(field.x(d), field.y(v)) for d, v in zip(days, above, strict=True)]
        under = [(field.x(d), field.y(v)) for d, v in zip(days, below, strict=True)]
        if len(days) == 1:
            outline, under = ([(field.x.start, p[0][1]), (field.x.end, p[0][1])] for p in (outline, under))
        parts.append(
            path([*outline, *reversed(under)], f"layer {kinds.get(name, f's{number % 6}')}", closed=True)
        )
        middles.append(field.y((above[-1] + below[-1]) / 2))
        texts.append(f"{name} {told(above[-1] - below[-1], 0.01, percent=True)}")
        below = above
    for name, text, place in zip(names, texts, spread(middles, LINE, 8, field.bottom), strict=True):
        kind = kinds.get(name, "")
        parts.append(label(field.x.end + 8, place, cut(text, right - 8), f"word {kind}".strip()))
    return drawing(title, f"Shares at the end: {'; '.join(texts)}.", WIDTH, height, parts)


def matrix(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Number]],
    *,
    corner: str = "",
    digits: int = 0,
    quiet_diagonal: bool = False,
) -> Markup:
    """A table whose cells are shaded by their share of the largest one: numbers first, shade second."""
    spoken = [v for n, row in enumerate(cells) for m, v in enumerate(row) if not (quiet_diagonal and n == m)]
    most = max(known(abs(v) for v in spoken if v is not None), default=0.0)

    def cell(n: int, m: int, value: Number) -> str:
        if value is None or not math.isfinite(value):
            return element("td", "-", class_="number")
        heat = round(9 * abs(value) / most) if most and not (quiet_diagonal and n == m) else 0
        return element("td", f"{value:,.{digits}f}", class_=f"number heat-{min(heat, 9)}")

    head = "".join(element("th", escaped(name), scope="col", class_="number") for name in columns)
    body = "".join(
        element(
            "tr",
            element("th", escaped(name), scope="row"),
            *(cell(n, m, value) for m, value in enumerate(cells[n])),
        )
        for n, name in enumerate(rows)
    )
    return Markup(  # noqa: S704 - everything in it was escaped above
        element(
            "table",
            element("caption", escaped(title)),
            element("thead", element("tr", element("th", escaped(corner), scope="col"), head)),
            element("tbody", body) if body else "<tbody></tbody>",
            class_="matrix",
        )
    )
