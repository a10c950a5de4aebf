"""What a scorecard advises for what fell is told where somebody is to act on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from retinue.project.load import load, load_with_problems
from retinue.project.project import Project
from retinue.run.advising import advice, drivers
from retinue.run.playing import advance
from retinue.run.rehearsing import rehearse_playbook
from retinue.store.people.access import OPERATOR
from retinue.store.tables import outbox
from retinue.store.work.alerts import alerts_of
from retinue.store.work.tasks import tasks_of
from retinue.workspace import Workspace, open_workspace
from tests.alerts.conftest import LAST, noon
from tests.cli.company import write

ADOPTION, SERVICE, NPS, USE = (
    "Ask who stopped, and show one use of their own.",
    "Look for the issue that comes again.",
    "Read the comments first.",
    "Hold a training.",
)


def advised(folder: Path) -> None:
    """Advice for more parts of the scorecards; what is advised is no part of a formula."""
    path = folder / "scorecards.yaml"
    text = path.read_text()
    text = text.replace(
        "  service:\n    weight: 30\n", f"  service:\n    weight: 30\n    advice: {SERVICE}\n"
    )
    old = "      last_nps: {weight: 3, curve: [[0, 0], [6, 40], [10, 100]], half_life: 60d}"
    assert old in text
    text = text.replace(old, old[:-1] + f', advice: "{NPS}"}}')
    path.write_text(text.replace("  use:\n    measures:", f"  use:\n    advice: {USE}\n    measures:"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("advice")
    write(folder)
    advised(folder)
    return load(folder, {})


def standing(scorecard: str, *fell: tuple[str | None, str | None, float]) -> dict[str, Any]:
    drivers = [{"kind": "value", "component": c, "metric": m, "points": p} for c, m, p in fell]
    weak = [("adoption", 90.0, 0.5), ("service", 20.0, 0.3), ("voice", 80.0, 0.2)]
    parts = [{"component": c, "points": p, "weight": w} for c, p, w in weak]
    return {"scorecard": scorecard, "drivers_28": drivers, "components": parts}


def test_advice_is_that_of_what_fell_most(project: Project) -> None:
    fell = (("voice", "mood", 9.0), ("service", "open_tickets", -3.0), ("adoption", "seat_use", -8.0))
    assert advice(project, standing("large", *fell)) == ADOPTION


def test_advice_of_a_measure_comes_before_that_of_its_component(project: Project) -> None:
    assert advice(project, standing("large", ("voice", "last_nps", -8.0))) == NPS
    # The component has none, and so has its other measure: the next that fell is told.
    fell = (("voice", "mood", -9.0), ("service", "open_tickets", -3.0))
    assert advice(project, standing("large", *fell)) == SERVICE


def test_where_nothing_fell_it_is_that_of_what_holds_the_score_down_most(project: Project) -> None:
    assert advice(project, standing("large", ("adoption", "seat_use", 5.0))) == SERVICE
    assert advice(project, {"scorecard": "small", "drivers_28": [], "components": []}) is None
    assert advice(project, None) is None


def test_drivers_are_told_in_words(project: Project) -> None:
    told = standing("large", ("adoption", "seat_use", -8.0), (None, None, 2.0))
    told["drivers_28"][1]["kind"] = "rule"
    assert drivers(project, told) == ["-8.0 Seat use", "+2.0 a cap or floor"]


def test_messages_and_tasks_say_what_is_advised(evaluated: Workspace) -> None:
    root = evaluated.project.root
    advised(root)
    book = root / "playbooks.yaml"
    book.write_text(
        book.read_text().replace('task: "Call {name}"', 'task: "Call {name}: {advice}", text: "{why}"')
    )
    evaluated.store.close()
    workspace = open_workspace(root, {})
    advance(workspace, now=noon(LAST))
    tasks = [one for one in tasks_of(workspace.store, OPERATOR, limit=500) if one.origin == "playbook rescue"]
    assert tasks
    assert {one.title.partition(": ")[2] for one in tasks} <= {ADOPTION, SERVICE, NPS, USE}
    assert all(one.detail and one.detail != "-" for one in tasks)
    act = rehearse_playbook(workspace, "rescue", now=noon(LAST), account_id="A-01").acts[0]
    assert act.text.removeprefix("Call Northern Lights: ") in {ADOPTION, SERVICE, NPS}


def test_a_message_has_what_the_rule_says_and_what_the_scorecard_advises(evaluated: Workspace) -> None:
    with evaluated.store.read() as connection:
        query = select(outbox.c.payload).where(outbox.c.kind == "alert")
        told = [row[0] for row in connection.execute(query)]
    found = [text for text in told if "Call the sponsor." in text]
    assert found
    assert any(ADOPTION in text for text in told)
    kept = {one.evidence["do"] for one in alerts_of(evaluated.store, OPERATOR, limit=500) if one.account_id}
    assert f"Call the sponsor. {ADOPTION}" in kept and ADOPTION in kept
    assert all(text.index("Call the sponsor.") < text.index(ADOPTION) for text in found if ADOPTION in text)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "  service:\n",
            "  servce:\n    advice: Look.\n  service:\n",
            'scorecards.yaml:10: "measures" is missing in servce',
        ),
        (
            "      mood: {weight: 1,",
            "      moood: {advice: Look.,",
            'scorecards.yaml:18: measure of "moood", which is no metric',
        ),
    ],
)
def test_advice_for_a_part_that_is_not_there_is_an_error_with_its_place(
    old: str, new: str, problem: str, tmp_path: Path
) -> None:
    write(tmp_path)
    path = tmp_path / "scorecards.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    _, problems = load_with_problems(tmp_path, {})
    assert any(str(one).startswith(problem) for one in problems), [str(one) for one in problems]
