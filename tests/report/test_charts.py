"""Charts are drawn where their numbers are, are well-formed, and hold with few numbers or none."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.report.axes import Axis, Bar, Point, Series
from retinue.report.charts import bars, forest, lines, reliability, scatter
from retinue.report.shares import histogram, matrix, stacked
from retinue.report.svg import spread, step_of, ticks, told
from tests.report.reading import SVG, chart, classed, number, places, words

NAN = math.nan
FINITE = st.floats(-1e6, 1e6, allow_nan=False)
HOSTILE = "<script>alert('x')</script> & \"co\" \x00\x1b"


def test_bars_are_as_long_as_their_values_and_whiskers_end_at_theirs() -> None:
    rows = [Bar("a", 0.1, 0.05, 0.2, 30), Bar("b", 0.4, 0.3, 0.5, 9), Bar("c", 0.05, 0.0, 0.1, 4)]
    root = chart(bars("t", rows, axis=Axis(percent=True), reference=0.2, reference_name="all"))
    drawn = classed(root, "rect", "bar")
    unit = number(drawn[1], "width") / 0.4
    assert [number(bar, "width") / unit for bar in drawn] == pytest.approx([0.1, 0.4, 0.05], abs=1e-3)
    nought = number(drawn[0], "x")
    levels = [e for e in classed(root, "line", "whisker") if e.get("y1") == e.get("y2")]
    ends = [((number(e, "x1") - nought) / unit, (number(e, "x2") - nought) / unit) for e in levels]
    assert ends == [pytest.approx((r.low, r.high), abs=1e-3) for r in rows]
    mark = classed(root, "line", "mark")[0]
    assert (number(mark, "x1") - nought) / unit == pytest.approx(0.2, abs=1e-3)
    assert "10.0 % [5.0, 20.0], n 30" in words(root)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 9), st.floats(0, 9)), min_size=2, max_size=9))
def test_dots_and_whiskers_lie_on_one_straight_scale(told_: list[tuple[float, float, float]]) -> None:
    rows = [Bar(f"row {n}", v, v - a, v + b) for n, (v, a, b) in enumerate(told_)]
    root = chart(forest("t", rows))
    dots = [number(e, "cx") for e in classed(root, "circle", "dot")]
    levels = [e for e in classed(root, "line", "whisker") if e.get("y1") == e.get("y2")]
    drawn = [*dots, *(number(e, "x1") for e in levels), *(number(e, "x2") for e in levels)]
    meant = [*(r.value for r in rows), *(r.low for r in rows), *(r.high for r in rows)]
    low, high = min(meant), max(meant)
    if high - low < 1e-6:
        return
    at_low, at_high = drawn[meant.index(low)], drawn[meant.index(high)]
    for place, value in zip(drawn, meant, strict=True):
        assert place == pytest.approx(at_low + (value - low) / (high - low) * (at_high - at_low), abs=0.03)


def test_lines_break_where_a_number_is_missing() -> None:
    root = chart(lines("t", [Series("one", [0, 1, 2, 3, 4, 5], [1, 2, None, 4, NAN, 6])]))
    assert [len(places(e)) for e in classed(root, "path", "line")] == [2]
    assert len(classed(root, "circle", "dot")) == 2


def test_a_line_goes_through_its_points_and_its_band_lies_around_it() -> None:
    one = Series("rate", [0, 10, 20], [2, 4, 8], [1, 3, 6], [3, 5, 10])
    root = chart(lines("t", [one], y=Axis(zero=True), marks={"base": 5.0}))
    (a, b, c) = places(classed(root, "path", "line")[0])
    assert (c[1] - a[1]) / (b[1] - a[1]) == pytest.approx(3, abs=0.01)
    assert c[0] - b[0] == pytest.approx(b[0] - a[0], abs=0.02)
    unit = (b[1] - a[1]) / 2
    nought = a[1] - 2 * unit
    outline = [(y - nought) / unit for _, y in places(classed(root, "path", "area")[0])]
    assert outline == pytest.approx([3, 5, 10, 6, 3, 1], abs=0.01)
    mark = classed(root, "line", "mark")[0]
    assert (number(mark, "y1") - nought) / unit == pytest.approx(5, abs=0.01)


def test_what_was_foreseen_and_happened_alike_lies_on_the_line() -> None:
    root = chart(
        reliability("t", [Point(0.1, 0.1, count=400), Point(0.3, 0.2, low=0.1, high=0.3, count=100)])
    )
    mark = classed(root, "line", "mark")[0]
    x0, x1, y0, y1 = (number(mark, k) for k in ("x1", "x2", "y1", "y2"))
    on, under = classed(root, "circle", "dot")
    part = (number(on, "cx") - x0) / (x1 - x0)
    assert (number(on, "cy") - y0) / (y1 - y0) == pytest.approx(part, abs=1e-3)
    assert number(under, "cy") > y0 + (number(under, "cx") - x0) / (x1 - x0) * (y1 - y0)
    assert number(on, "r") > number(under, "r")


def test_layers_stack_to_the_whole() -> None:
    root = chart(stacked("t", [0, 40, 80], {"a": [0.2, 0.3, 0.5], "b": [0.8, 0.7, 0.5]}))
    low, high = (places(e) for e in classed(root, "path", "layer"))
    nought, whole = low[-1][1], high[0][1]
    shares = [(y - nought) / (whole - nought) for _, y in low[:3]]
    assert shares == pytest.approx([0.2, 0.3, 0.5], abs=1e-3)
    assert low[:3] == high[:2:-1]


def test_a_histogram_shows_shares_of_each_group() -> None:
    root = chart(histogram("t", [0, 1, 2], {"then": [30, 10], "now": [1, 1]}))
    first, second = classed(root, "rect", "bar")
    assert number(first, "height") == pytest.approx(3 * number(second, "height"), abs=0.05)
    assert "now (n 2)" in words(root)


def test_shade_goes_with_the_number_and_accounts_that_stay_are_not_shaded() -> None:
    text = matrix("moves", ["a", "b"], ["a", "b"], [[100, 9], [3, None]], quiet_diagonal=True)
    assert '<td class="number heat-9">9</td>' in text
    assert '<td class="number heat-3">3</td>' in text
    assert '<td class="number heat-0">100</td>' in text
    assert '<td class="number">-</td>' in text


# --- words -----------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 300), min_size=1, max_size=12))
def test_words_that_are_moved_apart_do_not_touch(wanted: list[float]) -> None:
    moved = spread(wanted, 16, 0, 300)
    ordered = sorted(moved)
    assert all(b - a >= 16 - 1e-9 for a, b in itertools.pairwise(ordered))
    assert ordered[0] >= -1e-9
    assert ordered[-1] <= 300 + 1e-9


def test_labels_of_points_never_lie_on_each_other() -> None:
    points = [Point(n % 4 / 50, n % 3 / 50, f"setting {n}") for n in range(12)]
    root = chart(scatter("t", points))
    boxes = []
    for e in classed(root, "text", "word"):
        width, x = 13 * 0.56 * len(e.text), number(e, "x")
        left = x - {None: 0, "end": width, "middle": width / 2}[e.get("text-anchor")]
        boxes.append((left, left + width, number(e, "y") - 7, number(e, "y") + 7))
    assert boxes
    for n, a in enumerate(boxes):
        for b in boxes[n + 1 :]:
            assert a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]


@given(FINITE, st.floats(1e-6, 1e6), st.integers(2, 8))
def test_ticks_are_round_within_the_axis_and_not_too_many(low: float, span: float, most: int) -> None:
    step = step_of(low, low + span, most)
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert any(math.isclose(mantissa, one) for one in (1, 2, 2.5, 5))
    found = ticks(low, low + span, most)
    assert 1 <= len(found) <= most + 1 or span < 1e-4
    assert all(low - step * 1e-6 <= tick <= low + span + step * 1e-6 for tick in found)


def test_numbers_of_an_axis_are_written_as_its_step_asks() -> None:
    assert [told(v, 0.25) for v in (0, 0.25, 0.5)] == ["0.00", "0.25", "0.50"]
    assert [told(v, 0.05, percent=True) for v in (0, 0.05, 0.1)] == ["0 %", "5 %", "10 %"]
    assert told(-0.001, 1) == "0"
    assert told(12500, 2500) == "12,500"


# --- whatever comes --------------------------------------------------------------------------------

CHARTS: dict[str, Callable[[list[float | None]], str]] = {
    "lines": lambda v: lines("t", [Series("a", range(len(v)), v, v, v)]),
    "days": lambda v: lines(
        "t", [Series("a", [19000 + 30 * n for n in range(len(v))], v)], x=Axis(days=True)
    ),
    "bars": lambda v: bars("t", [Bar(f"a{n}", x, x, x, n) for n, x in enumerate(v)]),
    "forest": lambda v: forest("t", [Bar(f"a{n}", x, x, x) for n, x in enumerate(v)], reference=0.5),
    "reliability": lambda v: reliability("t", [Point(x and abs(x), x and abs(x), count=3) for x in v]),
    "scatter": lambda v: scatter("t", [Point(x, x, f"p{n}") for n, x in enumerate(v)], joined=True),
    "histogram": lambda v: histogram("t", range(len(v) + 1), {"a": [x and abs(x) for x in v]}),
    "stacked": lambda v: stacked("t", range(len(v)), {"a": v, "b": v}),
}


@pytest.mark.parametrize("name", CHARTS)
@given(values=st.lists(st.one_of(st.none(), st.just(NAN), FINITE), max_size=6))
def test_any_numbers_draw_a_whole_chart(name: str, values: list[float | None]) -> None:
    text = CHARTS[name](values)
    root = chart(text)
    assert "nan" not in " ".join(v for e in root.iter() for k, v in e.attrib.items() if k != "aria-label")
    assert root.get("role") == "img"
    assert root.find(SVG + "title") is not None
    assert root.findtext(SVG + "desc")
    assert CHARTS[name](values) == text


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("values", [[], [None], [NAN, NAN]])
def test_nothing_to_draw_is_said(name: str, values: list[float | None]) -> None:
    if name == "histogram" and values:
        values = [None]
    assert "No data to draw." in words(chart(CHARTS[name](values)))


def test_names_of_others_stay_words() -> None:
    drawn = [
        lines(HOSTILE, [Series(HOSTILE, [0, 1], [1, 2])], x=Axis(HOSTILE), marks={HOSTILE: 1.5}),
        bars(HOSTILE, [Bar(HOSTILE, 1.0)], axis=Axis(HOSTILE), reference=1, reference_name=HOSTILE),
        forest(HOSTILE, [Bar(HOSTILE, 1.0)]),
        scatter(HOSTILE, [Point(1, 1, HOSTILE)]),
        histogram(HOSTILE, [0, 1], {HOSTILE: [1], "b": [2]}),
        stacked(HOSTILE, [0, 1], {HOSTILE: [1, 1]}),
    ]
    for text in drawn:
        root = chart(text)
        assert not list(root.iter(SVG + "script"))
        assert root.findtext(SVG + "title").startswith("<script>alert('x')</script> & \"co\"")
    assert "<script" not in matrix(HOSTILE, [HOSTILE], [HOSTILE], [[1]], corner=HOSTILE)


def test_charts_hold_no_style_and_no_identifier() -> None:
    """A strict content security policy refuses the first; a page with two charts the second."""
    for draw in CHARTS.values():
        for element in chart(draw([1.0, 2.0, 3.0])).iter():
            assert not {"style", "id"} & set(element.attrib)
