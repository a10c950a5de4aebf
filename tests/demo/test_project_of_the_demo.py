from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from retinue.demo import declare
from retinue.project import load
from retinue.project.project import Project
from tests.demo.conftest import Tables


@pytest.fixture(scope="module")
def project(tiny: Tables) -> Project:
    return load.load(tiny.directory, {})


def _columns(tables: Tables, table: str) -> set[str]:
    if table.endswith(".csv"):
        return set(tables.csv(Path(table).stem).column_names)
    return set(pq.read_schema(next(tables.directory.glob(table))).names)


def test_the_project_loads_without_a_problem(tiny: Tables) -> None:
    _, problems = load.load_with_problems(tiny.directory, {})
    assert [str(problem) for problem in problems] == []


def test_every_column_that_is_declared_is_in_its_table(tiny: Tables, project: Project) -> None:
    for name, source in project.sources.items():
        clocks = [source.occurred_at, source.known_at, source.ends_at]
        named = source.named_columns().values()
        clocks += [column.known_at for column in named]
        wanted = {source.account, *source.unique, *(column.column for column in named)}
        wanted |= {clock.column for clock in clocks if clock is not None}
        wanted |= set(re.findall(r"{(\w+)}", source.timeline or ""))
        assert wanted <= _columns(tiny, source.table), name
    accounts = project.settings.accounts
    assert accounts.table is not None
    assert {column.column for column in accounts.columns.values()} <= _columns(tiny, accounts.table)


def test_every_metric_serves_a_scorecard(project: Project) -> None:
    used = {name for formula in project.formulas for name in formula.metrics}
    assert set(project.metrics) - used == set()


def test_the_project_shows_most_of_what_can_be_declared(project: Project) -> None:
    kinds = {metric.kind for metric in project.metrics.values()}
    assert len(kinds) >= 13
    cards = {card.scorecard: card for card in project.scorecards}
    assert list(cards) == ["group", "onboarding", "enterprise", "default"]
    assert cards["group"].roll_up == "arr"
    assert not cards["default"].applies_to
    measures = [
        m for card in project.scorecards for c in card.components.values() for m in c.measures.values()
    ]
    assert any(measure.curve == "cohort" and measure.points for measure in measures)
    assert any(measure.half_life for measure in measures)
    assert any(measure.max_age for measure in measures)
    assert any(card.floors for card in project.scorecards)


def test_writing_the_project_says_what_it_wrote(tmp_path: Path) -> None:
    written = declare.write(tmp_path)
    assert tmp_path / "retinue.yaml" in written
    assert {path.parent.name for path in written} == {tmp_path.name, "playbooks", "scorecards"}
