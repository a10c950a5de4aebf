"""What follows from scores, put into the store of a house as the worker would leave it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Table, insert, update

from retinue.store.database import Store, utc
from retinue.store.tables import alerts, enrolments, mutes, outbox
from retinue.store.work.outbox import Row, enqueue, key
from tests.web.company import LAST, NOW

#: What a project declares for it.
SETTINGS: dict[str, Any] = {
    "destinations": {
        "crm": {"webhook": {"url": "https://crm.acme.example/hooks/s3cr3t", "secret": {"env": "CRM_SECRET"}}},
        "owners": {
            "email": {"to": "owner", "from": "retinue@acme.example", "smtp": {"host": "mail.acme.example"}}
        },
    },
    "alerts": {
        "turned_red": {"band": "at_risk", "severity": "high", "do": "Call them."},
        "complains": {"event": "tickets", "where": {"kind": "bug"}},
        "alike": {"shared_issue": {"source": "tickets", "by": "kind", "within": "28d"}},
    },
    "alerting": {"to": ["crm"]},
}
PLAYBOOK = """\
playbook: rescue
label: Rescue
when: {alert: turned_red}
until: band = healthy
hold_out: 0.2
steps:
  - {id: call, task: "Call {name}", due: 1, checklist: [Ask what changed]}
  - {id: tell, message: "{name} is at {score}", to: [crm]}
  - {id: pause, wait: 7d}
"""
_numbers = itertools.count()


def put_work(store: Store, texts: Mapping[str, str]) -> None:
    """For each account an alert, a mute, an enrolment and a message that was given up, which all have its
    text in them; every third is held out. And one alert about the portfolio."""
    for number, (account_id, text) in enumerate(texts.items()):
        put_alert(store, account_id, text=text)
        put_mute(store, account_id, text=text)
        put_enrolment(store, account_id, text=text, status="held_out" if number % 3 == 2 else "active")
        put_dead(store, account_id, text=text)
    put_alert(store, None, text="turned_red")


def put_alert(
    store: Store,
    account_id: str | None,
    *,
    text: str = "they",
    rule: str = "turned_red",
    kind: str | None = None,
) -> int:
    evidence: dict[str, Any] = {"name": text, "score": 30.5, "band": "at_risk", "before": 60.0, "do": text}
    if account_id is None:
        evidence = {"subject": text, "accounts": 20, "among": 40, "usual": 0.0, "p": 0.0, "do": text}
    row = {
        "rule": rule,
        "kind": kind or ("band" if account_id is not None else "storm"),
        "severity": "high",
        "account_id": account_id,
        "subject": None if account_id is not None else text,
        "owner": None,
        "as_of": LAST,
        "raised_at": utc(NOW),
        "summary": f"{text}: now at risk",
        "evidence": json.dumps(evidence),
        "stake": 1000.0,
    }
    return _put(store, alerts, row)


def put_mute(store: Store, account_id: str | None, *, text: str = "known", until: date | None = None) -> int:
    row = {"account_id": account_id, "rule": "turned_red", "reason": text, "by": "Nora"}
    return _put(store, mutes, {**row, "until": until or LAST + timedelta(days=30), "said_at": utc(NOW)})


def put_enrolment(
    store: Store,
    account_id: str,
    *,
    text: str = "alert turned_red",
    status: str = "active",
    playbook: str = "rescue",
    began: date = LAST,
) -> int:
    state = {"status": "going", "on": began.isoformat(), "task": None}
    steps = {"call": state, "tell": {**state, "status": "waiting", "on": None}}
    row = {"playbook": playbook, "account_id": account_id, "started_on": began, "status": status}
    return _put(store, enrolments, {**row, "reason": text, "state": json.dumps(steps)})


def put_dead(store: Store, account_id: str | None, *, text: str = "they", to: str = "crm") -> str:
    """A message that was given up."""
    identity = key("test", account_id, next(_numbers), text)
    told = {"what": text, "recipient": text, "data": {"secret of the customer": text}}
    with store.write() as connection:
        enqueue(connection, [Row(identity, to, "alert", f"{text} fell", told, NOW, account_id)], now=NOW)
        connection.execute(
            update(outbox)
            .where(outbox.c.id == identity)
            .values(dead_at=utc(NOW), last_error=f"500 {text}", attempts=3)
        )
    return identity


def _put(store: Store, table: Table, row: Mapping[str, Any]) -> int:
    with store.write() as connection:
        added = connection.execute(insert(table).values(dict(row))).inserted_primary_key
    assert added is not None
    return int(added[0])
