"""What the portfolio tells of: planted causes are found, chance is not, and each is told once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.action.matching import holds
from retinue.action.picture import NEVER
from retinue.action.portfolio import Finding, Known, rising, shared, told
from retinue.project.conditions import evaluate, parse

VALUES = [f"category {n}" for n in range(12)]


def test_a_category_that_three_times_as_many_accounts_have_is_found_and_no_other():
    """300 simulated windows of 12 categories; one has three times its usual rate. Seed 7."""
    chance = np.random.default_rng(7)
    hits, false = 0, 0.0
    for _ in range(300):
        before = chance.poisson(60.0, 12)
        recent = chance.poisson(20.0, 12)
        recent[4] = chance.poisson(60.0)
        names = {f.subject for f in shared(VALUES, recent, before, 2000, 5)}
        hits += "category 4" in names
        false += len(names - {"category 4"}) / max(len(names), 1)
    # What is false among what is found is .05 at most; three standard errors of a share of a half above.
    assert hits >= 295
    assert false <= 300 * (0.05 + 3 * 0.5 * np.sqrt(0.1 * 0.9 / 300))


def test_few_accounts_are_no_shared_issue():
    assert not shared(["x"], np.array([4]), np.array([0]), 100, at_least=5)
    assert shared(["x"], np.array([6]), np.array([0]), 100, at_least=5)


def test_a_segment_that_turns_red_is_found_and_coming_and_going_is_not():
    """400 pairs of dates; in 5 segments of 200 a tenth changes either way; into one, a fifth more come.
    Seed 11."""
    chance = np.random.default_rng(11)
    group = np.repeat(np.arange(5), 200)
    hits, false = 0, 0.0
    for _ in range(400):
        then = chance.random(1000) < 0.5
        change = chance.random(1000) < 0.1
        now = then ^ change
        worse = (group == 2) & (chance.random(1000) < 0.2)
        found = {f.subject for f in rising(list("abcde"), group, then, now | worse, 20)}
        hits += "c" in found
        false += len(found - {"c"}) / max(len(found), 1)
    assert hits >= 300
    assert false <= 400 * (0.05 + 3 * 0.5 * np.sqrt(0.1 * 0.9 / 400))


def test_a_finding_is_told_once_and_again_only_after_it_ended_and_rested():
    one = Finding("mail", 9, 100, 2.0, 0.001)
    known: dict[str, Known] = {}
    days = []
    for day in range(40):
        there = [one] if day not in (0, 5, 6) else []
        due, known = told(there, known, day, 1, 10, new=day == 0)
        days += [day] * len(due)
    # From day 1, held by 2; ended on 5; again from 7, but not before 12.
    assert days == [2, 12]


def test_a_new_rule_does_not_tell_what_it_finds_at_first():
    one = Finding("mail", 9, 100, 2.0, 0.001)
    due, known = told([one], {}, 100, 0, 10, new=True)
    assert not due
    assert known["mail"].since == 100
    for day in range(101, 140):
        due, known = told([one], known, day, 0, 10, new=False)
        assert not due
    due, known = told([], known, 140, 0, 10, new=False)
    assert known["mail"].since == NEVER
    due, known = told([one], known, 141, 0, 10, new=False)
    assert due == [one]


_texts = st.none() | st.sampled_from(["large", "mid", "10", "true", ""])
_numbers = st.none() | st.sampled_from([0.0, 9.5, 10.0, 11.0])


@pytest.mark.parametrize(
    "text",
    [
        "seats > 10", "seats = 10", "not (seats > 10)", "seats is missing", "segment in (large, mid)",
        "segment not in (large)", "segment = 10", "segment != large or seats <= 9.5", "nothing = 1",
        "nothing is missing and seats >= 10", "segment = true",
    ],
)  # fmt: skip
@given(rows=st.lists(st.tuples(_texts, _numbers), max_size=12))
def test_conditions_over_columns_say_what_they_say_of_one_account(
    text: str, rows: list[tuple[str | None, float | None]]
):
    condition = parse(text)
    columns = {
        "segment": pa.array([segment for segment, _ in rows], pa.string()),
        "seats": pa.array([seats for _, seats in rows], pa.float64()),
    }
    expected = [evaluate(condition, {"segment": segment, "seats": seats}) for segment, seats in rows]
    assert holds(condition, columns, len(rows)).tolist() == expected


def test_what_is_muted_waits_and_is_raised_when_the_mute_ends():
    one = Finding("billing", 9, 100, 2.0, 0.001)
    _, known = told([], {}, 100, 0, 10, new=True)
    due, known = told([one], known, 101, 0, 10, new=False, muted=True)
    assert due == []
    due, known = told([one], known, 102, 0, 10, new=False)
    assert due == [one]
    due, _ = told([one], known, 103, 0, 10, new=False)
    assert due == []
