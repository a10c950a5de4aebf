"""Trend and portfolio change, exact in every part."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.insight.trend import decompose, trends


def of_one(days, scores, window=28, level=0.9, end=None):
    n = len(days)
    return trends(np.zeros(n, int), np.array(days, int), np.array(scores, float), 1,
                  max(days) if end is None else end, window, level)  # fmt: skip


def test_slope_and_interval_are_those_of_scipy():
    """Numbers of scipy.stats.theilslopes 1.17.1; the second series has ties."""
    got = of_one([1, 2, 3, 4, 5], [1.26, 1.27, 1.12, 1.16, 1.03])
    assert [got.slope[0], got.low[0], got.high[0]] == pytest.approx([-0.05625, -0.13, 0.01])
    weeks = [7 * n for n in range(13)]
    scores = [70, 70, 68, 71, 66, 66, 64, 69, 60, 61, 58, 58, 57]
    got = of_one(weeks, scores, window=91)
    assert [got.slope[0], got.low[0], got.high[0]] == pytest.approx(
        [-0.1649659863945578, -0.19047619047619047, -0.14285714285714285]
    )
    assert of_one(weeks, scores, window=91, level=0.95).low[0] == pytest.approx(-0.20408163265306123)


def test_one_wild_value_does_not_turn_the_slope():
    scores = [50 + 0.5 * d for d in range(28)]
    scores[20] = 0.0
    assert of_one(range(28), scores).slope[0] == pytest.approx(0.5)


histories = st.lists(
    st.tuples(st.integers(0, 40), st.one_of(st.integers(0, 100).map(float), st.just(math.nan))),
    unique_by=lambda row: row[0], max_size=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(histories, min_size=1, max_size=5), st.randoms())
def test_many_accounts_give_the_median_of_pairwise_slopes_of_each(accounts, random):
    rows = [(n, d, s) for n, history in enumerate(accounts) for d, s in history]
    random.shuffle(rows)
    ix, day, score = (np.array([row[c] for row in rows], float) for c in range(3))
    got = trends(ix.astype(int), day.astype(int), score, len(accounts), 35, 28)
    for n, history in enumerate(accounts):
        kept = sorted((d, s) for d, s in history if 7 < d <= 35 and not math.isnan(s))
        if len(kept) < 3:
            assert math.isnan(got.slope[n])
            assert got.arrow[n] == 0
            continue
        slopes = [(q[1] - p[1]) / (q[0] - p[0]) for p, q in combinations(kept, 2)]
        assert got.slope[n] == pytest.approx(median(slopes), abs=1e-12)
        assert min(slopes) <= got.low[n] <= got.slope[n] + 1e-12
        assert got.slope[n] - 1e-12 <= got.high[n] <= max(slopes)
        assert got.change[n] == pytest.approx(28 * got.slope[n])


def test_the_interval_covers_a_planted_slope_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    accounts, n = 2000, 13
    ix, day = np.repeat(np.arange(accounts), n), np.tile(np.arange(n) * 7, accounts)
    score = 60 - 0.2 * day + rng.normal(0, 4, accounts * n)
    got = trends(ix, day, score, accounts, 84, 91)
    covered = np.mean((got.low <= -0.2) & (got.high >= -0.2))
    assert 0.88 < covered < 0.94
    assert abs(np.mean(got.slope) + 0.2) < 0.01


def test_noise_is_the_spread_of_weekly_differences():
    weekly = [50.0, 52.0, 51.0, 55.0, 54.0, 54.5]
    differences = np.diff(weekly)
    wanted = 1.4826 * np.median(np.abs(differences - np.median(differences)))
    assert of_one([7 * n for n in range(6)], weekly).noise[0] == pytest.approx(wanted)
    other_days = [99.0 if d % 7 else weekly[d // 7] for d in range(36)]
    assert of_one(range(36), other_days).noise[0] == pytest.approx(wanted)


def test_an_arrow_needs_a_change_beyond_twice_the_own_noise():
    rng = np.random.default_rng(7)
    wobble = rng.normal(0, 5, 60)
    steady = [60.0 - 0.5 * d for d in range(60)]
    assert of_one(range(60), 60 + wobble).arrow[0] == 0
    assert of_one(range(60), steady).arrow[0] == -1
    assert of_one(range(60), steady[::-1]).arrow[0] == 1
    assert of_one(range(60), [60.0] * 60).arrow[0] == 0


def test_too_little_history_gives_no_arrow():
    got = of_one([0, 7, 14], [80.0, 60.0, 40.0])
    assert got.slope[0] < 0
    assert math.isnan(got.noise[0])
    assert got.arrow[0] == 0
    assert math.isnan(trends(np.zeros(0, int), np.zeros(0, int), np.zeros(0), 1, 0, 28).slope[0])


def test_rows_after_the_end_do_not_matter():
    days, scores = list(range(60)), [50 + (d * 7 % 11) for d in range(60)]
    early = of_one(days[:40], scores[:40])
    late = of_one(days, scores, end=39)
    for name in ("slope", "low", "high", "noise", "arrow"):
        assert getattr(early, name) == getattr(late, name)


entries = st.tuples(st.one_of(st.floats(0.1, 1000), st.just(0.0), st.just(math.nan)),
                    st.one_of(st.floats(0, 100), st.just(math.nan)))  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(entries, entries), max_size=8))
def test_the_parts_of_a_portfolio_change_sum_to_it(accounts):
    accounts = [*accounts, ((5.0, 50.0), (6.0, 40.0))]
    w0, s0, w1, s1 = (np.array([a[t][c] for a in accounts]) for t in (0, 1) for c in (0, 1))
    got = decompose(w0, s0, w1, s1)
    for w, s, mean in ((w0, s0, got.before), (w1, s1, got.after)):
        kept = [(a, b) for a, b in zip(w, s, strict=True) if a > 0 and not math.isnan(b)]
        assert mean == pytest.approx(sum(a * b for a, b in kept) / sum(a for a, _ in kept))
    assert sum(got.totals().values()) == pytest.approx(got.after - got.before, abs=1e-9)
    segments = np.arange(len(accounts)) % 3
    for name, part in got.by(segments, 3).items():
        assert part.sum() == pytest.approx(got.totals()[name], abs=1e-9)


def test_every_account_rises_and_the_portfolio_falls_by_mix():
    got = decompose(np.array([90.0, 10.0]), np.array([80.0, 20.0]),
                    np.array([20.0, 80.0]), np.array([85.0, 25.0]))  # fmt: skip
    assert got.after < got.before
    assert (got.within > 0).all()
    totals = got.totals()
    assert totals["within"] == pytest.approx(5.0)
    assert totals["mix"] == pytest.approx(-42.0)
    assert totals["entry"] == totals["exit"] == 0


def test_entry_and_exit_only():
    nan = math.nan
    got = decompose(np.array([1.0, 1.0, nan]), np.array([50.0, 90.0, nan]),
                    np.array([1.0, nan, 1.0]), np.array([50.0, nan, 30.0]))  # fmt: skip
    assert (got.before, got.after) == (70.0, 40.0)
    assert got.totals() == pytest.approx({"within": 0.0, "mix": 0.0, "entry": -12.5, "exit": -17.5})


def test_a_portfolio_without_accounts_is_refused():
    with pytest.raises(ValueError, match="no mean"):
        decompose(np.zeros(1), np.zeros(1), np.ones(1), np.ones(1))
