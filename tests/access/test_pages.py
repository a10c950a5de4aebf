"""Signing in and out through a browser, one's own account, the people and the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from retinue.signin import passwords
from retinue.store.people.access import OPERATOR
from retinue.store.people.attempts import FREE, keys_for, try_now
from retinue.store.people.audit_log import audit_log
from retinue.store.people.keys import actor_of_key
from retinue.store.people.people import disable_person, find_person, people_list, set_password
from retinue.store.people.sessions import begin_session, session
from retinue.web.pages.me import browser
from retinue.web.pages.signin import safe_next
from retinue.web.site import Site
from retinue.workspace import Workspace
from tests.web.company import NOW
from tests.web.house import Browser, House, furnish, masked

GOOD = "tin piano under fog"
BETTER = "glass moor winter lamp"


@pytest.fixture(scope="module", autouse=True)
def kept() -> Iterator[str]:
    """How the password is kept; here hashing takes no time, which it does on purpose elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setattr(passwords, "_NOBODYS", passwords.hashed("nobody's"))
        yield passwords.hashed(GOOD)


@pytest.fixture
def house(workspace: Workspace, kept: str) -> House:
    """Nothing is scored here; the owner has a password."""
    made = furnish(workspace)
    owner = made.people["owner"]
    set_password(workspace.store, OPERATOR, owner, kept, now=NOW)
    made.tokens["owner"] = begin_session(workspace.store, owner, agent="tests", now=NOW)
    return made


def enter(browser: Browser, **told: str) -> Any:
    return browser.post("/sign-in", {"email": "owner@example.com", "password": GOOD, **told})


def guessed(house: House, times: int) -> None:
    """Somebody has tried that often, from where the browsers of these tests are."""
    for _ in range(times):
        assert try_now(house.workspace.store, keys_for("owner@example.com", "192.0.2.7"), now=NOW) == 0


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def who(house: House, browser: Browser, cookie: str = "retinue") -> str | None:
    found = session(house.workspace.store, browser.client.cookies.get(cookie, ""), now=NOW)
    return found.person.email if found else None


# --- in and out ----------------------------------------------------------------------------------


def test_a_password_signs_in_and_leads_to_the_page_that_was_asked_for(house: House):
    browser = house.browser()
    asked = browser.get("/me")
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=%2Fme")
    form = browser.get(asked.headers["location"])
    assert 'name="next" value="/me"' in form.text
    assert 'autocomplete="current-password"' in form.text
    answer = enter(browser, next="/me")
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    assert browser.get("/me").status_code == 200
    again = browser.get("/sign-in?next=/people")
    assert (again.status_code, again.headers["location"]) == (303, "/people")


def test_the_cookie_is_for_this_host_over_https_only_and_no_script_reads_it(house: House):
    plain = enter(house.browser()).headers["set-cookie"].lower()
    assert plain.startswith("retinue=")
    assert {"httponly", "samesite=lax", "path=/"} <= set(plain.split("; "))
    secure = house.served(address="https://retinue.example.com")
    browser = secure.browser()
    told = enter(browser).headers["set-cookie"].lower()
    assert told.startswith("__host-retinue=")
    assert {"httponly", "samesite=lax", "path=/", "secure"} <= set(told.split("; "))
    assert "domain=" not in told


def test_a_session_from_before_signing_in_is_not_the_one_after(house: House):
    browser = house.browser("stranger")
    before = browser.client.cookies["retinue"]
    answer = enter(browser)
    after = re.match(r"retinue=([^;]+)", answer.headers["set-cookie"])
    assert after is not None
    assert after[1] != before
    assert session(house.workspace.store, before, now=NOW) is None
    planted = house.browser()
    planted.client.cookies.set("retinue", "chosen by somebody else")
    enter(planted)
    assert session(house.workspace.store, "chosen by somebody else", now=NOW) is None


def test_signing_out_ends_the_session_and_not_only_the_cookie(house: House):
    browser = house.browser("owner")
    token = browser.client.cookies["retinue"]
    assert browser.get("/sign-out").status_code == 405
    answer = browser.post("/sign-out")
    assert answer.headers["location"] == "/sign-in?said=out"
    assert session(house.workspace.store, token, now=NOW) is None
    assert who(house, browser) is None
    assert "You are signed out." in text(browser.get("/sign-in?said=out"))


