"""Attributes of which no history is declared: each nightly run keeps what it saw."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tests.run.company import DAY, Row, score, table
from tests.run.small import LEVEL, D, account, company, level

SEATS = {
    **LEVEL,
    "components": {"level": {"measures": {"seats": {"curve": [[0, 0], [100, 100]]}}}},
}


def _write(root: Path, *accounts: Row, cards=(SEATS,), **more) -> None:
    metrics = {"seats": {"attribute": "seats"}, **more.pop("metrics", {})}
    company(accounts, [level("a", D, 1)], cards=cards, metrics=metrics, **more).write(root)


def _seats(root: Path, name: str = "a") -> dict[date, tuple]:
    rows = table(root, "accounts", account=name)
    scores = {row["as_of"]: row["computed"] for row in table(root, "snapshots", account=name)}
    return {row["as_of"]: (row["seats"], row["observed"], scores[row["as_of"]]) for row in rows}


def test_a_day_keeps_what_was_seen_on_it_however_often_it_is_scored_again(tmp_path: Path) -> None:
    seen = {}
    for n, seats in enumerate([10, 20, 20, 40]):
        _write(tmp_path, account("a", seats=seats))
        score(tmp_path, D + n * DAY)
        seen[D + n * DAY] = (seats, True, seats)
    assert _seats(tmp_path) == seen
    for _ in range(2):
        score(tmp_path, D + 3 * DAY, D)
        assert _seats(tmp_path) == seen


def test_days_before_the_first_run_are_assumed_and_missing_as_a_number(tmp_path: Path) -> None:
    _write(tmp_path, account("a", seats=10))
    score(tmp_path, D + DAY, D)
    assert _seats(tmp_path) == {D: (10, False, None), D + DAY: (10, True, 10)}


def test_a_value_that_was_empty_stays_empty_on_its_day(tmp_path: Path) -> None:
    for n, seats in enumerate([30, None, 50]):
        _write(tmp_path, account("a", seats=seats), account("b", seats=1))
        score(tmp_path, D + n * DAY)
    before = _seats(tmp_path)
    assert [told[0] for told in before.values()] == [30, None, 50]
    score(tmp_path, D + 2 * DAY, D)
    assert _seats(tmp_path) == before


def test_an_attribute_declared_later_is_not_taken_for_seen_on_earlier_days(tmp_path: Path) -> None:
    _write(tmp_path, account("a", seats=10))
    score(tmp_path, D)
    wide = {"metrics": {"desks": {"attribute": "desks"}}}
    _write(tmp_path, account("a", seats=20, desks=7), **wide)
    for _ in range(2):
        score(tmp_path, D + DAY, D)
        found = {
            row["as_of"]: (row["value"], row["state"])
            for row in table(tmp_path, "metrics")
            if row["metric"] == "desks"
        }
        assert found == {D: (None, "missing"), D + DAY: (7, "ok")}
    assert _seats(tmp_path)[D] == (10, True, 10)
