"""What stands out among many groups: the statistics, against independent computation and on made-up data."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, false_discovery_control, mannwhitneyu
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from retinue.desk.causes import _compared, _pattern, _risen, benjamini_hochberg, trimmed
from retinue.desk.panel import Frame, Panel
from retinue.desk.starts import newcombe, starts, wilson
from retinue.insight.replay import Coded

DAY = date(2026, 1, 4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_is_wilsons(told: tuple[int, int]) -> None:
    assert wilson(*told) == pytest.approx(proportion_confint(*told, method="wilson"), abs=1e-9)


@pytest.mark.parametrize("told", [(30, 100, 10, 120), (0, 40, 3, 50), (40, 40, 20, 60), (5, 31, 5, 31)])
def test_the_interval_of_a_difference_is_newcombes(told: tuple[int, int, int, int]) -> None:
    expected = confint_proportions_2indep(*told, method="newcomb", compare="diff", alpha=0.01)
    assert newcombe(*told, 0.99) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_false_discoveries_are_bounded_as_benjamini_and_hochberg_say(chances: list[float]) -> None:
    found = benjamini_hochberg(np.array(chances))
    assert found == pytest.approx(false_discovery_control(chances, method="bh"), abs=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-4, 4)), min_size=95, max_size=200),
)
def test_each_group_against_the_rest_is_the_test_of_mann_and_whitney(rows: list[tuple[int, int]]) -> None:
    codes = np.array([code for code, _ in rows])
    change = np.array([float(value) for _, value in rows])
    if not np.ptp(change):
        return
    for chance, found in _compared("use", "segment", ("a", "b", "c"), codes, change):
        mine = codes == "abc".index(found.value)
        expected = mannwhitneyu(
            change[mine], change[~mine], alternative="less", method="asymptotic", use_continuity=True
        )
        assert chance == pytest.approx(expected.pvalue, abs=1e-9)
        assert found.accounts == mine.sum()


def test_a_mean_without_its_ends_does_not_follow_one_account() -> None:
    values = np.array([0.0] * 18 + [-100.0, 100.0])
    assert trimmed(values) == 0.0
    assert trimmed(np.array([*values[:-2], -1e6, 0.0])) == 0.0


@pytest.mark.parametrize(
    ("text", "column", "said", "value"),
    [
        ("Ticket, {p}, {c}: {s}", "c", "Ticket, high, bug: it fails: again", "bug"),
        ("a {c} ticket", "c", "a how_to ticket", "how_to"),
        ("a {c} ticket", "p", None, None),
        ("{c} (100%) [x] {s}", "c", "billing (100%) [x] more", "billing"),
    ],
)
def test_a_value_is_found_in_its_sentence(text: str, column: str, said: Any, value: Any) -> None:
    import pyarrow.compute as pc

    pattern = _pattern(text, column)
    if said is None:
        assert pattern is None
    else:
        assert pattern is not None
        assert pc.extract_regex(pa.array([said]), pattern)[0].as_py() == {"value": value}


# --- first days ------------------------------------------------------------------------------------


def panel(rows: list[tuple[str, int, int, str, int]]) -> Panel:
    """From (account, number of the date, band or -1, group, tenure in days)."""
    frames = []
    for n in sorted({row[1] for row in rows}):
        mine = sorted(row for row in rows if row[1] == n)
        band = np.array([row[2] for row in mine], np.int8)
        frames.append(
            Frame(
                DAY + n * timedelta(days=28),
                pa.array([row[0] for row in mine], pa.string()),
                np.where(band < 0, math.nan, 50.0),
                band,
                np.full(len(mine), 1.0),
                np.array([row[4] for row in mine], np.float32),
                Coded.of(["card"] * len(mine)),
                {"channel": Coded.of([row[3] for row in mine])},
            )
        )
    return Panel("run", tuple(one.day for one in frames), tuple(frames), ("channel",))


def test_a_channel_that_is_red_from_the_start_is_pointed_out() -> None:
    rows = [(f"r{n}", 0, 0 if n < 20 else 2, "resellers", 30) for n in range(40)]
    rows += [(f"d{n}", 0, 0 if n < 4 else 1, "direct", 30) for n in range(80)]
    rows += [(f"f{n}", 0, 0, "fairs", 30) for n in range(10)]
    found = {one.value: one for one in starts(panel(rows), "channel")}
    assert found["resellers"].red is True
    assert (found["resellers"].accounts, found["resellers"].at_risk) == (40, 20)
    assert found["resellers"].others == 90 and found["resellers"].others_share == pytest.approx(14 / 90)
    assert found["direct"].red is False
    # All ten were red, but ten are too few to say.
    assert found["fairs"].red is None and found["fairs"].share == 1.0


def test_only_scored_dates_of_the_first_90_days_count_and_half_of_them_is_enough() -> None:
    rows = [
        ("half", 0, 0, "x", 10), ("half", 1, 2, "x", 38),
        ("third", 0, 0, "x", 10), ("third", 1, 2, "x", 38), ("third", 2, 2, "x", 66),
        ("late", 0, 2, "x", 80), ("late", 1, 0, "x", 108),
        ("unscored", 0, -1, "x", 10), ("unscored", 1, 0, "x", 38),
        ("old", 0, 0, "x", 400),
    ]  # fmt: skip
    (found,) = starts(panel(rows), "channel")
    assert (found.accounts, found.at_risk) == (4, 2)


def test_an_account_belongs_to_the_group_that_it_started_in() -> None:
    rows = [("moved", 0, 0, "first", 10), ("moved", 1, 0, "second", 38)]
    (found,) = starts(panel(rows), "channel")
    assert found.value == "first"


# --- what happens ----------------------------------------------------------------------------------


def test_what_more_accounts_have_lately_is_held_against_three_stretches_before() -> None:
    (frame,) = panel([(f"a{n:02}", 0, 1, "x", 400) for n in range(40)]).frames
    # Nine accounts lately, one of them twice; four account-stretches before.
    place = np.array([*range(9), 0, 3, 4, 5, 3])
    stretch = np.array([0] * 9 + [0, 1, 2, 3, 3])
    chance, found = _risen(frame, place, stretch, ("tickets", "category", "bug"))
    assert (found.accounts, found.usual) == (9, pytest.approx(4 / 3))
    assert chance == pytest.approx(binomtest(9, 13, 0.25, alternative="greater").pvalue)
    assert found.examples == ("a00", "a01", "a02", "a03", "a04")


def test_accounts_that_were_not_there_yet_are_not_expected_to_have_had_anything() -> None:
    young = [(f"a{n:02}", 0, 1, "x", 20 if n < 20 else 400) for n in range(40)]
    (frame,) = panel(young).frames
    chance, found = _risen(frame, np.arange(8), np.zeros(8, np.int64), ("tickets", "category", "bug"))
    # Forty could have it lately; before, twenty in each of three stretches.
    assert chance == pytest.approx(binomtest(8, 8, 40 / 100, alternative="greater").pvalue)
    assert found.usual == 0.0
