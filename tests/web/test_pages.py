"""Every page is made of what the content security policy allows, with labels, headings and links of ours."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from tests.web.doors import CASES, EVERYBODY
from tests.web.faults import faults
from tests.web.house import House
from tests.web.pages import Page
from tests.web.payloads import MARKUP
from tests.web.test_routes import address

PAGES = [what for what in CASES if what.startswith("GET ") and "static" not in what]
#: Addresses that a crawl asks of one kind of page at most.
MOST = 5


def is_page(answer: Any) -> bool:
    return answer.headers.get("content-type", "").startswith("text/html")


def whole(answer: Any) -> bool:
    """A page, rather than a fragment of one that htmx puts into another."""
    return is_page(answer) and "<html" in answer.text


@pytest.mark.parametrize("what", PAGES)
def test_a_page_has_no_fault_for_anybody(house: House, what: str) -> None:
    case = CASES[what]
    for name in EVERYBODY:
        browser = house.browser(name)
        answer = browser.get(address(what.split(" ", 1)[1], case.path(house, name)) + case.query)
        if whole(answer):
            assert not faults(answer.text, signed_in=browser.csrf is not None and name != "gone"), name


@pytest.mark.parametrize("path", ["/no/such/page", "/?sort=x", "/?after=gone", "/views", "/accounts/none"])
def test_a_page_of_an_error_has_no_fault(house: House, path: str) -> None:
    for name in (None, "owner", "stranger"):
        answer = house.browser(name).get(path)
        if answer.status_code >= 400:
            assert not faults(answer.text, signed_in=name is not None)
            assert Page(answer.text).all("h1")[0].text.strip()


def test_an_error_keeps_the_frame_of_whoever_is_signed_in(house: House) -> None:
    for path in ("/no/such/page", "/?sort=x"):
        page = Page(house.browser("owner").get(path).text)
        assert [one for one in page.all("nav") if one.get("aria-label") == "Main"]
    assert "Portfolio" not in house.browser().get("/no/such/page").text


# --- hostile texts -------------------------------------------------------------------------------


def crawled(house: House, name: str, first: list[str]) -> dict[str, Any]:
    """Every answer behind the links of pages, up to `MOST` of a kind, from some addresses on."""
    browser, kinds = house.browser(name), Counter[tuple[str, ...]]()
    waiting, found = list(first), {}
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        answer = found[path] = browser.get(path)
        if not is_page(answer):
            continue
        for one in Page(answer.text).elements:
            onward = one.get("href") if one.tag == "a" else one.get("hx-get")
            if not onward or onward.startswith(("#", "http", "mailto:", "tel:")):
                continue
            onward = path.split("?")[0] + onward if onward.startswith("?") else onward
            onward = onward.split("#")[0]
            kind = kind_of(onward)
            if onward not in found and kinds[kind] < MOST:
                kinds[kind] += 1
                waiting.append(onward)
    return found


def kind_of(path: str) -> tuple[str, ...]:
    """Addresses of one kind lead to the same page, asked for the same things."""
    here, _, query = path.partition("?")
    parts = here.strip("/").split("/")
    if len(parts) > 1:
        parts[1] = "*"
    return (*parts, *sorted({pair.split("=")[0] for pair in query.split("&")}))


def test_texts_of_every_source_stay_texts_on_every_page(hostile_house: House) -> None:
    """Column by column: whatever an account is called, its page has no element of it."""
    found = crawled(hostile_house, "admin", ["/?scope=all", "/portfolio", "/tasks", "/people", "/audit"])
    assert sum(path.startswith("/accounts/") for path in found) >= min(MOST, len(MARKUP)) or len(found) > 5
    for path, answer in found.items():
        assert answer.status_code in (200, 303, 404), path
        if whole(answer):
            assert not faults(answer.text), path
            assert not [one for one in Page(answer.text).elements if "pwned" in one.tag], path
            assert "49" not in re.findall(r"\{\{(.*?)\}\}", answer.text)
    book = found["/?scope=all"].text
    page = Page(book)
    names = [one.text for one in page.all("a") if one.inside("th")]
    assert sorted(names) == sorted(f"{n:02}{text}" for n, text in enumerate(MARKUP))


@pytest.mark.parametrize("number", range(len(MARKUP)))
def test_every_hostile_account_can_be_found_and_opened(hostile_house: House, number: int) -> None:
    browser = hostile_house.browser("admin")
    text = f"{number:02}{MARKUP[number]}"
    found = browser.get("/", params={"scope": "all", "search": text})
    assert found.status_code == 200
    assert not faults(found.text)
    links = [one for one in Page(found.text).all("a") if one.inside("th") and one.inside("tbody")]
    assert [one.text for one in links] == [text]
    assert 'value="' + text.replace("&", "&amp;")[:2] in found.text
    status, body = hostile_house.raw(links[0].get("href"), "admin")
    assert status == 200, links[0].get("href")
    page = body.decode()
    assert not faults(page)
    assert text in {one.text.strip() for one in Page(page).all("h1")}


@pytest.mark.parametrize("text", [*MARKUP, "\u0000", "\u0008x", "x" * 80])
def test_the_name_of_a_view_stays_a_text(house: House, text: str) -> None:
    browser = house.browser("leader")
    answer = browser.post("/views", {"name": text[:80], "query": f"search={text}", "shared": "yes"})
    assert answer.status_code in (303, 400)
    assert not faults(house.browser("reader").get("/").text)
    if answer.status_code == 303:
        assert re.match(r"/(\?|$)", answer.headers["location"])
        page = browser.get("/").text
        assert not faults(page)
        for view in re.findall(r'action="(/views/\d+/remove)"', page):
            browser.post(view)


@pytest.mark.parametrize("text", MARKUP)
def test_what_was_typed_into_an_address_stays_a_text(house: House, text: str) -> None:
    browser = house.browser("guest")
    fits = dict.fromkeys(("search", "band", "owner", "segment", "order", "x", text), text)
    for told in (fits, {"sort": text}, {"scope": text}, {"after": text}, {"renews": text}):
        answer = browser.get("/", params=told)
        assert not faults(answer.text), told
        assert "pwned" not in {one.tag for one in Page(answer.text).elements}
    sent = house.browser().get("/", params={"next": text}).headers["location"]
    assert not faults(house.browser().get(sent).text, signed_in=False)
