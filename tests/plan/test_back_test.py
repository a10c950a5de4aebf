"""Both ways of scoring are tried; what cannot be tried is said, and the plan stands."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from retinue.cli.plan import show
from retinue.cli.render import Page as Screen
from retinue.errors import TrialError
from retinue.report.plan import page
from retinue.run.plan import plan
from retinue.run.planned import BackTest, Plan
from retinue.run.validate import Validated
from retinue.workspace import Workspace
from tests.plan.half import weighted
from tests.report.reading import Page, outward
from tests.run.company import DAY, noon, opened
from tests.run.small import D
from tests.validation import twelve


def validated() -> Validated:
    return Validated("test", {"level": "0123456789abcdef"}, twelve.report(), None, None)


def test_the_published_declarations_are_tried_and_then_those_here(half: Path) -> None:
    weighted(3).write(half)
    tried = []

    def back_test(workspace: Workspace, _progress: Any) -> Validated:
        (card,) = workspace.project.scorecards
        tried.append(card.components["mood"].weight)
        if len(tried) == 2:
            raise TrialError("too good to be true", hint="look again")
        return validated()

    workspace = opened(half)
    try:
        found = plan(workspace, now=noon(D + DAY), environ={}, back_test=back_test)
    finally:
        workspace.store.close()
    assert tried == [1, 3]
    assert found.back_test is not None
    assert found.back_test.before.report.events == 4
    assert found.back_test.after is None
    assert found.back_test.notes == (
        "no back-test of the declarations of the project: too good to be true (look again)",
    )


def test_both_trials_stand_side_by_side(heavier: Plan, capsys: Any) -> None:
    """AUC 57/72 of the twelve accounts, beside one that is told to be .9."""
    before, after = validated(), validated()
    better = dataclasses.replace(after.report.auc, value=0.9)
    after = dataclasses.replace(after, report=dataclasses.replace(after.report, auc=better))
    found = dataclasses.replace(heavier, back_test=BackTest(before, after, ("a note",)))
    show(Screen(), found, 0)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith("AUC 0.792") and " 0.900" in line for line in lines)
    assert "note: a note" in lines
    text = page(found)
    told = Page(text)
    assert outward(text) == []
    assert "A note." in told.text
    assert "0.792 [" in told.text and "0.900 [" in told.text
    assert found.to_dict()["back_test"]["after"]["auc"]["value"] == 0.9
