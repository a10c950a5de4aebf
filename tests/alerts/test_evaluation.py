"""Published dates raise what their rules say, each once, with one message per alert and destination."""

from __future__ import annotations

import threading
from datetime import date

from sqlalchemy import insert, select

from retinue.run.alerting import Evaluated, evaluate
from retinue.store.database import utc
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.tables import assignments, outbox
from retinue.store.work.alert_changes import close_alert
from retinue.store.work.alerts import Alert, alerts_of, mute
from retinue.store.work.assignments import assign
from retinue.workspace import Workspace
from tests.alerts.conftest import LAST, noon


def raised(workspace: Workspace, **told: object) -> dict[tuple[str, str | None], Alert]:
    return {
        (one.rule, one.account_id): one for one in alerts_of(workspace.store, OPERATOR, limit=500, **told)
    }


def test_every_story_raises_its_alerts_on_the_first_date_that_shows_it(evaluated: Workspace, told: Evaluated):
    found = raised(evaluated)
    assert told.dates[0] == date(2026, 2, 8) and told.dates[-1] == LAST
    # The invoice of A-04 was due on Thursday 5 March and not paid: a row, a cap, a band, a fall.
    assert found["billed", "A-04"].as_of == date(2026, 3, 8)
    assert found["turned_red", "A-04"].as_of == date(2026, 3, 8)
    assert found["fell", "A-04"].as_of == date(2026, 3, 8)
    # A-02 faded from 16 February on and renews on 15 May: within 60 days from 16 March.
    assert found["adoption_falls", "A-02"].as_of > date(2026, 2, 16)
    assert found["renews_low", "A-02"].as_of == date(2026, 3, 22)
    # A-01 answered on 1 December; 60 days after it is 30 January, so that is no news in February.
    assert ("silent", "A-01") not in found
    # A-02 answered on 15 December: silent for more than 60 days on Sunday 15 February.
    assert found["silent", "A-02"].as_of == date(2026, 2, 15)
    # A-07 moved to another scorecard on 10 March: what that alone moves is told to nobody.
    assert not {rule for rule, account in found if account == "A-07"} & {"turned_red", "fell"}
    assert sum(told.alerts.values()) == len(found)


def test_an_alert_says_who_what_why_and_what_to_do(evaluated: Workspace):
    one = raised(evaluated)["turned_red", "A-04"]
    assert (one.name, one.owner, one.severity) == ("Late Payers", "bob@acme.example", "high")
    assert "Late Payers" in one.summary and "at risk" in one.summary
    with evaluated.store.read() as connection:
        rows = {
            row.id: row for row in connection.execute(select(outbox).where(outbox.c.account_id == "A-04"))
        }
    told = [row for row in rows.values() if "at risk" in row.subject]
    [message] = told
    assert message.destination == "crm"
    assert "Call the sponsor." in message.payload
    assert "https://health.acme.example/accounts/A-04" in message.payload


def test_evaluating_again_raises_nothing_more(evaluated: Workspace):
    before = raised(evaluated)
    again = evaluate(evaluated, now=noon(LAST))
    assert (again.dates, again.messages) == ((), 0)
    assert raised(evaluated) == before


def test_two_that_evaluate_at_the_same_time_raise_everything_once(acme: Workspace):
    done: list[Evaluated] = []
    both = [threading.Thread(target=lambda: done.append(evaluate(acme, now=noon(LAST)))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    alerts = alerts_of(acme.store, OPERATOR, limit=500)
    assert len({(one.rule, one.account_id, one.as_of) for one in alerts}) == len(alerts)
    assert sum(sum(one.alerts.values()) for one in done) == len(alerts)
    with acme.store.read() as connection:
        subjects = connection.execute(select(outbox.c.id)).scalars().all()
    assert sum(one.messages for one in done) == len(subjects) == len(set(subjects))


def test_a_mute_keeps_an_account_silent(acme: Workspace):
    now = noon(date(2026, 2, 2))
    mute(acme.store, OPERATOR, now=now, reason="in talks", account_id="A-04", until=date(2026, 12, 31))
    told = evaluate(acme, now=noon(LAST))
    assert not {rule for rule, account in raised(acme) if account == "A-04"}
    assert told.withheld["muted"] > 0


def test_whoever_an_account_was_given_to_is_told(acme: Workspace):
    assign(acme.store, OPERATOR, "A-04", "eve@acme.example", now=noon(LAST))
    # The source names somebody else than it did when A-02 was given away: what it says now holds.
    with acme.store.write() as connection:
        told = {"account_id": "A-02", "owner": "eve@acme.example", "source_owner": "nobody"}
        connection.execute(insert(assignments).values(**told, by="ops", said_at=utc(noon(LAST))))
    evaluate(acme, now=noon(LAST))
    found = raised(acme)
    assert found["turned_red", "A-04"].owner == "eve@acme.example"
    others = {one.owner for (_, account), one in found.items() if account not in ("A-04", None)}
    assert others and "eve@acme.example" not in others


def test_alerts_are_seen_by_those_who_see_the_account_and_closed_once(evaluated: Workspace):
    bob = Actor("bob@acme.example", everything=False, owners=frozenset({"bob@acme.example"}), role="csm")
    seen = alerts_of(evaluated.store, bob, limit=500)
    assert {one.account_id for one in seen} <= {"A-03", "A-04", "A-05"} and seen
    close_alert(evaluated.store, bob, seen[0].id, now=noon(LAST), result="They pay on Friday.")
    assert seen[0].id not in {one.id for one in alerts_of(evaluated.store, bob, is_open=True, limit=500)}
