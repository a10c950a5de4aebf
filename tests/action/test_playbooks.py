"""Playbooks go on step by step, end when they should, and hold accounts out as chance would."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.action.playbooks import (
    Enrolment,
    Load,
    StepState,
    advanced,
    balanced,
    business_days,
    enrolled,
    held_out,
)
from retinue.project.playbooks import Playbook, filled

MONDAY = date(2026, 3, 2)
WEEK = (0, 1, 2, 3, 4)


def playbook(**changes: Any) -> Playbook:
    told: dict[str, Any] = {
        "playbook": "rescue",
        "when": {"band": "at_risk"},
        "steps": [
            {"id": "call", "task": "Call {name}", "due": 1},
            {"id": "pause", "wait": "7d"},
            {"id": "tell", "message": "Done for {name}", "to": ["crm"]},
            {"id": "plan", "task": "Write a plan", "after": ["call"], "due": 5},
        ],
        **changes,
    }
    return Playbook.model_validate(told)


def start(book: Playbook, day: date = MONDAY) -> Enrolment:
    [one] = enrolled(book, [("a", "now at risk")], [], {}, day)
    return one


def with_task(one: Enrolment, step: str, number: int) -> Enrolment:
    steps = {**one.steps, step: StepState("going", one.steps[step].on, number)}
    return Enrolment(1, one.playbook, one.account_id, one.started_on, one.status, one.reason, steps)


def on(book: Playbook, one: Enrolment, day: date, **told: Any) -> Any:
    facts = {"tasks": {}, "gone": False, "recovered": False, **told}
    return advanced(book, one, day, workdays=WEEK, **facts)


def test_steps_start_when_those_before_them_are_done():
    book = playbook()
    first = on(book, start(book), MONDAY)
    assert [(s.step, s.due_on) for s in first.starts] == [("call", MONDAY + timedelta(days=1))]
    waiting = with_task(first.enrolment, "call", 7)
    assert not on(book, waiting, MONDAY + timedelta(days=3), tasks={7: "open"}).starts
    thursday = MONDAY + timedelta(days=3)
    second = on(book, waiting, thursday, tasks={7: "done"})
    # The plan waits for the call only; the message waits for the pause.
    assert [(s.step, s.due_on) for s in second.starts] == [("plan", date(2026, 3, 12))]
    early = on(book, second.enrolment, thursday + timedelta(days=6))
    assert not early.starts
    third = on(book, early.enrolment, thursday + timedelta(days=7))
    assert [s.step for s in third.starts] == ["tell"]
    planned = with_task(third.enrolment, "plan", 8)
    last = on(book, planned, thursday + timedelta(days=8), tasks={7: "done", 8: "done"})
    assert (last.enrolment.status, last.enrolment.ended_because) == ("completed", "all steps are done")


def test_nothing_happens_twice_on_the_same_day():
    book = playbook()
    first = on(book, start(book), MONDAY)
    again = on(book, with_task(first.enrolment, "call", 7), MONDAY, tasks={7: "open"})
    assert not again.starts and again.enrolment.steps["call"].status == "going"


@pytest.mark.parametrize(("told", "because"), [("gone", "gone"), ("recovered", "until band = ")])
def test_a_playbook_stops_when_the_account_recovers_or_is_gone_and_drops_its_tasks(told: str, because: str):
    book = playbook(until="band = healthy")
    going = with_task(on(book, start(book), MONDAY).enrolment, "call", 7)
    ended = on(book, going, MONDAY + timedelta(days=1), tasks={7: "open"}, **{told: True})
    assert ended.enrolment.status == "stopped"
    assert because in ended.enrolment.ended_because
    assert ended.drops == (7,)
    assert on(book, ended.enrolment, MONDAY + timedelta(days=9)).enrolment == ended.enrolment


def test_a_step_that_was_dropped_holds_nobody_up():
    book = playbook()
    going = with_task(on(book, start(book), MONDAY).enrolment, "call", 7)
    after = on(book, going, MONDAY + timedelta(days=2), tasks={7: "dropped"})
    assert [s.step for s in after.starts] == ["plan"]


def test_an_account_is_enrolled_once_at_a_time_and_not_again_too_soon():
    book = playbook(once_per="30d")
    one = start(book)
    happened = [("a", "again"), ("a", "twice"), ("b", "now at risk")]
    assert [e.account_id for e in enrolled(book, happened, [one], {}, MONDAY)] == ["b"]
    ended = Enrolment(1, "rescue", "a", MONDAY, "completed", "", {}, MONDAY, "")
    soon, late = MONDAY + timedelta(days=29), MONDAY + timedelta(days=30)
    assert not enrolled(book, [("a", "")], [ended], {}, soon)
    assert enrolled(book, [("a", "")], [ended], {}, late)


def test_two_playbooks_of_a_group_do_not_work_on_an_account_at_the_same_time():
    book = playbook(group="risk")
    other = Enrolment(1, "other", "a", MONDAY, "active", "", {})
    assert not enrolled(book, [("a", "")], [other], {"other": "risk", "rescue": "risk"}, MONDAY)
    assert enrolled(book, [("a", "")], [other], {"other": None, "rescue": "risk"}, MONDAY)


def test_the_share_that_is_held_out_is_the_one_declared_and_nothing_is_done_for_it():
    """20,000 accounts at .2; five standard errors of a share."""
    book = playbook(hold_out=0.2)
    out = sum(held_out(book, f"A{n}", MONDAY) for n in range(20_000))
    assert abs(out / 20_000 - 0.2) < 5 * (0.16 / 20_000) ** 0.5
    account = next(f"A{n}" for n in range(100) if held_out(book, f"A{n}", MONDAY))
    [one] = enrolled(book, [(account, "")], [], {}, MONDAY)
    assert one.status == "held_out"
    assert not on(book, one, MONDAY).starts
    assert not any(held_out(playbook(), f"A{n}", MONDAY) for n in range(100))


@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 30), st.sets(st.integers(0, 6), min_size=1)
)
def test_business_days_are_counted_one_by_one(day: date, count: int, workdays: set[int]):
    found = business_days(day, count, sorted(workdays))
    assert found.weekday() in workdays
    between = [day + timedelta(days=n) for n in range((found - day).days + 1)]
    at_work = [one for one in between if one.weekday() in workdays]
    assert len(at_work) == count + 1


def test_tasks_go_to_whoever_has_least():
    ann, bob = Load("ann", 3, 10.0, 5), Load("bob", 2, 99.0, 9)
    assert balanced([ann, bob], "fewest_tasks") == "bob"
    assert balanced([ann, bob], "least_revenue") == "ann"
    assert balanced([ann, bob], "round_robin") == "ann"
    assert balanced([], "fewest_tasks") is None


@given(st.text())
def test_what_an_account_is_called_is_never_read_as_a_field(name: str):
    assert filled("Call {name} now", {"name": name}) == f"Call {name} now"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": [{"task": "Call {phone}"}]}, "names {phone}"),
        ({"steps": [{"task": "a", "wait": "1d"}]}, "exactly one of"),
        ({"steps": [{"message": "a"}]}, "needs `to`"),
        ({"steps": [{"task": "a", "after": ["b"]}, {"id": "b", "task": "b"}]}, "no step before it"),
        ({"steps": [{"id": "b", "task": "a"}, {"id": "b", "task": "b"}]}, "same `id`"),
        ({"when": {"band": "at_risk", "stage": "new"}}, "exactly one of"),
        ({"when": {"event": "invoices", "hold": "3d"}}, "happens once and holds for no time"),
        ({"steps": []}, "at least 1"),
    ],
)
def test_a_playbook_that_cannot_be_meant_is_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        playbook(**changes)