def test_all_that_fails_looks_the_same(house: House):
    store = house.workspace.store
    disable_person(store, OPERATOR, house.people["teammate"], now=NOW)
    pages = set()
    for place, email in enumerate(("owner", "teammate", "leader", "nobody", "gone")):
        answer = house.browser(client=(f"192.0.2.{place}", 1)).post(
            "/sign-in", {"email": f"{email}@example.com", "password": "wrong wrong wrong"}
        )
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        pages.add(answer.text.replace(f"{email}@example.com", "EMAIL"))
    assert len(pages) == 1
    assert "do not belong together" in pages.pop()


def test_whoever_guesses_is_told_how_long_to_wait(house: House):
    guessed(house, FREE - 1)
    assert enter(house.browser(), password="wrong wrong wrong").status_code == 401
    answer = enter(house.browser())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert "Too many attempts. Wait 1 minute, then try again." in text(answer)


def test_where_passwords_are_switched_off_none_signs_in(house: House):
    other = house.served(passwords=False)
    assert "password" not in other.browser().get("/sign-in").text.replace("serve.passwords", "")
    assert enter(other.browser()).status_code == 403


def test_where_nobody_was_let_in_the_page_says_how_to_begin(workspace: Workspace):
    house = House(Site(workspace, lambda: NOW), {}, {})
    assert "retinue people add" in text(house.browser().get("/sign-in"))


@pytest.mark.parametrize(
    "there",
    [
        "//evil.example.com", "/\\evil.example.com", "https://evil.example.com", "javascript:alert(1)",
        "/\t/evil.example.com", "/\n/evil.example.com", "/x\r\nSet-Cookie: a=b", "", "/sign-in", "/sign-out",
        "\\\\evil.example.com", "evil", "///evil.example.com", "/" + "x" * 3000, " //evil.example.com",
    ],
)  # fmt: skip
def test_nobody_is_sent_to_another_site(there: str):
    assert safe_next(there) == "/"


def test_a_link_to_the_form_cannot_send_people_on_to_another_site(house: House):
    there = "https://evil.example.com/"
    assert there not in house.browser().get(f"/sign-in?next={there}").text
    assert enter(house.browser(), next=there).headers["location"] == "/"
    assert house.browser("owner").get(f"/sign-in?next={there}").headers["location"] == "/"


@given(st.text(alphabet=st.sampled_from("/\\:?#@. \t\nhtps%25ev") | st.characters(), max_size=20))
def test_wherever_people_are_sent_is_a_path_of_this_site(there: str):
    found = urlsplit(safe_next(there))
    assert (found.scheme, found.netloc) == ("", "")
    assert found.path.startswith("/")
    assert not found.path.startswith(("//", "/\\"))


# --- one's own account ---------------------------------------------------------------------------


def test_a_changed_password_gives_a_new_session_and_ends_all_others(house: House):
    browser, elsewhere = house.browser("owner"), house.browser()
    enter(elsewhere)
    before = browser.client.cookies["retinue"]
    form = {"current": GOOD, "new": BETTER, "again": BETTER}
    answer = browser.post("/me/password", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/me?said=password")
    assert who(house, elsewhere) is None
    assert session(house.workspace.store, before, now=NOW) is None
    assert enter(house.browser(), password=BETTER).status_code == 303
    assert enter(house.browser()).status_code == 401


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"current": "wrong wrong wrong"}, "That is not your password"),
        ({"again": "another one of mine"}, "The new password is not the same twice"),
        ({"new": "short", "again": "short"}, "A password has 12 letters at least"),
        ({"new": "Password1234", "again": "Password1234"}, "This password is easily guessed"),
    ],
)
def test_a_password_is_not_changed_without_the_old_one_or_for_a_bad_one(
    house: House, changed: dict[str, str], message: str
):
    answer = house.browser("owner").post(
        "/me/password", {"current": GOOD, "new": BETTER, "again": BETTER, **changed}
    )
    assert answer.status_code == 400
    assert message in text(answer)
    assert enter(house.browser()).status_code == 303


