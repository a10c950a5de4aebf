"""Children and their parents, stages, scorecards, attributes, pulses, and bridges between formulas."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.warehouse.world import Account, Row, Source, World

DAY = date(2024, 5, 1)
LINE = {"curve": [[0, 0], [100, 100]]}


def family(tree: dict[str, tuple[str | None, float | None, float | None]], **card: Any) -> World:
    """Accounts by key: parent, own score (None: not scored), ARR. Parents measure their children."""
    accounts = tuple(
        Account(key, date(2023, 1, 1), attributes={"parent": parent, "given": own, "arr": arr})
        for key, (parent, own, arr) in tree.items()
    )
    measures = {"own": LINE, **dict.fromkeys(card.pop("rolled", ()), LINE)}
    told: dict[str, Any] = {"scorecard": "one", "components": {"c": {"measures": measures}}, **card}
    if "roll_up" in told:
        del told["components"]
    cards = (
        (told,)
        if "applies_to" not in told
        else (told, {"scorecard": "leaf", "components": {"c": {"measures": {"own": LINE}}}})
    )
    return World(
        accounts=accounts,
        metrics={
            "own": {"attribute": "given"},
            "mean": {"children": "mean"},
            "worst": {"children": "worst"},
            "by_arr": {"children": "arr"},
        },
        scorecards=cards,
        attributes={"parent": pa.string(), "given": pa.float64(), "arr": pa.float64()},
        fixed=("parent", "given", "arr"),
    )


def scores(world: World, folder: Path) -> dict[str, Any]:
    result = world.compute(folder, [DAY])
    return {key: row["computed"] for (key, _), row in result.scores.items()}


def test_a_parent_measures_its_children(tmp_path: Path) -> None:
    tree = {
        "p": (None, None, None),
        "a": ("p", 20.0, 300.0),
        "b": ("p", 80.0, 100.0),
        "unscored": ("p", None, 9999.0),
        "alone": (None, 50.0, 1.0),
    }
    world = family(tree, rolled=("mean", "worst", "by_arr"), min_coverage=0.2)
    result = world.compute(tmp_path, [DAY])
    told = {m: result.measures[("p", DAY, "c", m)] for m in ("mean", "worst", "by_arr")}
    assert {m: row["value"] for m, row in told.items()} == {"mean": 50.0, "worst": 20.0, "by_arr": 35.0}
    assert result.scores[("unscored", DAY)]["status"] == "not_scored"
    alone = [result.measures[("alone", DAY, "c", m)]["state"] for m in told]
    assert alone == ["missing"] * 3
    assert result.scores[("alone", DAY)]["computed"] == 50.0


def test_grandchildren_count_through_their_parent(tmp_path: Path) -> None:
    tree = {
        "z root": (None, None, None),
        "m mid": ("z root", None, None),
        "a leaf": ("m mid", 10.0, None),
        "b leaf": ("m mid", 30.0, None),
        "c leaf": ("z root", 60.0, None),
    }
    told = scores(family(tree, rolled=("mean",), min_coverage=0.2), tmp_path)
    assert told["m mid"] == 20.0
    assert told["z root"] == 40.0


def test_a_roll_up_is_the_whole_score_of_a_parent(tmp_path: Path) -> None:
    tree = {"p": (None, 5.0, 1.0), "a": ("p", 20.0, 0.0), "b": ("p", 80.0, -5.0), "c": ("p", 40.0, 10.0)}
    world = family(tree, roll_up="arr", applies_to={"given": [5]})
    assert scores(world, tmp_path) == {"p": 40.0, "a": 20.0, "b": 80.0, "c": 40.0}


def test_a_parent_whose_children_are_all_unscored_is_not_scored(tmp_path: Path) -> None:
    tree = {"p": (None, 5.0, 1.0), "a": ("p", None, 1.0)}
    assert scores(family(tree, roll_up="mean", applies_to={"given": [5]}), tmp_path) == {"p": None, "a": None}


def test_stages_and_scorecards_are_the_first_that_match(tmp_path: Path) -> None:
    start = date(2024, 1, 1)
    days = [start + timedelta(days=n) for n in (0, 29, 30, 89, 90)]
    cards = (
        {"scorecard": "starting", "applies_to": {"stage": ["new", "young"], "tier": ["gold"]}},
        {"scorecard": "gold", "applies_to": {"tier": ["gold"]}},
        {"scorecard": "numbers", "applies_to": {"level": [3, 4], "beta": True}},
    )
    world = World(
        accounts=(
            Account("gold", start, attributes={"tier": "gold", "level": 3, "beta": True}),
            Account("number", start, attributes={"tier": None, "level": 3, "beta": True}),
            Account("none", start, attributes={"tier": "Gold", "level": 5, "beta": True}),
        ),
        metrics={"level": {"attribute": "level"}},
        scorecards=tuple({**card, "components": {"c": {"measures": {"level": LINE}}}} for card in cards),
        attributes={"tier": pa.string(), "level": pa.int64(), "beta": pa.bool_()},
        fixed=("tier", "level", "beta"),
        settings={
            "stages": [
                {"stage": "new", "when": "tenure < 30"},
                {"stage": "young", "when": "tenure < 90"},
                {"stage": "rest"},
            ]
        },
    )
    result = world.compute(tmp_path, days)
    assert [result.rows[("gold", day)]["stage"] for day in days] == ["new", "new", "young", "young", "rest"]
    assert [result.rows[("gold", day)]["formula"] for day in days] == [0, 0, 0, 0, 1]
    assert {result.rows[("number", day)]["formula"] for day in days} == {2}
    assert {result.rows[("none", day)]["formula"] for day in days} == {None}
    assert not [key for key in result.scores if key[0] == "none"]


def attributed(**more: Any) -> World:
    return World(
        accounts=(
            Account("a", date(2024, 1, 1), attributes={"plan": 3.0, "seats": 7.0, "arr": 50.0}),
            Account("b", date(2024, 1, 1), attributes={"plan": None, "seats": 1.0, "arr": None}),
        ),
        metrics={name: {"attribute": name} for name in ("plan", "seats", "arr")},
        scorecards=(
            {
                "scorecard": "one",
                "applies_to": {"plan": [3, 2]},
                "components": {"c": {"measures": {"seats": LINE, "arr": {**LINE, "max_age": "20d"}}}},
            },
        ),
        attributes={"plan": pa.float64(), "seats": pa.float64(), "arr": pa.float64()},
        histories={
            "arr": (
                ("a", date(2024, 1, 10), date(2024, 1, 10), 10.0),
                ("a", date(2024, 1, 20), date(2024, 1, 25), 20.0),
            )
        },
        fixed=("seats",),
        **more,
    )


def test_a_history_says_what_was_known_then_and_how_old_it_is(tmp_path: Path) -> None:
    days = [date(2024, 1, n) for n in (9, 10, 24, 25)] + [date(2024, 2, 9), date(2024, 2, 10)]
    result = attributed().compute(tmp_path, days)
    assert [result.metrics[("a", day, "arr")][0] for day in days] == [None, 10, 10, 20, 20, 20]
    told = [result.measures[("a", day, "c", "arr")] for day in days]
    assert [row["age_days"] for row in told] == [None, 0, 14, 5, 20, 21]
    assert [row["state"] for row in told] == ["missing", "ok", "ok", "ok", "ok", "stale"]
    assert [row["weight"] > 0 for row in told] == [False, True, True, True, True, False]
    # Without a history row an account has no value, whatever today's table says.
    assert {result.metrics[("b", day, "arr")] for day in days} == {(None, "missing")}
    assert {result.metrics[("a", day, "seats")] for day in days} == {(7.0, "ok")}


def test_a_current_attribute_selects_before_its_first_snapshot_but_is_no_metric(tmp_path: Path) -> None:
    days = [date(2024, 2, 1), date(2024, 2, 10), date(2024, 2, 20), date(2024, 2, 21)]
    observed = pa.table(
        {
            "account_id": ["a"],
            "attribute": ["plan"],
            "day": pa.array([days[1]], pa.date32()),
            "value_text": ["2"],
        }
    )
    result = attributed().compute(tmp_path, days, observed=observed, observed_on=days[2])
    assert [result.metrics[("a", day, "plan")] for day in days] == [
        (None, "missing"),
        (2.0, "ok"),
        (3.0, "ok"),
        (3.0, "ok"),
    ]
    assert [result.rows[("a", day)]["a_plan"] for day in days] == [3.0, 2.0, 3.0, 3.0]
    assert [result.rows[("a", day)]["assumed"] for day in days] == [True, False, False, False]
    assert {result.rows[("b", day)]["assumed"] for day in days} == {False}, "nothing is assumed of b"


def test_a_pulse_is_the_last_that_was_said_until_it_expires(tmp_path: Path) -> None:
    first, second = date(2024, 3, 1), date(2024, 3, 10)
    world = World(
        accounts=(Account("a", date(2024, 1, 1)), Account("b", date(2024, 1, 1))),
        metrics={"mood": {"pulse": "mood"}},
        scorecards=(
            {
                "scorecard": "one",
                "components": {
                    "c": {"measures": {"mood": {"curve": [[0, 0], [10, 100]], "half_life": "7d"}}}
                },
            },
        ),
        pulses=(
            ("a", "mood", 3.0, first, None),
            ("a", "mood", 8.0, second, second + timedelta(days=5)),
            ("a", "other", 1.0, second, None),
            ("nobody", "mood", 1.0, second, None),
        ),
    )
    days = [first - timedelta(days=1), first, second, second + timedelta(days=4), second + timedelta(days=5)]
    result = world.compute(tmp_path, days)
    told = [result.metrics[("a", day, "mood")] for day in days]
    assert told == [(None, "missing"), (3.0, "ok"), (8.0, "ok"), (8.0, "ok"), (None, "missing")]
    assert [result.measures[("a", day, "c", "mood")]["age_days"] for day in days] == [None, 0, 0, 4, None]
    assert {result.metrics[("b", day, "mood")] for day in days} == {(None, "missing")}


# --- bridges ---------------------------------------------------------------------------------------


def switching() -> World:
    """One account that grows out of its first stage; two scorecards that score the same use."""
    start = date(2024, 1, 1)
    rows = tuple(Row("a", datetime.combine(start + timedelta(days=n), time(9))) for n in range(150))
    cards = [
        {
            "scorecard": name,
            "components": {"c": {"measures": {"use": {"curve": [[0, 0], [28, top]]}}}},
        }
        for name, top in (("young", 50), ("old", 80))
    ]
    return World(
        accounts=(Account("a", start),),
        sources={"usage": Source(rows, {})},
        metrics={"use": {"count": "usage", "window": "28d"}},
        scorecards=({**cards[0], "applies_to": {"stage": "new"}}, cards[1]),
        settings={"stages": [{"stage": "new", "when": "tenure < 60"}, {"stage": "grown"}]},
    )


def test_the_first_date_of_another_scorecard_is_scored_the_old_way_too(tmp_path: Path) -> None:
    start = date(2024, 1, 1)
    days = [start + timedelta(days=n) for n in (50, 59, 60, 61)]
    result = switching().compute(tmp_path, days)
    assert [result.scores[("a", day)]["computed"] for day in days] == [50, 50, 80, 80]
    assert list(result.bridges) == [("a", days[2])]
    bridge = result.bridges[("a", days[2])]
    assert (bridge["old_formula"], bridge["since"], bridge["old"]["computed"]) == (0, days[1], 50)
    assert bridge["old_fingerprint"] == result.fingerprints[0]


def last(day: date, fingerprint: str, reference: date | None = None) -> pa.Table:
    return pa.table(
        {
            "account_id": ["a"],
            "fingerprint": [fingerprint],
            "reference": pa.array([reference], pa.date32()),
            "as_of": pa.array([day], pa.date32()),
        }
    )


def test_the_score_before_the_first_date_is_bridged_from_its_own_formula(tmp_path: Path) -> None:
    world = switching()
    day = date(2024, 4, 10)
    young, old = world.project(tmp_path / "p").formulas
    before = day - timedelta(days=1)
    same = world.compute(tmp_path / "same", [day], last=last(before, old.fingerprint))
    assert not same.bridges
    other = world.compute(tmp_path / "other", [day], last=last(before, young.fingerprint))
    assert other.bridges[("a", day)]["old"]["computed"] == 50
    gone = (
        replace(
            world,
            scorecards=(
                {
                    "scorecard": "gone",
                    "components": {"c": {"measures": {"use": {"curve": [[0, 0], [28, 30]]}}}},
                },
            ),
            metrics={"use": {"count": "usage", "window": "7d"}},
        )
        .project(tmp_path / "g")
        .formulas[0]
    )
    told = world.compute(
        tmp_path / "gone", [day], last=last(before, gone.fingerprint), formulas={gone.fingerprint: gone}
    )
    bridge = told.bridges[("a", day)]
    assert bridge["old"]["computed"] == pytest.approx(7 / 28 * 30), "the metric as it was declared then"
    assert bridge["since"] == before
    lost = world.compute(tmp_path / "lost", [day], last=last(before, "0" * 16))
    assert lost.bridges[("a", day)]["old_formula"] == -1
    assert "old" not in lost.bridges[("a", day)]


def test_a_new_quarter_is_bridged_with_the_reference_before_it(tmp_path: Path) -> None:
    world = switching()
    curve = {"curve": "cohort", "direction": "higher_is_better", "cohort": []}
    card = {"scorecard": "one", "components": {"c": {"measures": {"use": curve}}}}
    world = replace(world, scorecards=(card,), settings={})
    days = [date(2024, 3, 31), date(2024, 4, 1), date(2024, 4, 2)]
    result = world.compute(tmp_path / "one", days)
    # Before the first quarter there is no history, so March is not scored.
    assert result.scores[("a", days[0])]["status"] == "not_scored"
    later = [date(2024, 6, 30), date(2024, 7, 1), date(2024, 7, 2)]
    result = world.compute(tmp_path / "two", later)
    assert list(result.bridges) == [("a", later[1])]
    bridge = result.bridges[("a", later[1])]
    assert bridge["old_reference"] == date(2024, 4, 1)
    assert result.scores[("a", later[1])]["reference"] == date(2024, 7, 1)
    assert bridge["old"]["reference"] == date(2024, 4, 1)
    assert bridge["old"]["computed"] != result.scores[("a", later[1])]["computed"]
    fingerprint = result.fingerprints[0]
    again = world.compute(tmp_path / "three", later[1:], last=last(later[0], fingerprint, date(2024, 4, 1)))
    assert again.bridges[("a", later[1])]["old"]["computed"] == bridge["old"]["computed"]
