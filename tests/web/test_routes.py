"""Everybody at every door: what it answers, and that nobody hears of accounts that are not theirs to see."""

from __future__ import annotations

import re
from typing import Any

import pytest

from retinue.web.app import DOORS
from tests.web.doors import CASES, EVERYBODY, OUT, Case, account_hidden_from
from tests.web.house import House
from tests.web.leaks import leaked

_PART = re.compile(r"\{(\w+)(?::\w+)?\}")
WHAT = [
    f"{method} {door.path}"
    for door in DOORS
    for method, function in (("GET", door.show), ("POST", door.act))
    if function is not None
]


def test_every_door_stands_in_the_table_of_who_may_come_through_it() -> None:
    assert sorted(set(WHAT)) == sorted(CASES)
    assert len(WHAT) == len(set(WHAT))


def address(template: str, parts: dict[str, Any]) -> str:
    return _PART.sub(lambda found: str(parts[found[1]]), template)


def ask(house: House, name: str | None, what: str, case: Case, parts: dict[str, Any]) -> Any:
    method, template = what.split(" ", 1)
    browser = house.browser(name)
    path = address(template, parts) + case.query
    return browser.get(path) if method == "GET" else browser.post(path, case.form)


@pytest.mark.parametrize("what", CASES)
def test_a_door_answers_everybody_as_the_table_says(house: House, what: str) -> None:
    case = CASES[what]
    method, _ = what.split(" ", 1)
    found: dict[str | None, int] = {}
    for name in EVERYBODY:
        parts = case.path(house, name)
        # Who sees no account at all finds none behind the doors of accounts.
        answer = ask(house, name, what, case, parts)
        found[name] = answer.status_code
        assert not leaked(name, answer, str(parts)), f"{name} at {what}"
    expected = {name: case.expected(method, name) for name in EVERYBODY}
    if case.account and expected["stranger"] == case.status:
        expected["stranger"] = 404
    assert found == expected


@pytest.mark.parametrize("what", [what for what, case in CASES.items() if case.account])
def test_an_account_out_of_sight_is_not_there(house: House, what: str) -> None:
    case = CASES[what]
    method, _ = what.split(" ", 1)
    for name in EVERYBODY:
        hidden = account_hidden_from(name) if name is not None else "zq00-id"
        if hidden is None:
            continue
        answer = ask(house, name, what, case, {**case.path(house, name), "account_id": hidden})
        due = case.expected(method, name)
        assert answer.status_code == (due if name in OUT or due == 403 else 404)
        assert not leaked(name, answer, hidden)
        # The same words as for an account that never was.
        other = ask(house, name, what, case, {**case.path(house, name), "account_id": "zq99-id"})
        assert other.status_code == answer.status_code
        assert plain(answer, hidden) == plain(other, "zq99-id")


def plain(answer: Any, account: str) -> str:
    """The text without what differs between any two answers."""
    text = re.sub(r'name="csrf" value="[^"]*"', "", answer.text)
    return text.replace(account, "X").replace(account.replace("-", "%2D"), "X")


def test_a_method_that_a_door_does_not_have_is_refused(house: House) -> None:
    browser = house.browser("admin")
    doors = {door.path: door for door in DOORS}
    for path, door in doors.items():
        if door.show is not None and door.act is None and not _PART.search(path):
            assert browser.post(path).status_code == 405, path
        for method in ("PUT", "DELETE", "PATCH", "TRACE"):
            assert browser.client.request(method, path.replace("{", "").replace("}", "")).status_code in (
                404,
                405,
            )
