"""Drawings of an account: waterfalls sum, trends and places are where their numbers are."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.report.place import among, meter, on_curve
from retinue.report.trendline import Trending, TrendMark, TrendPoint, trendline, zones_of
from retinue.report.waterfall import MOST, End, Step, gathered, waterfall
from tests.report.reading import chart, classed, number, places, words

DAY = timedelta(days=1)
START = date(2026, 1, 1)
EDGES = {"at_risk": 0.0, "watch": 50.0, "healthy": 70.0}
HOSTILE = "<script>alert('x')</script> & \"co\" \x00\x1b"
POINTS = st.floats(-60, 60, allow_nan=False)


@given(st.lists(POINTS, max_size=30), st.floats(0, 100))
def test_a_waterfall_goes_from_one_score_to_the_other_without_a_gap(parts: list[float], start: float) -> None:
    steps = [Step(f"part {n}", points) for n, points in enumerate(parts)]
    rows = gathered(steps)
    assert sum(row.points for row in rows) == pytest.approx(sum(parts), abs=1e-9)
    assert len(rows) <= MOST + 1
    end = start + sum(parts)
    root = chart(waterfall("t", End("before", start), steps, End("after", end)))
    bars = classed(root, "rect", "step")
    assert len(bars) == len(rows)
    if not rows:
        return
    first, last = (number(one, "cx") for one in classed(root, "circle", "total"))
    left = first
    for row, bar in zip(rows, bars, strict=True):
        ends = number(bar, "x"), number(bar, "x") + number(bar, "width")
        here = ends[0] if row.points >= 0 else ends[1]
        assert here == pytest.approx(left, abs=1.05)
        left = ends[1] if row.points >= 0 else ends[0]
    # A bar that is too small to be seen is a unit wide.
    assert left == pytest.approx(last, abs=0.1 + sum(number(bar, "width") <= 1 for bar in bars))


def test_the_parts_of_a_waterfall_are_told_by_words_not_only_by_colour() -> None:
    steps = [Step("Tickets", -4.25), Step("Use", 2.0), *(Step(f"s{n}", 0.01) for n in range(4))]
    root = chart(waterfall("t", End("2026-01-01", 70.0), steps, End("2026-02-01", 67.79)))
    assert words(root) == [
        *("2026-01-01", "70.0", "Tickets", "\u22124.3", "Use", "+2.0", "4 smaller ones", "0.0"),
        *("2026-02-01", "67.8"),
    ]


@pytest.mark.parametrize("width", [360.0, 860.0])
def test_a_trend_is_where_its_scores_are(width: float) -> None:
    scores = [80.0, 80.0, 80.0, 60.0, None, 40.0, 100.0, 0.0]
    points = [TrendPoint(START + 7 * n * DAY, score, "watch") for n, score in enumerate(scores)]
    zones = zones_of([(point.day, "f") for point in points], {"f": EDGES})
    root = chart(trendline("t", Trending(points, zones), width=width))
    low, high = (
        number(one, "y1") for one in (classed(root, "line", "grid")[0], classed(root, "line", "grid")[4])
    )
    drawn = [place for path in classed(root, "path", "line") for place in places(path)]
    heights = [low - score / 100 * (low - high) for score in (80, 80, 60, 40, 100, 0)]
    assert [y for _, y in drawn] == pytest.approx(heights, abs=0.02)
    assert len(classed(root, "path", "line")) == 2
    boxes = {one.get("class"): one for one in root.iter("{http://www.w3.org/2000/svg}rect")}
    watch = boxes["zone watch"]
    assert number(watch, "y") == pytest.approx(low - 0.7 * (low - high), abs=0.02)
    assert number(watch, "height") == pytest.approx(0.2 * (low - high), abs=0.02)
    assert "lowest 0 on 2026-02-19, highest 100 on 2026-02-12" in (root.get("aria-label") or "")
    assert max(float(one.get("x")) for one in root.iter("{http://www.w3.org/2000/svg}text")) <= width


def test_zones_follow_the_edges_of_each_formula() -> None:
    days = [(START + n * DAY, "a" if n < 5 else "b") for n in range(10)]
    found = zones_of([*days, (START + 20 * DAY, None)], {"a": EDGES, "b": {**EDGES, "watch": 40.0}})
    assert [(zone.first, zone.last) for zone in found] == [
        (START, START + 4 * DAY),
        (START + 5 * DAY, START + 9 * DAY),
    ]


@given(st.lists(st.tuples(st.integers(0, 500), st.one_of(st.none(), st.floats(0, 100))), max_size=12))
def test_a_trend_holds_with_few_dates_or_none_and_says_texts_as_texts(
    told: list[tuple[int, float | None]],
) -> None:
    days = dict(told)
    points = [TrendPoint(START + n * DAY, days[n]) for n in sorted(days)]
    marks = [TrendMark(point.day, kind, HOSTILE) for point in points for kind in ("formula", HOSTILE)]
    moves = {point.day: "at_risk" for point in points}
    root = chart(trendline(HOSTILE, Trending(points, (), marks, [HOSTILE], moves)))
    assert root.get("role") == "img" and not any("style" in one.attrib for one in root.iter())


@given(st.lists(st.integers(0, 40), min_size=20, max_size=20), st.floats(0, 100))
def test_a_place_among_others_is_that_of_the_score(counts: list[int], score: float) -> None:
    root = chart(among("t", counts, score, median=50.0))
    if not sum(counts):
        return
    (axis,) = classed(root, "line", "axis")
    (own,) = classed(root, "line", "own")
    share = (number(own, "x1") - number(axis, "x1")) / (number(axis, "x2") - number(axis, "x1"))
    assert 100 * share == pytest.approx(score, abs=0.05)
    assert len(classed(root, "rect", "others")) == sum(count > 0 for count in counts)


def test_a_value_stands_on_its_curve() -> None:
    infinity = float("inf")
    pieces = [(-infinity, 0.0, 10.0, 10.0), (0.0, 10.0, 10.0, 60.0), (10.0, infinity, 60.0, 60.0)]
    root = chart(on_curve("t", pieces, 4.0, 30.0, unit="days"))
    (dot,) = classed(root, "circle", "chosen")
    sloped = places(classed(root, "path", "line")[1])
    (x0, y0), (x1, y1) = sloped
    assert number(dot, "cx") == pytest.approx(x0 + 0.4 * (x1 - x0), abs=0.02)
    assert number(dot, "cy") == pytest.approx(y0 + 0.4 * (y1 - y0), abs=0.02)
    assert "gives 30 points" in (root.get("aria-label") or "")
    for nothing in (
        on_curve("t", [], None, None),
        on_curve("t", pieces, None, None),
        meter(None),
        meter(0.0),
    ):
        assert "nan" not in str(nothing) and "inf" not in str(nothing)