def test_whoever_guesses_the_password_of_an_open_browser_waits_too(house: House):
    browser = house.browser("owner")
    guessed(house, FREE - 1)
    assert browser.post("/me/password", {"current": "wrong wrong wrong"}).status_code == 400
    assert browser.post("/me/password", {"current": GOOD, "new": BETTER, "again": BETTER}).status_code == 429


def test_a_key_is_shown_once_works_is_replaced_and_is_revoked(house: House):
    browser, store = house.browser("owner"), house.workspace.store
    answer = browser.post("/me/keys", {"name": "nightly", "scope": "read"})
    assert answer.headers["cache-control"] == "no-store"
    found = re.search(r"rtn_([0-9a-f]{12})_[\w-]{43}", answer.text)
    assert found is not None
    actor = actor_of_key(store, found[0], now=NOW)
    assert actor is not None
    assert actor.person == house.people["owner"]
    assert actor.rights == {"read"}
    assert found[0] not in browser.get("/me").text
    assert "nightly" in browser.get("/me").text
    replaced = browser.post(f"/keys/{found[1]}/replace")
    assert "rtn_" in replaced.text
    assert house.browser("teammate").post(f"/keys/{found[1]}/revoke").status_code == 404
    assert browser.post(f"/keys/{found[1]}/revoke").headers["location"] == "/me?said=key"
    assert actor_of_key(store, found[0], now=NOW) is None
    for form in (
        {"name": "", "scope": "read"},
        {"name": "x"},
        {"name": "x", "scope": "read", "expires_on": "soon"},
    ):
        assert browser.post("/me/keys", form).status_code == 400


def test_people_end_their_own_sessions_and_no_others(house: House):
    browser, phone = house.browser("owner"), house.browser()
    enter(phone)
    other = session(house.workspace.store, phone.client.cookies["retinue"], now=NOW)
    assert other is not None
    assert house.browser("teammate").post(f"/sessions/{other.id}/end").status_code == 404
    assert browser.post(f"/sessions/{other.id}/end").headers["location"] == "/me?said=session"
    assert who(house, phone) is None


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "unknown"),
    ],
)
def test_a_browser_is_called_what_people_call_it(agent: str, name: str):
    assert browser(agent) == name


# --- people --------------------------------------------------------------------------------------


