from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.words import grade, number, share, shown, signed


@pytest.mark.parametrize(
    ("score", "digits", "text"),
    [
        (70.5, 0, "71"),
        (69.5, 0, "70"),
        (70.49999999999999, 0, "71"),
        (70.49, 0, "70"),
        (0.05, 1, "0.1"),
        (-0.04, 1, "0.0"),
        (100, 0, "100"),
        (None, 0, "-"),
    ],
)
def test_scores_are_rounded_half_up(score, digits, text):
    assert shown(score, digits) == text


@given(st.integers(0, 2000))
def test_a_half_is_always_rounded_up(halves):
    assert shown(halves / 2) == str((halves + 1) // 2)


def test_a_change_has_its_sign_and_nothing_has_none():
    assert [signed(x) for x in (3.25, -3.25, 0.04, -0.04)] == ["+3.3", "-3.3", "0.0", "0.0"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.0, "7"),
        (199.6, "200"),
        (399.99999, "400"),
        (-100.4, "-100"),
        (0.0828, "0.0828"),
        (12.345, "12.3"),
        (1234567.8, "1,234,568"),
        (-0.5, "-0.5"),
        (None, "nothing"),
    ],
)
def test_values_of_metrics_are_short(value, text):
    assert number(value) == text


@given(st.floats(-1e9, 1e9).filter(lambda value: abs(value) >= 0.001))
def test_a_value_is_written_as_something_near_it(value):
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.006)


def test_lower_edges_of_grades_are_inclusive():
    scale = {"A": 85, "B": 70, "E": 0}
    assert [grade(x, scale) for x in (85, 84.99, 70, 0, None)] == ["A", "B", "B", "E", None]
    assert grade(50, {}) is None
    assert (share(0.125), share(None)) == ("13 %", "-")
