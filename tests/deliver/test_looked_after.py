"""What ops do on the page of deliveries arrives at real receivers."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier

from retinue.desk import deliveries as desk
from retinue.errors import NotFound, StoreError
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.people.people import add_person
from retinue.store.work import destinations as places
from retinue.workspace import Workspace, open_workspace
from tests.deliver.receivers import LOOPBACK, Answer, http_receiver, smtp_receiver
from tests.deliver.test_passing import Office
from tests.web.raised import put_dead

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OPS = Actor("olga@acme.example", role="ops")


def company(folder: Path, destinations: str) -> Workspace:
    folder.mkdir()
    (folder / "retinue.yaml").write_text(
        "project: acme\naccounts: {table: accounts.csv, key: id}\ndestinations:\n" + destinations, "utf-8"
    )
    (folder / "accounts.csv").write_text("id\na\n", "utf-8")
    return open_workspace(folder, {})


def hook(url: str) -> str:
    return f"  crm: {{webhook: {{url: '{url}', secret: {{env: S}}, allow_private: [{LOOPBACK[0]}]}}}}\n"


def office(workspace: Workspace, now: datetime) -> Office:
    return Office(workspace.store, workspace.project.settings.destinations, now)


def test_a_test_message_is_delivered_by_a_worker_and_signed_as_any_other(tmp_path: Path):
    # The verifier looks at the clock on the wall, so this test has to.
    now = datetime.now(UTC)  # noqa: TID251
    with http_receiver() as receiver:
        workspace = company(tmp_path / "acme", hook(receiver.url))
        desk.test(workspace, OPS, "crm", now=now)
        assert receiver.requests == []
        assert office(workspace, now).deliver().sent == 1
        assert office(workspace, now).deliver().sent == 0
    [request] = receiver.requests
    told = Verifier(SECRET).verify(request.body, request.headers)
    assert (told["type"], told["data"]["recipient"]) == ("test", OPS.name)
    [place] = desk.deliveries(workspace, OPS, now=now).places
    assert (place.state, place.told.sent, place.told.waiting) == ("ok", 1, 0)
    workspace.store.close()


def test_a_test_of_mail_to_owners_goes_to_who_asked(tmp_path: Path):
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    with smtp_receiver() as receiver:
        mail = (
            "  mail: {email: {to: owner, from: retinue@acme.example, "
            f"smtp: {{host: 127.0.0.1, port: {receiver.port}, tls: none}}}}}}\n"
        )
        workspace = company(tmp_path / "acme", mail)
        with pytest.raises(StoreError, match="no e-mail address"):
            desk.test(workspace, OPS, "mail", now=now)
        add_person(workspace.store, OPERATOR, OPS.name, "Olga", "ops", now=now)
        desk.test(workspace, OPS, "mail", now=now)
        assert office(workspace, now).deliver().sent == 1
    [got] = receiver.mails
    assert got.to == [OPS.name]
    workspace.store.close()


def test_what_was_given_up_arrives_when_it_is_replayed_after_the_receiver_was_mended(tmp_path: Path):
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    broken = True
    with http_receiver(lambda _: Answer(403 if broken else 200)) as receiver:
        workspace = company(tmp_path / "acme", hook(receiver.url))
        for minute in range(5):
            desk.test(workspace, OPS, "crm", now=now + timedelta(minutes=minute))
        later = now + timedelta(minutes=9)
        assert office(workspace, later).deliver().dead == 5
        found = desk.deliveries(workspace, OPS, now=later)
        assert [place.state for place in found.places] == ["disabled"]
        assert len(found.dead) == 5 and all("403" in (one.last_error or "") for one in found.dead)
        broken = False
        assert desk.replay_all(workspace, OPS, "crm", now=later).messages == 5
        # A destination that is disabled gets nothing.
        assert office(workspace, later).deliver().sent == 0
        with pytest.raises(StoreError, match="enable it first"):
            desk.test(workspace, OPS, "crm", now=later)
        desk.enable(workspace, OPS, "crm", now=later)
        assert office(workspace, later).deliver().sent == 5
    keys = [request.headers["webhook-id"] for request in receiver.requests]
    # Once more under the same keys: what was taken before is taken once.
    assert len(keys) == 10 and len(set(keys)) == 5
    workspace.store.close()


def test_destinations_are_told_with_what_they_are_and_never_with_their_secrets(tmp_path: Path):
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    workspace = company(
        tmp_path / "acme",
        "  hook: {webhook: {url: 'https://h.acme.example/in/s3cr3t?t=s3cr3t', secret: {env: S3CR3T}}}\n"
        "  chat: {slack: {url: {env: SLACK_URL}}}\n"
        "  team: {teams: {url: {file: /run/secrets/teams}}}\n"
        "  board: {email: {to: [a@x.example, b@x.example], from: r@x.example, smtp: {host: m.x.example}}}\n",
    )
    put_dead(workspace.store, None, to="gone")
    places.disable(workspace.store, OPERATOR, "chat", "410", now=now)
    found = desk.deliveries(workspace, OPS, now=now)
    assert {(one.name, one.channel, one.to, one.state) for one in found.places} == {
        ("hook", "webhook", "h.acme.example", "ok"),
        ("chat", "slack", "the address in SLACK_URL", "disabled"),
        ("team", "teams", "an address in a file", "ok"),
        ("board", "email", "a@x.example, b@x.example", "ok"),
        ("gone", None, None, "not declared"),
    }
    assert "s3cr3t" not in json.dumps(found.to_dict(), default=str).lower()
    assert "/run/secrets" not in json.dumps(found.to_dict(), default=str)
    for act in (desk.test, desk.replay_all):
        with pytest.raises(NotFound):
            act(workspace, OPS, "none", now=now)
    with pytest.raises(NotFound):
        desk.test(workspace, OPS, "gone", now=now)
    narrow = replace(OPS, everything=False, territories=frozenset({"north"}))
    assert desk.deliveries(workspace, narrow, now=now).dead == ()
    workspace.store.close()
