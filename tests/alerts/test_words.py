"""Every rule and playbook that a project can declare is told in words."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
import yaml

from retinue.desk.declared import KINDS, rule_told, rule_words, steps_told, trigger_words, until_words
from retinue.project.alerts import ACCOUNT_KINDS, PORTFOLIO_KINDS, AlertRule
from retinue.project.playbooks import TRIGGERS, Playbook

ROOTS = [
    *(
        one
        for one in resources.files("retinue.templates").iterdir()
        if one.joinpath("retinue.yaml").is_file()
    ),
    resources.files("retinue.demo").joinpath("project"),
]


def declared() -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """The rules and playbooks of every template and of the demo."""
    rules: dict[str, dict[str, Any]] = {}
    books: list[dict[str, Any]] = []
    for root in ROOTS:
        told = yaml.safe_load(root.joinpath("retinue.yaml").read_text("utf-8"))
        rules |= {f"{root.name}.{name}": rule for name, rule in (told.get("alerts") or {}).items()}
        folder = root.joinpath("playbooks")
        for file in folder.iterdir() if folder.is_dir() else ():
            books += [book for book in yaml.safe_load_all(file.read_text("utf-8")) if book]
    return rules, books


def test_every_rule_of_templates_and_demo_has_words():
    rules, _ = declared()
    kinds = set()
    for name, told in rules.items():
        rule = AlertRule.model_validate(told)
        kinds.add(rule.kind)
        words = rule_told(name, rule).words
        assert words[0].islower() and not words.endswith(".") and "None" not in words, name
    assert len(kinds) >= 9


def test_every_kind_of_alert_has_a_name():
    assert set(KINDS) == {*ACCOUNT_KINDS, *PORTFOLIO_KINDS, "storm"}


def test_every_playbook_of_templates_and_demo_has_words():
    _, books = declared()
    assert len(books) >= 6
    for told in books:
        book = Playbook.model_validate(told)
        assert "None" not in trigger_words(book.when, book)
        assert len(steps_told(book)) == len(book.steps)
        assert all(step.what and "None" not in step.how for step in steps_told(book))
        assert (until_words(book) is None) == (book.until is None)
        assert book.when.reason.startswith(f"{book.when.kind} ")


@pytest.mark.parametrize("kind", TRIGGERS)
def test_every_trigger_has_words_and_a_reason_that_people_can_read(kind: str):
    value: dict[str, Any] = {"band": "at_risk", "drop": 12, "holds": "arr > 10 and segment = gold"}
    book = Playbook.model_validate(
        {"playbook": "p", "when": {kind: value.get(kind, "risky")}, "steps": [{"task": "Call"}]}
    )
    words = trigger_words(book.when, book)
    assert words and "Compare" not in words
    assert "(" not in book.when.reason or kind == "holds"
    assert "Compar" not in book.when.reason and "name=" not in book.when.reason


@pytest.mark.parametrize("rule", [{"anomaly": "week"}, {"anomaly": "decline"}, {"anomaly": "any"}])
def test_what_is_unusual_is_told(rule: dict[str, Any]):
    assert rule_words(AlertRule.model_validate(rule)).startswith("usage is unusually low")
