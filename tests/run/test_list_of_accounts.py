"""The list of accounts as of the last date, and projects that have next to nothing to list."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from retinue.errors import RunError
from tests.run.company import DAY, Company, Row, listed, score, table
from tests.run.small import AT_ONCE, CLOCKED, LEVEL, D, account, company, level

TWO = {
    "scorecard": "two",
    "components": {
        "product_use": {"measures": {"level": {"curve": [[0, 0], [100, 100]]}}},
        "customer_voice_score": {"measures": {"answer": {"curve": [[0, 0], [10, 100]]}}},
    },
    "caps": [{"when": "answer < 1", "at_most": 15, "because": "they said that they will leave"}],
    "floors": [{"when": "answer >= 10", "at_least": 75, "because": "they love us"}],
    "stability": AT_ONCE,
}
LAST = D + 30 * DAY


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """Thirty-one days of accounts, one of each kind."""
    people = [
        account("steady", arr=1000, name="Steady Ltd"),
        account("fell", arr=2000, renews=LAST + 90 * DAY),
        account("renewed", arr=2000, renews=LAST - DAY),
        account("capped", arr=0),
        account("floored"),
        account("silent", arr=500, renews=LAST),
        account("ended", arr=900, ended=LAST - 2 * DAY),
        account("young", arr=100, started=LAST - 10 * DAY),
        account("future", arr=100, started=LAST + DAY),
        account("rose", arr=-5),
    ]
    table = [
        level(who["id"], max(D, who["started"] or D), 60)
        for who in people
        if who["id"] not in ("silent", "future")
    ]
    table += [level("fell", LAST - 3 * DAY, 20), level("rose", LAST - 8 * DAY, 100)]
    answers = [
        {"id": who["id"], "day": D, "value": 5, "loaded": D} for who in people if who["id"] != "silent"
    ]
    answers += [{"id": "capped", "day": LAST - 2 * DAY, "value": 0, "loaded": LAST - 2 * DAY}]
    answers += [{"id": "floored", "day": LAST - 2 * DAY, "value": 10, "loaded": LAST - 2 * DAY}]
    made = company(
        people,
        table,
        cards=[TWO],
        metrics={
            "level": {"latest": "levels.value", "label": "Level of use"},
            "answer": {"latest": "answers.value"},
        },
        history=dict.fromkeys(("name", "owner", "segment", "arr", "renews_on"), "fixed"),
    )
    settings = {
        **made.settings,
        "facts": {"levels": CLOCKED, "answers": {**CLOCKED, "table": "data/answers.csv"}},
    }
    root = tmp_path_factory.mktemp("list")
    Company(
        made.accounts, {**made.tables, "answers": answers}, settings, made.metrics, made.scorecards
    ).write(root)
    score(root, LAST, D)
    return {row["account_id"]: row for row in listed(root)}


def test_accounts_that_ended_or_have_not_begun_are_not_listed(rows: dict[str, Row]) -> None:
    assert {"ended", "future"} & set(rows) == set()
    assert len(rows) == 8
    assert {row["as_of"] for row in rows.values()} == {LAST}


def test_attention_is_what_is_at_stake(rows: dict[str, Row]) -> None:
    """(100 - effective) / 100 x ARR, twice that within 90 days of renewal; no ARR counts as 1."""
    found = {who: row["attention"] for who, row in rows.items()}
    effective = {who: row["effective"] for who, row in rows.items()}
    assert effective["steady"] == 55 and found["steady"] == pytest.approx(450)
    assert effective["fell"] == 35 and found["fell"] == pytest.approx(0.65 * 2000 * 2)
    assert found["renewed"] == pytest.approx(0.45 * 2000)
    assert found["capped"] == 0
    assert found["floored"] == pytest.approx(0.2)
    assert found["silent"] is None


def test_a_negative_arr_is_nothing_at_stake(rows: dict[str, Row]) -> None:
    assert rows["rose"]["attention"] == 0


def test_changes_are_those_of_the_last_weeks(rows: dict[str, Row]) -> None:
    fell = rows["fell"]
    assert (fell["delta_7"], fell["delta_28"], fell["delta_90"]) == (-20, -20, None)
    assert (rows["rose"]["delta_7"], rows["rose"]["delta_28"]) == (0, 20)
    assert (rows["young"]["delta_7"], rows["young"]["delta_28"]) == (0, None)
    assert rows["silent"]["delta_7"] is None


def test_the_sparkline_has_a_point_a_week(rows: dict[str, Row]) -> None:
    spark = (
        json.loads(rows["fell"]["sparkline"])
        if isinstance(rows["fell"]["sparkline"], str)
        else rows["fell"]["sparkline"]
    )
    assert spark == [None] * 8 + [55.0] * 4 + [35.0]


def test_reasons_say_what_is_the_matter(rows: dict[str, Row]) -> None:
    assert {who: row["reason"] for who, row in rows.items()} == {
        "steady": "weakest: customer voice score",
        "fell": "Level of use cost 20 points in 28 days",
        "renewed": "weakest: customer voice score",
        "capped": "they said that they will leave",
        "floored": "weakest: product use",
        "silent": "not enough data to score",
        "young": "weakest: customer voice score",
        "rose": "weakest: customer voice score",
    }


def test_the_explanation_has_components_and_drivers(rows: dict[str, Row]) -> None:
    told = rows["fell"]["explanation"]
    told = json.loads(told) if isinstance(told, str) else told
    parts = {part["component"]: part["points"] for part in told["components"]}
    assert parts == {"product_use": 20, "customer_voice_score": 50}
    assert [(d["kind"], d["metric"], d["points"]) for d in told["drivers_28"]] == [("value", "level", -20)]


# --- next to nothing ------------------------------------------------------------------------------


def test_no_accounts_at_all(tmp_path: Path) -> None:
    company([], []).write(tmp_path)
    result = score(tmp_path, D + DAY, D)
    assert (result.accounts, result.snapshots) == (0, 0)
    assert listed(tmp_path) == [] == table(tmp_path, "snapshots")
    assert score(tmp_path, D + 2 * DAY).accounts == 0


def test_accounts_after_none(tmp_path: Path) -> None:
    company([], []).write(tmp_path)
    score(tmp_path, D)
    company([account("a")], [level("a", D, 50)]).write(tmp_path)
    score(tmp_path, D + DAY)
    assert [row["effective"] for row in listed(tmp_path)] == [50]


def test_no_accounts_after_some(tmp_path: Path) -> None:
    company([account("a"), account("b")], [level("a", D, 50)]).write(tmp_path)
    score(tmp_path, D + DAY, D)
    company([account("b")], [level("a", D, 50), level("b", D, 70)]).write(tmp_path)
    score(tmp_path, D + 2 * DAY)
    assert [row["account_id"] for row in listed(tmp_path)] == ["b"]
    company([], []).write(tmp_path)
    score(tmp_path, D + 3 * DAY)
    assert listed(tmp_path) == []
    assert {row["account_id"] for row in table(tmp_path, "snapshots")} == {"a", "b"}


def test_accounts_that_come_and_go_keep_their_own_history(tmp_path: Path) -> None:
    levels = [level(who, D, 80) for who in "abcd"] + [level(who, D + 2 * DAY, 20) for who in "abcd"]
    company([account("b"), account("d")], levels).write(tmp_path)
    score(tmp_path, D + DAY, D)
    company([account(who) for who in "acd"], levels).write(tmp_path)
    score(tmp_path, D + 2 * DAY)
    company([account(who) for who in "abcd"], levels).write(tmp_path)
    score(tmp_path, D + 3 * DAY)
    rows = {row["account_id"]: row for row in table(tmp_path, "snapshots", first=D + 3 * DAY)}
    since = {who: row["band_since"] for who, row in rows.items()}
    assert since == {"a": D + 2 * DAY, "b": D + 3 * DAY, "c": D + 2 * DAY, "d": D + 2 * DAY}
    moved = [(row["account_id"], row["as_of"], row["since"]) for row in table(tmp_path, "transitions")]
    assert moved == [("b", D + 3 * DAY, D + DAY), ("d", D + 2 * DAY, D + DAY)]


def test_nothing_but_accounts_that_cannot_be_scored(tmp_path: Path) -> None:
    company([account("a"), account("b")], []).write(tmp_path)
    result = score(tmp_path, D + DAY, D)
    assert (result.scored, result.snapshots) == (0, 4)
    score(tmp_path, D + 2 * DAY)
    assert [row["reason"] for row in listed(tmp_path)] == ["not enough data to score"] * 2


def test_accounts_without_a_scorecard_are_not_scored(tmp_path: Path) -> None:
    card = {**LEVEL, "applies_to": {"segment": "x"}}
    company(
        [account("in", segment="x"), account("out", segment="y")],
        [level("in", D, 50), level("out", D, 50)],
        cards=[card],
    ).write(tmp_path)
    score(tmp_path, D)
    found = {row["account_id"]: row for row in listed(tmp_path)}
    assert (found["in"]["status"], found["in"]["scorecard"]) == ("scored", "level")
    assert (found["out"]["status"], found["out"]["scorecard"]) == ("not_scored", None)
    assert found["out"]["reason"] == "no scorecard applies"


def test_a_project_without_sources_scores_attributes(tmp_path: Path) -> None:
    card = {**LEVEL, "components": {"c": {"measures": {"size": {"curve": [[0, 0], [100, 100]]}}}}}
    made = company([account("a", size=30)], [], cards=[card], history={"size": "fixed"})
    settings = {**made.settings, "facts": {}}
    Company(made.accounts, {}, settings, {"size": {"attribute": "size"}}, [card]).write(tmp_path)
    score(tmp_path, D)
    assert [row["effective"] for row in listed(tmp_path)] == [30]


def test_a_project_without_scorecards_says_so(tmp_path: Path) -> None:
    company([account("a")], [level("a", D, 1)], cards=[]).write(tmp_path)
    with pytest.raises(RunError, match="there is no scorecard"):
        score(tmp_path, D)


def test_the_first_day_of_all(tmp_path: Path) -> None:
    day = date(2024, 2, 29)
    company([account("a", started=day)], [level("a", day, 40)]).write(tmp_path)
    score(tmp_path, day)
    [row] = table(tmp_path, "snapshots")
    assert (row["as_of"], row["band"], row["band_since"]) == (day, "watch", day)
