"""A plan says what the next run of the same date would publish, and publishes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from retinue.errors import NotFound
from retinue.run.planned import Move, Plan
from retinue.store.people.access import Actor
from retinue.store.work.said import add_override
from tests.plan.half import HALF, MOODS, TWO, planned, two, weighted
from tests.run.company import DAY, Company, noon, opened, score, table
from tests.run.everything import FIRST, LAST, everything
from tests.run.small import LEVEL, D, account, level


def moved(found: Plan) -> dict[str, Move]:
    return {move.account_id: move for move in found.moves()}


def test_a_project_as_published_changes_nothing(half: Path) -> None:
    found = planned(half)
    assert not found.changes
    assert not found.declared
    assert found.counts() == {
        "accounts": 3,
        "changed": 0,
        "moved_band": 0,
        "newly_scored": 0,
        "no_longer_scored": 0,
        "moved_by_late_data": 0,
    }
    assert found.to_dict()["accounts"] == []


def test_changed_weights_move_scores_bands_and_revenue(heavier: Plan) -> None:
    """With mood three times as heavy, a falls from 70 to 60, c from 45 to 27.5, and b stays at 20."""
    found = heavier
    assert found.changes
    told = moved(found)
    assert {
        who: (m.before["score"], m.after["score"], m.by_change, m.by_data) for who, m in told.items()
    } == {
        "a": (70, 60, -10, 0),
        "c": (45, 27.5, -17.5, 0),
    }
    assert list(told) == ["c", "a"]
    assert [m.account_id for m in found.moves("arr")] == ["a", "c"]
    assert told["a"].name == "Company a"
    assert [(one.account_id, one.kind, one.from_band, one.to_band) for one in found.transitions()] == [
        ("a", "recalibrated", "healthy", "watch"),
        ("c", "recalibrated", "watch", "at_risk"),
    ]
    moves = found.migration()
    assert moves.accounts[:3, :3].tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert moves.arr[:3, :3].tolist() == [[200, 0, 0], [800, 0, 0], [0, 900, 0]]
    assert (moves.worse, moves.better, moves.unknown) == (1700, 0, 0)


def test_the_change_of_an_account_is_taken_apart(heavier: Plan) -> None:
    told = moved(heavier)
    assert told["c"].parts == (("level", 40, 20), ("mood", 5, 7.5))
    assert told["c"].moved_parts == [("level", -20), ("mood", 2.5)]


def test_the_declarations_that_differ_are_named(heavier: Plan) -> None:
    found = heavier.declared
    assert found is not None
    (card,) = found.scorecards
    assert (card.scorecard, card.kind) == ("level", "changed")
    assert card.old_fingerprint != card.new_fingerprint
    assert [(d.path, d.old, d.new) for d in card.differences] == [("components.mood.weight", 1, 3)]
    assert [(s.component, s.old, s.new) for s in card.shares] == [("level", 0.5, 0.25), ("mood", 0.5, 0.75)]
    assert not found.metrics
    assert not found.sources


def test_a_new_cap_is_named_and_what_it_takes_is_told(half: Path) -> None:
    cap = {"when": "mood < 30", "at_most": 30, "because": "mood is low"}
    HALF.with_card(0, caps=[cap]).write(half)
    found = planned(half)
    told = moved(found)
    assert list(told) == ["c"]
    assert told["c"].parts == (("level", 40, 40), ("mood", 5, 5), ("caps and floors", 0, -15))
    (difference,) = found.declared.scorecards[0].differences
    assert (difference.path, difference.kind) == ("caps.mood < 30", "added")
    assert difference.new["at_most"] == 30


def test_a_new_scorecard_takes_accounts_over(half: Path) -> None:
    mood_only = {
        "scorecard": "quiet",
        "applies_to": {"segment": "quiet"},
        "components": {"mood": {"measures": {"mood": {"curve": [[0, 0], [100, 100]]}}}},
        "stability": LEVEL["stability"],
    }
    people = [{**one, "segment": "quiet" if one["id"] == "a" else None} for one in HALF.accounts]
    replace(HALF, accounts=people, scorecards=[mood_only, TWO]).write(half)
    found = planned(half)
    assert found.switched() == [("level", "quiet", 1)]
    assert moved(found)["a"].parts == (("level", 45, None), ("mood", 25, 50))
    kinds = {card.scorecard: card.kind for card in found.declared.scorecards}
    assert kinds == {"quiet": "added", "level": "same"}


def test_a_scorecard_that_goes_leaves_accounts_without_a_score(half: Path) -> None:
    other = {**TWO, "scorecard": "other", "applies_to": {"segment": "x"}}
    replace(HALF, scorecards=[other]).write(half)
    found = planned(half)
    assert [move.account_id for move in found.standing("not_scored")] == ["a", "b", "c"]
    assert {card.scorecard: card.kind for card in found.declared.scorecards} == {
        "other": "added",
        "level": "removed",
    }
    assert not found.transitions()
    assert found.migration().accounts[:3, 3].sum() == 3


def test_coverage_that_is_asked_for_decides_who_is_scored(tmp_path: Path) -> None:
    start = two({"a": 90, "b": 20}, {"a": 50}).with_card(0, min_coverage=0.9)
    start.write(tmp_path)
    score(tmp_path, D + DAY, D)
    start.with_card(0, min_coverage=0.4).write(tmp_path)
    found = planned(tmp_path)
    (new,) = found.standing("scored")
    assert (new.account_id, new.before["score"], new.after["score"]) == ("b", None, 20)
    assert new.change is None
    assert found.counts()["newly_scored"] == 1


def test_a_changed_metric_is_named_under_the_scorecards_that_use_it(half: Path) -> None:
    replace(HALF, metrics={**HALF.metrics, "mood": {"mean": "moods.value", "window": "1d"}}).write(half)
    found = planned(half)
    assert [(m.name, m.kind) for m in found.declared.metrics] == [("mood", "changed")]
    assert found.declared.scorecards[0].metrics == ("mood",)
    assert {who: m.after["score"] for who, m in moved(found).items()} == {"a": 90, "c": 80}


def test_a_changed_source_moves_scores_under_the_same_fingerprint(half: Path) -> None:
    facts = {**HALF.settings["facts"], "moods": {**MOODS, "where": "value > 20"}}
    replace(HALF, settings={**HALF.settings, "facts": facts}).write(half)
    found = planned(half)
    assert [card.kind for card in found.declared.scorecards] == ["same"]
    assert [(one.name, one.kind) for one in found.declared.sources] == [("moods", "changed")]
    assert {who: m.by_change for who, m in moved(found).items()} == {"c": 35}
    assert [(one.account_id, one.kind) for one in found.transitions()] == [("c", "data")]
    assert found.changes


def test_late_rows_are_told_apart_from_the_change(half: Path) -> None:
    """A row of D that was loaded late moves c from 45 to 50; the weights take it to 35 from there."""
    late = {"id": "c", "day": D + DAY, "value": 20, "loaded": D + DAY}
    weighted(3).with_rows("moods", [late]).write(half)
    found = planned(half)
    told = moved(found)
    assert (told["c"].by_data, told["c"].by_change, told["c"].change) == (5, -15, -10)
    assert found.counts()["moved_by_late_data"] == 1


def test_late_rows_new_accounts_and_other_words_are_no_change(half: Path) -> None:
    late = HALF.with_rows("moods", [{"id": "c", "day": D + DAY, "value": 20, "loaded": D + DAY}])
    late = replace(late, accounts=[*late.accounts, account("d", arr=None)])
    late.with_rows("levels", [level("d", D, 50)]).with_card(0, label="Level and mood").write(half)
    found = planned(half)
    assert not found.changes
    assert found.moves() == []
    assert found.late == 1
    assert [card.kind for card in found.declared.scorecards] == ["words"]
    moves = found.migration()
    assert (moves.accounts[4].sum(), moves.unknown) == (1, 1), "the new account was not there before"


def test_nothing_published_is_said(tmp_path: Path) -> None:
    HALF.write(tmp_path)
    with pytest.raises(NotFound, match="nothing is published"):
        planned(tmp_path)


def test_published_declarations_that_cannot_be_scored_any_more_leave_the_rest(half: Path) -> None:
    (half / "data" / "moods.csv").unlink()
    facts = {name: one for name, one in HALF.settings["facts"].items() if name != "moods"}
    card = {**TWO, "components": {"level": TWO["components"]["level"]}}
    bare = replace(HALF, settings={**HALF.settings, "facts": facts}, metrics={"level": HALF.metrics["level"]})
    bare = replace(bare, scorecards=[card], tables={"levels": HALF.tables["levels"]})
    bare.write(half)
    found = planned(half)
    assert not found.told_apart
    assert any("cannot be scored any more" in note for note in found.notes)
    assert moved(found)["a"].by_change == 20
    assert [(one.name, one.kind) for one in found.declared.sources] == [("moods", "removed")]


# --- nothing is published, and what is foreseen comes ------------------------------------------------


def snapshots(root: Path, day: date) -> dict[str, tuple[Any, ...]]:
    names = ("status", "scorecard", "fingerprint", "effective", "band", "base", "adjustment", "published")
    return {
        row["account_id"]: tuple(row[name] for name in names)
        for row in table(root, "snapshots", first=day, last=day)
    }


def effects(found: Plan) -> dict[str, tuple[Any, ...]]:
    names = ("status", "scorecard", "fingerprint", "score", "band", "base", "adjustment", "published")
    return {
        row["account_id"]: tuple(row[f"after_{name}"] for name in names)
        for row in found.effects.to_pylist()
        if row["after_status"] is not None
    }


def followed(root: Path, last: date, first: date, other: Company) -> Plan:
    """The plan for `other` over what is published of `root`, after it was held against a run."""
    score(root, last, first)
    other.write(root)
    found = planned(root, last)
    foreseen = effects(found)
    score(root, last, last)
    assert foreseen == snapshots(root, last)
    scored = [m for m in found.moves() if m.change is not None]
    assert scored
    for move in scored:
        ends = [
            [value or 0.0 for value in side] for side in zip(*(part[1:] for part in move.parts), strict=True)
        ]
        assert sum(ends[1]) - sum(ends[0]) == pytest.approx(move.change, abs=1e-9)
    return found


def test_what_is_planned_is_what_a_run_of_the_date_publishes(tmp_path: Path) -> None:
    """With stability that holds scores back, a cap, an override and an account of a silent past."""
    calm = {"deadband": 5, "margin": 3, "confirm": {"down": "3d", "up": "7d"}}
    start = two(
        {"a": 90, "b": 20, "c": 80, "d": 60},
        {"a": 50, "b": 20, "c": 10},
    )
    start = start.with_card(0, stability=calm).with_rows("levels", [level("a", D + 2 * DAY, 84)])
    start.write(tmp_path)
    workspace = opened(tmp_path)
    add_override(
        workspace.store,
        "b",
        "floor",
        33,
        reason="they told us",
        owner="kim",
        starts_on=D,
        by=Actor("kim"),
        now=noon(D),
    )
    workspace.store.close()
    cap = {"when": "mood < 30", "at_most": 35, "because": "mood is low"}
    found = followed(tmp_path, D + 2 * DAY, D, start.with_card(0, caps=[cap]))
    told = moved(found)
    assert told["c"].parts[-1] == ("caps and floors", 0, -10)
    # A new formula lets the published score of a catch up with the computed one.
    assert ("stability", 3, 0) in told["a"].parts
    assert [name for name, *_ in told["a"].parts] == ["level", "mood", "stability"]


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_so_it_is_for_a_company_with_everything(tmp_path: Path, seed: int) -> None:
    """Cohorts, caps, groups, a feed that died, accounts that come and go."""
    whole = everything(seed)
    whole.write(tmp_path)
    grown = dict(whole.scorecards[1])
    components = {**grown["components"], "voice": {**grown["components"]["voice"], "weight": 60}}
    other = whole.with_card(1, components=components, caps=[])
    assert followed(tmp_path, LAST, FIRST, other).changed.num_rows > 2
