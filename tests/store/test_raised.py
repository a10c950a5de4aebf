"""Alerts, mutes and playbooks as the store tells them, in SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import insert

from retinue.errors import Forbidden, NotFound, StoreError
from retinue.store.database import Store
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.tables import alert_memory
from retinue.store.work import alerts, messages, outbox, plays
from retinue.store.work.alert_changes import close_alert, close_alerts
from tests.web.company import LAST, NOW
from tests.web.raised import put_alert, put_dead, put_enrolment, put_mute

CSM = Actor("carl", role="csm")
#: There is no account in these stores that anybody but an operator sees.
NORTH = Actor("nora", everything=False, territories=frozenset({"north"}), role="leader")


def ids(found) -> list[int]:
    return [one.id for one in found]


def test_alerts_are_narrowed_down_by_what_they_are_about(store: Store):
    a, b = put_alert(store, "a"), put_alert(store, "b", rule="silent")
    whole = put_alert(store, None, text="turned_red")

    def listed(**told) -> list[int]:
        return ids(alerts.alerts_of(store, OPERATOR, **told))

    assert listed() == [whole, b, a]
    assert listed(limit=1) == [whole] and listed(after=whole, limit=1) == [b] and listed(after=a) == []
    assert listed(account_id="a") == [a] and listed(account_id="a\0") == [a]
    assert listed(rule="silent") == [b] and listed(kind="storm") == [whole] and listed(kind="drop") == []
    assert listed(severity="high") == [whole, b, a] and listed(severity="low") == []
    assert listed(about_portfolio=True) == [whole] and listed(about_portfolio=False) == [b, a]
    assert listed(since=LAST) == [] and listed(since=LAST - timedelta(days=1)) == [whole, b, a]
    assert listed(owners=frozenset({"ann", "x\0"})) == []
    close_alert(store, OPERATOR, a, now=NOW, result="called")
    assert listed(is_open=True) == [whole, b] and listed(is_open=False) == [a]
    assert alerts.open_alerts(store, OPERATOR, ["a", "b"]) == {"b": 1}
    assert alerts.rules_raised(store, OPERATOR) == ["silent", "turned_red"]
    assert alerts.alerts_of(store, NORTH) == [] and alerts.rules_raised(store, NORTH) == []
    assert alerts.open_alerts(store, NORTH, ["a", "b"]) == {}
    for number in (b, 999):
        with pytest.raises(NotFound):
            alerts.alert_of(store, NORTH, number)


def test_many_alerts_are_closed_at_once_and_those_that_cannot_be_are_told(store: Store):
    a, b, c = put_alert(store, "a"), put_alert(store, "b"), put_alert(store, None)
    close_alert(store, OPERATOR, b, now=NOW)
    done = close_alerts(store, OPERATOR, [a, 999, b, c, a], now=NOW, result=" The feed was late. ")
    assert done.changed == (a, c)
    assert done.refused == {999: "no alert 999", b: f"alert {b} is closed already"}
    told = alerts.alert_of(store, OPERATOR, a)
    assert (told.result, told.closed_by) == ("The feed was late.", OPERATOR.name)
    assert alerts.alert_of(store, OPERATOR, b).result is None
    d = put_alert(store, "a")
    assert close_alerts(store, NORTH, [d], now=NOW).refused == {d: f"no alert {d}"}
    with pytest.raises(Forbidden):
        close_alerts(store, Actor("rita", role="reader"), [d], now=NOW)
    for wrong in ([], range(1, 502)):
        with pytest.raises(StoreError, match="at once"):
            close_alerts(store, OPERATOR, wrong, now=NOW)
    with pytest.raises(StoreError, match="letters"):
        close_alerts(store, OPERATOR, [d], now=NOW, result="x" * 5001)
    assert ids(alerts.alerts_of(store, OPERATOR, is_open=True)) == [d]


def test_what_a_rule_remembers_says_since_when_and_of_whom(store: Store):
    one, storm = put_alert(store, "a"), put_alert(store, None, text="turned_red")
    early = LAST - timedelta(days=3)
    rows = [
        {"rule": "turned_red", "subject": "a", "since": early, "raised": LAST, "told": True},
        {"rule": "turned_red", "subject": "b", "since": None, "raised": LAST, "told": True},
        {"rule": "turned_red", "subject": "c", "since": LAST, "raised": early, "told": True},
        {"rule": "silent", "subject": "d", "since": LAST, "raised": LAST, "told": True},
    ]
    with store.write() as connection:
        connection.execute(insert(alert_memory), rows)
    assert alerts.held_since(store, OPERATOR, one) == early
    assert alerts.held_since(store, OPERATOR, storm) is None
    assert alerts.told_of(store, OPERATOR, storm) == ["a", "b"]
    with pytest.raises(NotFound):
        alerts.told_of(store, NORTH, storm)


def test_mutes_are_those_that_hold_for_an_account_a_rule_or_everybody(store: Store):
    both = put_mute(store, "a")
    rule = put_mute(store, None, until=LAST)
    assert ids(alerts.mutes_of(store, OPERATOR)) == [rule, both]
    assert ids(alerts.mutes_of(store, OPERATOR, after=rule)) == [both]
    assert ids(alerts.mutes_of(store, OPERATOR, account_id="a", rule="turned_red")) == [rule, both]
    assert ids(alerts.mutes_of(store, OPERATOR, account_id="b", rule="turned_red")) == [rule]
    assert ids(alerts.mutes_of(store, OPERATOR, account_id="a", rule="silent")) == []
    assert ids(alerts.mutes_of(store, OPERATOR, day=LAST)) == [rule, both]
    assert ids(alerts.mutes_of(store, OPERATOR, day=LAST + timedelta(days=1))) == [both]
    assert alerts.mutes_of(store, NORTH) == []
    with pytest.raises(NotFound):
        alerts.unmute(store, NORTH, rule, now=NOW)
    alerts.unmute(store, OPERATOR, rule, now=NOW)
    assert ids(alerts.mutes_of(store, OPERATOR)) == [both]
    for odd in ("", "x" * 300, "a\0"):
        with pytest.raises(StoreError, match="no rule"):
            alerts.mute(store, OPERATOR, now=NOW, reason="known", rule=odd, until=LAST)


def test_enrolments_are_counted_and_the_held_out_hidden_from_who_works_on_accounts(store: Store):
    for n in range(4):
        put_enrolment(store, f"a{n}", status="held_out" if n == 3 else "active")
    put_enrolment(store, "b", playbook="adopt", status="completed")
    assert plays.counts(store, OPERATOR) == {
        "rescue": {"active": 3, "held_out": 1},
        "adopt": {"completed": 1},
    }
    assert plays.counts(store, CSM) == {"rescue": {"active": 3}, "adopt": {"completed": 1}}
    assert plays.counts(store, NORTH) == {}
    assert len(plays.enrolments_of(store, OPERATOR, playbook="rescue")) == 4
    assert len(plays.enrolments_of(store, CSM, playbook="rescue")) == 3
    assert plays.enrolments_of(store, CSM, status="held_out") == []
    [one] = plays.enrolments_of(store, OPERATOR, status="held_out")
    assert one.id is not None and plays.enrolment_of(store, OPERATOR, one.id) == one
    with pytest.raises(NotFound):
        plays.enrolment_of(store, CSM, one.id)
    with pytest.raises(StoreError, match="held out already"):
        plays.stop(store, OPERATOR, one.id, "no", today=LAST, now=NOW)


def test_accounts_are_compared_from_the_first_that_was_held_out_each_once(store: Store):
    days = [LAST - timedelta(days=n) for n in (9, 5, 3, 1)]
    put_enrolment(store, "early", began=days[0], status="completed")
    put_enrolment(store, "out", began=days[1], status="held_out")
    put_enrolment(store, "in", began=days[2], status="stopped")
    put_enrolment(store, "in", began=days[3], status="held_out")
    put_enrolment(store, "other", began=days[2], playbook="adopt")
    assert plays.arms(store, OPERATOR, "rescue") == [("out", days[1], True), ("in", days[2], False)]
    assert plays.arms(store, OPERATOR, "adopt") == []
    assert plays.arms(store, NORTH, "rescue") == []
    with pytest.raises(Forbidden):
        plays.arms(store, CSM, "rescue")


def test_what_became_of_messages_is_told_without_what_they_say(store: Store):
    dead = put_dead(store, "a", text="it fell")
    with store.write() as connection:
        told = {"recipient": "ann", "data": {"alerts": [["turned_red", "a"]]}}
        row = outbox.Row("digest", "crm", "digest", "2 more", told, NOW)
        outbox.enqueue(connection, [row], now=NOW)
    found = messages.messages_about(store, OPERATOR, [dead, "digest", "none"], "turned_red", "a")
    assert {(one.kind, one.state, one.recipient, one.error) for one in found} == {
        ("alert", "given up", "it fell", "500 it fell"),
        ("digest", "waiting", "ann", None),
    }
    # Of another alert than those in it a digest says nothing.
    found = messages.messages_about(store, OPERATOR, [dead, "digest"], "silent", "a")
    assert [one.kind for one in found] == ["alert"]
    assert [one.error for one in messages.messages_about(store, CSM, [dead], "turned_red", "a")] == [None]
    assert messages.messages_about(store, NORTH, [dead], "turned_red", "a") == []
    assert messages.addressed(store) == ["crm"]


def test_a_day_that_nobody_means_changes_nothing(store: Store):
    put_alert(store, "a")
    assert len(alerts.alerts_of(store, OPERATOR, since=date.min)) == 1
    assert alerts.alerts_of(store, OPERATOR, since=date.max) == []
