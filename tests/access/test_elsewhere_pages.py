"""Signing in at a provider, through the pages: cookies, where people end up, and what they are told."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from retinue.signin.provider import Provider, Settings
from retinue.store.people.access import OPERATOR
from retinue.store.people.people import change_person, find_person
from retinue.store.people.sessions import begin_session, session
from retinue.workspace import Workspace
from tests.access.elsewhere import RETURN, SECRET, signed_in
from tests.access.hands import let_in
from tests.web.house import Browser, House, furnish

HERE = RETURN.removesuffix("/sign-in/return")


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the provider has a clock of its own


@pytest.fixture
def house(workspace: Workspace, issuer: str) -> House:
    let_in(workspace.store, "ann", issuer=issuer)
    provider = Provider(Settings(issuer, "retinue", SECRET, name="Example"))
    return furnish(workspace).served(address=HERE, provider=provider, clock=now)


def who(house: House, browser: Browser) -> str | None:
    found = session(house.workspace.store, browser.client.cookies.get("retinue", ""), now=now())
    return found.person.email if found else None


def gone_there(browser: Browser, path: str = "/sign-in/elsewhere?next=%2Fme", login: str = "ann") -> Any:
    """What the page answers when somebody comes back from the provider."""
    sent = browser.get(path)
    assert sent.status_code == 303
    return browser.get("/sign-in/return?" + urlencode(signed_in(sent.headers["location"], login)))


def test_the_button_leads_there_and_back_to_the_page_that_was_asked_for(house: House):
    browser = house.browser()
    form = browser.get("/sign-in?next=/me")
    button = re.search(r'href="(/sign-in/elsewhere[^"]*)"[^>]*>Sign in with Example', form.text)
    assert button is not None
    answer = gone_there(browser, button[1])
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    assert who(house, browser) == "ann@example.com"
    assert browser.client.cookies.get("retinue-away") is None


def test_nothing_of_the_provider_is_left_in_addresses_or_readable_by_scripts(house: House):
    sent = house.browser().get("/sign-in/elsewhere")
    cookie = sent.headers["set-cookie"].lower()
    assert cookie.startswith("retinue-away=")
    assert {"httponly", "samesite=lax", "max-age=600"} <= set(cookie.split("; "))
    asked = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
    assert asked["redirect_uri"] == RETURN
    assert asked["code_challenge_method"] == "S256"
    assert SECRET not in sent.headers["location"]


def test_a_link_that_somebody_else_began_signs_nobody_in(house: House):
    began = house.browser().get("/sign-in/elsewhere")
    link = "/sign-in/return?" + urlencode(signed_in(began.headers["location"]))
    victim = house.browser()
    answer = victim.get(link)
    assert answer.status_code == 400
    assert "This sign-in did not begin in this browser" in answer.text
    assert who(house, victim) is None


@pytest.mark.parametrize("there", ["https://evil.example.com/", "//evil.example.com", "/\\evil.example.com"])
def test_nobody_is_sent_on_to_another_site(house: House, there: str):
    answer = gone_there(house.browser(), "/sign-in/elsewhere?" + urlencode({"next": there}))
    assert answer.headers["location"] == "/"


def test_who_may_not_come_in_is_told_so_and_stays_out(house: House):
    browser = house.browser()
    answer = gone_there(browser, login="eve")
    assert answer.status_code == 403
    assert "this Retinue does not let you in" in answer.text
    assert "Ask an admin" in answer.text
    assert who(house, browser) is None


def test_a_session_from_before_is_not_the_one_after(house: House):
    browser = house.browser()
    browser.client.cookies.set("retinue", "chosen by somebody else")
    gone_there(browser)
    assert session(house.workspace.store, "chosen by somebody else", now=now()) is None
    values = [cookie.value for cookie in browser.client.cookies.jar if cookie.name == "retinue"]
    assert any(session(house.workspace.store, value or "", now=now()) for value in values)


def test_where_the_provider_is_not_there_people_are_told(house: House):
    nowhere = Provider(Settings("http://127.0.0.1:1", "retinue", name="Example"))
    answer = house.served(provider=nowhere).browser().get("/sign-in/elsewhere")
    assert answer.status_code == 503
    assert "Example cannot be reached" in answer.text


def test_a_host_that_a_stranger_names_is_not_where_people_come_back_to(house: House):
    answer = (
        house.served(address=None).browser().get("/sign-in/elsewhere", headers={"Host": "evil.example.com"})
    )
    assert answer.status_code == 503
    assert "serve.address" in answer.text


def test_an_admin_decides_who_may_sign_in_there(house: House):
    store = house.workspace.store
    house.tokens["admin"] = begin_session(store, house.people["admin"], agent=None, now=now())
    admin = house.browser("admin")
    form = {"name": "Zoe", "email": "zoe@example.com", "role": "reader", "way": "elsewhere"}
    assert admin.post("/people", form).status_code == 303
    zoe = find_person(store, OPERATOR, "zoe@example.com")
    assert (zoe.has_password, zoe.subject) == (False, None)
    assert gone_there(house.browser(), login="zoe").status_code == 303
    change = {"name": "Zoe", "email": "zoe@example.com", "role": "reader", "sees": "everything"}
    admin.post(f"/people/{zoe.id}", {**change, "elsewhere": "yes"})
    assert find_person(store, OPERATOR, zoe.id).subject == "zoe"
    admin.post(f"/people/{zoe.id}", change)
    assert gone_there(house.browser(), login="zoe").status_code == 403
    change_person(store, OPERATOR, zoe.id, now=now(), issuer=zoe.issuer)
    assert gone_there(house.browser(), login="zoe").status_code == 303
