"""What people say: an override changes the effective score from the day it was said, a pulse a measure."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from retinue.store.people.access import Actor
from retinue.store.work import said
from tests.run.company import DAY, Row, opened, score, table
from tests.run.small import LEVEL, D, account, company, level


def _at(day: date, hour: int = 9) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def _override(root: Path, who: str, kind: str, value: float, said_on: date, **told: Any) -> int:
    told = {"starts_on": said_on, "reason": "a word with them", "owner": "kim", "by": Actor("kim"), **told}
    store = opened(root).store
    number = said.add_override(store, who, kind, value, now=_at(said_on), **told)
    store.close()
    return number


def _snapshots(root: Path) -> dict[tuple[str, date], Row]:
    return {(row["account_id"], row["as_of"]): row for row in table(root, "snapshots")}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of accounts at level 80, each with something said about it; one is at 30."""
    root = tmp_path_factory.mktemp("spoken")
    names = ["set", "cap", "floor", "late", "ended", "taken", "both", "twice", "silent", "capped"]
    company([account(n) for n in names], [level(n, D, 30 if n == "floor" else 80) for n in names]).write(root)
    _override(root, "set", "set", 10, D + 2 * DAY)
    _override(root, "cap", "cap", 50, D + 2 * DAY)
    _override(root, "capped", "cap", 90, D + 2 * DAY)
    _override(root, "floor", "floor", 60, D + 2 * DAY)
    _override(root, "late", "set", 10, D + 5 * DAY, starts_on=D)
    _override(root, "ended", "set", 10, D + 2 * DAY, starts_on=D + 3 * DAY, expires_on=D + 5 * DAY)
    taken = _override(root, "taken", "set", 10, D + 2 * DAY)
    _override(root, "both", "set", 5, D + 1 * DAY)
    _override(root, "both", "floor", 45, D + 1 * DAY)
    _override(root, "both", "cap", 40, D + 1 * DAY)
    _override(root, "twice", "set", 10, D + 1 * DAY)
    _override(root, "twice", "set", 50, D + 4 * DAY)
    store = opened(root).store
    said.withdraw_override(store, taken, by=Actor("kim"), now=_at(D + 6 * DAY))
    store.close()
    score(root, D + 4 * DAY, D)
    score(root, D + 9 * DAY)
    return root


def _effective(root: Path, who: str) -> list[float]:
    told = _snapshots(root)
    return [told[who, D + n * DAY]["effective"] for n in range(10)]


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("silent", [80] * 10),
        ("set", [80] * 2 + [10] * 8),
        ("cap", [80] * 2 + [50] * 8),
        ("capped", [80] * 10),
        ("floor", [30] * 2 + [60] * 8),
        ("late", [80] * 5 + [10] * 5),
        ("ended", [80] * 3 + [10] * 3 + [80] * 4),
        ("taken", [80] * 2 + [10] * 4 + [80] * 4),
        ("both", [80] + [40] * 9),
        ("twice", [80] + [10] * 3 + [50] * 6),
    ],
)
def test_the_effective_score_follows_what_was_said(spoken: Path, who: str, expected: list[float]) -> None:
    assert _effective(spoken, who) == expected


def test_computed_and_published_know_nothing_of_it(spoken: Path) -> None:
    for (who, _), row in _snapshots(spoken).items():
        plain = 30 if who == "floor" else 80
        assert (row["computed"], row["published"]) == (plain, plain)
        assert row["published_band"] == ("at_risk" if who == "floor" else "healthy")


def test_the_band_under_an_override_is_the_plain_band_of_the_effective_score(spoken: Path) -> None:
    for row in _snapshots(spoken).values():
        plain = "healthy" if row["effective"] >= 70 else "watch" if row["effective"] >= 40 else "at_risk"
        assert row["band"] == plain


def test_the_band_is_dated_from_the_day_it_changed(spoken: Path) -> None:
    told = _snapshots(spoken)
    assert told["ended", D + 2 * DAY]["band_since"] == D
    assert told["ended", D + 5 * DAY]["band_since"] == D + 3 * DAY
    assert told["ended", D + 9 * DAY]["band_since"] == D + 6 * DAY
    assert told["set", D + 9 * DAY]["band_since"] == D + 2 * DAY
    assert told["silent", D + 9 * DAY]["band_since"] == D
    assert told["capped", D + 9 * DAY]["band_since"] == D


def test_an_override_that_moves_the_band_is_a_transition_of_its_own_kind(spoken: Path) -> None:
    told = [row for row in table(spoken, "transitions") if row["account_id"] == "ended"]
    assert [(r["as_of"], r["kind"], r["from_band"], r["to_band"], r["since"]) for r in told] == [
        (D + 3 * DAY, "override", "healthy", "at_risk", D + 2 * DAY),
        (D + 6 * DAY, "override", "at_risk", "healthy", D + 5 * DAY),
    ]
    assert json.loads(told[0]["drivers"]) == [
        {"kind": "override", "component": None, "metric": None, "points": -70.0}
    ]
    kinds = {row["account_id"]: row["kind"] for row in table(spoken, "transitions")}
    assert "silent" not in kinds and "capped" not in kinds and set(kinds.values()) == {"override"}


