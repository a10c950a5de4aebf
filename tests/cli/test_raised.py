"""Alerts, playbooks and deliveries from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.store.database import Store, open_store
from retinue.store.people.access import OPERATOR
from retinue.store.work import destinations
from retinue.store.work.tasks import add_task
from tests.alerts.conftest import PLAYBOOKS, RULES
from tests.web.company import NOW
from tests.web.raised import put_alert, put_dead, put_enrolment


@pytest.fixture
def acme(own: Path) -> Path:
    """The company with rules, playbooks and destinations."""
    with (own / "retinue.yaml").open("a", encoding="utf-8") as file:
        file.write(RULES)
    (own / "playbooks.yaml").write_text(PLAYBOOKS, encoding="utf-8")
    return own


@pytest.fixture
def store(acme: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{acme / '.retinue' / 'retinue.db'}")
    yield opened
    opened.close()


def test_alerts_are_listed_with_and_without_a_subcommand(retinue, told, acme: Path, store: Store):
    first = put_alert(store, "A-01")
    second = put_alert(store, "A-02", rule="silent")
    assert [one["id"] for one in told("alerts", "-C", acme)] == [second, first]
    assert [one["id"] for one in told("alerts", "list", "-C", acme)] == [second, first]
    assert [one["id"] for one in told("alerts", "list", "--rule", "silent", "-C", acme)] == [second]
    assert [one["id"] for one in told("alerts", "list", "--after", second, "-C", acme)] == [first]
    assert told("alerts", "list", "--severity", "low", "-C", acme) == []
    assert "they: now at risk" in retinue("alerts", "-C", acme).stdout
    refused = retinue("alerts", "--all", "list", "-C", acme, status=2)
    assert "stand behind it" in refused.stderr


def test_an_alert_is_shown_closed_and_muted(retinue, told, acme: Path, store: Store):
    number = put_alert(store, "A-02")
    shown = told("alerts", "show", number, "--rows", "-C", acme)
    assert (shown["alert"]["id"], shown["rule"]["rule"], shown["behind"]["rows"]) == (
        number,
        "turned_red",
        [],
    )
    text = retinue("alerts", "show", number, "-C", acme).stdout
    assert "tells when an account comes into the band at risk" in text and "associated with" in text
    retinue("alerts", "mute", "--account", "A-02", "--rule", "fell", "--reason", "known", "-C", acme)
    [mute] = told("alerts", "mutes", "-C", acme)
    assert (mute["account_id"], mute["rule"], mute["until"], mute["reason"]) == (
        "A-02",
        "fell",
        None,
        "known",
    )
    assert "for good" in retinue("alerts", "mutes", "-C", acme).stdout
    assert "no rule" in retinue("alerts", "mute", "--rule", "x", "--reason", "y", "-C", acme, status=1).stderr
    assert told("alerts", "unmute", mute["id"], "-C", acme) == {"id": mute["id"]}
    assert "Nothing is muted" in retinue("alerts", "mutes", "-C", acme).stdout
    retinue("alerts", "close", number, "--result", "Called them.", "-C", acme)
    [closed] = told("alerts", "list", "--all", "-C", acme)
    assert (closed["result"], told("alerts", "-C", acme)) == ("Called them.", [])
    assert "closed already" in retinue("alerts", "close", number, "-C", acme, status=1).stderr
    both = retinue("alerts", "close", number, 99, "-C", acme, status=1)
    assert both.stderr.splitlines() == [f"error: alert {number} is closed already", "error: no alert 99"]
    assert "no alert 99" in retinue("alerts", "show", 99, "-C", acme, status=1).stderr


def test_playbooks_are_listed_shown_and_left(retinue, told, acme: Path, store: Store):
    number = put_enrolment(store, "A-04")
    put_enrolment(store, "A-05", status="held_out")
    task = add_task(store, OPERATOR, "A-04", "call", now=NOW)
    [rescue, adopt] = told("play", "list", "-C", acme)
    assert (rescue["playbook"], rescue["active"], rescue["held_out"]) == ("rescue", 1, 1)
    assert adopt["trigger"].startswith("the points of adoption fell")
    assert "the alert turned red is raised" in retinue("play", "list", "-C", acme).stdout
    assert "Not enough evidence" in retinue("play", "show", "rescue", "-C", acme).stdout
    rows = told("play", "enrolments", "rescue", "--status", "active", "-C", acme)
    assert [(row["enrolment"]["id"], row["name"], row["done"]) for row in rows] == [
        (number, "Late Payers", 0)
    ]
    assert "Late Payers" in retinue("play", "enrolments", "--account", "A-04", "-C", acme).stdout
    assert told("play", "stop", number, "--reason", "they asked", "-C", acme)["account_id"] == "A-04"
    assert "stopped already" in retinue("play", "stop", number, "--reason", "x", "-C", acme, status=1).stderr
    [row] = told("play", "enrolments", "--account", "A-04", "-C", acme)
    assert row["enrolment"]["status"] == "stopped"
    # A task that is no step of it stays.
    assert [one["id"] for one in told("tasks", "list", "-C", acme)] == [task]
    assert "no playbook" in retinue("play", "show", "none", "-C", acme, status=1).stderr


def test_deliveries_are_looked_after(retinue, told, acme: Path, store: Store):
    one, two = put_dead(store, "A-01"), put_dead(store, "A-02")
    rows = {row["name"]: row for row in told("deliveries", "list", "-C", acme)}
    assert (rows["crm"]["state"], rows["crm"]["told"]["dead"], rows["board"]["told"]["dead"]) == ("ok", 2, 0)
    assert "crm" in retinue("deliveries", "list", "-C", acme).stdout
    assert {row["id"] for row in told("deliveries", "dead", "-C", acme)} == {one, two}
    assert "500 they" in retinue("deliveries", "dead", "--destination", "crm", "-C", acme).stdout
    assert told("deliveries", "replay", one, "-C", acme)["messages"] == 1
    assert told("deliveries", "replay", "--all", "crm", "-C", acme)["messages"] == 1
    assert "No message was given up" in retinue("deliveries", "dead", "-C", acme).stdout
    assert "name a message" in retinue("deliveries", "replay", "-C", acme, status=2).stderr
    retinue("deliveries", "test", "crm", "-C", acme)
    assert "in this minute" in retinue("deliveries", "test", "crm", "-C", acme, status=1).stderr
    destinations.disable(store, OPERATOR, "crm", "410 gone", now=NOW)
    assert "is disabled" in retinue("deliveries", "test", "crm", "-C", acme, status=1).stderr
    assert told("deliveries", "enable", "crm", "-C", acme) == {"destination": "crm"}
    assert "no destination" in retinue("deliveries", "enable", "crm", "-C", acme, status=1).stderr
    assert "no destination" in retinue("deliveries", "test", "none", "-C", acme, status=1).stderr
