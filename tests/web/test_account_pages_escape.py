"""What sources and people say of an account is text on its pages, whatever it looks like."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.web.faults import faults
from tests.web.house import House
from tests.web.pages import Page
from tests.web.payloads import FORMULAS, MARKUP

HERE = "/accounts/zq00-id"


@pytest.mark.parametrize("number", range(0, len(MARKUP), 4))
def test_an_account_whose_every_text_is_markup_shows_it_as_text(hostile_house: House, number: int) -> None:
    text = f"{number:02}{MARKUP[number]}"
    if "%" in text or "/.." in text:
        pytest.skip("the client of the tests does not send this address as a browser does")
    browser = hostile_house.browser("admin")
    here = f"/accounts/{quote(text, safe='')}"
    page = browser.get(here)
    assert page.status_code == 200 and faults(page.text) == []
    assert Page(page.text).all("h1")[0].text == text
    for path in ("/timeline", "/rows/tickets", "/metrics/active_days"):
        answer = browser.get(here + path)
        assert answer.status_code == 200 and faults(answer.text) == [], path
    events = Page(browser.get(f"{here}/timeline").text)
    told = [one for one in events.all("li") if one.get("class") == "event"]
    assert not told or any(MARKUP[number] in one.text for one in told)


def test_what_people_write_is_shown_as_they_wrote_it(own: House) -> None:
    browser = own.browser("leader")
    texts = [*MARKUP, FORMULAS[1]]
    for text in texts:
        posts = {
            "notes": {"text": text},
            "tasks": {"title": text, "detail": text, "owner": text},
            "pulses": {"metric": "mood", "value": "4", "note": text},
            "overrides": {"kind": "cap", "value": "50", "reason": text, "owner": text},
            "outcomes": {"kind": "renewed", "occurred_on": "2026-02-01", "reason": text},
        }
        for form, fields in posts.items():
            assert browser.post(f"{HERE}/{form}", fields).status_code == 303, form
    page = browser.get(HERE)
    assert faults(page.text) == []
    for kind in ("note", "pulse", "override", "outcome", "task"):
        shown: list[str] = []
        address = f"{HERE}/timeline?kind={kind}"
        while address:
            answer = Page(browser.get(address).text)
            assert faults(browser.get(address).text) == []
            shown += [" ".join(one.text.split()) for one in answer.all("span")]
            address = next((one.get("href") for one in answer.all("a") if one.get("rel") == "next"), "")
        for text in texts:
            assert " ".join(text.split()) in shown, (kind, text)
    tasks = browser.get("/tasks")
    assert faults(tasks.text) == []
    closing = {
        one.get("action") for one in Page(tasks.text).all("form") if one.get("action").endswith("/close")
    }
    for text, task in zip(texts, sorted(closing), strict=True):
        assert browser.post(task, {"how": "done", "result": text, "said": text}).status_code == 303
    assert faults(browser.get("/tasks?status=done").text) == []
    assert faults(browser.get(f"{HERE}/timeline?kind=task").text) == []


@pytest.mark.parametrize("text", MARKUP[::4])
def test_what_is_refused_comes_back_as_text(house: House, text: str) -> None:
    browser = house.browser("leader")
    refused = {
        "tasks": {"title": "", "detail": text, "owner": text, "due_on": text},
        "pulses": {"metric": text, "value": text, "note": text, "expires_on": text},
        "overrides": {"kind": text, "value": text, "reason": text, "owner": text, "starts_on": text},
        "outcomes": {"kind": text, "occurred_on": text, "amount": text, "reason": text},
    }
    for form, fields in refused.items():
        answer = browser.post(f"{HERE}/{form}", fields)
        assert answer.status_code == 400 and faults(answer.text) == [], form
    for query in ("since", "as_of", "said"):
        assert faults(browser.get(HERE, params={query: text}).text) == []
    for path in (f"{HERE}/timeline", "/tasks"):
        for name in ("kind", "before", "account", "whose", "status"):
            assert faults(browser.get(path, params={name: text}).text) == []