def test_scoring_the_days_again_gives_the_same(spoken: Path) -> None:
    before = (table(spoken, "snapshots"), table(spoken, "transitions"))
    score(spoken, D + 9 * DAY, D + 3 * DAY)
    assert (table(spoken, "snapshots"), table(spoken, "transitions")) == before


def test_a_score_that_moves_under_an_override_still_changes_the_published_band(tmp_path: Path) -> None:
    levels = [level("a", D, 80), level("a", D + 3 * DAY, 20)]
    company([account("a")], levels).write(tmp_path)
    _override(tmp_path, "a", "set", 90, D + DAY, expires_on=D + 5 * DAY)
    score(tmp_path, D + 7 * DAY, D)
    told = _snapshots(tmp_path)
    assert [told["a", D + n * DAY]["published_band"] for n in (2, 3, 7)] == ["healthy", "at_risk", "at_risk"]
    assert [told["a", D + n * DAY]["band"] for n in (2, 5, 6)] == ["healthy", "healthy", "at_risk"]
    assert told["a", D + 7 * DAY]["band_since"] == D + 6 * DAY
    kinds = [(row["as_of"], row["kind"]) for row in table(tmp_path, "transitions")]
    assert kinds == [(D + 3 * DAY, "data"), (D + 6 * DAY, "override")]


def test_an_override_of_an_account_that_is_not_scored_has_no_effect(tmp_path: Path) -> None:
    company([account("a"), account("b")], [level("b", D, 50)]).write(tmp_path)
    _override(tmp_path, "a", "set", 90, D)
    score(tmp_path, D)
    told = _snapshots(tmp_path)["a", D]
    assert (told["status"], told["effective"], told["band"]) == ("not_scored", None, None)


def test_a_day_ends_where_the_project_says_also_for_what_people_say(tmp_path: Path) -> None:
    zone = {"timezone": "Australia/Sydney", "day_closes": "06:00"}
    company([account("a"), account("b")], [level("a", D, 80), level("b", D, 80)], **zone).write(tmp_path)
    store = opened(tmp_path).store
    told = {"starts_on": D, "reason": "r", "owner": "kim", "by": Actor("kim")}
    # 05:30 in Sydney on D + 2 still belongs to D + 1; 06:00 does not.
    said.add_override(store, "a", "set", 10, **told, now=datetime(2024, 5, 7, 19, 30, tzinfo=UTC))
    said.add_override(store, "b", "set", 10, **told, now=datetime(2024, 5, 7, 20, 0, tzinfo=UTC))
    store.close()
    score(tmp_path, D + 2 * DAY, D)
    told = _snapshots(tmp_path)
    assert [told["a", D + n * DAY]["effective"] for n in range(3)] == [80, 10, 10]
    assert [told["b", D + n * DAY]["effective"] for n in range(3)] == [80, 80, 10]


def test_a_pulse_counts_where_it_is_declared_from_its_day_to_its_last(tmp_path: Path) -> None:
    half = {"mood": {"curve": [[0, 0], [10, 100]]}}
    asks = {
        **LEVEL,
        "scorecard": "asks",
        "applies_to": {"segment": "x"},
        "components": {**LEVEL["components"], "voice": {"measures": half}},
    }
    people = [account("asked", segment="x"), account("other", segment="y")]
    company(
        people,
        [level("asked", D, 80), level("other", D, 80)],
        cards=[asks, {**LEVEL, "applies_to": {"segment": "y"}}],
        metrics={"mood": {"pulse": "mood"}},
        history={"segment": "fixed"},
    ).write(tmp_path)
    store = opened(tmp_path).store
    for who in ("asked", "other"):
        told = {"by": Actor("kim"), "now": _at(D + DAY), "expires_on": D + 3 * DAY}
        said.add_pulse(store, who, "mood", 2, **told)
    number = said.add_pulse(store, "asked", "mood", 6, by=Actor("kim"), now=_at(D + 5 * DAY))
    said.withdraw_pulse(store, number, by=Actor("kim"), now=_at(D + 7 * DAY))
    store.close()
    score(tmp_path, D + 8 * DAY, D)
    told = _snapshots(tmp_path)
    found = [told["asked", D + n * DAY]["computed"] for n in range(9)]
    assert found == [80, 50, 50, 50, 80, 70, 70, 80, 80]
    assert {told["other", D + n * DAY]["computed"] for n in range(9)} == {80}
