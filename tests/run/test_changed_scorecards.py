"""A changed scorecard is bridged on its first date, and raises no alarm by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.run.company import DAY, opened, score, table
from tests.run.everything import LAST, METRICS
from tests.run.small import LEVEL, D, account, company, level

SLOW = {**LEVEL, "stability": {"deadband": 5, "margin": 3, "confirm": {"down": "3d", "up": "7d"}}}
HALVED = {**SLOW, "components": {"level": {"measures": {"level": {"curve": [[0, 0], [100, 50]]}}}}}


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days; then every level counts half. `falls` falls on that very day, `fell` the day before,
    and `absent` is not scored on the first day of the new card."""
    root = tmp_path_factory.mktemp("halved")
    names = ["steady", "low", "falls", "fell", "new"]
    levels = [level("steady", D, 90), level("low", D, 20), level("falls", D, 90), level("fell", D, 90)]
    levels += [level("falls", D + 3 * DAY, 10), level("fell", D + 2 * DAY, 60), level("new", D + 4 * DAY, 50)]
    company([account(n) for n in names], levels, cards=[SLOW]).write(root)
    score(root, D + 2 * DAY, D)
    company([account(n) for n in names], levels, cards=[HALVED]).write(root)
    score(root, D + 4 * DAY)
    return root


def test_a_new_fingerprint_begins_with_the_change_and_the_old_one_stays_in_history(halved: Path) -> None:
    prints = {row["as_of"]: row["fingerprint"] for row in table(halved, "snapshots", account="steady")}
    old, new = prints[D], prints[D + 3 * DAY]
    assert old != new
    assert list(prints.values()) == [old] * 3 + [new] * 2
    workspace = opened(halved)
    assert {old, new} <= set(workspace.manifest().formulas)
    workspace.store.close()


def test_only_the_first_date_is_bridged(halved: Path) -> None:
    bridges = {row["account_id"]: row for row in table(halved, "bridges")}
    assert set(bridges) == {"steady", "low", "falls", "fell"}
    assert {row["as_of"] for row in bridges.values()} == {D + 3 * DAY}
    told = {who: (row["old_computed"], row["new_computed"]) for who, row in bridges.items()}
    assert told == {"steady": (90, 45), "low": (20, 10), "falls": (10, 5), "fell": (60, 30)}


def test_a_band_that_only_the_new_card_moved_is_recalibrated(halved: Path) -> None:
    found = {row["account_id"]: row for row in table(halved, "transitions")}
    assert {who: (r["as_of"], r["kind"], r["from_band"], r["to_band"]) for who, r in found.items()} == {
        "steady": (D + 3 * DAY, "recalibrated", "healthy", "watch"),
        "falls": (D + 3 * DAY, "recalibrated", "healthy", "at_risk"),
        "fell": (D + 3 * DAY, "recalibrated", "healthy", "at_risk"),
    }
    drivers = json.loads(found["steady"]["drivers"])
    assert [(d["kind"], d["points"]) for d in drivers] == [("configuration", -45)]


def test_published_starts_from_computed_under_the_new_card(halved: Path) -> None:
    rows = {row["account_id"]: row for row in table(halved, "snapshots", first=D + 3 * DAY, last=D + 3 * DAY)}
    assert {who: row["published"] for who, row in rows.items()} == {
        "steady": 45,
        "low": 10,
        "falls": 5,
        "fell": 30,
        "new": None,
    }


def test_an_account_scored_for_the_first_time_makes_no_transition(halved: Path) -> None:
    rows = table(halved, "snapshots", account="new")
    assert [row["status"] for row in rows] == ["not_scored"] * 4 + ["scored"]
    assert not table(halved, "transitions", account="new")


def test_other_words_are_the_same_formula(changed: Path) -> None:
    """The third part of `changed` gave a metric and a scorecard new labels and nothing else."""
    prints = {
        day: {
            row["fingerprint"]
            for row in table(changed, "snapshots", first=day, last=day)
            if row["fingerprint"]
        }
        for day in (LAST, LAST + 2 * DAY, LAST + 3 * DAY)
    }
    assert prints[LAST] != prints[LAST + 2 * DAY]
    assert prints[LAST + 2 * DAY] >= prints[LAST + 3 * DAY]
    switched = table(changed, "bridges", first=LAST + 3 * DAY, last=LAST + 3 * DAY)
    assert all(row["old_scorecard"] != "grown" for row in switched)
    assert "label" not in METRICS["csat"]
