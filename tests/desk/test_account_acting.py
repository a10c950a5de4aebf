"""What people say and do about an account is seen in its timeline and layers, and counts when it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from retinue.desk import acting
from retinue.desk.account import account
from retinue.desk.tasks import TaskAsk, tasks
from retinue.desk.timeline import events
from retinue.errors import Forbidden, NotFound, RetinueError, StoreError
from retinue.run import run
from retinue.store.people.access import Actor
from retinue.workspace import Workspace
from tests.desk.studied import LAST, NOW
from tests.desk.studied import account as named
from tests.run.company import DAY, noon

LEADER = Actor("Lea Leader", role="leader")
ANN = Actor(
    "Ann", everything=False, owners=frozenset({"Ann Archer"}), role="csm", own=frozenset({"Ann Archer"})
)
READER = Actor("Rita", role="reader")
#: What is said on the 2nd of March belongs to that day.
TODAY = NOW.date()

SAID: dict[str, Any] = {
    "note": lambda w, a, i: acting.note(w, a, i, "they open an office", now=NOW),
    "pulse": lambda w, a, i: acting.pulse(w, a, i, "mood", 2, now=NOW, note="they open an office"),
    "override": lambda w, a, i: acting.override(
        w, a, i, "cap", 30, reason="they open an office", now=NOW, expires_on=TODAY + 30 * DAY
    ),
    "outcome": lambda w, a, i: acting.outcome(
        w, a, i, "renewed", TODAY, now=NOW, reason="they open an office"
    ),
    "task": lambda w, a, i: acting.add_task(w, a, i, "they open an office", now=NOW),
    "intervention": lambda w, a, i: acting.add_intervention(
        w, a, i, "training", now=NOW, reason="they open an office"
    ),
}


@pytest.mark.parametrize("what", SAID)
def test_what_is_said_stands_in_the_timeline_with_who_said_it(own_studied: Workspace, what: str) -> None:
    before = len(events(own_studied, LEADER, named()))
    done = SAID[what](own_studied, ANN, named())
    assert (done.what, done.account_id) == (what, named()) and done.id is not None
    found = [event for event in events(own_studied, LEADER, named()) if event.kind == what]
    assert len(events(own_studied, LEADER, named())) == before + 1
    assert [(event.by, event.text) for event in found] == [("Ann", "they open an office")]
    assert account(own_studied, LEADER, named(), now=NOW).timeline.kinds[what] == 1


@pytest.mark.parametrize("what", SAID)
def test_nothing_can_be_said_by_readers_or_of_accounts_out_of_sight(
    own_studied: Workspace, what: str
) -> None:
    with pytest.raises(Forbidden):
        SAID[what](own_studied, READER, named())
    with pytest.raises(NotFound):
        SAID[what](own_studied, ANN, named(1))
    assert not [event for event in events(own_studied, LEADER, named(1)) if event.kind == what]


@pytest.mark.parametrize("what", ["note", "pulse", "override", "outcome", "intervention"])
def test_what_is_withdrawn_stays_on_record_without_its_force(own_studied: Workspace, what: str) -> None:
    done = SAID[what](own_studied, ANN, named())
    told = acting.withdraw(own_studied, LEADER, what, done.id, now=NOW + DAY)
    assert told.counts_from == (TODAY + DAY if what in ("pulse", "override") else None)
    (event,) = [event for event in events(own_studied, LEADER, named()) if event.kind == what]
    assert event.withdrawn and event.number is None
    assert account(own_studied, LEADER, named(), now=NOW).in_force == ()
    with pytest.raises(NotFound):
        acting.withdraw(own_studied, LEADER, what, done.id, now=NOW)
    with pytest.raises(NotFound):
        acting.withdraw(own_studied, LEADER, "task", 1, now=NOW)  # type: ignore[arg-type]


def test_an_override_and_a_pulse_count_from_the_date_that_they_say(own_studied: Workspace) -> None:
    before = account(own_studied, LEADER, named(), now=NOW).explanation
    override = SAID["override"](own_studied, LEADER, named())
    pulse = SAID["pulse"](own_studied, LEADER, named())
    assert override.counts_from == pulse.counts_from == TODAY
    in_force = account(own_studied, LEADER, named(), now=NOW).in_force
    assert {(one.kind, one.label, one.value) for one in in_force} == {
        ("override", "cap", 30.0),
        ("pulse", "Mood of the CSM", 2.0),
    }
    # Nothing changes before the run of the day after.
    assert account(own_studied, LEADER, named(), now=NOW).explanation == before
    run(own_studied, now=noon(TODAY))
    after = account(own_studied, LEADER, named(), now=noon(TODAY))
    here = after.explanation
    assert here.as_of == TODAY and here.score == 30 and here.band == "at_risk"
    computed, published, effective = here.layers
    assert computed.score is not None and published.score is not None
    assert published.score > 30
    assert effective.score == 30 and effective.why is not None and "they open an office" in effective.why
    assert {m.metric: m.value for m in here.measures}["mood"] == 2
    assert any(driver.kind == "override" for driver in (here.change.drivers if here.change else ()))
    assert (
        account(own_studied, LEADER, named(), now=noon(TODAY), as_of=LAST).explanation.score == before.score
    )


def test_days_close_when_the_project_says(own_studied: Workspace) -> None:
    settings = own_studied.project.settings.model_copy(update={"timezone": "Asia/Tokyo"})
    far = replace(own_studied, project=replace(own_studied.project, settings=settings))
    late = datetime(2026, 3, 2, 20, tzinfo=UTC)
    assert acting.counts_from(own_studied, late) == TODAY
    assert acting.counts_from(far, late) == TODAY + DAY


def test_a_pulse_is_one_that_the_project_declares(own_studied: Workspace) -> None:
    assert [(one.metric, one.pulse) for one in acting.pulses(own_studied)] == [("mood", "mood")]
    with pytest.raises(StoreError, match="mood"):
        acting.pulse(own_studied, LEADER, named(), "weather", 5, now=NOW)


def test_only_a_leader_overrides_without_an_end(own_studied: Workspace) -> None:
    def said(actor: Actor) -> None:
        acting.override(own_studied, actor, named(), "floor", 90, reason="trust me", now=NOW)

    with pytest.raises(Forbidden, match="without an end"):
        said(ANN)
    said(LEADER)
    # It cannot reach back to dates that are published already.
    early = acting.override(
        own_studied, LEADER, named(), "set", 1, reason="x", now=NOW, starts_on=LAST - 30 * DAY
    )
    assert early.counts_from == TODAY


def test_another_owner_looks_after_it_at_once(own_studied: Workspace) -> None:
    with pytest.raises(Forbidden):
        acting.assign(own_studied, ANN, named(), "Bob Baker", now=NOW)
    acting.assign(own_studied, LEADER, named(), "Bob Baker", now=NOW)
    found = account(own_studied, LEADER, named(), now=NOW)
    assert found.account is not None and found.account.owner == "Bob Baker"
    assert found.events[0].kind == "owner"
    with pytest.raises(NotFound):
        account(own_studied, ANN, named(), now=NOW)


def test_a_task_is_listed_until_it_is_done_and_told_with_its_result(own_studied: Workspace) -> None:
    number = acting.add_task(
        own_studied, ANN, named(), "call them", now=NOW, due_on=TODAY - DAY, detail="about the office"
    ).id
    other = acting.add_task(own_studied, LEADER, named(1), "another", now=NOW, due_on=TODAY + DAY).id
    assert number is not None and other is not None

    def listed(actor: Actor, **asked: Any) -> list[int]:
        return [task.id for task in tasks(own_studied, actor, TaskAsk(**asked), today=TODAY).tasks]

    assert listed(LEADER) == [number, other]
    assert listed(LEADER, overdue=True) == [number]
    assert listed(LEADER, whose="mine") == [other]
    assert listed(LEADER, account_id=named(1)) == [other]
    assert listed(ANN) == listed(ANN, whose="mine") == [number]
    acting.give_task(own_studied, ANN, number, "Ann Archer", now=NOW)
    assert listed(ANN, whose="mine") == [number]
    assert [task.id for task in account(own_studied, ANN, named(), now=NOW).tasks] == [number]
    acting.close_task(own_studied, ANN, number, now=NOW, result="called", said="all is well")
    assert listed(ANN) == [] and listed(ANN, status="done") == [number]
    told = [event for event in events(own_studied, ANN, named()) if event.kind == "task"]
    assert {event.title.split()[1] for event in told} == {"for", "given", "done"}
    assert any("all is well" in (event.text or "") for event in told)
    for call in (acting.close_task, acting.give_task):
        more = {"owner": "x"} if call is acting.give_task else {}
        with pytest.raises(RetinueError):
            call(own_studied, ANN, other, now=NOW, **more)  # type: ignore[operator]


def test_pages_of_tasks_show_each_once(own_studied: Workspace) -> None:
    made = [
        acting.add_task(
            own_studied,
            LEADER,
            named(n % 5),
            f"task {n}",
            now=NOW,
            due_on=TODAY + (n % 3) * DAY if n % 4 else None,
        ).id
        for n in range(23)
    ]
    found: list[int] = []
    after = None
    while True:
        page = tasks(own_studied, LEADER, TaskAsk(after=after, limit=5), today=TODAY)
        found += [task.id for task in page.tasks]
        if page.after is None:
            break
        after = page.after
    assert sorted(found) == sorted(number for number in made if number is not None) and len(found) == 23
    with pytest.raises(StoreError):
        TaskAsk(whose="theirs")  # type: ignore[arg-type]
