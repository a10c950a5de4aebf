"""YAML with lines, and files that are not meant well."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

from retinue.errors import Problem
from retinue.project import yaml
from retinue.project.yaml import Document


def read(text: str, **environ: str) -> tuple[list[Document], list[Problem]]:
    problems: list[Problem] = []
    return yaml.documents(text, "f.yaml", environ, problems), problems


def data(text: str) -> Any:
    documents, problems = read(text)
    assert problems == []
    return documents[0].data


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("true", True),
        ("false", False),
        ("06:00", "06:00"),
        ("2024-01-31", "2024-01-31"),
        ("1e6", 1e6),
        ("-0.6", -0.6),
        ("12", 12),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("'12'", "12"),
        ("'${X:-1}'", "1"),
        ("~", None),
        ("", None),
    ],
)
def test_scalars_are_those_of_yaml_1_2(told: str, meant: object) -> None:
    value = data(f"a: {told}\n")["a"]
    assert value == meant
    assert type(value) is type(meant)


def test_every_key_and_item_knows_its_line() -> None:
    documents, _ = read("a:\n  b: 1\n  c:\n    - x\n    - {y: 2}\n---\nd: 3\n")
    assert [str(documents[0].place(path)) for path in [("a", "b"), ("a", "c", 1, "y"), ("a", "c", 7)]] == [
        "f.yaml:2",
        "f.yaml:5",
        "f.yaml:3",
    ]
    assert documents[1].place(("d",)).line == 7


def test_an_alias_stands_for_its_anchor() -> None:
    assert data("a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 'the key "a" is there twice'),
        ("a:\n\tb: 1\n", 2, "not valid YAML"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a: [1, 2\n", 2, "not valid YAML"),
        ("a:\n  b: !!python/object/apply:os.system [id]\n", 2, "the tag !!python/object/apply:os.system"),
        ("a: !!str 5\n", 1, "the tag !!str is not allowed"),
        ("x: &b {c: 1}\na:\n  <<: *b\n", 3, "merge keys (<<) are not supported"),
        ("a: &a [*a]\n", 1, "stands inside its own anchor"),
        ("a: *b\n", 1, "has no anchor above it"),
        ("? [a]\n: 1\n", 1, "a key is a word"),
        ("a: 1\nb: \x07\n", 2, "a character that YAML does not allow"),
        ("a: 12345678901234567890\n", 1, "too many digits"),
        ("- " * 200_000, 1, "nested more than 40 levels deep"),
        ("a: " + "[" * 400_000, 1, "nested more than 40 levels deep"),
        ("a: [" + "1," * 200_000 + "]", 1, "more than 100,000 values"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_its_place(text: str, line: int, words: str) -> None:
    _, problems = read(text)
    assert len(problems) == 1
    assert words in problems[0].message
    assert problems[0].place is not None
    assert problems[0].place.line == line
    assert "\n" not in str(problems[0])
    assert len(str(problems[0])) < 300


def test_tabs_and_unquoted_variables_get_a_hint_of_their_own() -> None:
    assert read("a:\n\tb: 1\n")[1][0].hint == "indent with spaces, not tabs"
    assert "needs quotes" in str(read("a: {table: ${X}/b.csv}\n")[1][0].hint)


def test_a_billion_laughs_fail_fast_in_little_memory() -> None:
    lines = ["a0: &a0 [" + ",".join(["lol"] * 9) + "]"]
    lines += [f"a{n}: &a{n} [" + ",".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, 40)]
    tracemalloc.start()
    started = time.perf_counter()
    _, problems = read("\n".join(lines))
    seconds = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "with all aliases followed" in problems[0].message
    assert seconds < 1
    assert peak < 20_000_000


def test_aliases_do_not_get_round_the_limit_of_depth() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60))]
    assert "nested more than" in read("\n".join(lines))[1][0].message
