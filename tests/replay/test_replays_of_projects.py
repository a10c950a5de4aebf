"""A replayed score is the published one, and what happened stands beside it."""

from __future__ import annotations

import csv
import os
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retinue.errors import TrialError
from retinue.insight.replay import Events
from retinue.run import kept_replays
from retinue.run.layers import day_number
from retinue.run.replay import Tried, tried
from retinue.run.replaying import Replayed
from retinue.store.people.access import Actor
from retinue.store.work import said
from tests.insight.test_replays import replay as replay_of
from tests.run.company import DAY, Company, noon, opened, score, table
from tests.run.everything import FIRST, LAST, SILENT, WORDS, everything, say

BANDS = ("at_risk", "watch", "healthy")


def listed(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def replayed(root: Path, until: date = LAST, **asked: Any) -> Tried:
    workspace = opened(root)
    try:
        return tried(workspace, now=noon(until), **asked)
    finally:
        workspace.store.close()


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = everything().write(tmp_path_factory.mktemp("scored"))
    say(root, [word for word in WORDS if word.what == "override"])
    score(root, LAST, FIRST)
    return root


def test_a_replay_is_what_a_run_publishes_without_what_people_set(scored: Path) -> None:
    found = replayed(scored, every="day")
    rows = table(scored, "snapshots")
    replay = found.replay
    assert len(rows) == len(replay) > 300
    for n, row in enumerate(rows):
        assert found.accounts[replay.account[n]] == row["account_id"]
        assert replay.day[n] == day_number(row["as_of"])
        assert replay.computed[n] == pytest.approx(row["computed"], abs=1e-9, nan_ok=True) or (
            row["computed"] is None and np.isnan(replay.computed[n])
        )
        assert (BANDS[replay.band[n]] if replay.band[n] >= 0 else None) == row["published_band"]
    assert any(row["effective"] != row["published"] for row in rows)


def test_points_weights_and_metrics_are_those_of_the_published_tables(scored: Path) -> None:
    found = replayed(scored, every="day")
    replay = found.replay
    at = {
        (found.accounts[a], int(d)): n
        for n, (a, d) in enumerate(zip(replay.account, replay.day, strict=True))
    }
    measures = {name: k for k, name in enumerate(replay.measures)}
    for row in table(scored, "measures"):
        n, k = (
            at[row["account_id"], day_number(row["as_of"])],
            measures[f"{row['component']}.{row['metric']}"],
        )
        points = replay.points[n, k]
        assert (row["points"] is None and np.isnan(points)) or points == pytest.approx(row["points"])
        assert replay.weights[n, k] == pytest.approx(row["weight"])
    metrics = {name: k for k, name in enumerate(replay.metrics)}
    for row in table(scored, "metrics"):
        value = replay.values[at[row["account_id"], day_number(row["as_of"])], metrics[row["metric"]]]
        assert (row["value"] is None and np.isnan(value)) or value == pytest.approx(row["value"])
    base = np.nansum(replay.weights * np.nan_to_num(replay.points), axis=1) + replay.adjustment
    measured = replay.scored & (replay.weights.sum(axis=1) > 0)
    assert base[measured] == pytest.approx(replay.computed[measured], abs=1e-9)
    assert replay.declared.sum(axis=1) == pytest.approx([1.0, 1.0, 1.0])


def test_the_naive_metrics_are_counted_from_the_rows_of_the_main_source(scored: Path) -> None:
    found = replayed(scored, every="week")
    assert (found.recency, found.usage) == ("days since usage", "usage in 28 days")
    k = found.replay.metrics.index("usage in 28 days")
    known = [
        (row["id"], date.fromisoformat(row["ts"][:10]), date.fromisoformat(row["loaded"]))
        for row in listed(scored / "data" / "usage.csv")
    ]
    # From its silence on the feed of usage is dead, and its metrics stay as they were.
    alive = np.flatnonzero(found.replay.day < day_number(SILENT))
    assert len(alive) > 20
    for n in alive:
        day = date(1970, 1, 1) + timedelta(days=int(found.replay.day[n]))
        account = found.accounts[found.replay.account[n]]
        count = sum(
            key == account and day - 28 * DAY < happened <= day and told <= day
            for key, happened, told in known
        )
        assert found.replay.values[n, k] == count


def test_children_belong_with_their_parent(scored: Path) -> None:
    found = replayed(scored)
    parents = {row["id"]: row["parent"] for row in listed(scored / "data" / "accounts.csv")}
    name = [found.accounts[a] for a in found.replay.account]
    groups: dict[int, set[str]] = {}
    for account, group in zip(name, found.replay.group, strict=True):
        groups.setdefault(int(group), set()).add(parents[account] or account)
    assert all(len(tops) == 1 for tops in groups.values())
    assert len(groups) == len(set().union(*groups.values()))


def test_the_end_of_an_account_counts_once_it_is_known_and_has_its_arr(scored: Path) -> None:
    found = replayed(scored)
    ended = {row["id"]: row for row in listed(scored / "data" / "accounts.csv") if row["ended"]}
    assert {found.accounts[a] for a in found.events.account} == set(ended)
    for account, day, known, amount in zip(
        found.events.account, found.events.day, found.events.known, found.events.amount, strict=True
    ):
        row = ended[found.accounts[account]]
        assert day == day_number(date.fromisoformat(row["ended"]))
        assert known == day_number(date.fromisoformat(row["end_told"]))
        assert np.isnan(amount) if row["arr"] == "" else amount == float(row["arr"])


def test_what_people_say_of_an_account_enters_only_where_it_is_asked_for(scored: Path) -> None:
    say(scored, [word for word in WORDS if "pulse" in word.what])
    alone, heard = replayed(scored).replay, replayed(scored, pulses=True).replay
    mood = alone.metrics.index("mood")
    assert np.isnan(alone.values[:, mood]).all() and not np.isnan(heard.values[:, mood]).all()
    assert not np.array_equal(alone.computed, heard.computed, equal_nan=True)


def test_rows_that_come_later_change_nothing_of_the_past(scored: Path, tmp_path: Path) -> None:
    """A score that could see the future would be too good to be true; here the future is planted."""
    root = tmp_path / "copy"
    shutil.copytree(scored, root)
    with (root / "data" / "usage.csv").open("a") as usage:
        for n in range(14):
            usage.writelines(f"a{n:02},{LAST - DAY} 12:00:00,{LAST - DAY},x{k}\n" for k in range(40))
    before, after = replayed(scored).replay, replayed(root).replay
    early = before.day < day_number(LAST - DAY)
    assert len(before) == len(after) and early.sum() > 20
    for name in ("computed", "points", "values", "band"):
        one, other = getattr(before, name), getattr(after, name)
        assert np.array_equal(one[early], other[early], equal_nan=True)
        assert name == "band" or not np.array_equal(one, other, equal_nan=True)


# --- outcomes -------------------------------------------------------------------------------------


def shop(**settings: Any) -> Company:
    """Four accounts that buy now and then."""
    start = date(2024, 1, 1)
    bought = {"a": [0, 20, 40, 60, 80, 100], "b": [0, 10], "c": [0, 45, 95], "d": [5]}
    orders = [
        {"id": key, "at": start + n * DAY, "amount": 10, "kind": "return" if n == 45 else "sale"}
        for key, days in bought.items()
        for n in days
    ]
    arr = [
        {"id": key, "from": start + n * DAY, "arr": value}
        for key, told in {
            "a": [(0, 100), (30, 90)],
            "b": [(0, 100), (50, 99)],
            "c": [(0, 50), (70, 80)],
        }.items()
        for n, value in told
    ]
    accounts = [{"id": key, "started": start, "arr": 1, "closes": start + 75 * DAY} for key in bought]
    told = {
        "accounts": {
            "table": "data/accounts.csv",
            "key": "id",
            "columns": {"started_on": "started", "arr": "arr", "closes": "closes"},
            "history": {
                "arr": {"table": "data/arr.csv", "account": "id", "column": "arr", "valid_from": "from"}
            },
        },
        "facts": {
            "orders": {
                "table": "data/orders.csv",
                "account": "id",
                "occurred_at": "at",
                "value": "amount",
                "columns": {"kind": "kind"},
            }
        },
        **settings,
    }
    card = {
        "scorecard": "all",
        "components": {"use": {"measures": {"orders_28d": {"curve": [[0, 0], [3, 100]]}}}},
    }
    metrics = {"orders_28d": {"count": "orders", "window": "28d"}}
    return Company(accounts, {"orders": orders, "arr": arr}, told, metrics, [card])


def happened(root: Path, **asked: Any) -> list[tuple[str, int]]:
    found = replayed(root, date(2024, 4, 20), first=date(2024, 1, 1), last=date(2024, 4, 10), **asked)
    start = day_number(date(2024, 1, 1))
    days = found.events.day - start
    return [(found.accounts[a], int(d)) for a, d in zip(found.events.account, days, strict=True)]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"fact": "orders", "where": {"kind": "return"}, "final": False}, [("c", 45)]),
        ({"silence": "orders", "where": {"kind": "return"}}, [("c", 45)]),
        ({"falls": "arr", "by": 0.05}, [("a", 34)]),
        ({"falls": "arr"}, [("a", 34), ("b", 55)]),
        ({"rises": "arr"}, [("c", 76)]),
    ],
)
def test_outcomes_are_told_from_rows_and_from_attributes(
    tmp_path: Path, outcome: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    """The grid is of Sundays; 2024-01-07 is day 6. A change of an attribute is seen on the next one."""
    assert happened(shop(outcomes={"it": outcome}).write(tmp_path)) == expected


def test_silence_is_labelled_from_the_next_order(tmp_path: Path) -> None:
    root = shop(outcomes={"lapse": {"silence": "orders", "within": "30d"}}).write(tmp_path)
    found = replayed(root, date(2024, 4, 20), first=date(2024, 1, 1), last=date(2024, 4, 10))
    assert found.until == day_number(date(2024, 1, 1)) + 100  # the last order of all
    start = day_number(date(2024, 1, 7))
    told = {
        (found.accounts[a], int(d)): bool(event)
        for a, d, event, usable in zip(
            found.replay.account,
            found.replay.day - start,
            found.labels.event,
            found.labels.usable,
            strict=True,
        )
        if usable
    }
    assert told["b", 0] is False and told["b", 7] is True  # bought on day 10, never again
    assert told["c", 0] is True  # nothing from day 6 to 36, next on 45
    assert ("b", 42) not in told  # lapsed already
    assert not any(event for (account, _day), event in told.items() if account == "a")


def test_what_people_recorded_is_an_outcome_until_they_take_it_back(tmp_path: Path) -> None:
    root = shop(outcomes={"lost": {"recorded": "churned"}}).write(tmp_path)
    store = opened(root).store
    for account, day in (("b", date(2024, 3, 1)), ("d", date(2024, 2, 1))):
        number = said.add_outcome(
            store, account, "churned", day, by=Actor("kim"), now=noon(day + DAY), reason="price"
        )
    said.withdraw_outcome(store, number, by=Actor("kim"), now=noon(date(2024, 3, 5)))
    store.close()
    assert happened(root) == [("b", 60)]


def test_an_outcome_that_cannot_come_any_more_is_not_waited_for(tmp_path: Path) -> None:
    outcome = {"silence": "orders", "within": "30d", "until": "closes"}
    settings = shop(outcomes={"lapse": outcome}).settings
    accounts = {**settings["accounts"], "history": {**settings["accounts"]["history"], "closes": "fixed"}}
    root = shop(outcomes={"lapse": outcome}, accounts=accounts).write(tmp_path)
    found = replayed(root, date(2024, 4, 20), first=date(2024, 1, 1), last=date(2024, 4, 10))
    last = found.replay.day[found.labels.matured].max() - day_number(date(2024, 1, 1))
    assert last == 41  # the Sunday before day 45, thirty days before it closes


def test_accounts_with_the_same_value_may_count_as_one(tmp_path: Path) -> None:
    company = shop(outcomes={"lapse": {"silence": "orders"}}, validation={"together": "owner"})
    columns = {**company.settings["accounts"]["columns"], "owner": "owner"}
    settings = {**company.settings, "accounts": {**company.settings["accounts"], "columns": columns}}
    owners = {"a": "kim", "b": "kim", "c": None, "d": None}
    accounts = [{**row, "owner": owners[row["id"]]} for row in company.accounts]
    root = replace(company, settings=settings, accounts=accounts).write(tmp_path)
    found = replayed(root, date(2024, 4, 20), first=date(2024, 1, 1), last=date(2024, 4, 10))
    groups = {
        found.accounts[a]: int(g) for a, g in zip(found.replay.account, found.replay.group, strict=True)
    }
    assert groups["a"] == groups["b"] and len(set(groups.values())) == 3


def test_interventions_mark_rows_near_them(tmp_path: Path) -> None:
    root = shop(
        outcomes={"lapse": {"silence": "orders", "within": "14d"}}, validation={"interventions": "orders"}
    ).write(tmp_path)
    found = replayed(root, date(2024, 4, 20), first=date(2024, 1, 1), last=date(2024, 4, 10))
    start = day_number(date(2024, 1, 1))
    days = {"a": [0, 20, 40, 60, 80, 100], "b": [0, 10], "c": [0, 45, 95], "d": [5]}
    for a, d, treated in zip(found.replay.account, found.replay.day - start, found.treated, strict=True):
        assert treated == any(abs(d - n) <= 14 for n in days[found.accounts[a]])


# --- what cannot be tried -------------------------------------------------------------------------


def test_without_an_outcome_there_is_nothing_to_try(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match="no outcome to try the score against"):
        replayed(shop().write(tmp_path))


def test_a_score_that_looks_at_the_outcome_is_refused(tmp_path: Path) -> None:
    company = shop(outcomes={"gone": {"fact": "orders", "where": {"kind": "return"}}})
    with pytest.raises(TrialError, match='the score knows the outcome "gone": metric "orders_28d"'):
        replayed(
            replace(
                company,
                metrics={"orders_28d": {"count": "orders", "window": "28d", "where": {"kind": "return"}}},
            ).write(tmp_path)
        )


def test_dates_must_be_over(tmp_path: Path) -> None:
    root = shop(outcomes={"lapse": {"silence": "orders"}}).write(tmp_path)
    with pytest.raises(TrialError, match="2024-05-01 is not complete yet"):
        replayed(root, date(2024, 4, 20), first=date(2024, 1, 1), last=date(2024, 5, 1))
    with pytest.raises(TrialError, match="no Sunday between"):
        replayed(root, date(2024, 4, 20), first=date(2024, 1, 1), last=date(2024, 1, 3))


# --- what is kept ---------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    root = shop(outcomes={"lapse": {"silence": "orders", "within": "30d"}}).write(tmp_path)
    written: list[str] = []
    keep = kept_replays.keep

    def noticed(home: Path, name: str, found: Any) -> None:
        written.append(name)
        keep(home, name, found)

    monkeypatch.setattr(kept_replays, "keep", noticed)
    return root, written


def ask(root: Path) -> Tried:
    return replayed(root, date(2024, 4, 20), first=date(2024, 1, 1), last=date(2024, 4, 10))


def test_the_same_question_is_computed_once_and_answered_alike(kept: tuple[Path, list[str]]) -> None:
    root, written = kept
    one, other = ask(root), ask(root)
    assert len(written) == 1
    for name in one.replay.__dataclass_fields__:
        first, second = getattr(one.replay, name), getattr(other.replay, name)
        if isinstance(first, np.ndarray):
            assert first.dtype == second.dtype and np.array_equal(
                first, second, equal_nan=first.dtype.kind == "f"
            )
        elif name in ("segment", "stage", "scorecard"):
            assert np.array_equal(first.codes, second.codes) and first.names == second.names
        else:
            assert first == second
    assert np.array_equal(one.events.day, other.events.day) and one.accounts == other.accounts


def test_changed_data_or_declarations_are_computed_again(kept: tuple[Path, list[str]]) -> None:
    root, written = kept
    ask(root)
    with (root / "data" / "orders.csv").open("a") as rows:
        rows.write("a,2024-04-05,10,sale\n")
    assert len(ask(root).events) == 13
    told = (root / "metrics.yaml").read_text()
    (root / "metrics.yaml").write_text(told.replace("28d\n", "27d\n"))
    ask(root)
    assert len(set(written)) == 3


def test_a_damaged_file_is_computed_again(kept: tuple[Path, list[str]]) -> None:
    root, written = kept
    before = ask(root)
    (path,) = (root / ".retinue" / "state" / "replays").glob("*.parquet")
    damaged = bytearray(path.read_bytes())
    damaged[40:60] = bytes(20)
    path.write_bytes(damaged)
    after = ask(root)
    assert len(written) == 2 and np.array_equal(before.replay.computed, after.replay.computed)


def test_only_the_last_few_replays_stay(tmp_path: Path) -> None:
    replay = Replayed(replay_of([(0, 10), (1, 10)]), Events.of([0], [20]), ("a", "b"), 30)
    for n in range(6):
        kept_replays.keep(tmp_path, f"{n}", replay)
        os.utime(tmp_path / "state" / "replays" / f"{n}.parquet", (n, n))
    assert [kept_replays.read(tmp_path, f"{n}") is not None for n in range(6)] == [False, False, *[True] * 4]


def test_where_nobody_says_until_when_the_grid_ends_with_the_data(tmp_path: Path) -> None:
    root = shop(outcomes={"lapse": {"silence": "orders", "within": "30d"}}).write(tmp_path)
    found = replayed(root, date(2026, 4, 20))
    last = day_number(date(2024, 1, 1)) + 100
    assert found.until == last and last - 7 < found.replay.day.max() <= last
    assert found.labels.usable.any() and not found.warnings
