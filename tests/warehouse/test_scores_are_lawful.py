"""Scores of random projects: their bounds, their identities, and one account scored by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from retinue.insight.gains import combine
from tests.warehouse import oracle, randomly
from tests.warehouse.world import Result, World

SEEDS = st.integers(0, 10**9)
PRESENCE = {"ok": "present", "stale": "present", "missing": "missing", "not_applicable": "not_applicable"}


def by_hand(world: World, result: Result, key: tuple[str, date]) -> None:
    """The score of one account and date, from values of the oracle; only points of cohort
    curves and of children, which have tests of their own, are taken as they came out."""
    account = next(a for a in world.accounts if a.key == key[0])
    score, row = result.scores[key], result.rows[key]
    card = world.scorecards[row["formula"]]
    told = []
    for metric, (component, measure, share) in oracle.measures_of(card).items():
        out = result.measures[(*key, component, metric)]
        if "children" in world.metrics[metric]:
            value, state = out["value"], out["state"]
            aged, of_row = None, None
        else:
            value, state = oracle.held(world, metric, account, key[1])
            aged, of_row = (f(world, metric, account, key[1]) for f in (oracle.age, oracle.row_age))
            assert (out["value"] is None) == (value is None), (key, metric)
            assert value is None or math.isclose(out["value"], value, rel_tol=1e-12), (key, metric)
        scored = None
        if measure["curve"] == "cohort":
            scored = out["points"] if out["cohort"] is not None else None
        elif value is not None:
            scored = oracle.points(measure["curve"], value)
        fresh = oracle.freshness(measure, of_row, aged)
        if state in {"ok", "stale"} and scored is None:
            state = "missing"
        if state == "ok" and fresh == 0:
            state = "stale"
        assert out["state"] == state, (key, metric, out, value)
        assert out["age_days"] == aged, (key, metric, out, aged)
        told.append(
            (metric, component, scored, share, fresh, PRESENCE[state], measure.get("missing", "reweight"))
        )
    cells = {name: oracle.held(world, name, account, key[1])[0] for name in ("open", "since", "count_7d")}
    caps = [
        at
        for at, fired in (
            (card["caps"][0]["at_most"], (cells["open"] or 0) > 2),
            (card["caps"][1]["at_most"], (cells["since"] or 0) > 60 and row["stage"] == "old"),
        )
        if fired
    ]
    floors = [card["floors"][0]["at_least"]] if (cells["count_7d"] or 0) >= 2 else []
    expected = combine(
        [math.nan if one[2] is None else one[2] for one in told],
        [one[3] for one in told],
        [one[4] for one in told],
        [one[5] for one in told],
        [one[6] for one in told],
        caps,
        floors,
        card["min_coverage"],
    )
    assert score["coverage"] == pytest.approx(expected.coverage, abs=1e-9), key
    assert (score["status"] == "scored") == expected.scored, (key, score, expected)
    if not expected.scored:
        assert score["base"] is score["computed"] is score["adjustment"] is None
        return
    for name in ("base", "computed", "adjustment"):
        assert score[name] == pytest.approx(getattr(expected, name), abs=1e-9), (key, name)
    parts = zip(told, expected.weights, expected.contributions, strict=True)
    for (metric, component, *_), weight, contribution in parts:
        out = result.measures[(*key, component, metric)]
        assert out["weight"] == pytest.approx(weight, abs=1e-12), (key, metric)
        assert out["contribution"] == pytest.approx(contribution, abs=1e-9), (key, metric)
    because = score["cap"]
    if expected.cap is not None:
        assert because in {cap["because"] for cap in card["caps"] if cap["at_most"] == caps[expected.cap]}
    else:
        assert because == (card["floors"][0]["because"] if expected.floor is not None else None)


def identities(result: Result) -> None:
    sums: dict[tuple[str, date], list[float]] = {}
    for (account, day, _, _), row in result.measures.items():
        if row["points"] is not None:
            assert 0 <= row["points"] <= 100
        if row["contribution"] is not None:
            sums.setdefault((account, day), []).append(row["contribution"])
    some = 0
    for key, row in result.scores.items():
        assert 0 <= row["coverage"] <= 1 + 1e-12
        if row["status"] == "scored":
            some += 1
            assert 0 <= row["computed"] <= 100
            assert abs(math.fsum(sums[key]) - row["base"]) < 1e-9
            assert abs(row["base"] + row["adjustment"] - row["computed"]) < 1e-9
        else:
            assert key not in sums
    assert some > 20


def scaled(world: World) -> World:
    def seven(card: Any) -> dict[str, Any]:
        components = {
            name: {
                "weight": 7 * told["weight"],
                "measures": {
                    metric: {**measure, "weight": 7 * measure.get("weight", 1)}
                    for metric, measure in told["measures"].items()
                },
            }
            for name, told in card["components"].items()
        }
        return {**card, "components": components}

    return replace(world, scorecards=tuple(seven(card) for card in world.scorecards))


def renamed(world: World, names: dict[str, str]) -> World:
    def other(account: Any) -> Any:
        parent = account.attributes["parent"]
        told = {**account.attributes, "parent": names.get(parent)}
        return replace(account, key=names[account.key], attributes=told)

    return replace(
        world,
        accounts=tuple(other(account) for account in world.accounts),
        sources={
            name: replace(source, rows=tuple(replace(r, account=names[r.account]) for r in source.rows))
            for name, source in world.sources.items()
        },
        histories={
            name: tuple((names[row[0]], *row[1:]) for row in rows) for name, rows in world.histories.items()
        },
        pulses=tuple((names[p[0]], *p[1:]) for p in world.pulses),
    )


def without(tables: tuple[dict[Any, Any], ...], *columns: str) -> list[dict[Any, Any]]:
    return [
        {
            k: {c: x for c, x in v.items() if c not in columns} if isinstance(v, dict) else v
            for k, v in t.items()
        }
        for t in tables
    ]


@settings(max_examples=1, phases=[Phase.generate])
@given(seed=SEEDS)
def test_scores_of_a_random_project_equal_those_by_hand(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world, dates = randomly.scored(seed), randomly.grid(seed)
    result = world.compute(tmp_path_factory.mktemp("laws"), dates)
    identities(result)
    for key in result.scores:
        by_hand(world, result, key)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(30))
def test_scores_of_many_random_projects_equal_those_by_hand(seed: int, tmp_path: Path) -> None:
    world, dates = randomly.scored(seed, accounts=30), randomly.grid(seed)
    result = world.compute(tmp_path, dates)
    identities(result)
    for key in result.scores:
        by_hand(world, result, key)


def test_order_names_threads_and_the_scale_of_weights_change_nothing(tmp_path: Path) -> None:
    world, dates = randomly.scored(5), randomly.grid(2)
    once = world.compute(tmp_path / "once", dates)
    again = world.compute(tmp_path / "again", dates)
    assert again.everything() == once.everything()
    assert again.curves.equals(once.curves)
    mixed = scaled(world.shuffled(1)).compute(tmp_path / "mixed", dates, threads=1)
    assert mixed.everything() == once.everything()
    names = {a.key: f"other {99 - n}" for n, a in enumerate(world.accounts)}
    other = renamed(world, names).compute(tmp_path / "other", dates)
    expected = tuple({(names[k[0]], *k[1:]): v for k, v in table.items()} for table in once.everything())
    own = ("account", "a_parent", "m_parent")
    assert without(other.everything(), *own) == without(expected, *own)


def test_a_better_value_on_a_rising_curve_never_scores_less(tmp_path: Path) -> None:
    world = randomly.company(3, accounts=20)
    world = replace(
        world,
        metrics={"sum_all": {"sum": "events.amount"}, "open": {"open": "events"}},
        scorecards=(
            {
                "scorecard": "one",
                "components": {
                    "a": {
                        "weight": 3,
                        "measures": {"sum_all": {"curve": [[-3, 0], [0.1, 10], [7, 70], [30, 100]]}},
                    },
                    "b": {"weight": 1, "measures": {"open": {"curve": [[0, 50], [1e9, 50]]}}},
                },
            },
        ),
    )
    result = world.compute(tmp_path, randomly.grid(0))
    pairs = sorted(
        (result.measures[(*key, "a", "sum_all")]["value"], row["computed"])
        for key, row in result.scores.items()
        if row["status"] == "scored"
    )
    assert len({value for value, _ in pairs}) > 50
    assert np.all(np.diff([computed for _, computed in pairs]) >= 0)