def test_an_admin_lets_somebody_in_who_signs_in_with_the_password_that_was_shown(house: House):
    form = {"name": "Nia New", "email": "Nia@example.com", "role": "csm", "sees": "", "team": "blue"}
    answer = house.browser("admin").post("/people", {**form, "territories": "north\n\nsouth\n", "owners": ""})
    shown = re.search(r'class="secret" readonly value="([^"]+)"', answer.text)
    assert shown is not None
    assert answer.headers["cache-control"] == "no-store"
    nia = find_person(house.workspace.store, OPERATOR, "nia@example.com")
    assert (nia.role, nia.sees, nia.team, nia.territories) == ("csm", "team", "blue", ("north", "south"))
    browser = house.browser()
    first = enter(browser, email="nia@example.com", password=shown[1], next="/me")
    assert "Choose your password" in text(first)
    assert "set-cookie" not in first.headers
    form = {"email": "nia@example.com", "password": shown[1], "next": "/me"}
    for new, again in ((GOOD, BETTER), ("short", "short"), (shown[1], shown[1])):
        refused = browser.post("/sign-in/choose", {**form, "new": new, "again": again})
        assert (refused.status_code, who(house, browser)) == (400, None)
    answer = browser.post("/sign-in/choose", {**form, "new": GOOD, "again": GOOD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    assert who(house, browser) == "nia@example.com"
    assert enter(house.browser(), email="nia@example.com").status_code == 303
    assert browser.post("/sign-in/choose", {**form, "new": BETTER, "again": BETTER}).status_code in (401, 403)
    assert shown[1] not in house.browser("admin").get("/people").text


def test_what_cannot_be_is_said_beside_what_was_typed(house: House):
    answer = house.browser("admin").post("/people", {"name": "Nia", "email": "not one", "role": "csm"})
    assert answer.status_code == 400
    assert "Not an e-mail address" in text(answer)
    assert 'value="not one"' in answer.text


def test_an_admin_changes_disables_and_enables_people(house: House):
    admin, store, number = house.browser("admin"), house.workspace.store, house.people["teammate"]
    theirs = house.browser("teammate")
    form = {
        "name": "Team Mate",
        "email": "teammate@example.com",
        "role": "leader",
        "sees": "own",
        "owners": "T. Mate",
    }
    assert admin.post(f"/people/{number}", form).headers["location"] == f"/people/{number}?said=changed"
    found = find_person(store, OPERATOR, number)
    assert (found.name, found.role, found.sees, found.owners, found.team) == (
        "Team Mate", "leader", "own", ("T. Mate",), None,
    )  # fmt: skip
    assert theirs.get("/me").status_code == 303
    admin.post(f"/people/{number}/disable")
    assert find_person(store, OPERATOR, number).disabled_at is not None
    admin.post(f"/people/{number}/enable")
    assert find_person(store, OPERATOR, number).disabled_at is None
    assert admin.get("/people/99999999999999999999").status_code == 404


def test_the_last_admin_stays_one(house: House):
    admin, number = house.browser("admin"), house.people["admin"]
    form = {"name": "Admin", "email": "admin@example.com", "role": "csm", "sees": "own"}
    for path, told in ((f"/people/{number}", form), (f"/people/{number}/disable", {})):
        answer = admin.post(path, told)
        assert answer.status_code == 400
        assert "is the last admin" in text(answer)
    assert find_person(house.workspace.store, OPERATOR, number).role == "admin"


def test_an_admin_gives_a_new_password_and_takes_it_away(house: House):
    admin, theirs, number = house.browser("admin"), house.browser("owner"), house.people["owner"]
    answer = admin.post(f"/people/{number}/password")
    shown = re.search(r'class="secret" readonly value="([^"]+)"', answer.text)
    assert shown is not None
    assert theirs.get("/me").status_code == 303
    assert "Choose your password" in text(enter(house.browser(), password=shown[1]))
    admin.post(f"/people/{number}/password", {"none": "yes"})
    assert find_person(house.workspace.store, OPERATOR, number).has_password is False


def test_nobody_makes_themselves_more_than_they_are(house: House):
    everybody = people_list(house.workspace.store, OPERATOR)
    for name in ("owner", "leader", "ops", "reader"):
        browser, number = house.browser(name), house.people[name]
        for path in (
            "/people",
            f"/people/{number}",
            f"/people/{number}/password",
            f"/people/{number}/enable",
        ):
            form = {"name": "Me", "email": f"{name}2@example.com", "role": "admin", "sees": "everything"}
            assert browser.post(path, form).status_code == 403
    assert people_list(house.workspace.store, OPERATOR) == everybody


# --- the log -------------------------------------------------------------------------------------


def test_the_log_is_read_by_pages_and_filters(house: House):
    ops = house.browser("ops")
    first = ops.get("/audit")
    assert "reader@example.com" in first.text
    assert ops.get("/audit?who=OPERATOR&what=add+person&subject=owner@example.com").text.count("<tr>") == 2
    assert "Nothing here" in ops.get("/audit?who=nobody-at-all").text
    assert "Nothing here" in ops.get(f"/audit?until={(NOW - timedelta(days=1)).date()}").text
    for wrong in ("since=soon", "until=9999-12-31", "after=x", "after=-1"):
        assert ops.get(f"/audit?{wrong}").status_code == 400
    assert house.browser("leader").get("/audit").status_code == 403


def test_the_log_goes_on_where_the_page_before_ended(house: House):
    browser, store = house.browser("ops"), house.workspace.store
    for _ in range(60):
        begin_session(store, house.people["reader"], agent=None, now=NOW)
    total = len(audit_log(store, OPERATOR, limit=1000))
    seen, there = 0, "/audit"
    while there:
        page = browser.get(there)
        seen += page.text.count("<tr>") - 1
        onward = re.search(r'rel="next" href="([^"]+)"', page.text)
        there = "/audit" + onward[1].replace("&amp;", "&") if onward else ""
    assert seen == total > 60


def test_a_form_of_another_session_changes_nothing(house: House):
    browser = house.browser("admin")
    forged = masked(house.site, "not the token of this session")
    answer = browser.post(f"/people/{house.people['owner']}/disable", {"csrf": forged})
    assert answer.status_code == 403
    assert find_person(house.workspace.store, OPERATOR, house.people["owner"]).disabled_at is None
