"""What accounts did in their first days is the same on every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retinue.project.load import load
from retinue.project.project import Project
from retinue.warehouse.engine import connect
from retinue.warehouse.facts import accounts, money
from retinue.warehouse.landmarks import first_days
from tests.discovery.company import write
from tests.engines.alike import moved
from tests.engines.conftest import Elsewhere


def counted(project: Project) -> list[Any]:
    with connect(project) as engine:
        people = accounts.load(engine, project, money.load(engine, project), None).table
        wanted = {"usage": ["event"], "ratings": ["stars", "mood"]}
        told = list(first_days(engine, project, people, wanted, (14, 60)))
    return [
        (one.source, one.first, one.left_out, [(c.name, c.rows.to_pylist()) for c in one.counted])
        for one in told
    ]


def test_first_days_are_those_of_duckdb(elsewhere: Elsewhere, tmp_path: Path) -> None:
    write(tmp_path, accounts=40)
    project = load(tmp_path, {})
    assert counted(moved(project, elsewhere)) == counted(project)
