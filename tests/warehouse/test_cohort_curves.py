"""Cohort curves against an independent mid-rank, and what is asked of them."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.warehouse.scores.cohorts import Ranks, compile_cohort
from retinue.warehouse.scores.curves import evaluate, points_at
from tests.warehouse.world import Account, Result, Row, Source, World

Q = date(2024, 4, 1)


def ranks(values: list[float], accounts: int | None = None) -> Ranks:
    """The whole distribution of equally weighing values."""
    told, counts = np.unique(np.array(values, float), return_counts=True)
    upto = np.cumsum(counts) / len(values)
    return Ranks(told, upto - counts / len(values), upto, accounts or len(values))


def mid_rank(values: list[float], x: float) -> float:
    """The definition, word for word, for one cohort without parents."""
    below, upto = sum(v < x for v in values), sum(v <= x for v in values)
    return 100 * ((below + upto) / 2 + 0.5) / (len(values) + 1)


def compiled(
    levels: list[Ranks | None], *, lower: bool = False, shrink: float = 5, points: Any = None
) -> Any:
    segments = compile_cohort(levels, shrink=shrink, lower_is_better=lower, fallback=points)
    assert segments is not None
    return segments


def at(segments: Any, x: float) -> float:
    return float(evaluate(segments, np.array([x]))[0])


samples = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=60)


@given(values=samples, x=st.integers(-25, 25))
def test_at_its_own_values_a_small_cohort_scores_the_mid_rank(values: list[float], x: int) -> None:
    segments = compiled([ranks(values)])
    if float(x) in values or not min(values) < x < max(values):
        assert at(segments, x) == pytest.approx(mid_rank(values, x), abs=1e-9)
    else:
        below = max(v for v in values if v < x)
        above = min(v for v in values if v > x)
        lowest = mid_rank(values, math.nextafter(below, math.inf))
        highest = mid_rank(values, math.nextafter(above, -math.inf))
        assert lowest - 1e-9 <= at(segments, x) <= highest + 1e-9


@given(values=samples, parent=samples, x=st.integers(-25, 25), points=st.booleans())
def test_the_other_direction_is_the_other_side_of_100(
    values: list[float], parent: list[float], x: int, points: bool
) -> None:
    up = [(-5.0, 20.0), (5.0, 60.0)] if points else None
    down = [(-5.0, 80.0), (5.0, 40.0)] if points else None
    levels: list[Ranks | None] = [ranks(parent), ranks(values)]
    higher = at(compiled(levels, points=up), x)
    lower = at(compiled(levels, lower=True, points=down), x)
    assert higher + lower == pytest.approx(100, abs=1e-9)


@given(values=samples, parent=samples, shrink=st.floats(0, 50))
def test_points_rise_with_the_value_and_stay_within_bounds(
    values: list[float], parent: list[float], shrink: float
) -> None:
    segments = compiled([ranks(parent), ranks(values)], shrink=shrink)
    grid = np.sort(np.concatenate([np.linspace(-26, 26, 400), np.unique(values + parent)]))
    told = evaluate(segments, grid)
    assert np.all(np.diff(told) >= -1e-9)
    assert np.all((told >= 0) & (told <= 100))


@given(values=samples, parent=samples)
def test_segments_neither_overlap_nor_leave_a_gap(values: list[float], parent: list[float]) -> None:
    segments = compiled([ranks(parent), ranks(values)])
    assert segments[0].lo == -math.inf and segments[-1].hi == math.inf
    assert all(a.hi == b.lo for a, b in itertools.pairwise(segments))


def test_eighty_percent_zeros_score_about_40() -> None:
    values = [0.0] * 80 + [float(n) for n in range(1, 21)]
    assert at(compiled([ranks(values)]), 0) == pytest.approx(40, abs=1)
    assert at(compiled([ranks(values)], lower=True), 0) == pytest.approx(60, abs=1)


def test_the_median_of_a_continuous_sample_scores_50() -> None:
    values = np.random.default_rng(1).normal(size=4001).tolist()
    assert at(compiled([ranks(values)]), float(np.median(values))) == pytest.approx(50, abs=1)


def test_a_cohort_of_one_account_is_mostly_its_parent() -> None:
    parent = [float(n) for n in range(100)]
    alone = compiled([ranks(parent), ranks([0.0])], shrink=5)
    # The one account would say 75 for anything above it.
    own = 100 * (1 + 0.5) / 2
    for x in (10.0, 50.0, 90.0):
        assert at(alone, x) == pytest.approx(own / 6 + 5 / 6 * mid_rank(parent, x), abs=1e-9)


def test_without_shrinking_a_cohort_is_only_itself() -> None:
    alone = compiled([ranks([float(n) for n in range(100)]), ranks([1.0, 2.0, 3.0])], shrink=0)
    assert at(alone, 2.0) == pytest.approx(50)


def test_a_cohort_that_was_never_seen_is_its_parent() -> None:
    parent = ranks([1.0, 5.0, 9.0])
    assert compiled([parent, None]) == compiled([parent])


def test_without_history_the_declared_points_hold_or_there_are_none() -> None:
    assert at(compiled([None, None], points=((0.0, 0.0), (10.0, 100.0))), 4) == pytest.approx(40)
    assert compile_cohort([None], shrink=5, lower_is_better=False, fallback=None) is None


def test_declared_points_stand_behind_a_thin_history() -> None:
    points = ((0.0, 0.0), (10.0, 100.0))
    thin = compiled([ranks([5.0] * 5, accounts=5)], shrink=5, points=points)
    assert at(thin, 5.0) == pytest.approx(0.5 * 50 + 0.5 * 50)
    assert at(thin, 20.0) == pytest.approx(0.5 * 100 * 5.5 / 6 + 0.5 * 100)


def test_a_curve_has_at_most_101_knots_and_its_atoms() -> None:
    chance = np.random.default_rng(2)
    values = [*chance.normal(size=5000).tolist(), *([0.5] * 700), *([-3.0] * 80)]
    segments = compiled([ranks(values)])
    # One before the first knot, one after each, and one more for each of the two atoms.
    assert len(segments) <= 1 + 101 + 2 * 2
    assert at(segments, 0.5) == pytest.approx(mid_rank(values, 0.5), abs=1e-9)
    grid = np.linspace(-4, 4, 300)
    expected = np.array([mid_rank(values, x) for x in grid])
    assert np.abs(evaluate(segments, grid) - expected).max() < 1.5


# --- through the engine --------------------------------------------------------------------------


def usage(account: str, day: date, amount: float) -> Row:
    return Row(account, datetime.combine(day, time(12)), columns={"amount": amount})


def portfolio(
    accounts: int = 30, last: date = date(2024, 7, 15), strength: Any = None, every: int = 3, **measure: Any
) -> World:
    """Accounts from a year before the quarter on, each with its own steady use."""
    chance = np.random.default_rng(7)
    first = date(2023, 3, 1)
    strength = strength or (lambda number, _day: 1.0 + number)
    rows = []
    people = []
    for number in range(accounts):
        key = f"a{number:03}"
        segment = "small" if number % 3 else "large"
        people.append(
            Account(
                key, first + timedelta(days=int(chance.integers(0, 300))), attributes={"segment": segment}
            )
        )
        day = first
        while day <= last:
            if chance.random() < 0.8:
                amount = float(round(strength(number, day) * chance.uniform(0.5, 1.5), 2))
                rows.append(usage(key, day, amount))
            day += timedelta(days=every)
    told = {"curve": "cohort", "direction": "higher_is_better", "cohort": ["segment"], **measure}
    return World(
        accounts=tuple(people),
        sources={"usage": Source(tuple(rows), {"amount": _double()})},
        metrics={"use": {"sum": "usage.amount", "window": "28d"}},
        scorecards=({"scorecard": "one", "components": {"c": {"measures": {"use": told}}}},),
        attributes={"segment": _text()},
        fixed=("segment",),
    )


def _double() -> Any:
    import pyarrow as pa

    return pa.float64()


def _text() -> Any:
    import pyarrow as pa

    return pa.string()


def independent(
    world: World, history: Result, quarter: date, account: Account, x: float, shrink: float
) -> float:
    """The mixture of mid-ranks from the metric's own Sundays, levels from all to the segment."""

    def level(keys: set[str]) -> tuple[float, int]:
        by_account: dict[str, list[float]] = defaultdict(list)
        for (key, day, _), (value, state) in history.metrics.items():
            # Sundays of the year before the quarter.
            within = date(quarter.year - 1, quarter.month, 1) <= day < quarter and day.weekday() == 6
            if key in keys and within and state == "ok" and value is not None:
                by_account[key].append(value)
        n = len(by_account)
        share = sum(
            sum((v < x) + (v <= x) for v in values) / 2 / len(values) for values in by_account.values()
        )
        return 100 * (share + 0.5) / (n + 1), n

    segment = account.attributes["segment"]
    whole, _ = level({a.key for a in world.accounts})
    own, n = level({a.key for a in world.accounts if a.attributes["segment"] == segment})
    weight = n / (n + shrink)
    return weight * own + (1 - weight) * whole


