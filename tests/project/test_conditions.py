"""The language of `when` and `where`."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.project.conditions import (
    Comparison,
    Condition,
    Every,
    Membership,
    Missing,
    Not,
    Some,
    names,
    parse,
    show,
    where_mapping,
)

NAMES = st.text(min_size=1, max_size=8) | st.sampled_from(
    ["and", "Not", "missing", "a.b", "x-y", "überfällig"]
)
VALUES = (
    st.text(max_size=12)
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
)
LEAVES = (
    st.builds(Comparison, NAMES, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), VALUES)
    | st.builds(Membership, NAMES, st.lists(VALUES, min_size=1, max_size=3).map(tuple))
    | st.builds(Missing, NAMES)
)


def _grown(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(Every, several) | st.builds(Some, several) | st.builds(Not, parts)


TREES = st.recursive(LEAVES, _grown, max_leaves=12)


@given(TREES)
def test_what_is_shown_is_read_as_the_same_condition(condition: Condition) -> None:
    again = parse(show(condition))
    assert again == condition
    assert show(again) == show(condition)


@given(st.text(max_size=60) | st.text("()'\"`andortin ><=!, 019.-", max_size=60))
def test_any_text_is_a_condition_or_an_error_of_one_line(text: str) -> None:
    try:
        outcome = show(parse(text))
    except ValueError as error:
        outcome = str(error).replace("\n", "a second line")
    assert "a second line" not in outcome


def test_and_binds_tighter_than_or() -> None:
    a, b, c = (Comparison(name, "=", 1) for name in "abc")
    assert parse("a = 1 or b = 1 and c = 1") == Some((a, Every((b, c))))
    assert parse("(a = 1 or b = 1) and not c = 1") == Every((Some((a, b)), Not(c)))


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("overdue_amount > 0", Comparison("overdue_amount", ">", 0)),
        ("plan == pro", Comparison("plan", "=", "pro")),
        ("a <> 1.5e3", Comparison("a", "!=", 1500.0)),
        ("beta = true", Comparison("beta", "=", True)),
        ("beta = 'true'", Comparison("beta", "=", "true")),
        ("renews_on < 2024-03-31", Comparison("renews_on", "<", "2024-03-31")),
        ("who = 'O''Neill'", Comparison("who", "=", "O'Neill")),
        ("`in` not in (a, 'b c', 3)", Not(Membership("in", ("a", "b c", 3)))),
        ("x is missing", Missing("x")),
        ("x is not missing", Not(Missing("x"))),
    ],
)
def test_examples(text: str, condition: Condition) -> None:
    assert parse(text) == condition


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("overdue_amount >", "expected a value, found 'the end' at character 17"),
        ("> 0", "expected a name, found '>' at character 1"),
        ("a = 1; drop table x", "unexpected ';' at character 6"),
        ("read_csv('/etc/passwd')", "expected a comparison, found '('"),
        ("a = 1 union select 2", "unexpected 'union' at character 7"),
        ("a in ()", "expected a value"),
        ("a > 1e999", "a number that is too long"),
        ("(" * 10_000, "more than 60 levels of brackets"),
        ("not " * 10_000 + "a = 1", "more than 60 levels of brackets"),
        ("not " * 45 + "a = 1", "more than 40 levels"),
    ],
)
def test_what_is_wrong_is_told_with_its_position(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        parse(text)
    assert len(str(caught.value)) < 250


def test_the_deepest_condition_can_be_shown_and_read_again() -> None:
    deep = "a = 1"
    for _ in range(19):
        deep = f"not ({deep} or b = 2)"
    assert parse(show(parse(deep))) == parse(deep)


def test_a_mapping_means_all_keys_and_any_of_a_list() -> None:
    condition = where_mapping({"event": ["login", "edit"], "beta": False})
    assert condition == Every((Membership("event", ("login", "edit")), Membership("beta", (False,))))
    assert list(names(condition)) == ["event", "beta"]


@pytest.mark.parametrize("mapping", [{"a": []}, {"a": None}, {"a": {"b": 1}}, {"": 1}, {"a": float("nan")}])
def test_a_mapping_of_anything_but_values_is_refused(mapping: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"empty|missing|value"):
        where_mapping(mapping)
