"""What is declared otherwise is named key by key, and shows no secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retinue.errors import RetinueError
from retinue.project.load import load
from retinue.project.project import Project
from retinue.run.differences import Declared, declared, published_project
from retinue.store.published.manifest import Manifest
from tests.plan.half import HALF, MOODS, TWO
from tests.run.company import Company, noon
from tests.run.small import D

Between = Callable[[Company], Declared]


@pytest.fixture
def between(tmp_path: Path) -> Between:
    """What differs from `HALF` in another company."""

    def compared(other: Company) -> Declared:
        return declared(load(HALF.write(tmp_path / "old"), {}), load(other.write(tmp_path / "new"), {}))

    return compared


def told(found: Declared, card: int = 0) -> list[tuple[str, Any, Any]]:
    return [(one.path, one.old, one.new) for one in found.scorecards[card].differences]


def test_the_same_declarations_do_not_differ(between: Between) -> None:
    found = between(HALF)
    assert not found
    assert not found.scores_differently


def test_metrics_and_sources_that_come_and_go_are_named(between: Between) -> None:
    facts = {"levels": HALF.settings["facts"]["levels"], "calls": {**MOODS, "table": "data/calls.csv"}}
    metrics = {"level": HALF.metrics["level"], "calls": {"count": "calls", "window": "7d"}}
    card = {**TWO, "components": {"level": TWO["components"]["level"]}}
    other = replace(HALF, settings={**HALF.settings, "facts": facts}, metrics=metrics, scorecards=[card])
    found = between(other)
    assert [(one.name, one.kind) for one in found.metrics] == [("calls", "added"), ("mood", "removed")]
    assert [(one.name, one.kind) for one in found.sources] == [("calls", "added"), ("moods", "removed")]
    assert [(s.component, s.old, s.new) for s in found.scorecards[0].shares] == [
        ("level", 0.5, 1.0),
        ("mood", 0.5, None),
    ]
    assert [one.path for one in found.scorecards[0].differences] == ["components.mood"]


def test_curves_bands_and_stability_are_told_as_they_are_declared(between: Between) -> None:
    level = {"weight": 1, "measures": {"level": {"curve": [[0, 0], [50, 80], [100, 100]]}}}
    found = between(
        HALF.with_card(
            0,
            components={**TWO["components"], "level": level},
            bands={"at_risk": 0, "watch": 45, "healthy": 70},
            stability={"deadband": 2, "margin": 0, "confirm": {"down": "1d", "up": "1d"}},
        )
    )
    assert told(found) == [
        (
            "components.level.measures.level.curve.points",
            [[0, 0], [100, 100]],
            [[0, 0], [50, 80], [100, 100]],
        ),
        ("bands.watch", 40, 45),
        ("stability.deadband", 0, 2),
    ]
    assert found.scores_differently


def test_caps_are_told_apart_by_their_condition(between: Between) -> None:
    one = {"when": "mood < 30", "at_most": 30, "because": "mood is low"}
    two = {"when": "level < 10", "at_most": 20, "because": "hardly anything"}
    found = between(HALF.with_card(0, caps=[two, one]))
    assert [path for path, _, _ in told(found)] == ["caps.level < 10", "caps.mood < 30"]
    assert all(old is None for _, old, _ in told(found))


def test_stages_that_a_formula_rests_on_are_named(between: Between) -> None:
    settings = {**HALF.settings, "stages": [{"stage": "new", "when": "tenure < 30"}, {"stage": "old"}]}
    found = between(replace(HALF, settings=settings))
    assert found.scorecards[0].stages
    assert found.scorecards[0].kind == "changed"
    assert [one.path for one in found.settings] == ["stages.new", "stages.old"]


def test_another_order_of_scorecards_is_told(tmp_path: Path) -> None:
    cards = [{**TWO, "applies_to": {"segment": "a"}}, {**TWO, "scorecard": "other"}]
    old = load(replace(HALF, scorecards=cards).write(tmp_path / "old"), {})
    new = replace(old, scorecards=old.scorecards[::-1])
    found = declared(old, new)
    assert [one.kind for one in found.scorecards] == ["same", "same"]
    assert [(one.path, one.new) for one in found.settings] == [("order of scorecards", ["other", "level"])]


def test_addresses_show_no_password(between: Between) -> None:
    store = "postgresql://kim:secret@db.example.com/scores"
    found = between(replace(HALF, settings={**HALF.settings, "store": store}))
    assert "secret" not in str(found.to_dict())
    assert "db.example.com" in str(found.to_dict())


# --- the published project --------------------------------------------------------------------------


def published(project: Project, texts: dict[str, str]) -> Manifest:
    return Manifest("r1", noon(D), noon(D), (D,), (), texts=texts)


def test_the_published_project_reads_the_data_of_now(tmp_path: Path) -> None:
    old = load(HALF.write(tmp_path / "here"), {})
    new = load(HALF.with_card(0, min_coverage=0.9).write(tmp_path / "here"), {})
    then = published_project(new, published(old, old.texts), {})
    assert then.formulas == old.formulas
    assert then.root == new.root
    assert published_project(new, published(new, new.texts), {}) is new


def test_a_published_file_outside_of_its_folder_is_refused(tmp_path: Path) -> None:
    project = load(HALF.write(tmp_path / "here"), {})
    with pytest.raises(RetinueError, match="outside its folder"):
        published_project(project, published(project, {**project.texts, "../evil.yaml": "x"}), {})
    assert not (tmp_path / "evil.yaml").exists()
