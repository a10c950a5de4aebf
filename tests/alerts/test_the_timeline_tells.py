"""The timeline of an account tells what was raised and what was done about it, beside what happened."""

from __future__ import annotations

from datetime import date

from retinue.desk import acting
from retinue.desk.tasks import TaskAsk, responded, tasks
from retinue.desk.timeline import Event, events
from retinue.run.playing import advance
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.tables import enrolments
from retinue.workspace import Workspace
from tests.alerts.conftest import LAST, noon

BOB = Actor(
    "bob@acme.example",
    everything=False,
    owners=frozenset({"bob@acme.example"}),
    role="csm",
    own=frozenset({"bob@acme.example"}),
)
NOW = noon(LAST)


def told(workspace: Workspace, actor: Actor, *kinds: str) -> list[Event]:
    found = [one for one in events(workspace, actor, "A-04") if one.kind in kinds]
    return sorted(found, key=lambda one: one.at)


def test_an_alert_its_playbook_and_its_task_stand_in_one_order(evaluated: Workspace):
    advance(evaluated, now=NOW)
    today = acting.today(evaluated, NOW)
    (task,) = [t for t in tasks(evaluated, BOB, TaskAsk(), today=today).tasks if t.step == "call"]
    assert task.reason is not None and task.reason.alert == task.alert
    assert "now at risk" in task.reason.summary and task.reason.playbook == "rescue"
    assert task.hours_to_touch is None
    acting.snooze_task(evaluated, BOB, task.id, date(2026, 4, 20), now=NOW)
    acting.give_task(evaluated, BOB, task.id, "cleo@acme.example", now=NOW)
    acting.close_task(evaluated, BOB, task.id, now=noon(date(2026, 4, 2)), said="They pay on Friday.")
    advance(evaluated, now=noon(date(2026, 4, 2)))

    alerts = [one for one in told(evaluated, BOB, "alert") if one.title == "alert turned_red"]
    assert [one.text for one in alerts] == [task.reason.summary]
    plays = [(one.title, one.timed) for one in told(evaluated, BOB, "playbook")]
    assert plays == [("playbook rescue begun", False), ("playbook rescue completed", False)]
    own = [one for one in told(evaluated, BOB, "task") if "Late Payers" in (one.text or "")]
    # The first three at one moment, in no order of their own.
    assert {one.title for one in own[:3]} == {
        "task for cleo@acme.example, due on 2026-04-02",
        "task given to cleo@acme.example (before: bob@acme.example)",
        "task snoozed until 2026-04-20",
    }
    assert len(own) == 4
    assert own[-1].title == "task done" and "The customer: They pay on Friday" in (own[-1].text or "")
    # What a playbook does is told by the playbook; what people record is told as it is.
    assert told(evaluated, BOB, "intervention") == []
    acting.add_intervention(evaluated, BOB, "A-04", "visit", now=NOW, started_on=date(2026, 3, 20))
    (visit,) = told(evaluated, BOB, "intervention")
    assert (visit.title, visit.at.date(), visit.timed) == ("visit begun", date(2026, 3, 20), False)


def test_that_an_account_is_held_out_is_told_to_those_who_do_not_work_on_it(evaluated: Workspace):
    with evaluated.store.write() as connection:
        connection.execute(enrolments.update().values(status="held_out"))
    leader = Actor("lea", role="leader")
    (shown,) = told(evaluated, leader, "playbook")
    assert shown.title == "held out of the playbook rescue"
    assert told(evaluated, BOB, "playbook") == []
    assert told(evaluated, Actor("rita", role="reader"), "playbook") == []


def test_the_response_is_measured_from_when_it_was_raised(evaluated: Workspace):
    advance(evaluated, now=NOW)
    later = noon(date(2026, 4, 2))
    acting.note(evaluated, BOB, "A-04", "called them", now=later)
    everything = responded(evaluated, OPERATOR, now=later).responses
    assert {one.name for one in everything if one.of == "owner"} >= {"bob@acme.example", "ann@acme.example"}
    (bob,) = [one for one in everything if one.name == "bob@acme.example"]
    assert (bob.touch.count, bob.touch.finished, bob.touch.too_few) == (1, 1, True)
    today = acting.today(evaluated, later)
    (task,) = [t for t in tasks(evaluated, BOB, TaskAsk(), today=today).tasks if t.step == "call"]
    assert task.hours_to_touch == (later - NOW).total_seconds() / 3600
