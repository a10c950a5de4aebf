"""Usage is counted alike on DuckDB and elsewhere, and as a naive loop counts it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retinue.project import conditions
from retinue.project.metrics import Count
from retinue.project.project import Project, Settings
from retinue.project.scorecards import Scorecard
from retinue.warehouse import compute
from retinue.warehouse.engine import connect
from retinue.warehouse.usage import Counting, counts
from tests.engines.alike import in_place
from tests.engines.conftest import Elsewhere

LAST, DAYS = date(2024, 6, 30), 40
WHERE = conditions.parse("event != ping and kind = human")


def company(root: Path) -> tuple[Project, Counter[tuple[int, date, date]]]:
    """A project with events of three accounts, and what is to be counted of them. The kind of an event
    may become known after the event."""
    chance = random.Random(4)
    rows: list[dict[str, Any]] = []
    expected: Counter[tuple[int, date, date]] = Counter()
    for _ in range(600):
        account, event = chance.randrange(3), chance.choice(["open", "save", "ping", None])
        day = LAST - timedelta(days=chance.randrange(-3, DAYS + 5))
        known = day + timedelta(days=chance.choice([0, 0, 1, 4]))
        told = chance.choice([known, known + timedelta(days=2), None])
        kind = chance.choice(["human", "robot"])
        rows.append(
            {"account": f"A{account}", "on": day, "known": known, "event": event, "kind": kind, "told": told}
        )
        wanted = event not in ("ping", None) and kind == "human" and told is not None
        if wanted and told <= LAST and LAST - timedelta(days=DAYS) < day <= LAST:
            expected[account, day, told] += 1
    pq.write_table(pa.Table.from_pylist(rows), root / "events.parquet")
    pq.write_table(pa.table({"account": ["A0", "A1", "A2"]}), root / "accounts.parquet")
    events = {
        "table": "events.parquet",
        "account": "account",
        "occurred_at": "on",
        "known_at": "known",
        "columns": {"event": "event", "kind": {"column": "kind", "known_at": "told"}},
    }
    settings = {
        "project": "usage",
        "accounts": {"table": "accounts.parquet", "key": "account"},
        "facts": {"events": events},
    }
    card = {"scorecard": "one", "components": {"use": {"measures": {"n": {"curve": [[0, 0], [9, 100]]}}}}}
    metrics = {"n": Count.model_validate({"count": "events", "window": "7d"})}
    project = Project(root, Settings.model_validate(settings), metrics, (Scorecard.model_validate(card),))
    return project, expected


def counted(project: Project) -> Counter[tuple[int, date, date]]:
    counting = Counting("events", WHERE, DAYS)
    with connect(project, threads=2) as engine:
        found = compute.compute(engine, project, compute.Asked((LAST,), counting=counting))
        table = counts(engine, found.usage, counting, LAST)
    return Counter({(r["ix"], r["day"], r["seen"]): r["n"] for r in table.to_pylist()})


def test_usage_is_counted_as_a_loop_counts_it(tmp_path: Path) -> None:
    project, expected = company(tmp_path)
    assert counted(project) == expected
    assert sum(expected.values()) > 40


def test_usage_is_counted_alike_elsewhere(tmp_path: Path, elsewhere: Elsewhere) -> None:
    """From files, and from tables in place."""
    project, expected = company(tmp_path)
    moved = replace(project, settings=project.settings.model_copy(update={"engine": elsewhere.url}))
    assert counted(moved) == expected
    assert counted(in_place(project, elsewhere)) == expected
