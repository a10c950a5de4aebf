"""Rows that arrive late restate the dates they belong to; what was said then stays on disk."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from tests.run.company import DAY, differences, exported, opened, score, table, without_observed
from tests.run.everything import FIRST, LAST, WORDS, everything, say
from tests.run.small import LEVEL, SOURCE, D, account, company, level

SLOW = {**LEVEL, "stability": {"deadband": 0, "margin": 0, "confirm": {"down": "3d", "up": "3d"}}}
PEOPLE = [account("a"), account("b")]
LEVELS = [level("a", D, 80), level("b", D, 50), level("b", D + 4 * DAY, 90)]
LATE = level("a", D + 2 * DAY, 10)


@pytest.fixture(scope="module")
def restated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict, list]:
    """Six days published; then a row of the third day arrives and the run starts from there."""
    root = tmp_path_factory.mktemp("restated")
    company(PEOPLE, LEVELS, cards=[SLOW], source=SOURCE).write(root)
    score(root, D + 3 * DAY, D)
    score(root, D + 5 * DAY)
    before = {"snapshots": table(root, "snapshots"), "transitions": table(root, "transitions")}
    files = {path: path.read_bytes() for path in sorted((root / ".retinue" / "runs").rglob("*.parquet"))}
    company(PEOPLE, [*LEVELS, LATE], cards=[SLOW], source=SOURCE).write(root)
    result = score(root, D + 3 * DAY, D + 2 * DAY)
    assert result.dates == tuple(D + n * DAY for n in (2, 3, 4, 5))
    fresh = tmp_path_factory.mktemp("fresh")
    company(PEOPLE, [*LEVELS, LATE], cards=[SLOW], source=SOURCE).write(fresh)
    score(fresh, D + 5 * DAY, D)
    return root, fresh, before, [files]


def test_later_published_dates_follow_the_restated_ones(restated: tuple) -> None:
    root, *_ = restated
    found = {row["as_of"]: row["published_band"] for row in table(root, "snapshots", account="a")}
    healthy = dict.fromkeys((D + n * DAY for n in range(4)), "healthy")
    assert found == {**healthy, D + 4 * DAY: "at_risk", D + 5 * DAY: "at_risk"}
    assert [r["as_of"] for r in table(root, "transitions", account="a")] == [D + 4 * DAY]


def test_what_did_not_change_keeps_its_values(restated: tuple) -> None:
    root, _, before, _ = restated
    for name in ("snapshots", "transitions"):
        kept = [row for row in before[name] if row["account_id"] == "b"]
        assert table(root, name, account="b") == kept
    assert table(root, "snapshots", last=D + DAY) == [r for r in before["snapshots"] if r["as_of"] <= D + DAY]


def test_old_files_remain_what_was_said_then(restated: tuple) -> None:
    _, _, _, [files] = restated
    assert files
    assert all(path.read_bytes() == told for path, told in files.items())


def test_restated_history_is_what_a_fresh_home_says(restated: tuple) -> None:
    root, fresh, *_ = restated
    assert not differences(without_observed(exported(root)), without_observed(exported(fresh)))


def test_the_store_has_the_transitions_of_what_is_published_only(restated: tuple, tmp_path: Path) -> None:
    from retinue.store.people.access import OPERATOR
    from retinue.store.published.current import changes

    root, *_ = restated
    store = opened(root).store
    found = sorted((change.account_id, change.as_of) for change in changes(store, OPERATOR))
    store.close()
    assert found == [(row["account_id"], row["as_of"]) for row in table(root, "transitions")]


def test_a_date_before_the_published_ones_restates_them_all(tmp_path: Path) -> None:
    company(PEOPLE, LEVELS, cards=[SLOW], source=SOURCE).write(tmp_path)
    score(tmp_path, D + 4 * DAY, D + 3 * DAY)
    assert score(tmp_path, D, D).dates == (D, D + 3 * DAY, D + 4 * DAY)
    since = {row["as_of"]: row["band_since"] for row in table(tmp_path, "snapshots", account="a")}
    assert since == dict.fromkeys((D, D + 3 * DAY, D + 4 * DAY), D)


def test_the_same_tables_give_the_same_bytes(backfilled: Path, tmp_path: Path) -> None:
    """Scored again in place, and in a home of their own from tables whose rows are shuffled."""
    told = exported(backfilled)
    fresh = tmp_path / "fresh"
    everything().shuffled(7).write(fresh)
    say(fresh, WORDS)
    score(fresh, LAST, FIRST)
    assert not differences(told, exported(fresh))
    again = tmp_path / "again"
    shutil.copytree(backfilled, again)
    score(again, LAST, date(2024, 4, 2))
    assert not differences(told, exported(again))
