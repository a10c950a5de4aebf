"""axe-core on every page, in light and dark: what keeps people out is a defect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.conftest import PHONE, Visit, Visitor
from tests.web.doors import CASES
from tests.web.house import House
from tests.web.test_routes import address

#: Addresses that answer with no page of their own.
NO_PAGES = ("GET /static/{name:path}", "GET /book.csv", "GET /accounts/{account_id:path}/series.json")
PAGES = [what for what in CASES if what.startswith("GET ") and what not in NO_PAGES]
STATES = {
    "filtered": "/?scope=all&band=at_risk&sort=name",
    "searched": "/?scope=all&search=zq1",
    "no account": "/?scope=all&search=nothing-is-called-so",
    "not there": "/no/such/page",
    "no account of that name": "/accounts/none",
    "nonsense": "/?sort=nonsense",
    "closed alerts": "/alerts?state=any&whose=all",
    "no alert": "/alerts?rule=none",
    "a playbook for one account": "/playbooks/rescue/test?account=zq06-id",
    "a playbook for none": "/playbooks/rescue/test?account=none",
    "not for everybody": "/deliveries",
}
_SEVERE = ("serious", "critical")


def issues(visitor: Visitor, axe: str, only: list[str] | None = None) -> list[dict[str, Any]]:
    """Serious and critical issues, of what is folded too."""
    visitor.look("unfold")
    visitor.page.evaluate(axe)
    return [one for one in visitor.look("axe", only) if one["impact"] in _SEVERE]


def where(house: House, what: str, name: str | None) -> str:
    case = CASES[what]
    return address(what.split(" ", 1)[1], case.path(house, name)) + case.query


@pytest.mark.parametrize("what", PAGES)
def test_no_page_keeps_anybody_out(visit: Visit, axe: str, what: str) -> None:
    name = None if CASES[what].right is None else "admin"
    for scheme, only in (("light", None), ("dark", ["color-contrast"])):
        visitor = visit(name, color_scheme=scheme)
        visitor.page.goto(visitor.url + where(visitor.house, what, name))
        found = issues(visitor, axe, only)
        assert not found, json.dumps(found, indent=1)


@pytest.mark.parametrize("state", STATES)
def test_no_state_of_a_page_keeps_anybody_out(visit: Visit, axe: str, state: str) -> None:
    visitor = visit("teammate", size=PHONE, color_scheme="dark")
    visitor.page.goto(visitor.url + STATES[state])
    found = issues(visitor, axe)
    assert not found, json.dumps(found, indent=1)


def test_the_checks_find_what_is_wrong(visit: Visit, axe: str) -> None:
    """A page with faults on purpose: a check that finds nothing here finds nothing anywhere."""
    visitor = visit("admin", size=PHONE)
    page = visitor.open("/?scope=all")
    page.evaluate(
        """() => {
          const main = document.getElementById("main");
          for (const [tag, told] of [["input", {name: "x"}], ["button", {}], ["div", {className: "over"}]]) {
            main.append(Object.assign(document.createElement(tag), told));
          }
          main.querySelector(".over").style.width = "900px";
          main.querySelector(".over").style.height = "9px";
        }"""
    )
    assert {one["id"] for one in issues(visitor, axe)} >= {"label", "button-name"}
    assert visitor.look("wide")["over"] > 0
    assert visitor.look("small")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: '1'}))")
    page.evaluate("document.title")
    assert any("Content Security Policy" in wrong for wrong in visitor.wrong)
    visitor.wrong.clear()
