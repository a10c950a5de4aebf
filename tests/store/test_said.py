from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select

from retinue.errors import NotFound, StoreError
from retinue.store.database import Store
from retinue.store.people.access import Actor
from retinue.store.tables import audit
from retinue.store.work import said
from tests.store.company import NOW, SUNDAYS, run_and_publish

TODAY = NOW.date()


def override(store: Store, **changes):
    told = {"account_id": "A", "kind": "cap", "value": 40.0, "reason": "legal dispute", "owner": "ann"}
    told |= {"starts_on": TODAY, "expires_on": TODAY + timedelta(days=30), "by": Actor("ann"), "now": NOW}
    return said.add_override(store, **{**told, **changes})


def test_a_pulse_comes_back_with_its_clock_and_stays_when_it_is_withdrawn(store: Store):
    berlin = timezone(timedelta(hours=2))
    first = said.add_pulse(
        store, "A", "csm_pulse", 7, by=Actor("ann"), now=datetime(2026, 3, 1, 0, 30, tzinfo=berlin)
    )
    second = said.add_pulse(
        store, "A", "csm_pulse", 0, by=Actor("bob"), now=NOW, note="angry", expires_on=TODAY
    )
    said.withdraw_pulse(store, first, by=Actor("bob"), now=NOW + timedelta(hours=1))
    rows = said.pulses_for_run(store).to_pylist()
    assert [row["id"] for row in rows] == [first, second]
    assert rows[0] == {
        "id": first,
        "account_id": "A",
        "metric": "csm_pulse",
        "value": 7.0,
        "note": None,
        "by": "ann",
        "said_at": datetime(2026, 2, 28, 22, 30, tzinfo=UTC),
        "expires_on": None,
        "withdrawn_at": NOW + timedelta(hours=1),
    }
    assert (rows[1]["note"], rows[1]["expires_on"], rows[1]["withdrawn_at"]) == ("angry", TODAY, None)


@pytest.mark.parametrize("value", [-0.1, 10.1, float("nan"), float("inf")])
def test_a_pulse_is_from_0_to_10(store: Store, value: float):
    with pytest.raises(StoreError, match="a pulse is a number from 0"):
        said.add_pulse(store, "A", "csm_pulse", value, by=Actor("ann"), now=NOW)
    assert said.pulses_for_run(store).num_rows == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 100.5}, "from 0 .worst. to 100"),
        ({"reason": "  "}, "an override needs a reason"),
        ({"owner": ""}, "an override needs an owner"),
        ({"by": Actor("")}, "who says so"),
        ({"kind": "boost"}, "no such override: 'boost' .one of set, cap, floor"),
        ({"expires_on": TODAY - timedelta(days=1)}, "would end before it starts"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(store: Store, change: dict, message: str):
    with pytest.raises(StoreError, match=message):
        override(store, **change)
    assert said.overrides_for_run(store).num_rows == 0


def test_an_override_comes_back_with_its_reason_and_its_withdrawal(store: Store):
    number = override(store)
    said.withdraw_override(store, number, by=Actor("bob"), now=NOW)
    row = said.overrides_for_run(store).to_pylist()[0]
    assert (row["kind"], row["value"], row["reason"], row["owner"]) == ("cap", 40.0, "legal dispute", "ann")
    assert (row["starts_on"], row["expires_on"]) == (TODAY, TODAY + timedelta(days=30))
    assert row["withdrawn_at"] == NOW


def test_what_was_withdrawn_or_never_said_cannot_be_withdrawn(store: Store):
    number = override(store)
    said.withdraw_override(store, number, by=Actor("ann"), now=NOW)
    with pytest.raises(NotFound, match=f"no override {number} any more"):
        said.withdraw_override(store, number, by=Actor("ann"), now=NOW)
    with pytest.raises(NotFound, match="no pulse 99"):
        said.withdraw_pulse(store, 99, by=Actor("ann"), now=NOW)


def test_outcomes_are_recorded_also_of_accounts_that_are_gone(store: Store, home: Path):
    run_and_publish(store, home, "r1", SUNDAYS, 3)
    said.add_outcome(
        store, "gone", "churned", date(2026, 2, 1), by=Actor("ann"), now=NOW, amount=1200.0, reason="price"
    )
    row = said.outcomes_for_run(store).to_pylist()[0]
    assert (row["account_id"], row["kind"], row["amount"], row["occurred_on"]) == (
        *("gone", "churned", 1200.0),
        date(2026, 2, 1),
    )
    with pytest.raises(StoreError, match="no such outcome: 'lost'"):
        said.add_outcome(store, "gone", "lost", TODAY, by=Actor("ann"), now=NOW)
    with pytest.raises(StoreError, match="amount"):
        said.add_outcome(store, "gone", "churned", TODAY, by=Actor("ann"), now=NOW, amount=-1.0)
    said.withdraw_outcome(store, row["id"], by=Actor("ann"), now=NOW)
    assert said.outcomes_for_run(store)["withdrawn_at"].null_count == 0


def test_an_account_that_is_not_published_is_answered_with_those_that_look_like_it(store: Store, home: Path):
    run_and_publish(store, home, "r1", SUNDAYS, 3)
    with pytest.raises(NotFound, match=r"no account 'A-0001'.*did you mean A-00001"):
        said.add_pulse(store, "A-0001", "csm_pulse", 5, by=Actor("ann"), now=NOW)
    with pytest.raises(NotFound, match="no account 'A-0001'"):
        override(store, account_id="A-0001")


def test_every_word_is_audited_with_what_was_there_before(store: Store):
    number = override(store)
    said.withdraw_override(store, number, by=Actor("bob"), now=NOW)
    with store.read() as connection:
        rows = connection.execute(select(audit).order_by(audit.c.id)).all()
    assert [(row.who, row.what, row.subject) for row in rows] == [
        ("ann", "add override", "A"),
        ("bob", "withdraw override", "A"),
    ]
    assert rows[0].before is None
    assert json.loads(rows[0].after)["value"] == 40.0
    assert json.loads(rows[1].before)["reason"] == "legal dispute"


def test_a_time_without_a_zone_is_a_bug_of_the_caller(store: Store):
    with pytest.raises(ValueError, match="without a zone"):
        said.add_pulse(store, "A", "csm_pulse", 5, by=Actor("ann"), now=NOW.replace(tzinfo=None))


def test_nothing_said_is_an_empty_table_with_the_same_columns(store: Store):
    empty = said.pulses_for_run(store)
    said.add_pulse(store, "A", "csm_pulse", 5, by=Actor("ann"), now=NOW)
    assert empty.num_rows == 0
    assert said.pulses_for_run(store).schema.equals(empty.schema)