def every_sunday(first: date, last: date) -> list[date]:
    start = first + timedelta(days=(6 - first.weekday()) % 7)
    return [start + timedelta(days=n) for n in range(0, (last - start).days + 1, 7)]


def test_the_engine_agrees_with_an_independent_mixture_of_mid_ranks(tmp_path: Path) -> None:
    world = portfolio(shrink=8)
    days = [date(2024, 4, 3), date(2024, 6, 30)]
    result = world.compute(tmp_path / "days", days)
    history = world.compute(tmp_path / "history", every_sunday(date(2023, 3, 26), Q - timedelta(days=1)))
    people = {a.key: a for a in world.accounts}
    for (key, day, _, _), row in result.measures.items():
        assert result.rows[(key, day)]["reference"] == Q
        expected = independent(world, history, Q, people[key], row["value"], 8)
        assert row["points"] == pytest.approx(expected, abs=1.2), (key, day)


def test_a_portfolio_that_halves_its_use_scores_less(tmp_path: Path) -> None:
    def fading(number: int, day: date) -> float:
        return (1.0 + number) * (0.5 if day >= date(2024, 4, 10) else 1.0)

    days = [date(2024, 4, 7), date(2024, 5, 26)]
    steady = portfolio().compute(tmp_path / "steady", days)
    faded = portfolio(strength=fading).compute(tmp_path / "faded", days)

    def mean(result: Result, day: date) -> float:
        return float(np.mean([r["computed"] for (_, d), r in result.scores.items() if d == day]))

    assert mean(faded, days[0]) == mean(steady, days[0])
    assert mean(faded, days[1]) < mean(steady, days[1]) - 8


