"""Tasks: who may change which, what is out of sight, who gets the next one, and how soon somebody came."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from retinue.action.playbooks import Enrolment, Next, StepState
from retinue.errors import Forbidden, NotFound, StoreError
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.people.audit_log import audit_log
from retinue.store.people.people import add_person
from retinue.store.published.publish import publish
from retinue.store.tables import tasks
from retinue.store.upkeep.erase import erase_rows
from retinue.store.upkeep.erase_files import REPLACED, Sought
from retinue.store.work import alerts, plays
from retinue.store.work.alerts import NewAlert
from retinue.store.work.interventions import (
    add_intervention,
    end_intervention,
    interventions_of,
    withdraw_intervention,
)
from retinue.store.work.plays import NewTask
from retinue.store.work.reasons import reasons_of
from retinue.store.work.record import record
from retinue.store.work.responses import ENOUGH, responses, times_of
from retinue.store.work.said import add_note
from retinue.store.work.several import MOST
from retinue.store.work.task_changes import (
    close_task,
    close_tasks,
    give_tasks,
    snooze_task,
    snooze_tasks,
    tick_task,
)
from retinue.store.work.tasks import add_task, open_tasks, task_counts, task_of, tasks_of
from tests.store.company import NOW, SUNDAYS, changed, current_rows, write_run

TODAY = NOW.date()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OWNERS = ["ann", "ann", "bob", "bob", None, "ann"]
ANN = Actor("ann", everything=False, owners=frozenset({"ann"}), role="csm", own=frozenset({"ann"}))
READER = Actor("rita", role="reader")


@pytest.fixture
def company(store, home):
    """Six accounts: three of ann, two of bob, one of nobody; each worth 100."""
    manifest = write_run(home, "r1", SUNDAYS, len(OWNERS), 50.0, None)
    rows = current_rows(len(OWNERS), SUNDAYS[-1], owner=OWNERS, arr=[100.0] * len(OWNERS))
    publish(store, manifest, rows, changed(len(OWNERS), SUNDAYS[-1]), NOW)
    return store


def account(number: int) -> str:
    return f"A-{number:05}"


def added(store, number: int, title: str = "call", **told) -> int:
    return add_task(store, OPERATOR, account(number), title, now=NOW, **told)


def listed(store, actor: Actor = OPERATOR, **asked) -> list[int]:
    return [task.id for task in tasks_of(store, actor, **asked)]


def test_a_snoozed_task_is_out_of_sight_until_its_day(company):
    one, other = added(company, 0), added(company, 0, due_on=TODAY - DAY)
    snooze_task(company, ANN, one, TODAY + 3 * DAY, now=NOW, today=TODAY)
    for day in (TODAY, TODAY + 2 * DAY):
        assert listed(company, today=day) == [other]
        assert listed(company, status="snoozed", today=day) == [one]
        assert open_tasks(company, ANN, [account(0)], day) == {account(0): 1}
        assert task_counts(company, ANN, day) == {"open": 1, "overdue": 1, "snoozed": 1}
    back = TODAY + 3 * DAY
    assert listed(company, today=back) == [other, one]
    assert listed(company, status="snoozed", today=back) == []
    assert open_tasks(company, ANN, [account(0)], back) == {account(0): 2}
    assert task_of(company, ANN, one).snoozed_until == back
    snooze_task(company, ANN, one, None, now=NOW, today=TODAY)
    assert listed(company, today=TODAY) == [other, one]
    with pytest.raises(StoreError, match="come already"):
        snooze_task(company, ANN, one, TODAY, now=NOW, today=TODAY)


def test_items_are_ticked_with_who_did_it_and_when(company):
    task = added(company, 0, checklist=["Ask what changed", " ", "Agree on a date"])
    tick_task(company, ANN, task, 2, now=NOW + HOUR)
    first, second = task_of(company, OPERATOR, task).checklist
    assert (first.text, first.done, first.by) == ("Ask what changed", False, None)
    assert (second.text, second.done, second.by) == ("Agree on a date", True, "ann")
    assert second.at == (NOW + HOUR).replace(tzinfo=None)
    # Again, by somebody else: it was done already.
    tick_task(company, OPERATOR, task, 2, now=NOW + 2 * HOUR)
    assert task_of(company, OPERATOR, task).checklist[1] == second
    tick_task(company, OPERATOR, task, 2, now=NOW + 2 * HOUR, done=False)
    assert task_of(company, OPERATOR, task).checklist[1].by is None
    for item in (0, 3):
        with pytest.raises(StoreError, match="no item"):
            tick_task(company, ANN, task, item, now=NOW)
    with pytest.raises(NotFound):
        tick_task(company, ANN, added(company, 2, checklist=["x"]), 1, now=NOW)


def test_many_are_changed_at_once_and_each_that_cannot_be_is_told(company):
    own, closed, theirs = added(company, 0), added(company, 1), added(company, 2)
    close_task(company, OPERATOR, closed, now=NOW)
    found = close_tasks(company, ANN, [theirs, own, closed, 999, own], now=NOW, result="called", said="fine")
    assert found.changed == (own,)
    assert found.refused == {
        theirs: f"no task {theirs}",
        closed: f"task {closed} is done already (add a new one)",
        999: "no task 999",
    }
    told = task_of(company, OPERATOR, own)
    assert (told.status, told.result, told.said, told.closed_by) == ("done", "called", "fine", "ann")
    assert task_of(company, OPERATOR, theirs).status == "open"
    log = [one for one in audit_log(company, OPERATOR, what="close task") if one.who == "ann"]
    assert [(one.subject, one.before["id"], one.before["status"]) for one in log] == [
        (account(0), own, "open")
    ]


def test_many_are_changed_in_few_statements(company):
    from sqlalchemy import event

    numbers = [added(company, n % 2) for n in range(60)]
    statements = []

    def seen(_connection, _cursor, statement, *_rest):
        statements.append(statement)

    event.listen(company.engine, "before_cursor_execute", seen)
    try:
        snooze_tasks(company, ANN, numbers, TODAY + DAY, now=NOW, today=TODAY)
    finally:
        event.remove(company.engine, "before_cursor_execute", seen)
    assert sum("UPDATE tasks" in one for one in statements) == 1
    assert len(statements) < 12
    assert len(listed(company, status="snoozed", today=TODAY, limit=100)) == 60


def test_so_many_are_changed_at_once_and_no_more(company):
    for numbers in ([], range(1, MOST + 2)):
        with pytest.raises(StoreError, match="at once"):
            close_tasks(company, OPERATOR, numbers, now=NOW)


def test_whoever_may_not_act_changes_nothing(company):
    task = added(company, 0)
    for change in (
        lambda: close_tasks(company, READER, [task], now=NOW),
        lambda: snooze_tasks(company, READER, [task], TODAY + DAY, now=NOW, today=TODAY),
        lambda: give_tasks(company, READER, [task], "bob", now=NOW),
        lambda: give_tasks(company, READER, [task], among=["bob"], now=NOW),
        lambda: tick_task(company, READER, task, 1, now=NOW),
        lambda: add_task(company, READER, account(0), "x", now=NOW, among=["bob"]),
    ):
        with pytest.raises(Forbidden):
            change()
    assert task_of(company, READER, task).owner == "operator"


def test_the_next_task_goes_to_whoever_has_least(company):
    for number in (0, 1):
        added(company, number, owner="cleo")
    assert _owner(company, added(company, 3, among=["cleo", "dan"])) == "dan"
    # ann looks after 300 of revenue, bob after 200.
    assert _owner(company, added(company, 3, among=["ann", "bob"], balance="least_revenue")) == "bob"
    turns = [
        _owner(company, added(company, 3, among=["x", "y", "z"], balance="round_robin")) for _ in range(5)
    ]
    assert turns == ["x", "y", "z", "x", "y"]
    with pytest.raises(StoreError, match="one of the two"):
        added(company, 3, owner="ann", among=["bob"])


def test_a_team_shares_tasks_out_by_what_each_of_them_has(company):
    for email, owners in (("ann@example.com", ("ann",)), ("bob@example.com", ("bob",))):
        add_person(company, OPERATOR, email, email[:3], "csm", now=NOW, team="north", owners=owners)
    # Accounts know them by other names: ann has more revenue, so that all of it goes to bob.
    numbers = [added(company, n % 3) for n in range(5)]
    give_tasks(company, OPERATOR, numbers, among="north", balance="least_revenue", now=NOW)
    assert {_owner(company, number) for number in numbers} == {"bob@example.com"}
    give_tasks(company, OPERATOR, numbers, "ann@example.com", now=NOW)
    more = [added(company, n) for n in range(4)]
    found = give_tasks(company, OPERATOR, [*more, 999], among="north", now=NOW)
    assert found.changed == tuple(more) and set(found.refused) == {999}
    assert [_owner(company, number) for number in more] == ["bob@example.com"] * 4
    with pytest.raises(StoreError, match="nobody is in the team"):
        give_tasks(company, OPERATOR, more, among="south", now=NOW)


def _owner(store, task: int) -> str:
    return task_of(store, OPERATOR, task).owner


def test_a_task_says_which_alert_and_which_step_it_comes_from(company):
    alert, enrolment, task = raised_and_played(company)
    found = task_of(company, ANN, task)
    assert (found.alert, found.enrolment, found.step) == (alert, enrolment, "call")
    reason = reasons_of(company, ANN, [found])[task]
    assert (reason.summary, reason.rule, reason.playbook, reason.open) == (
        "Northern Lights: now at risk",
        "turned_red",
        "rescue",
        True,
    )
    by_hand = added(company, 0, alert=alert)
    assert task_of(company, ANN, by_hand).origin == "alert turned_red"
    assert listed(company, alert=alert) == [task, by_hand]
    assert added(company, 0) not in reasons_of(company, ANN, tasks_of(company, ANN))
    with pytest.raises(NotFound):
        added(company, 1, alert=alert)


def test_the_clock_starts_when_it_was_raised_and_stops_at_the_first_touch(company):
    _, _, task = raised_and_played(company, made=NOW + HOUR)
    by_hand = add_task(company, OPERATOR, account(1), "plan", now=NOW + HOUR)
    clock = times_of(company, OPERATOR, tasks_of(company, OPERATOR))
    assert clock[task].began_at == NOW.replace(tzinfo=None) and clock[task].hours is None
    assert clock[by_hand].began_at == (NOW + HOUR).replace(tzinfo=None)
    add_note(company, account(0), "before it counts", by=ANN, now=NOW - HOUR)
    add_note(company, account(2), "another account", by=OPERATOR, now=NOW + HOUR)
    # To plan something, to give it to somebody or to put it off is no touch.
    add_task(company, OPERATOR, account(0), "plan", now=NOW + HOUR)
    give_tasks(company, OPERATOR, [task], "ann", now=NOW + HOUR)
    assert times_of(company, OPERATOR, [task_of(company, ANN, task)])[task].hours is None
    add_note(company, account(0), "called them", by=ANN, now=NOW + 5 * HOUR)
    close_task(company, ANN, task, now=NOW + 8 * HOUR)
    assert times_of(company, OPERATOR, [task_of(company, ANN, task)])[task].hours == 5
    close_task(company, OPERATOR, by_hand, now=NOW + 4 * HOUR)
    assert times_of(company, OPERATOR, [task_of(company, ANN, by_hand)])[by_hand].hours == 3


def test_of_few_responses_nothing_is_said_and_of_others_only_to_whoever_assigns(company):
    add_person(company, OPERATOR, "ann@example.com", "Ann", "csm", now=NOW, team="north", owners=["ann"])
    leader = replace(OPERATOR, name="lea", role="leader")
    for n in range(ENOUGH - 1):
        task = add_task(company, OPERATOR, account(0), f"call {n}", now=NOW + n * HOUR, owner="ann")
        close_task(company, ANN, task, now=NOW + (2 * n + 1) * HOUR)

    def told(actor: Actor):
        found = responses(company, actor, NOW - DAY, NOW + 30 * DAY)
        return {(one.of, one.name): (one.touch, one.close) for one in found}

    touch, close = told(leader)["owner", "ann"]
    assert (touch.count, touch.median, touch.too_few, close.finished) == (ENOUGH - 1, None, True, ENOUGH - 1)
    # One more, of bob, and one of ann that nobody comes to.
    add_task(company, OPERATOR, account(2), "call", now=NOW, owner="bob")
    add_task(company, OPERATOR, account(5), "call", now=NOW + 9 * HOUR, owner="ann")
    found = told(leader)
    touch, close = found["owner", "ann"]
    # To the end: 1, 2, 3, 4 hours, and one that never ends.
    assert (close.count, close.finished, close.median, close.p90) == (ENOUGH, ENOUGH - 1, 3.0, None)
    assert found["team", "north"] == found["owner", "ann"]
    assert found["all", None][1].count == ENOUGH + 1
    assert ("owner", "bob") in found
    # ann sees her own; bob's accounts are not hers.
    assert set(told(ANN)) == {("all", None), ("owner", "ann"), ("team", "north")}
    assert told(ANN)["all", None][1].count == ENOUGH
    everything = replace(ANN, everything=True)
    assert set(told(everything)) == {("all", None), ("owner", "ann"), ("team", "north")}


def test_what_nobody_had_to_do_counts_for_no_response(company):
    dropped = added(company, 0, owner="ann")
    close_task(company, OPERATOR, dropped, done=False, now=NOW + HOUR)
    assert responses(company, OPERATOR, NOW - DAY, NOW + DAY) == ()


def test_interventions_are_recorded_ended_and_withdrawn_with_a_trace(company):
    told, began = {"now": NOW, "today": TODAY}, TODAY - 9 * DAY
    number = add_intervention(
        company, ANN, account(0), "training", started_on=began, reason="new team", **told
    )
    (one,) = interventions_of(company, ANN, account(0))
    assert (one.kind, one.owner, one.started_on, one.ended_on, one.reason) == (
        "training",
        "ann",
        TODAY - 9 * DAY,
        None,
        "new team",
    )
    with pytest.raises(StoreError, match="before it began"):
        end_intervention(company, ANN, number, ended_on=TODAY - 10 * DAY, **told)
    with pytest.raises(StoreError, match="to come"):
        end_intervention(company, ANN, number, ended_on=TODAY + DAY, **told)
    end_intervention(company, ANN, number, ended_on=TODAY, **told)
    assert interventions_of(company, ANN, account(0))[0].ended_on == TODAY
    withdraw_intervention(company, ANN, number, now=NOW)
    assert interventions_of(company, ANN, account(0)) == []
    with pytest.raises(NotFound):
        withdraw_intervention(company, ANN, number, now=NOW)
    assert [one.what for one in audit_log(company, OPERATOR, what="intervention")] == [
        "withdraw intervention",
        "end intervention",
        "add intervention",
    ]


def test_what_is_not_yours_or_of_a_playbook_is_not_changed(company):
    told = {"now": NOW, "today": TODAY}
    theirs = add_intervention(company, OPERATOR, account(2), "call", started_on=TODAY, **told)
    for change in (
        lambda: add_intervention(company, ANN, account(2), "x", started_on=TODAY, **told),
        lambda: end_intervention(company, ANN, theirs, ended_on=TODAY, **told),
        lambda: withdraw_intervention(company, ANN, theirs, now=NOW),
    ):
        with pytest.raises(NotFound):
            change()
    with pytest.raises(Forbidden):
        add_intervention(company, READER, account(0), "x", started_on=TODAY, **told)
    with pytest.raises(StoreError, match="to come"):
        add_intervention(company, ANN, account(0), "x", started_on=TODAY + DAY, **told)
    raised_and_played(company)
    (played,) = interventions_of(company, ANN, account(0))
    with pytest.raises(StoreError, match="playbook"):
        end_intervention(company, ANN, played.id, ended_on=TODAY, **told)
    with pytest.raises(StoreError, match="playbook"):
        withdraw_intervention(company, ANN, played.id, now=NOW)


def test_the_record_tells_of_held_out_accounts_only_to_those_who_do_not_work_on_them(company):
    out = Enrolment(None, "rescue", account(0), SUNDAYS[-1], "held_out", "alert turned_red")
    with company.write() as connection:
        plays.enrol(connection, [out], {}, NOW)
    raised_and_played(company)
    snooze_task(company, ANN, listed(company)[0], TODAY + DAY, now=NOW, today=TODAY)

    def kinds(actor: Actor) -> list[tuple[str, str | None]]:
        return sorted((one.kind, one.told.get("status")) for one in record(company, actor, account(0)))

    seen = [
        ("alert", None),
        ("intervention", None),
        ("moved", None),
        ("playbook", "active"),
        ("task", "open"),
    ]
    assert kinds(ANN) == seen
    assert kinds(replace(OPERATOR, role="leader")) == sorted([*seen, ("playbook", "held_out")])


def test_a_checklist_of_before_there_was_who_ticked_it_is_read(company):
    task = added(company, 0)
    with company.write() as connection:
        told = json.dumps([{"text": "old", "done": True}])
        connection.execute(update(tasks).where(tasks.c.id == task).values(checklist=told))
    (item,) = task_of(company, ANN, task).checklist
    assert (item.text, item.done, item.by, item.at) == ("old", True, None, None)


def test_who_ticked_an_item_is_gone_with_the_person_who_is_erased(company):
    task = added(company, 0, checklist=["Ask", "Agree"])
    tick_task(company, replace(OPERATOR, name="Kim Lee"), task, 1, now=NOW)
    tick_task(company, ANN, task, 2, now=NOW)
    with company.write() as connection:
        erase_rows(connection, Sought("kim@example.com", frozenset({"Kim Lee"})))
    first, second = task_of(company, OPERATOR, task).checklist
    assert (first.by, first.done, second.by) == (REPLACED, True, "ann")


def raised_and_played(store, made=NOW) -> tuple[int, int, int]:
    """An alert raised at NOW about the first account, in a playbook by it, and the task of its first step."""
    day: date = SUNDAYS[-1]
    news = NewAlert(
        "turned_red", "band", "high", account(0), None, "ann", "Northern Lights: now at risk", {}, 100.0
    )
    began = Enrolment(
        None, "rescue", account(0), day, "active", "alert turned_red", {"call": StepState("waiting")}
    )
    assert alerts.record(store, day, {}, [news], {}, [], [began], {account(0): "ann"}, now=NOW)
    (going,) = plays.active(store)
    after = Next(replace(going, steps={"call": StepState("going", day)}))
    task = NewTask("call", "Call Northern Lights", None, "ann", TODAY, ["Ask what changed"])
    assert plays.apply(store, going, after, [task], [], made)
    assert going.id is not None
    (alert,) = alerts.alerts_of(store, OPERATOR)
    (found,) = tasks_of(store, OPERATOR, alert=alert.id)
    return alert.id, going.id, found.id
