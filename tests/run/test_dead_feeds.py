"""A feed that stopped is one alarm for the portfolio; it moves no published score and no band."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from tests.run.company import DAY, Row, score, table
from tests.run.small import AT_ONCE, CLOCKED, D, account, company, level

CARD = {
    "scorecard": "use",
    "components": {
        "use": {"weight": 3, "measures": {"uses": {"curve": [[0, 0], [7, 100]], "max_age": "2d"}}},
        "voice": {"measures": {"answer": {"curve": [[0, 0], [100, 100]]}}},
    },
    "caps": [{"when": "answer < 10", "at_most": 20, "because": "they said that they will leave"}],
    "stability": AT_ONCE,
}
#: The feed delivers up to and on day 6, is silent, and delivers again from day 14 on.
LAST_ROW, BACK = D + 6 * DAY, D + 14 * DAY


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    """Snapshots of 18 days by account, scored in three runs."""
    names = ["steady", "quiet", "cheerful", "leaving"]
    uses = [
        level(who, day, 1)
        for who in names
        for n in range(-8, 18)
        if (day := D + n * DAY) <= LAST_ROW or day >= BACK
        if who != "quiet" or n < 3
    ]
    answers = [{"id": who, "day": D - 9 * DAY, "value": 50, "loaded": D - 9 * DAY} for who in names]
    for who, value in (("cheerful", 100), ("leaving", 0)):
        answers.append({"id": who, "day": D + 11 * DAY, "value": value, "loaded": D + 11 * DAY})
    made = company(
        [account(n) for n in names],
        uses,
        cards=[CARD],
        metrics={"uses": {"count": "levels", "window": "7d"}, "answer": {"latest": "answers.value"}},
    )
    facts = {"levels": CLOCKED, "answers": {**CLOCKED, "table": "data/answers.csv"}}
    root = tmp_path_factory.mktemp("silent")
    told = {**made.settings, "facts": facts}
    replace(made, settings=told, tables={**made.tables, "answers": answers}).write(root)
    score(root, D + 9 * DAY, D)
    score(root, D + 17 * DAY)
    found: dict[str, list[Row]] = {}
    for row in table(root, "snapshots"):
        found.setdefault(row["account_id"], []).append(row)
    found["transitions"] = table(root, "transitions")
    return found


def _held(rows: list[Row]) -> list[date]:
    return [row["as_of"] for row in rows if row["held"]]


def test_scores_are_held_while_the_feed_is_older_than_its_limit(silent: dict[str, list[Row]]) -> None:
    dead = [LAST_ROW + n * DAY for n in range(3, 8)]
    for who in ("steady", "quiet", "cheerful", "leaving"):
        assert _held(silent[who]) == dead


def test_the_published_score_and_band_stand_still_meanwhile(silent: dict[str, list[Row]]) -> None:
    for who in ("steady", "quiet", "cheerful"):
        before = next(row for row in silent[who] if row["as_of"] == LAST_ROW + 2 * DAY)
        for row in silent[who]:
            if row["held"]:
                assert row["published"] == before["published"]
                assert row["band"] == before["band"]
                assert row["band_since"] == before["band_since"]


def test_a_cap_acts_even_then(silent: dict[str, list[Row]]) -> None:
    bands = {row["as_of"]: (row["band"], row["published"]) for row in silent["leaving"]}
    assert bands[D + 10 * DAY][0] == "watch" or bands[D + 10 * DAY][0] == "healthy"
    assert bands[D + 11 * DAY] == ("at_risk", 20)


def test_nothing_but_a_cap_makes_a_transition_while_the_feed_is_dead(silent: dict[str, list[Row]]) -> None:
    dead = {LAST_ROW + n * DAY for n in range(3, 8)}
    found = [(r["account_id"], r["kind"]) for r in silent["transitions"] if r["as_of"] in dead]
    assert found == [("leaving", "rule")]


def test_scores_move_again_when_the_feed_is_back(silent: dict[str, list[Row]]) -> None:
    last = silent["cheerful"][-1]
    assert not last["held"] and last["published"] == last["computed"]


def test_one_accounts_silence_is_not_a_dead_feed(silent: dict[str, list[Row]]) -> None:
    """Before the feed stops, the account that went quiet falls like any other."""
    computed = [row["computed"] for row in silent["quiet"][:9]]
    assert computed == sorted(computed, reverse=True) and computed[-1] < computed[0] - 30
