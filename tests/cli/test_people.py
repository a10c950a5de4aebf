"""Letting people in from the command line, their keys, and the log."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from retinue.cli import main
from retinue.signin.passwords import sign_in
from retinue.store.database import open_store
from retinue.store.people.keys import actor_of_key
from retinue.store.people.people import Person
from tests.access.hands import NOW

GOOD = "tin piano under fog\n"


def typed(project: Path, *arguments: str, text: str = "") -> str:
    done = CliRunner().invoke(main, ["-C", str(project), *arguments], input=text, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_first_admin_is_let_in_and_can_sign_in(unscored: Path):
    out = typed(
        unscored, "people", "add", "Ann.Lee@example.com", "--name", "Ann Lee", "--admin", "--stdin", text=GOOD
    )
    assert out == "ann.lee@example.com may come in as admin.\n"
    store = open_store(f"sqlite:///{unscored / '.retinue' / 'retinue.db'}")
    found = sign_in(store, "ann.lee@example.com", GOOD.strip(), address="192.0.2.7", now=NOW)
    store.close()
    assert isinstance(found, Person)
    assert (found.name, found.role, found.sees) == ("Ann Lee", "admin", "everything")


def test_a_person_is_added_listed_changed_disabled_and_enabled(retinue, told, unscored: Path):
    added = told("people", "add", "bob@example.com", "--team", "north", "--generate", "-C", unscored)
    assert re.fullmatch(r"([2-9a-z]{5}-){3}[2-9a-z]{5}", added["password"])
    retinue("people", "change", "bob@example.com", "--territory", "EMEA", "--role", "leader", "-C", unscored)
    [bob] = told("people", "list", "-C", unscored)
    assert (bob["role"], bob["sees"], bob["team"], bob["territories"]) == (
        "leader",
        "team",
        "north",
        ["EMEA"],
    )
    listed = retinue("people", "list", "-C", unscored).stdout
    assert "bob@example.com" in listed and "with a password" in listed
    retinue("people", "disable", "bob@example.com", "-C", unscored)
    assert "disabled" in retinue("people", "list", "-C", unscored).stdout
    retinue("people", "enable", str(bob["id"]), "-C", unscored)
    retinue("people", "change", "bob@example.com", "--no-team", "--no-territories", "-C", unscored)
    [bob] = told("people", "list", "-C", unscored)
    assert (bob["disabled_at"], bob["team"], bob["territories"]) == (None, None, [])
    log = told("audit", "--what", "person", "-C", unscored)
    assert [entry["what"] for entry in log] == [
        "change person", "enable person", "disable person", "change person", "add person",
    ]  # fmt: skip
    assert added["password"] not in json.dumps(log)


def test_a_password_is_set_and_removed(told, retinue, unscored: Path):
    told("people", "add", "bob@example.com", "--generate", "-C", unscored)
    other = told("people", "password", "bob@example.com", "--generate", "-C", unscored)
    assert len(other["password"]) == 23
    retinue("people", "password", "bob@example.com", "--remove", "-C", unscored)
    assert told("people", "list", "-C", unscored)[0]["has_password"] is False


def test_a_key_is_made_replaced_and_revoked(told, retinue, unscored: Path):
    told("people", "add", "bob@example.com", "--generate", "-C", unscored)
    done = retinue("keys", "add", "nightly", "--person", "bob@example.com", "--scope", "act", "-C", unscored)
    secret = done.stdout.strip()
    assert re.fullmatch(r"rtn_[0-9a-f]{12}_[\w-]{43}", secret)
    [key] = told("keys", "list", "--person", "bob@example.com", "-C", unscored)
    assert (key["name"], key["scopes"]) == ("nightly", ["act"])
    assert secret not in json.dumps(key)
    after = told("keys", "replace", key["id"], "--keep", 2, "-C", unscored)
    store = open_store(f"sqlite:///{unscored / '.retinue' / 'retinue.db'}")
    assert actor_of_key(store, after["key"], now=NOW) is not None
    retinue("keys", "revoke", after["id"], "-C", unscored)
    assert actor_of_key(store, after["key"], now=NOW) is None
    store.close()
    assert "revoked" in retinue("keys", "list", "-C", unscored).stdout


def test_with_a_provider_people_need_no_password(retinue, told, unscored: Path):
    done = retinue("people", "add", "cleo@example.com", "--elsewhere", "-C", unscored, status=1)
    assert done.stderr.startswith("error: no provider is declared (")
    place = unscored / "retinue.yaml"
    declared = "\nserve: {oidc: {issuer: 'https://id.example.com', client_id: retinue}}\n"
    place.write_text(place.read_text() + declared)
    told("people", "add", "cleo@example.com", "--elsewhere", "-C", unscored)
    [cleo] = told("people", "list", "-C", unscored)
    assert (cleo["issuer"], cleo["subject"], cleo["has_password"]) == ("https://id.example.com", None, False)
    retinue("people", "change", "cleo@example.com", "--not-elsewhere", "-C", unscored)
    assert told("people", "list", "-C", unscored)[0]["issuer"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["people", "add", "ann", "--generate"], "error: not an e-mail address: 'ann'"),
        (["people", "disable", "eve@example.com"], "error: no person 'eve@example.com'"),
        (["people", "disable", "ann@example.com"], "error: ann@example.com is the last admin"),
        (["people", "add", "ann@example.com", "--generate"], "error: there is a person with the e-mail"),
        (["keys", "add", "x", "--person", "eve@example.com"], "error: no person 'eve@example.com'"),
        (["keys", "revoke", "nothing"], "error: no live key 'nothing'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(retinue, unscored: Path, arguments: list[str], message: str):
    retinue("people", "add", "ann@example.com", "--admin", "--generate", "-C", unscored)
    done = retinue(*arguments, "-C", unscored, status=1)
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_without_a_terminal_a_password_is_not_asked_for(retinue, unscored: Path):
    done = retinue("people", "add", "ann@example.com", "-C", unscored, status=2)
    assert "use --stdin or --generate" in done.stderr
    assert retinue("people", "change", "ann@example.com", "-C", unscored, status=2).stderr.count("\n") == 1
