"""Variables of the environment in the text of a project."""

from __future__ import annotations

import pytest

from retinue.project.environment import VariableError, expand
from tests.project.conftest import SETTINGS, Write


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${DATA}/a.csv", "there/a.csv"),
        ("${OTHER:-here}/a.csv", "here/a.csv"),
        ("${EMPTY:-here}", "here"),
        ("${EMPTY}", ""),
        ("${OTHER:-}x", "x"),
        ("$${DATA} costs $5", "${DATA} costs $5"),
        ("${NESTED}", "${DATA}"),
        ("${DATA}-${DATA}", "there-there"),
    ],
)
def test_references_are_replaced_once(text: str, expanded: str) -> None:
    assert expand(text, {"DATA": "there", "EMPTY": "", "NESTED": "${DATA}"}) == expanded


@pytest.mark.parametrize("text", ["${MISSING}", "${1A}", "${A:=b}", "${", "${A"])
def test_references_that_lead_nowhere_are_refused(text: str) -> None:
    with pytest.raises(VariableError):
        expand(text, {})


def test_a_missing_variable_is_told_with_its_line(write: Write) -> None:
    loaded = write({"retinue.yaml": SETTINGS + "home: ${HERE}/runs\n"})
    problem = loaded.about("HERE is not set")
    assert str(problem.place) == "retinue.yaml:8"
    assert problem.hint == "set HERE, or give a default: ${HERE:-default}"


def test_a_variable_may_be_a_number(write: Write) -> None:
    card = {
        "scorecards/b.yaml": "scorecard: b\nmin_coverage: ${LEAST}\nroll_up: mean\napplies_to: {seats: 1}\n"
    }
    settings = {"retinue.yaml": SETTINGS.replace("seats: seats", "seats: seats, parent: p")}
    loaded = write({**card, **settings}, LEAST="0.25")
    assert loaded.project is not None
    assert loaded.project.scorecards[1].min_coverage == 0.25
