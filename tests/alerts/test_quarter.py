"""Day by day, alerts, playbooks, tasks and messages of simulated quarters are those of the naive reading."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from retinue.run.alerting import evaluate
from retinue.run.happenings import Happenings
from retinue.store.tables import alerts, enrolments, tasks
from retinue.warehouse.trace import Trace
from retinue.workspace import Workspace
from tests.alerts.beside import Both
from tests.alerts.quarter import Quarter, draw


def test_the_naive_reading_has_nothing_of_retinue():
    for name in ("naive.py", "naive_reading.py"):
        tree = ast.parse((Path(__file__).parent / name).read_text(encoding="utf-8"))
        imported = {
            found
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for found in ([node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
        }
        assert not {found for found in imported if found and found.startswith(("retinue", "numpy", "scipy"))}
        assert {found for found in imported if found and found.startswith("tests")} <= {
            "tests.alerts.naive_reading"
        }


def played(quarter: Quarter, folder: Path, url: str | None = None) -> Both:
    both = Both.of(quarter, folder, url)
    with both.read:
        for place in range(len(quarter.dates)):
            both.day(place)
        both.same_in_the_end()
    return both


@pytest.mark.parametrize(
    ("accounts", "days", "seed", "every"),
    [
        (90, 30, 1, 1),
        (40, 150, 2, 7),
        *(pytest.param(300, 90, seed, 1, marks=pytest.mark.long) for seed in range(10, 16)),
        *(pytest.param(300, 364, seed, 7, marks=pytest.mark.long) for seed in range(20, 24)),
    ],
)
def test_every_day_of_a_quarter_is_the_naive_one(
    tmp_path: Path, accounts: int, days: int, seed: int, every: int
):
    both = played(draw(accounts, days, seed, every), tmp_path / "co")
    assert min(both.counted[what] for what in ("alerts", "enrolments", "tasks", "messages")) > 0
    both.workspace.store.close()


def test_every_day_of_a_quarter_is_the_naive_one_on_postgresql(tmp_path: Path, postgres: str):
    both = played(draw(60, 25, seed=4), tmp_path / "co", postgres)
    assert both.counted["messages"] > 20
    both.workspace.store.close()


def test_a_quarter_of_2000_accounts_week_by_week(tmp_path: Path):
    both = played(draw(2000, 91, seed=1, every=7), tmp_path / "co")
    assert both.counted["alerts"] > 300 and both.counted["messages"] > 300
    both.workspace.store.close()


@pytest.mark.long
def test_a_quarter_of_2000_accounts_day_by_day(tmp_path: Path):
    both = played(draw(2000, 90, seed=1), tmp_path / "co")
    store, naive = both.workspace.store, both.naive
    with store.read() as connection:
        rows = connection.execute(select(alerts.c.rule, alerts.c.kind, alerts.c.account_id)).all()
        ends = Counter(connection.execute(select(enrolments.c.playbook, enrolments.c.status)).all())
        done = Counter(connection.execute(select(tasks.c.status)).scalars())
    # It has some of everything, so that being the same says something.
    assert {row.rule for row in rows} >= set(naive.alerts)
    assert sum(row.kind == "storm" for row in rows) >= 3
    assert Counter(kind for _, kind, _, _ in naive.messages).keys() == {"alert", "digest", "playbook"}
    assert {status for _, status in ends} == {"active", "completed", "stopped", "held_out"}
    assert {book for book, _ in ends} == {book["playbook"] for book in naive.playbooks}
    assert min(done["open"], done["done"], done["dropped"]) > 20
    assert both.counted["alerts"] > 1000 and both.counted["tasks"] > 1000
    store.close()


def test_looked_at_all_at_once_later_the_alerts_are_those_of_day_by_day(tmp_path: Path):
    drawn = draw(60, 26, seed=6)
    # Nobody says anything and nothing is told anew: then it does not matter when somebody looks.
    quarter = replace(drawn, restated={}, said={}, down=frozenset())
    one, other = quarter.open(tmp_path / "one"), quarter.open(tmp_path / "other")
    last = len(quarter.dates) - 1
    with Happenings(one.project, Trace(None), quarter.dates[0]) as read:
        for place in range(last + 1):
            quarter.publish(one, place)
            evaluate(one, now=quarter.at(place), read=read)
            quarter.publish(other, place)
            if place == 0:
                evaluate(other, now=quarter.at(place))
    told = evaluate(other, now=quarter.at(last))
    assert told.dates == tuple(quarter.dates[1:])
    assert _alerts(one) == _alerts(other) and len(_alerts(one)) > 20
    assert _began(one) == _began(other) and _began(one)
    one.store.close()
    other.store.close()


def _alerts(workspace: Workspace) -> list[tuple[str, str | None, str | None, date]]:
    query = select(alerts.c.rule, alerts.c.account_id, alerts.c.subject, alerts.c.as_of)
    with workspace.store.read() as connection:
        return sorted((tuple(row) for row in connection.execute(query)), key=str)


def _began(workspace: Workspace) -> list[tuple[str, str, date, str]]:
    columns = (enrolments.c.playbook, enrolments.c.account_id, enrolments.c.started_on, enrolments.c.status)
    with workspace.store.read() as connection:
        return sorted(tuple(row) for row in connection.execute(select(*columns)))
