"""One alert is read with its evidence, and worked on; each sees those of their accounts only."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from retinue.desk import alerts as desk
from retinue.desk.alerts import AlertAsk
from retinue.errors import Forbidden, NotFound, StoreError
from retinue.run.alerting import evaluate
from retinue.run.playing import advance
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.people.audit_log import audit_log
from retinue.store.work.alerts import Alert
from retinue.workspace import Workspace, open_workspace
from tests.alerts.conftest import LAST, noon

NOW = noon(LAST)
BOB = Actor("bob@acme.example", everything=False, owners=frozenset({"bob@acme.example"}), role="csm")
SOON = LAST + timedelta(days=9)
BOBS = {"A-03", "A-04", "A-05"}


def raised(workspace: Workspace, rule: str, account: str) -> Alert:
    [one] = desk.alerts(workspace, OPERATOR, AlertAsk(rule=rule, account_id=account, state="any")).alerts
    return one


def test_an_alert_says_its_rule_what_moved_the_score_who_was_told_and_what_followed(evaluated: Workspace):
    advance(evaluated, now=NOW)
    one = raised(evaluated, "turned_red", "A-04")
    page = desk.alert(evaluated, OPERATOR, one.id, now=NOW)
    assert page.rule is not None
    assert page.rule.words == "an account comes into the band at risk"
    assert page.rule.do == "Call the sponsor."
    assert page.account is not None and page.account.name == "Late Payers"
    assert page.change is not None and page.change.until == one.as_of
    assert [(told.destination, told.recipient, told.state) for told in page.messages] == [
        ("crm", "bob@acme.example", "waiting")
    ]
    assert [(each.playbook, each.status) for each in page.enrolments] == [("rescue", "active")]
    assert [task.title for task in page.tasks] == ["Call Late Payers"]
    assert page.mutes == ()


def test_what_moved_the_score_is_counted_over_the_window_of_the_rule(evaluated: Workspace):
    one = raised(evaluated, "fell", "A-04")
    page = desk.alert(evaluated, OPERATOR, one.id, now=NOW)
    assert page.change is not None
    assert one.as_of - page.change.since >= timedelta(days=28)
    assert sum(driver.points for driver in page.change.drivers) == pytest.approx(page.change.points, abs=0.5)


def test_an_event_shows_the_rows_that_were_new(evaluated: Workspace):
    one = raised(evaluated, "billed", "A-04")
    page = desk.alert(evaluated, OPERATOR, one.id, now=NOW)
    assert page.sources == ("invoices",)
    [found] = desk.behind(evaluated, OPERATOR, one.id).rows
    assert found.trouble is None and found.rows
    assert [(row.known, row.values) for row in found.rows] == [(date(2026, 3, 5), ("2500",))]
    assert all(row.known <= one.as_of for row in found.rows)
    silent = raised(evaluated, "silent", "A-02")
    assert desk.alert(evaluated, OPERATOR, silent.id, now=NOW).sources == ("surveys",)
    [rows] = desk.behind(evaluated, OPERATOR, silent.id).rows
    assert len(rows.rows) <= 5


def test_whether_it_still_holds_is_said_by_what_its_rule_remembers(evaluated: Workspace):
    one = raised(evaluated, "silent", "A-02")
    assert desk.alert(evaluated, OPERATOR, one.id, now=NOW).held_since == one.as_of
    billed = raised(evaluated, "billed", "A-04")
    assert desk.alert(evaluated, OPERATOR, billed.id, now=NOW).held_since is None


def test_every_page_together_tells_each_alert_once(evaluated: Workspace):
    whole = desk.alerts(evaluated, OPERATOR, AlertAsk(limit=500)).alerts
    assert len(whole) > 4
    for told in ({}, {"severity": "high"}, {"rule": "silent"}, {"about": "accounts"}, {"since": LAST}):
        ids: list[int] = []
        after = None
        while True:
            page = desk.alerts(evaluated, OPERATOR, AlertAsk(**told, limit=2, after=after))
            ids += [one.id for one in page.alerts]
            after = page.after
            if after is None:
                break
        wanted = [
            one.id
            for one in whole
            if one.severity == told.get("severity", one.severity)
            and one.rule == told.get("rule", one.rule)
            and one.as_of >= told.get("since", date.min)
        ]
        assert ids == wanted, told


def test_mine_are_those_of_accounts_that_are_mine_now(evaluated: Workspace):
    bob = Actor("bob@acme.example", own=frozenset({"bob@acme.example"}))
    found = desk.alerts(evaluated, bob, AlertAsk(whose="mine")).alerts
    assert {one.account_id for one in found} <= BOBS and found


def test_nobody_reads_or_works_on_alerts_of_accounts_that_they_do_not_see(evaluated: Workspace):
    assert {one.account_id for one in desk.alerts(evaluated, BOB, AlertAsk(limit=500)).alerts} <= BOBS
    hidden = raised(evaluated, "silent", "A-02").id
    for refused in (
        lambda: desk.alert(evaluated, BOB, hidden, now=NOW),
        lambda: desk.behind(evaluated, BOB, hidden),
        lambda: desk.close(evaluated, BOB, hidden, now=NOW),
        lambda: desk.add_task(evaluated, BOB, hidden, now=NOW),
        lambda: desk.mute(evaluated, BOB, account_id="A-02", until=SOON, reason="known", now=NOW),
    ):
        with pytest.raises(NotFound):
            refused()
    own = raised(evaluated, "turned_red", "A-04").id
    reader = Actor("rita", role="reader")
    for refused in (
        lambda: desk.close(evaluated, reader, own, now=NOW),
        lambda: desk.add_task(evaluated, reader, own, now=NOW),
        lambda: desk.mute(evaluated, reader, account_id="A-04", until=SOON, reason="known", now=NOW),
    ):
        with pytest.raises(Forbidden):
            refused()


def test_a_task_of_an_alert_says_what_is_to_be_done_and_stands_with_it(evaluated: Workspace):
    one = raised(evaluated, "turned_red", "A-04")
    done = desk.add_task(evaluated, BOB, one.id, now=NOW)
    page = desk.alert(evaluated, BOB, one.id, now=NOW)
    [task] = page.tasks
    assert (task.id, task.title, task.owner, task.alert) == (done.id, "Call the sponsor.", BOB.name, one.id)
    desk.close(evaluated, BOB, one.id, now=NOW, result="They pay on Friday.")
    page = desk.alert(evaluated, BOB, one.id, now=NOW)
    assert (page.alert.closed_by, page.alert.result) == (BOB.name, "They pay on Friday.")
    with pytest.raises(StoreError, match="closed already"):
        desk.close(evaluated, BOB, one.id, now=NOW)
    whats = [entry.what for entry in audit_log(evaluated.store, OPERATOR, subject="A-04")]
    assert whats[:2] == ["close alert", "add task"]


def test_a_mute_from_an_alert_stands_with_it_and_in_the_list_until_it_is_withdrawn(evaluated: Workspace):
    one = raised(evaluated, "turned_red", "A-04")
    told = {"account_id": "A-04", "rule": "turned_red", "reason": "in talks"}
    done = desk.mute(evaluated, BOB, **told, until=SOON, now=NOW)
    assert done.id is not None
    [mute] = desk.alert(evaluated, BOB, one.id, now=NOW).mutes
    assert (mute.id, mute.reason) == (done.id, "in talks")
    [shown] = desk.mutes(evaluated, BOB, now=NOW).mutes
    assert (shown.name, shown.over) == ("Late Payers", False)
    [shown] = desk.mutes(evaluated, BOB, now=NOW + timedelta(days=30)).mutes
    assert shown.over
    assert desk.alert(evaluated, BOB, one.id, now=NOW + timedelta(days=30)).mutes == ()
    desk.unmute(evaluated, BOB, done.id, now=NOW)
    assert desk.mutes(evaluated, BOB, now=NOW).mutes == ()
    with pytest.raises(NotFound):
        desk.unmute(evaluated, BOB, done.id, now=NOW)


def test_a_mute_that_nobody_could_mean_is_refused(evaluated: Workspace):
    with pytest.raises(StoreError, match="no rule"):
        desk.mute(evaluated, OPERATOR, rule="turned_blue", reason="known", now=NOW)
    with pytest.raises(StoreError, match="has passed"):
        desk.mute(evaluated, OPERATOR, rule="silent", until=date(2026, 1, 1), reason="known", now=NOW)
    with pytest.raises(StoreError, match="reason"):
        desk.mute(evaluated, OPERATOR, rule="silent", reason=" ", now=NOW)
    with pytest.raises(StoreError, match="for everybody"):
        desk.mute(evaluated, BOB, rule="silent", until=SOON, reason="known", now=NOW)


def test_a_digest_is_shown_with_the_alerts_that_stand_in_it(acme: Workspace):
    file = acme.project.root / "retinue.yaml"
    file.write_text(file.read_text("utf-8").replace("per_account: 10", "per_account: 10, per_person: 1"))
    workspace = open_workspace(acme.project.root, {})
    evaluate(workspace, now=NOW)
    kinds = [
        {told.kind for told in desk.alert(workspace, OPERATOR, one.id, now=NOW).messages}
        for one in desk.alerts(workspace, OPERATOR, AlertAsk(limit=500)).alerts
    ]
    assert {"digest"} in kinds and {"alert"} in kinds
    assert all(len(kind) == 1 for kind in kinds)
