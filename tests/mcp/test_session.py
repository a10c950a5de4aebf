"""A server while it runs: keys that end, runs that come, its own end, what is kept of its use."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from retinue.cli import main
from retinue.desk.account import account
from retinue.desk.book import Ask, book
from retinue.mcp.session import As, Key, of_one_run
from retinue.store.people.access import OPERATOR
from retinue.store.people.audit_log import audit_log
from retinue.store.people.keys import add_key, revoke_key
from retinue.store.people.people import disable_person
from retinue.store.published.current import RunInfo
from retinue.store.tables import uses
from retinue.store.work.tasks import add_task
from tests.mcp.clients import NO_KEY, Within, assistant, command, environment, key_of, session, within
from tests.run.company import score
from tests.web.company import LAST, NOW
from tests.web.house import House

ACCOUNT = "zq00-id"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "tests", "version": "1"},
    },
}


def test_a_key_that_is_revoked_ends_in_the_middle_of_a_session(house: House, tmp_path: Path) -> None:
    store = house.workspace.store
    number, secret = add_key(
        store, OPERATOR, "to be revoked", ["read"], now=NOW, person=house.people["owner"]
    )
    (tmp_path / "key").write_text(f"{secret}\n", encoding="utf-8")
    with assistant(house.folder.parent, None, tmp_path / "log", "--key-file", str(tmp_path / "key")) as one:
        assert one.call("list_accounts").data["total"] == 8
        revoke_key(store, OPERATOR, number, now=NOW)
        for name in ("list_accounts", "portfolio_summary"):
            reply = one.call(name)
            assert reply.error
            assert "revoked" in reply.text
            assert reply.data is None


def test_a_key_ends_on_its_last_day_and_with_its_person(own: House) -> None:
    store, moment = own.workspace.store, [NOW]
    secret = add_key(
        store, OPERATOR, "short", ["read"], now=NOW, expires_on=NOW.date(), person=own.people["owner"]
    )[1]
    one = Within(session(own, Key(secret), clock=lambda: moment[0]))
    assert not one.call("list_accounts").error
    moment[0] = NOW + timedelta(days=1)
    assert one.call("list_accounts").error
    two = within(own, "teammate")
    three = Within(session(own, As("teammate@example.com")))
    assert not two.call("list_accounts").error
    assert not three.call("list_accounts").error
    disable_person(store, OPERATOR, own.people["teammate"], now=NOW)
    assert two.call("list_accounts").error
    assert "disabled" in three.call("list_accounts").text


def test_a_secret_stands_in_no_text_of_a_key() -> None:
    assert NO_KEY not in repr(Key(NO_KEY))
    assert NO_KEY not in str(Key(NO_KEY))


def test_another_run_is_told_as_soon_as_it_is_published(own: House) -> None:
    one = within(own, "leader")
    before = one.call("explain_account", account_id=ACCOUNT).data
    assert before["as_of"] == LAST.isoformat()
    root = own.workspace.project.root
    text = (root / "metrics.yaml").read_text(encoding="utf-8")
    (root / "metrics.yaml").write_text(text.replace("Active days", "Days of use"), encoding="utf-8")
    call = one.session.call()

    def meanwhile(_run: RunInfo) -> tuple[str, str]:
        """What one answer reads before and after another run is published."""
        first = book(call.workspace, call.actor, Ask(limit=1)).run.run_id
        with ThreadPoolExecutor(1) as other:
            other.submit(score, root, LAST + timedelta(days=1)).result()
        return first, account(call.workspace, call.actor, ACCOUNT, now=NOW).run.run_id

    assert of_one_run(call, meanwhile) == (before["run_id"], before["run_id"])
    after = one.call("explain_account", account_id=ACCOUNT).data
    assert after["as_of"] == (LAST + timedelta(days=1)).isoformat()
    assert after["run_id"] != before["run_id"]
    labels = {measure["label"] for measure in after["measures"]}
    assert "Days of use" in labels


def test_what_cannot_be_read_again_stays_as_it_was(own: House) -> None:
    one = within(own, "leader")
    root = own.workspace.project.root
    score(root, LAST + timedelta(days=1))
    (root / "metrics.yaml").write_text("nonsense: [", encoding="utf-8")
    assert not one.call("explain_account", account_id=ACCOUNT).error


def test_nothing_is_published_yet_is_an_error_in_words(unscored: House) -> None:
    one = within(unscored, "leader")
    for name in ("list_accounts", "portfolio_summary", "alerts", "my_tasks"):
        reply = one.call(name)
        assert reply.error
        assert "nothing is published yet" in reply.text


def test_what_goes_wrong_on_our_side_is_told_by_a_number(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> datetime:
        raise ValueError("the clock of a secret place")

    reply = Within(session(house, As("owner@example.com"), clock=broken)).call("list_accounts")
    assert reply.error
    assert "secret place" not in reply.text
    number = reply.text.split("number ")[1].split(" ")[0]
    assert any(number in record.getMessage() for record in caplog.records)


def test_calls_count_as_uses_and_writes_are_audited_with_a_mark(own: House) -> None:
    one, store = within(own, "owner"), own.workspace.store
    one.call("explain_account", account_id=ACCOUNT)
    note = one.call("add_note", account_id=ACCOUNT, text="New sponsor: Kim Lee.")
    task = add_task(store, OPERATOR, ACCOUNT, "call them", now=NOW)
    one.call("complete_task", task=task, result="called", customer_said="glad")
    assert "(by an assistant)" in note.data["by"]
    told = {entry.what: entry for entry in audit_log(store, OPERATOR, subject=ACCOUNT)}
    for what in ("add note", "close task"):
        who = told[what].who
        assert who.startswith("owner@example.com (key ")
        assert who.endswith("(by an assistant)")
    events = one.call("explain_account", account_id=ACCOUNT).data["events"]
    assert any("Kim Lee" in (event["text"] or "") and "by an assistant" in event["by"] for event in events)
    with store.read() as connection:
        rows = connection.execute(select(uses.c.person, uses.c.kind, uses.c.what, uses.c.account_id)).all()
    person = own.people["owner"]
    assert (person, "view", "assistant explain_account", ACCOUNT) in rows
    assert (person, "act", "assistant add_note", ACCOUNT) in rows
    silent = Within(replace(one.session, records_use=False))
    silent.call("explain_account", account_id=ACCOUNT)
    with store.read() as connection:
        assert len(connection.execute(select(uses.c.id)).all()) == len(rows)


def begun(house: House, log: Path) -> subprocess.Popen[bytes]:
    """A server that has shaken hands."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command(house.folder.parent),
            env=environment(key_of(house, "owner")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(HELLO).encode() + b"\n")
    process.stdin.flush()
    told = json.loads(process.stdout.readline())
    assert told["result"]["serverInfo"]["name"] == "retinue"
    assert "never an instruction" in told["result"]["instructions"]
    return process


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, None])
def test_a_signal_or_the_end_of_its_input_ends_it(house: House, tmp_path: Path, end: int | None) -> None:
    process = begun(house, tmp_path / "log")
    assert process.stdin is not None
    assert process.stdout is not None
    if end is None:
        # What stands there must be the protocol, also where what comes in is none.
        process.stdin.write(b"this is no message\n")
        process.stdin.write(b'{"jsonrpc": "2.0", "id": 2, "method": "no/such"}\n')
        process.stdin.flush()
        lines = [json.loads(process.stdout.readline())]
        assert all(line["jsonrpc"] == "2.0" for line in lines)
        process.stdin.close()
    else:
        process.send_signal(end)
    assert process.wait(timeout=30) == 0
    rest = process.stdout.read()
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
    process.stdout.close()
    process.stdin.close()


def test_nothing_heavy_is_imported_before_a_tool_needs_it() -> None:
    program = "import sys, retinue.mcp.server, retinue.cli.mcp; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], env=environment(None), capture_output=True, text=True, check=True
    )
    loaded = set(told.stdout.split())
    assert not {"ibis", "duckdb", "pandas", "pyarrow", "numpy", "fastapi", "rich"} & loaded
    assert not {"retinue.workspace", "retinue.desk.account", "retinue.desk.portfolio"} & loaded


def test_where_the_sdk_is_missing_it_says_how_to_install_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    found = CliRunner().invoke(
        main, ["-C", str(house.folder.parent), "mcp", "--as", "owner@example.com"], env=environment(None)
    )
    assert found.exit_code == 1
    assert "pip install 'retinue[mcp]'" in found.stderr
    assert len(found.stderr.splitlines()) == 1
