"""A fingerprint is of what is scored: not of words, nor of the order of keys."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from retinue.project.load import load
from retinue.project.project import Formula, Project
from retinue.project.yaml import documents
from tests.project.conftest import ACME

FILES = ("retinue.yaml", "metrics.yaml", "scorecards/enterprise.yaml")


def read(name: str) -> Any:
    return documents((ACME / name).read_text(), name, {}, [])[0].data


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """The data of the example's files."""
    return {name: read(name) for name in FILES}


def loaded(told: dict[str, Any], folder: Path) -> Project:
    for name, data in {**told, "sql/custom.sql": None}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        text = (ACME / name).read_text() if data is None else yaml.safe_dump(data, sort_keys=False)
        path.write_text(text)
    return load(folder, {})


def fingerprint(told: dict[str, Any], folder: Path) -> str:
    return loaded(told, folder).formulas[0].fingerprint


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    return [shuffled(v, chance) for v in value] if isinstance(value, list) else value


def numbers(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [p for key, v in value.items() for p in numbers(v, (*path, key))]
    if isinstance(value, list):
        return [p for n, v in enumerate(value) for p in numbers(v, (*path, n))]
    return [path] if isinstance(value, int | float) and not isinstance(value, bool) else []


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]] if len(path) > 1 else None, path[1:], new)
    return copy


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def test_reading_and_writing_the_data_keeps_the_fingerprint(told: dict[str, Any], tmp_path: Path) -> None:
    assert fingerprint(told, tmp_path) == load(ACME, {}).formulas[0].fingerprint


@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, told: dict[str, Any], chance: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("shuffled")
    assert fingerprint(shuffled(told, chance), folder) == load(ACME, {}).formulas[0].fingerprint


def test_any_number_of_a_scorecard_changes_it(told: dict[str, Any], tmp_path: Path) -> None:
    card = told["scorecards/enterprise.yaml"]
    before = fingerprint(told, tmp_path)
    paths = [path for path in numbers(card) if path != ("bands", "at_risk")]
    assert len(paths) > 20
    for path in paths:
        old = at(card, path)
        new = changed(card, path, old - 0.01 if old == 100 else old + 0.01)
        assert fingerprint({**told, "scorecards/enterprise.yaml": new}, tmp_path) != before, path


@pytest.mark.parametrize(
    ("file", "path", "new"),
    [
        ("scorecards/enterprise.yaml", ("caps", 0, "when"), "overdue_amount > 1"),
        ("scorecards/enterprise.yaml", ("stability", "confirm", "down"), "4d"),
        ("scorecards/enterprise.yaml", ("components", "voice", "measures", "last_nps", "half_life"), "181d"),
        ("scorecards/enterprise.yaml", ("applies_to", "segment"), ["smb"]),
        ("metrics.yaml", ("metrics", "active_users_28d", "window"), "29d"),
        ("metrics.yaml", ("metrics", "active_users_28d", "where"), {"event": "login"}),
        ("metrics.yaml", ("metrics", "overdue_amount", "open_sum"), "invoices.other"),
        ("retinue.yaml", ("stages", 0, "when"), "tenure < 91"),
        ("retinue.yaml", ("tenure_buckets",), [0, 100]),
    ],
)
def test_what_is_scored_changes_it(
    told: dict[str, Any], tmp_path: Path, file: str, path: tuple[Any, ...], new: Any
) -> None:
    before = fingerprint(told, tmp_path)
    assert fingerprint({**told, file: changed(told[file], path, new)}, tmp_path) != before


@pytest.mark.parametrize(
    ("file", "path", "new"),
    [
        ("scorecards/enterprise.yaml", ("label",), "Large"),
        ("scorecards/enterprise.yaml", ("description",), "for the large"),
        ("scorecards/enterprise.yaml", ("components", "voice", "label"), "Voice"),
        ("scorecards/enterprise.yaml", ("components", "voice", "measures", "last_nps", "advice"), "call"),
        ("scorecards/enterprise.yaml", ("caps", 0, "when"), "(overdue_amount>0 )"),
        ("metrics.yaml", ("metrics", "open_tickets", "description"), "tickets"),
        ("metrics.yaml", ("metrics", "open_tickets", "unit"), "tickets"),
        ("metrics.yaml", ("metrics", "seat_use", "ratio"), [1, 2]),
        ("retinue.yaml", ("project",), "other"),
        ("retinue.yaml", ("grades",), {"A": 50, "B": 0}),
    ],
)
def test_words_and_what_the_card_does_not_use_do_not_change_it(
    told: dict[str, Any], tmp_path: Path, file: str, path: tuple[Any, ...], new: Any
) -> None:
    before = fingerprint(told, tmp_path)
    assert fingerprint({**told, file: changed(told[file], path, new)}, tmp_path) == before


def test_keys_named_like_words_are_scored_all_the_same(told: dict[str, Any], tmp_path: Path) -> None:
    card = told["scorecards/enterprise.yaml"]
    both = {**card["components"], "label": card["components"]["voice"]}
    named = {**told, "scorecards/enterprise.yaml": {**card, "components": both}}
    heavier = {**card, "components": {**both, "label": {**both["label"], "weight": 21}}}
    assert fingerprint(named, tmp_path) != fingerprint(
        {**told, "scorecards/enterprise.yaml": heavier}, tmp_path
    )


def test_a_formula_comes_back_from_the_manifest(tmp_path: Path) -> None:
    scored = {
        "metrics.yaml": {
            "metrics": {
                "a": {
                    "change": {"sum": "usage.n"},
                    "window": "7d",
                    "baseline": "4w",
                    "where": "a is missing",
                },
                "b": {"milestones": {"one": {"source": "usage", "due": "30d", "where": {"x": ["it's", 2]}}}},
                "c": {"ratio": ["a", "account.seats"]},
                "d": {"sql": "sql/custom.sql"},
                "e": {"children": "worst"},
                "f": {"attribute": "seats"},
                "g": {"pulse": "csm"},
            }
        },
        "scorecards/enterprise.yaml": {
            "scorecard": "x",
            "components": {
                "one": {
                    "measures": {
                        "a": {"curve": {"steps": [[0, 0], [1, 50.5]]}},
                        "b": {"curve": {"target": [0, 1, 2, 3]}, "missing": "worst"},
                        "c": {
                            "curve": "cohort",
                            "direction": "lower_is_better",
                            "cohort": ["segment", {"tenure": "90d"}],
                            "points": [[0, 100], [1, 0]],
                        },
                        **{name: {"curve": [[0, 0], [1, 100]]} for name in "defg"},
                    }
                }
            },
            "floors": [{"when": "not (segment in (a, 'b c')) or c >= 1e3", "at_least": 10, "because": "y"}],
        },
    }
    settings = read("retinue.yaml")
    formula = loaded({**scored, "retinue.yaml": settings}, tmp_path).formulas[0]
    again = Formula.from_dict(json.loads(json.dumps(formula.to_dict())))
    assert again == formula
    assert again.fingerprint == formula.fingerprint
    assert len(again.fingerprint) == 16
