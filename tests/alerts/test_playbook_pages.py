"""Playbooks are read by whom they may be, and one is stopped by hand; their effect needs a comparison."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from retinue.desk import effects
from retinue.desk import playbooks as desk
from retinue.desk.effects import judged
from retinue.errors import Forbidden, NotFound, StoreError
from retinue.run.playing import Played, advance
from retinue.run.rehearsing import Act, Rehearsal
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.published.current import current_run
from retinue.store.published.histories import open_histories
from retinue.store.work import plays
from retinue.store.work.interventions import interventions_of
from retinue.store.work.tasks import tasks_of
from retinue.workspace import Workspace
from tests.alerts.conftest import BEFORE, LAST, noon
from tests.web.raised import put_enrolment

NOW = noon(LAST)
BOB = Actor("bob@acme.example", everything=False, owners=frozenset({"bob@acme.example"}), role="csm")
LEADER = Actor("lea@acme.example", role="leader")


def test_a_playbook_is_told_in_words_with_counts_of_the_accounts_one_sees(evaluated: Workspace):
    advance(evaluated, now=NOW)
    [rescue, adopt] = desk.playbooks(evaluated, OPERATOR).playbooks
    assert rescue.trigger == "the alert turned red is raised"
    assert rescue.until == "band = 'healthy'"
    assert [step.what for step in rescue.steps] == ["Call {name}", "{name} is at {score} since {reason}"]
    assert (
        rescue.steps[0].how
        == "for the account's owner, else the leader of its territory, due in 1 business day"
    )
    assert "segment" in adopt.trigger
    assert rescue.active >= 1 and rescue.held_out == 0
    other = Actor("ann@acme.example", everything=False, owners=frozenset({"nobody"}), role="csm")
    assert [(one.active, one.held_out) for one in desk.playbooks(evaluated, other).playbooks] == [
        (0, None)
    ] * 2


def test_who_works_on_accounts_does_not_learn_which_ones_are_held_out(evaluated: Workspace):
    number = put_enrolment(evaluated.store, "A-03", status="held_out")
    for actor in (OPERATOR, LEADER, Actor("olga", role="ops")):
        shown = desk.enrolled(evaluated, actor, status="held_out").enrolments
        assert [one.enrolment.id for one in shown] == [number]
        assert desk.playbooks(evaluated, actor).playbooks[0].held_out == 1
    for actor in (BOB, Actor("rita", role="reader"), Actor("carl", role="csm")):
        assert desk.enrolled(evaluated, actor, status="held_out").enrolments == ()
        assert "A-03" not in {
            one.enrolment.account_id for one in desk.enrolled(evaluated, actor, playbook="rescue").enrolments
        }
        assert desk.playbook(evaluated, actor, "rescue").effect is None
        with pytest.raises(NotFound):
            desk.enrolment(evaluated, actor, number)
        with pytest.raises((NotFound, Forbidden)):
            desk.stop(evaluated, actor, number, "no", now=NOW)
        with pytest.raises(Forbidden):
            plays.arms(evaluated.store, actor, "rescue")


def test_the_steps_of_an_account_are_told_with_what_is_known_of_it(evaluated: Workspace):
    [before] = desk.enrolled(evaluated, BOB, playbook="rescue", account_id="A-04").enrolments
    assert before.enrolment.id is not None
    told = [step.what for step in desk.enrolment(evaluated, BOB, before.enrolment.id).steps]
    assert any("Late Payers" in (what or "") for what in told)
    assert not any("{" in (what or "") for what in told)
    advance(evaluated, now=NOW)
    shown = desk.enrolment(evaluated, BOB, before.enrolment.id)
    titles = {task.id: task.title for task in tasks_of(evaluated.store, BOB, account_id="A-04", status=None)}
    assert [step.what for step in shown.steps if step.task] == [
        titles[step.task] for step in shown.steps if step.task
    ]


def test_the_morning_of_the_day_it_starts_knows_nothing_of_an_enrolment_yet(evaluated: Workspace):
    """That morning goes by the day before, on which what started it had not happened."""
    enrolled = desk.enrolled(evaluated, OPERATOR).enrolments
    assert enrolled
    for start in sorted({one.enrolment.started_on for one in enrolled}):
        advance(evaluated, now=noon(start - timedelta(days=1)))
        for one in desk.enrolled(evaluated, OPERATOR).enrolments:
            if one.enrolment.started_on == start:
                assert one.enrolment.status == "active", one.enrolment.ended_because
                assert {step.status for step in one.enrolment.steps.values()} == {"waiting"}
    assert advance(evaluated, now=noon(max(one.enrolment.started_on for one in enrolled))).tasks


def test_a_playbook_that_is_stopped_by_hand_drops_its_tasks_and_goes_on_no_more(evaluated: Workspace):
    advance(evaluated, now=NOW)
    [one] = desk.enrolled(evaluated, BOB, playbook="rescue", account_id="A-04").enrolments
    assert one.now == ("call",) and one.name == "Late Payers"
    assert one.enrolment.id is not None
    with pytest.raises(StoreError, match="reason"):
        desk.stop(evaluated, BOB, one.enrolment.id, " ", now=NOW)
    done = desk.stop(evaluated, BOB, one.enrolment.id, "They asked us to wait.", now=NOW)
    assert done.account_id == "A-04"
    shown = desk.enrolment(evaluated, BOB, one.enrolment.id)
    assert (shown.enrolment.status, shown.enrolment.ended_because) == (
        "stopped",
        "bob@acme.example: They asked us to wait.",
    )
    assert [(step.step, step.status) for step in shown.steps] == [("call", "dropped"), ("tell", "waiting")]
    dropped = tasks_of(evaluated.store, OPERATOR, account_id="A-04", status="dropped")
    assert [(task.step, task.closed_by) for task in dropped] == [("call", BOB.name)]
    [did] = interventions_of(evaluated.store, OPERATOR, "A-04")
    assert did.ended_on == shown.enrolment.ended_on
    with pytest.raises(StoreError, match="stopped already"):
        desk.stop(evaluated, BOB, one.enrolment.id, "again", now=NOW)
    assert advance(evaluated, now=NOW) == Played(0, 0, 0, 0, 0)


def test_an_enrolment_of_an_account_out_of_sight_is_not_there(evaluated: Workspace):
    number = put_enrolment(evaluated.store, "A-02")
    for refused in (
        lambda: desk.enrolment(evaluated, BOB, number),
        lambda: desk.stop(evaluated, BOB, number, "no", now=NOW),
        lambda: desk.rehearse(evaluated, BOB, "rescue", "A-02", now=NOW),
    ):
        with pytest.raises(NotFound):
            refused()


def test_a_rehearsal_tells_of_the_accounts_that_its_reader_sees(evaluated: Workspace):
    run = current_run(evaluated.store)
    assert run is not None
    act = Act("A-01", LAST, "call", "task", "Call Northern Lights", "ann@acme.example", LAST, ())
    mine = Act("A-03", LAST, "call", "task", "Call them", "bob@acme.example", LAST, ())
    whole = Rehearsal("rescue", LAST, LAST, 7, 2, ("A-01", "A-03"), ("A-02", "A-05"), (act, mine))
    desk.keep_rehearsal(evaluated, run, whole)
    assert desk.rehearsed(evaluated, OPERATOR, "rescue").rehearsal == whole
    found = desk.rehearsed(evaluated, BOB, "rescue")
    assert found.rehearsal is not None
    assert (found.rehearsal.begin, found.rehearsal.held_out, found.rehearsal.acts) == (("A-03",), (), (mine,))
    assert (found.rehearsal.holds, found.rehearsal.busy) == (0, 0)
    assert set(found.names) == {"A-03"}
    with pytest.raises(Forbidden):
        desk.start_rehearsal(evaluated, BOB, "rescue", now=NOW)
    with pytest.raises(NotFound):
        desk.rehearsed(evaluated, OPERATOR, "none")


def test_accounts_count_as_better_by_their_band_so_many_days_later(evaluated: Workspace):
    """Beside a slow reading of the published dates, account by account."""
    histories = open_histories(evaluated.published())
    ids = [f"A-{n:02}" for n in range(1, 9)]
    began = [day for day in histories.dates if day >= BEFORE][::2]
    arms = [
        (one, day, n % 2 == 0) for n, (one, day) in enumerate((i, d) for i in [*ids, "gone"] for d in began)
    ]
    better, too_young, best = effects._better(histories, arms)
    places = {"at_risk": 0, "watch": 1, "healthy": 2}
    bands = {
        (row["account_id"], row["as_of"]): row["band"]
        for row in evaluated.published()
        .table("snapshots", columns=["account_id", "as_of", "band"])
        .to_pylist()
    }
    wanted, young, healthy = [], 0, 0
    for one, day, _ in arms:
        later = day + timedelta(days=28)
        if later > max(histories.dates):
            young += 1
            wanted.append(-1)
            continue
        end = max(each for each in histories.dates if each <= later)
        before, after = bands.get((one, day)), bands.get((one, end))
        healthy += before == "healthy"
        if before is None or before == "healthy":
            wanted.append(-1)
        else:
            wanted.append(int(after is not None and places[after] > places[before]))
    assert better.tolist() == wanted
    assert (too_young, best) == (young, healthy)
    assert {-1, 0} <= set(wanted) and young and healthy


def test_without_enough_on_both_sides_nothing_is_claimed():
    better, out = np.ones(60, np.int8), np.zeros(60, bool)
    out[:19] = True
    few = judged(better, out)
    assert (few.difference, few.low, few.high) == (None, None, None)
    assert few.words.startswith("Not enough evidence: 41 accounts") and "19 that were held out" in few.words
    out[:20] = True
    assert judged(better, out).difference == 0


def test_where_nothing_is_done_an_effect_is_claimed_as_rarely_as_stated():
    """Both sides alike: the interval has no difference in it for 95 % of them, give or take chance."""
    chance = np.random.default_rng(7)
    claims = 0
    for _ in range(1000):
        better = (chance.random(160) < 0.3).astype(np.int8)
        found = judged(better, chance.random(160) < 0.3)
        assert found.low is not None and found.high is not None
        claims += not found.low <= 0 <= found.high
        assert ("hardly" in found.words) == (found.low > 0)
    assert claims <= 70


def test_a_real_effect_is_told_with_its_size_and_harm_as_harm():
    out = np.arange(400) % 4 == 0
    better = np.where(out, np.arange(400) % 5 == 0, np.arange(400) % 2 == 0).astype(np.int8)
    found = judged(better, out)
    assert found.low is not None and found.low > 0
    assert "Chance alone hardly" in found.words
    assert "worse with the playbook" in judged(better, ~out).words


def test_of_a_playbook_without_a_hold_out_nothing_is_said(evaluated: Workspace):
    put_enrolment(evaluated.store, "A-03", began=date(2026, 2, 8))
    found = desk.playbook(evaluated, OPERATOR, "rescue").effect
    assert found is not None
    assert found.words.startswith("No account was held out")
    assert (found.done.accounts, found.difference) == (0, None)
