"""Past days are looked at and played as of their own mornings; playbooks narrow alerts down by metrics."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import delete, select

from retinue.run.alerting import evaluate
from retinue.run.playing import advance
from retinue.run.rehearsing import rehearse_playbook
from retinue.store.people.access import OPERATOR
from retinue.store.tables import alert_memory, alert_rules, alerts
from retinue.store.work import plays
from retinue.store.work.tasks import tasks_of
from retinue.workspace import Workspace, open_workspace
from tests.alerts.conftest import LAST, noon

FIRST, MIDDLE = date(2026, 2, 15), date(2026, 3, 1)


def never_looked_at(workspace: Workspace) -> Workspace:
    with workspace.store.write() as connection:
        for table in (alert_rules, alert_memory, alerts):
            connection.execute(delete(table))
    return workspace


def test_a_first_look_may_begin_in_the_past_and_tells_of_each_day_on_its_morning(acme: Workspace) -> None:
    told = evaluate(never_looked_at(acme), now=noon(LAST), first=FIRST, clock=noon)
    assert told.dates[0] == FIRST and told.dates[-1] == LAST
    with acme.store.read() as connection:
        raised = connection.execute(select(alerts.c.as_of, alerts.c.raised_at, alerts.c.kind)).all()
    assert len({one.as_of for one in raised}) > 1
    assert all(one.raised_at == noon(one.as_of).replace(tzinfo=None) for one in raised)
    # What was so on the first day is no news.
    assert {one.kind for one in raised if one.as_of == FIRST} <= {"event"}


def test_without_it_only_the_last_day_is_looked_at(acme: Workspace) -> None:
    assert evaluate(never_looked_at(acme), now=noon(LAST)).dates == (LAST,)


def test_on_a_past_day_nothing_goes_on_that_began_after_it(acme: Workspace) -> None:
    evaluate(never_looked_at(acme), now=noon(LAST), first=FIRST, clock=noon)
    began = {one.started_on for one in plays.active(acme.store)}
    assert min(began) <= MIDDLE < max(began)
    advance(acme, now=noon(MIDDLE))
    given = tasks_of(acme.store, OPERATOR, limit=500)
    assert given and all(one.said_at == noon(MIDDLE).replace(tzinfo=None) for one in given)
    started = {
        one.account_id: one.started_on
        for one in plays.enrolments_of(acme.store, OPERATOR)
        if any(state.task is not None for state in one.steps.values())
    }
    assert max(started.values()) <= MIDDLE
    assert advance(acme, now=noon(LAST)).tasks > 0


@pytest.mark.parametrize(("narrow", "some"), [("seat_use >= 0", True), ("seat_use > 99", False)])
def test_a_playbook_narrows_its_alert_down_by_what_no_rule_names(
    acme: Workspace, narrow: str, some: bool
) -> None:
    book = acme.project.root / "playbooks.yaml"
    text = book.read_text().replace(
        "when: {alert: turned_red}", f"when: {{alert: turned_red}}\napplies_to: {narrow}"
    )
    book.write_text(text)
    acme.store.close()
    workspace = open_workspace(acme.project.root, {})
    evaluate(workspace, now=noon(LAST))
    into = [one for one in plays.enrolments_of(workspace.store, OPERATOR) if one.playbook == "rescue"]
    assert bool(into) is some
    assert bool(rehearse_playbook(workspace, "rescue", now=noon(LAST)).holds) is some
