"""Every alert and playbook of a template can come about, and says what it has to say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from retinue.action.alerts import condition
from retinue.action.playbooks import Enrolment
from retinue.project.playbooks import Playbook
from retinue.run.alerting import PLAYBOOK
from retinue.run.happenings import Happenings
from retinue.run.looking import Looking
from retinue.run.playing import Playing
from retinue.run.rehearsing import rehearse_playbook
from retinue.store.published.current import explanations
from retinue.templates import names
from retinue.warehouse.trace import Trace
from retinue.workspace import Workspace
from tests.templates.planting import AFTER, MORNING, planted


@dataclass(frozen=True)
class Template:
    name: str
    workspace: Workspace


#: Those that are tried each time; the others in the long suite.
QUICK = {"saas", "insurance", "retail"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[] if n in QUICK else pytest.mark.long) for n in names()],
)
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Template:
    name: str = request.param
    folder: Path = tmp_path_factory.mktemp("planted") / name
    return Template(name, planted(name, folder))


def _counts(workspace: Workspace) -> dict[str, int]:
    """How many accounts, or findings, each rule and trigger holds for, over all dates."""
    project = workspace.project
    triggers = {PLAYBOOK + b.playbook: b.when.rule(b.applies_to, "0d") for b in project.playbooks}
    rules = {**project.settings.alerts, **{n: rule for n, rule in triggers.items() if rule is not None}}
    counts = dict.fromkeys(rules, 0)
    published = workspace.published()
    last = None
    with Trace(None) as trace, Happenings(project, trace, published.dates()[0]) as read:
        for day in published.dates():
            look = Looking(workspace.store, published, day, last, rules, read)
            now = look.picture()
            happened, findings = look.happened(now)
            earlier = look.earlier(now)
            for name, rule in rules.items():
                holds = None if rule.is_portfolio else condition(name, rule, now, earlier, happened)
                counts[name] += len(findings.get(name, ())) if holds is None else int(holds.sum())
            last = day
    return counts


def test_every_rule_and_every_trigger_holds_for_somebody_and_none_for_all(template: Template) -> None:
    counts = _counts(template.workspace)
    assert [name for name, count in counts.items() if not count] == []
    among = sum(
        template.workspace.published().table("snapshots", dates=[day]).num_rows
        for day in template.workspace.published().dates()
    )
    rules = template.workspace.project.settings.alerts
    assert [n for n, count in counts.items() if n in rules and count > 0.6 * among] == []


def test_every_kind_of_signal_has_a_rule(template: Template) -> None:
    settings = template.workspace.project.settings
    kinds = {rule.kind for rule in settings.alerts.values()}
    assert {"band", "drop", "component", "event", "no_touch", "coverage_below", "expansion"} <= kinds
    assert {"feed_stopped", "share_rising"} <= kinds
    assert ("renewal_within" in kinds) == ("renews_on" in settings.accounts.columns)
    assert all(rule.label or rule.do or rule.kind != "holds" for rule in settings.alerts.values())
    books = {book.playbook for book in template.workspace.project.playbooks}
    assert {"rescue", "save", "grow"} <= books
    assert all(book.hold_out == 0 for book in template.workspace.project.playbooks)


def test_red_is_called_at_once_and_ends_with_recovery_and_green_only_grows_without_red(
    template: Template,
) -> None:
    books = {book.playbook: book for book in template.workspace.project.playbooks}
    call, leader = books["rescue"].steps[:2]
    assert (call.kind, call.due) == ("task", 1)
    assert leader.owner[0] == "leader" and leader.after == ()
    assert books["rescue"].steps[-1].task is not None and "loop" in books["rescue"].step_ids
    for band, book in (("at_risk", "rescue"), ("watch", "save"), ("healthy", "grow")):
        until = books[book].until
        assert until is not None
        assert band not in str(until)


def test_a_rehearsal_of_every_playbook_makes_its_tasks(template: Template) -> None:
    for book in template.workspace.project.playbooks:
        found = rehearse_playbook(template.workspace, book.playbook, now=MORNING, account_id="A1005")
        assert [act.step for act in found.acts if act.kind == "task"] == [
            name for name, step in zip(book.step_ids, book.steps, strict=True) if step.kind == "task"
        ]
        assert all(act.due_on is not None and act.owner for act in found.acts)
        assert not [act.text for act in found.acts if "{" in act.text]


def test_every_fact_that_a_text_names_is_known(template: Template) -> None:
    workspace = template.workspace
    table = Playing.of(workspace, [], MORNING, None)
    table.standings = explanations(workspace.store, ["A1005"])
    for book in workspace.project.playbooks:
        one = Enrolment(None, book.playbook, "A1005", AFTER, "active", "a reason")
        facts = table.facts(table.place["A1005"], book, one)
        assert [name for name in sorted(_named(book)) if facts[name] is None] == [], book.playbook


def _named(book: Playbook) -> set[str]:
    texts = [
        text
        for step in book.steps
        for text in (step.task, step.text, step.message, step.subject, *step.checklist)
        if text is not None
    ]
    return {name for text in texts for name in re.findall(r"\{(\w+)\}", text)}
