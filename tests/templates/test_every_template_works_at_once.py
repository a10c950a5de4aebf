"""A new project checks, tells its story, and scores its invented accounts, without a change."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from retinue.cases import run_cases
from retinue.errors import RetinueError
from retinue.project.load import load_with_problems
from retinue.project.project import Project
from retinue.run import run
from retinue.templates import create, names
from retinue.workspace import open_workspace

LAST_DAY = date(2026, 6, 30)


def loaded(directory: Path) -> Project:
    project, problems = load_with_problems(directory, {})
    assert [str(problem) for problem in problems] == []
    assert project is not None
    return project


@pytest.mark.parametrize("template", names())
def test_it_scores_its_accounts(template: str, tmp_path: Path) -> None:
    created = create(tmp_path / "new", template, last_day=LAST_DAY)
    workspace = open_workspace(created.directory, {})
    found = run(workspace, now=datetime(2026, 7, 1, 12, tzinfo=UTC))
    assert found.accounts == found.scored == 40
    assert found.rejected == {}
    assert found.bands["healthy"] >= 15
    assert found.bands["watch"] + found.bands["at_risk"] >= 8


@pytest.mark.parametrize("template", names())
def test_its_story_ends_below_healthy_and_the_twin_of_it_healthy(template: str, tmp_path: Path) -> None:
    created = create(tmp_path / "new", template, last_day=LAST_DAY)
    results = run_cases(created.directory, None, {})
    assert results
    assert [(r.error, [str(f) for f in r.failures]) for r in results if not r.passed] == []
    text = (created.directory / "tests" / "stories.yaml").read_text()
    assert "band: healthy" in text
    assert "band: watch" in text or "band: at_risk" in text


@pytest.mark.parametrize("template", names())
def test_it_has_what_a_scorecard_should_have(template: str, tmp_path: Path) -> None:
    project = loaded(create(tmp_path / "new", template, last_day=LAST_DAY).directory)
    health = next(card for card in project.scorecards if card.scorecard == "health")
    measures = [m for component in health.components.values() for m in component.measures.values()]
    assert 4 <= len(health.components) <= 6
    assert 10 <= len(project.metrics) <= 20
    assert all(component.advice for component in health.components.values())
    assert health.caps
    assert project.settings.stages
    assert any(one.curve == "cohort" and one.points for one in measures)
    assert any(one.half_life for one in measures)
    assert any(one.max_age for one in measures)


def test_the_same_day_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (create(tmp_path / name / "new", "retail", last_day=LAST_DAY) for name in "ab")
    assert len(one.files) > 10
    for first, second in zip(one.files, two.files, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_the_last_day_is_the_last_day_of_the_data(tmp_path: Path) -> None:
    created = create(tmp_path / "new", "saas", last_day=date(2024, 2, 29))
    text = (created.directory / "data" / "events.csv").read_text()
    assert "2024-02-29" in text
    assert "2024-03" not in text


def test_an_unknown_template_is_told_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(RetinueError, match=r'no template "sas" \(did you mean "saas"\?\)'):
        create(tmp_path / "new", "sas", last_day=LAST_DAY)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RetinueError, match="is not empty"):
        create(tmp_path, "saas", last_day=LAST_DAY)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_fresh_repository_is_empty_enough(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    loaded(create(tmp_path, "saas", last_day=LAST_DAY).directory)
