"""Accounts go through playbooks as they were declared; a rehearsal does nothing."""

from __future__ import annotations

from datetime import date

from sqlalchemy import func, select

from retinue.run.playing import Played, advance
from retinue.run.rehearsing import rehearse_playbook
from retinue.store.people.access import OPERATOR
from retinue.store.tables import enrolments, outbox, tasks
from retinue.store.work import plays
from retinue.store.work.interventions import interventions_of
from retinue.store.work.task_changes import close_task
from retinue.store.work.tasks import tasks_of
from retinue.workspace import Workspace
from tests.alerts.conftest import LAST, noon


def test_an_alert_starts_its_playbook_and_its_steps_follow_each_other(evaluated: Workspace):
    advance(evaluated, now=noon(LAST))
    [one] = [
        e for e in plays.enrolments_of(evaluated.store, OPERATOR, account_id="A-04") if e.playbook == "rescue"
    ]
    assert (one.started_on, one.status, one.reason) == (date(2026, 3, 8), "active", "alert turned_red")
    [task] = [
        t for t in tasks_of(evaluated.store, OPERATOR, account_id="A-04") if t.origin == "playbook rescue"
    ]
    assert (task.title, task.owner) == ("Call Late Payers", "bob@acme.example")
    assert task.due_on == date(2026, 4, 2)
    close_task(evaluated.store, OPERATOR, task.id, now=noon(LAST), result="They pay on Friday.")
    advance(evaluated, now=noon(LAST))
    [ended] = [
        e for e in plays.enrolments_of(evaluated.store, OPERATOR, account_id="A-04") if e.playbook == "rescue"
    ]
    assert (ended.status, ended.ended_because) == ("completed", "all steps are done")
    with evaluated.store.read() as connection:
        told = connection.execute(select(outbox.c.payload).where(outbox.c.kind == "playbook")).scalars().all()
    assert len(told) == 1 and "Late Payers is at" in told[0]
    [did] = interventions_of(evaluated.store, OPERATOR, "A-04")
    assert (did.kind, did.owner, did.started_on) == ("rescue", "bob@acme.example", date(2026, 3, 8))
    assert did.ended_on is not None


def test_advancing_again_does_nothing_more(evaluated: Workspace):
    advance(evaluated, now=noon(LAST))
    assert advance(evaluated, now=noon(LAST)) == Played(0, 0, 0, 0, 0)


def test_a_task_goes_to_who_there_is_where_no_leader_is(evaluated: Workspace):
    advance(evaluated, now=noon(LAST))
    owners = {
        t.account_id: t.owner for t in tasks_of(evaluated.store, OPERATOR, limit=500) if "adopt" in t.origin
    }
    assert owners["A-02"] == "ann@acme.example"


def test_a_rehearsal_tells_every_step_and_writes_nothing(evaluated: Workspace):
    before = _counts(evaluated)
    found = rehearse_playbook(evaluated, "rescue", now=noon(LAST), account_id="A-01")
    assert [(act.step, act.kind) for act in found.acts] == [("call", "task"), ("tell", "message")]
    assert found.acts[0].text == "Call Northern Lights"
    whole = rehearse_playbook(evaluated, "rescue", now=noon(LAST))
    # A-04 is in the playbook already, so the trigger holds and nobody would begin.
    assert whole.holds >= 1 and whole.busy >= 1 and "A-04" not in whole.begin
    assert _counts(evaluated) == before


def _counts(workspace: Workspace) -> list[int]:
    with workspace.store.read() as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (enrolments, tasks, outbox)
        ]
