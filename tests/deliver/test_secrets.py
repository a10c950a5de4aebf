"""Secrets are canaries here: none is ever in a log, an error, a representation, the store or an export."""

from __future__ import annotations

import base64
import json
import logging
import random
from pathlib import Path

import pytest
from sqlalchemy import text

from retinue.deliver import Pace, deliver_due
from retinue.project.load import load_settings
from retinue.project.schema import json_schema
from retinue.store.database import Store
from retinue.store.people.access import OPERATOR
from retinue.store.work import destinations as places
from retinue.store.work import outbox
from tests.deliver.receivers import NOW, Answer, certified, http_receiver, message, outside, smtp_receiver

CANARY = "kanarienvogel"
SIGNING = "whsec_" + base64.b64encode(f"{CANARY}-0123456789abcdef".encode()).decode()


def nasty(mode: int):
    """Answers that repeat what they were sent, as receivers do."""

    def answers(request) -> Answer:
        told = f"{request.path} {request.headers}".encode()
        status = (200, 301, 403, 404, 429, 500)[mode]
        headers = {
            "Location": f"http://x.example{request.path}",
            "Retry-After": request.path,
            "X-Path": CANARY,
        }
        return Answer(status, headers, told)

    return answers


@pytest.mark.parametrize("mode", range(6))
def test_no_secret_leaves_but_to_whom_it_is_for(
    tmp_path: Path, store: Store, mode: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
):
    caplog.set_level(1)
    # The mail server is one of the tests; what it logs is its own affair.
    logging.getLogger("mail").setLevel(logging.CRITICAL)
    logging.getLogger("apprise").disabled = False
    (tmp_path / "pw").write_text(f"{CANARY}\n")
    with (
        http_receiver(nasty(mode)) as receiver,
        smtp_receiver({"RCPT": [f"550 {CANARY}"] * 9}) as refusing,
        smtp_receiver(starttls=certified("127.0.0.1"), auth=True) as server,
    ):
        address = f"http://hooks.example:{receiver.port}"
        environ = {
            "SLACK": f"{address}/services/{CANARY}",
            "TEAMS": f"{address}/flow?sig={CANARY}",
            "HOOK": f"{address}/{CANARY}",
            "SIGNING": SIGNING,
            "BROKEN": f"https://u:{CANARY}@x.example/",
            "WRONG": CANARY,
        }
        (tmp_path / "retinue.yaml").write_text(f"""\
project: acme
accounts: {{}}
destinations:
  slack: {{slack: {{url: {{env: SLACK}}, allow_private: [127.0.0.1]}}}}
  teams: {{teams: {{url: {{env: TEAMS}}, allow_private: [127.0.0.1]}}}}
  hook: {{webhook: {{url: {{env: HOOK}}, secret: {{env: SIGNING}}, allow_private: [127.0.0.1]}}}}
  private: {{webhook: {{url: {{env: HOOK}}, secret: {{env: SIGNING}}}}}}
  broken: {{slack: {{url: {{env: BROKEN}}}}}}
  wrong: {{webhook: {{url: {{env: HOOK}}, secret: {{env: WRONG}}}}}}
  nowhere: {{slack: {{url: {{env: WRONG}}}}}}
  refusing:
    email:
      to: [a@example.com]
      from: r@example.com
      smtp: {{host: 127.0.0.1, port: {refusing.port}, tls: none}}
  mail:
    email:
      to: owner
      from: r@example.com
      smtp: {{host: 127.0.0.1, port: {server.port}, user: retinue, password: {{file: pw}}}}
""")
        project = load_settings(tmp_path, {})
        destinations = project.settings.destinations
        with store.write() as connection:
            outbox.enqueue(connection, [message(f"k-{to}").row(to) for to in destinations], now=NOW)
        world = outside(environ, root=tmp_path)
        told = deliver_due(
            store,
            destinations,
            clock=lambda: NOW,
            worker="w",
            outside=world,
            pace=Pace(),
            chance=random.Random(1),
        )
        arrived = {one.path for one in receiver.requests}
        assert set(server.tried) == {("retinue", CANARY)}
    # They were used: otherwise this would say nothing.
    assert {f"/services/{CANARY}", f"/flow?sig={CANARY}", f"/{CANARY}"} <= arrived
    assert told.sent == (3 if mode == 0 else 0)

    with store.read() as connection:
        tables = ("outbox", "destinations", "audit")
        kept = [str(connection.execute(text(f"SELECT * FROM {name}")).all()) for name in tables]
    printed = capfd.readouterr()
    said = {
        "the store": "".join(kept),
        "the dead letters": repr(outbox.dead(store, OPERATOR)),
        "the standings": repr(places.states(store, OPERATOR)),
        "the log": caplog.text,
        "what was printed": printed.out + printed.err,
        "what was declared": repr(project)
        + project.settings.model_dump_json()
        + "".join(project.texts.values()),
        "the world": repr(world),
        "the schema": json.dumps(json_schema()),
        "what was done": repr(told),
    }
    signing = SIGNING.removeprefix("whsec_")
    for place, whole in said.items():
        assert CANARY not in whole, place
        assert signing not in whole, place


def test_a_file_that_cannot_be_read_is_named_and_not_shown(tmp_path: Path, store: Store):
    (tmp_path / "secret").write_bytes(b"\xff\xfe" + CANARY.encode())
    (tmp_path / "retinue.yaml").write_text(
        "project: acme\naccounts: {}\ndestinations: {s: {slack: {url: {file: secret}}}}\n"
    )
    destinations = load_settings(tmp_path, {}).settings.destinations
    with store.write() as connection:
        outbox.enqueue(connection, [message("k").row("s")], now=NOW)
    deliver_due(
        store,
        destinations,
        clock=lambda: NOW,
        worker="w",
        outside=outside(root=tmp_path),
        pace=Pace(),
        chance=random.Random(1),
    )
    (standing,) = places.states(store, OPERATOR)
    assert standing.reason == "the file secret is not there, or cannot be read"
