"""Drivers between any two scored snapshots sum to the change of the effective score."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from retinue.insight.drivers import Bridge, MeasureRow, Scoring, Snapshot, explain_change
from retinue.insight.stability import NO_DAY
from retinue.run.bridges import all_bridges, published_bridges
from retinue.run.changes import changes
from retinue.run.history import Past
from retinue.run.layers import day_number, history
from tests.run.company import DAY, opened, table
from tests.run.everything import LAST


def _published(root: Path) -> tuple:
    """History, bridges and a way to fetch measures, from nothing but what is published."""
    workspace = opened(root)
    past = Past.of(workspace)
    snapshots = past.published.table("snapshots")
    ids = pa.array(sorted(set(snapshots["account_id"].to_pylist())))
    crossed = published_bridges(past.published, date.min, date.max)
    bridges = all_bridges(past.published, crossed, ids, None, None)
    number = {account: n for n, account in enumerate(ids.to_pylist())}
    places = np.array([number[account] for account in snapshots["account_id"].to_pylist()])
    merged = {"ix": bridges.ix, "day": bridges.day, "old_computed": bridges.old_computed}
    every = history(snapshots, places, list(past.formulas), merged)
    measures = past.published.table("measures")
    days = [day_number(day) for day in measures["as_of"].to_pylist()]
    keyed = measures.append_column("day", pa.array(days)).append_column(
        "ix", pa.array([number[account] for account in measures["account_id"].to_pylist()])
    )
    workspace.store.close()

    def fetch(ix, day):
        wanted = pa.table({"ix": pa.array(ix), "day": pa.array(day)})
        return keyed.join(wanted, ["ix", "day"], join_type="inner")

    return every, bridges, fetch


def _pairs(every) -> tuple[np.ndarray, np.ndarray]:
    at = np.flatnonzero(every.scored)
    pairs = [
        (one, other)
        for _, group in itertools.groupby(at.tolist(), key=lambda n: every.ix[n])
        for one, other in itertools.combinations(group, 2)
    ]
    return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])


@pytest.mark.parametrize("name", [pytest.param("daily", marks=pytest.mark.long), "changed"])
def test_every_pair_of_snapshots_is_explained_exactly(name: str, request: pytest.FixtureRequest) -> None:
    every, bridges, fetch = _published(request.getfixturevalue(name))
    assert len(bridges.ix)
    start, end = _pairs(every)
    found = changes(every, bridges, fetch, every.ix[start], every.day[start], every.day[end])
    total = np.bincount(found.drivers.change, found.drivers.points, len(start))
    np.testing.assert_allclose(total, (every.effective[end] - every.effective[start]), atol=1e-9, rtol=0)
    kinds = set(found.drivers.kind.tolist())
    assert kinds == set(range(6)), "a company with everything meets every kind of driver"


def test_a_change_from_no_snapshot_has_no_drivers(changed: Path) -> None:
    every, bridges, fetch = _published(changed)
    at = np.flatnonzero(every.scored)[:3]
    found = changes(every, bridges, fetch, every.ix[at], np.full(3, NO_DAY), every.day[at])
    assert found.listed(3) == [[], [], []]


def test_one_change_explained_alone_says_the_same_as_many_at_once(changed: Path) -> None:
    every, bridges, fetch = _published(changed)
    start, end = _pairs(every)
    start, end = start[::37], end[::37]
    many = changes(every, bridges, fetch, every.ix[start], every.day[start], every.day[end]).listed(
        len(start)
    )
    told, crossed = _told(changed)
    accounts = sorted({account for account, _ in told})
    for number, (one, other) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        account = accounts[every.ix[one]]
        alone = explain_change(
            told[account, int(every.day[one])], told[account, int(every.day[other])], crossed[account]
        )
        mine = {(d["kind"], d["component"], d["metric"]): d["points"] for d in many[number]}
        theirs = {(d.kind, d.component, d.metric): d.points for d in alone}
        assert mine == pytest.approx(theirs, abs=1e-9)


def _told(root: Path) -> tuple[dict, dict]:
    """Snapshots and bridges as `explain_change` wants them, from the published tables."""
    measures = defaultdict(list)
    for row in table(root, "measures"):
        told = (row[name] for name in ("component", "metric", "value", "state", "points", "weight"))
        measures[row["account_id"], row["as_of"]].append(MeasureRow(*told))
    snapshots = {}
    for row in table(root, "snapshots"):
        if row["status"] == "scored":
            numbers = [row[n] for n in ("base", "adjustment", "computed", "published", "effective")]
            day = day_number(row["as_of"])
            own = tuple(measures[row["account_id"], row["as_of"]])
            snapshots[row["account_id"], day] = Snapshot(day, *numbers, own)
    bridges = defaultdict(list)
    for row in table(root, "bridges"):
        old = None
        if row["old_computed"] is not None:
            rows = tuple(MeasureRow(**one) for one in json.loads(row["old_measures"]))
            old = Scoring(row["old_base"], row["old_adjustment"], row["old_computed"], rows)
        day = day_number(row["as_of"])
        before = snapshots[row["account_id"], day_number(row["since"])].scoring
        new = snapshots[row["account_id"], day].scoring
        bridges[row["account_id"]].append(Bridge(day, new, old, before))
    return snapshots, bridges


@pytest.mark.parametrize("name", ["backfilled", "changed"])
def test_contributions_sum_to_the_base_and_the_base_to_the_computed_score(
    name: str, request: pytest.FixtureRequest
) -> None:
    root = request.getfixturevalue(name)
    sums: dict = defaultdict(float)
    for kind in ("measures", "components"):
        for row in table(root, kind):
            sums[kind, row["account_id"], row["as_of"]] += row["contribution"] or 0
    for row in table(root, "snapshots"):
        if row["status"] != "scored":
            assert row["published"] is row["effective"] is row["band"] is None
            continue
        key = row["account_id"], row["as_of"]
        assert sums["measures", *key] == pytest.approx(row["base"], abs=1e-9)
        assert sums["components", *key] == pytest.approx(row["base"], abs=1e-9)
        assert row["base"] + row["adjustment"] == pytest.approx(row["computed"], abs=1e-9)
        assert all(0 <= row[name] <= 100 for name in ("base", "computed", "published", "effective"))


@pytest.mark.parametrize("name", ["backfilled", pytest.param("daily", marks=pytest.mark.long), "changed"])
def test_the_drivers_of_a_transition_sum_to_the_change_since_its_start(
    name: str, request: pytest.FixtureRequest
) -> None:
    root = request.getfixturevalue(name)
    effective = {(r["account_id"], r["as_of"]): r["effective"] for r in table(root, "snapshots")}
    transitions = table(root, "transitions")
    assert len(transitions) > 5
    for row in transitions:
        total = sum(driver["points"] for driver in json.loads(row["drivers"]))
        start, end = (effective[row["account_id"], row[day]] for day in ("since", "as_of"))
        assert total == pytest.approx(end - start, abs=1e-9), row


def test_a_bridge_has_the_same_day_both_ways(changed: Path) -> None:
    computed = {(r["account_id"], r["as_of"]): r["computed"] for r in table(changed, "snapshots")}
    before = defaultdict(list)
    for account, day in sorted(k for k, v in computed.items() if v is not None):
        before[account].append(day)
    bridges = table(changed, "bridges")
    assert {row["as_of"] for row in bridges} >= {LAST + DAY, LAST + 4 * DAY}
    for row in bridges:
        assert row["new_computed"] == computed[row["account_id"], row["as_of"]]
        days = before[row["account_id"]]
        assert row["since"] == days[days.index(row["as_of"]) - 1]
        if row["old_computed"] is not None:
            parts = json.loads(row["old_measures"])
            told = sum((m["points"] or 0) * m["weight"] for m in parts)
            assert told == pytest.approx(row["old_base"], abs=1e-9)
            total = row["old_base"] + row["old_adjustment"]
            assert total == pytest.approx(row["old_computed"], abs=1e-9)


def test_a_formula_that_cannot_be_scored_any_more_has_no_old_way(changed: Path) -> None:
    bridges = table(changed, "bridges", first=LAST + 4 * DAY)
    grown = [row for row in bridges if row["old_scorecard"] == "grown"]
    assert grown and all(row["old_computed"] is None for row in grown)