def test_accounts_weigh_equally_however_long_they_have_been_here(tmp_path: Path) -> None:
    """Nine old accounts at 1 and one young one at 10: the young one is a tenth of the reference."""

    def rows(key: str, first: date, amount: float) -> list[Row]:
        return [
            usage(key, first + timedelta(days=n), amount / 28)
            for n in range((date(2024, 4, 20) - first).days)
        ]

    old = [f"a{n}" for n in range(4)]
    young = [f"z{n}" for n in range(4)]
    facts = [row for key in old for row in rows(key, date(2023, 1, 1), 28.0)]
    facts += [row for key in young for row in rows(key, date(2024, 2, 1), 280.0)]
    world = replace(
        portfolio(cohort=[]),
        accounts=tuple(
            [Account(key, date(2023, 3, 1), attributes={"segment": "x"}) for key in old]
            # Alive on the Sundays of March alone, by when its window is full.
            + [Account(key, date(2024, 3, 1), attributes={"segment": "x"}) for key in young]
        ),
        sources={"usage": Source(tuple(facts), {"amount": _double()})},
    )
    day = date(2024, 4, 10)
    told = world.compute(tmp_path, [day]).measures[("a0", day, "c", "use")]
    # 4 of 8 accounts are at this value, though some 90 % of the Sundays are theirs.
    assert told["points"] == pytest.approx(100 * (8 * 0.25 + 0.5) / 9, abs=0.01)


def test_a_reference_is_frozen_for_its_quarter_and_the_same_on_any_grid(tmp_path: Path) -> None:
    world = portfolio(accounts=12)
    sundays = [date(2024, 4, 7), date(2024, 5, 5), date(2024, 6, 30), date(2024, 7, 7)]
    weekly = world.compute(tmp_path / "weekly", sundays)
    daily = world.compute(tmp_path / "daily", [sundays[0] + timedelta(days=n) for n in range(93)])
    for key, row in weekly.scores.items():
        assert row["computed"] == daily.scores[key]["computed"]
        assert row["reference"] == (date(2024, 7, 1) if key[1] >= date(2024, 7, 1) else Q)
    assert set(weekly.curves["reference"].to_pylist()) == {Q, date(2024, 7, 1)}


def test_rows_of_the_quarter_leave_its_curves_as_they_are(tmp_path: Path) -> None:
    world = portfolio(accounts=12)
    usual = world.sources["usage"]
    poisoned = replace(
        world,
        sources={
            "usage": replace(
                usual,
                rows=tuple(
                    replace(row, columns={"amount": 999.0}) if row.day > date(2024, 5, 5) else row
                    for row in usual.rows
                ),
            )
        },
    )
    days = [date(2024, 4, 7), date(2024, 5, 5)]
    before, after = (w.compute(tmp_path / n, days) for w, n in ((world, "a"), (poisoned, "b")))
    assert before.everything() == after.everything()
    assert before.curves.equals(after.curves)


def test_a_young_company_without_history_scores_by_its_points_or_not_at_all(tmp_path: Path) -> None:
    day = date(2023, 4, 9)
    told = portfolio(points=[[0, 0], [200, 100]]).compute(tmp_path / "points", [day])
    # The quarter begins with some weeks of history; before the first quarter there is none.
    first = date(2023, 3, 5)
    none = portfolio().compute(tmp_path / "none", [first])
    assert {row["state"] for row in none.measures.values()} == {"missing"}
    assert {row["status"] for row in none.scores.values()} == {"not_scored"}
    declared = portfolio(points=[[0, 0], [200, 100]]).compute(tmp_path / "declared", [first])
    for row in declared.measures.values():
        assert row["points"] == pytest.approx(min(row["value"] / 2, 100))
    assert all(0 <= row["points"] <= 100 for row in told.measures.values())


@given(samples, st.floats(-30, 30))
def test_one_value_gets_the_points_that_it_gets_among_many(values: list[float], x: float):
    segments = compiled([ranks(values)])
    edges = [s.lo for s in segments if math.isfinite(s.lo)]
    for near in (x, *edges, *(math.nextafter(edge, -math.inf) for edge in edges)):
        assert points_at(segments, near) == at(segments, near)
