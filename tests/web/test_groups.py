"""The pages on groups, scorecards, trust and the week: what they answer to addresses, and to people."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.faults import faults
from tests.web.house import House
from tests.web.leaks import leaked
from tests.web.pages import Page
from tests.web.payloads import MARKUP


def asked(house: House, name: str, path: str, **query: Any) -> Any:
    return house.browser(name).get(path, params=query)


def test_groups_are_compared_side_by_side(house: House) -> None:
    answer = asked(house, "leader", "/portfolio", by="territory", compare=["south", "east"])
    page = Page(answer.text)
    assert answer.status_code == 200 and not faults(answer.text)
    assert [one.text for one in page.all("h2") if "Side by side" in one.text] == ["Side by side: south, east"]
    checked = [one.get("value") for one in page.all("input") if "checked" in one.attributes]
    assert sorted(checked) == ["east", "south"]


def test_a_group_leads_to_its_accounts_in_the_book(house: House) -> None:
    page = Page(asked(house, "leader", "/portfolio", by="territory").text)
    links = {one.text: one.get("href") for one in page.all("a") if "territory=" in one.get("href")}
    assert links["south"] == "/?scope=all&territory=south"
    found = Page(asked(house, "leader", links["south"]).text)
    assert [one for one in found.all("th") if one.get("scope") == "row"]


@pytest.mark.parametrize(
    "query",
    [
        {"by": "name"},
        {"from": "yesterday"},
        {"from": "2026-03-01", "to": "2026-02-01"},
        {"weight": "seats"},
        {"compare": list("abcde")},
        *({"by": text} for text in MARKUP),
        *({"compare": text} for text in MARKUP),
    ],
)
def test_what_cannot_be_shown_is_said(house: House, query: dict[str, Any]) -> None:
    answer = asked(house, "guest", "/portfolio", **query)
    assert answer.status_code == 400 and not faults(answer.text)


@pytest.mark.parametrize("by", ["owner", "segment", "stage", "start_cohort", "tier"])
def test_no_way_to_group_tells_of_accounts_out_of_sight(house: House, by: str) -> None:
    for name in ("owner", "teammate", "southerner", "guest", "stranger"):
        for path in ("/portfolio", "/leadership"):
            answer = asked(house, name, path, **({"by": by} if path == "/portfolio" else {}))
            assert answer.status_code == 200 and not leaked(name, answer), (name, path)
    told = asked(house, "owner", "/portfolio", by="owner").text
    assert "Ann Archer" in told
    for other in ("Bob Baker", "Cleo Chan", "Dan Diaz", "Eve Egger", "Fay Fox"):
        assert other not in told


def test_who_sees_nothing_is_told_so(house: House) -> None:
    for path in ("/portfolio", "/leadership"):
        answer = asked(house, "stranger", path)
        assert answer.status_code == 200 and "no account" in answer.text and not faults(answer.text)


def test_before_the_first_run_pages_say_so(unscored: House) -> None:
    for path in ("/portfolio", "/scorecards", "/scorecards/standard", "/plan", "/trust", "/leadership"):
        answer = asked(unscored, "admin", path)
        assert answer.status_code == 404 and "nothing is published" in answer.text.casefold()
        assert not faults(answer.text)


def test_a_scorecard_shows_a_curve_and_a_table_for_each_measure(house: House) -> None:
    answer = asked(house, "reader", "/scorecards/standard")
    page = Page(answer.text)
    charts = [one for one in page.all("svg") if one.get("role") == "img"]
    assert len(charts) == 5
    assert all(one.get("aria-label") for one in charts)
    assert "At most 35" in answer.text and "many tickets are open" in answer.text
    assert asked(house, "reader", "/scorecards/none").status_code == 404


def test_only_who_may_is_offered_to_start_long_work(house: House) -> None:
    def forms(name: str, path: str) -> list[str]:
        return [one.get("action") for one in Page(asked(house, name, path).text).all("form")]

    for name, may in (("admin", True), ("leader", True), ("reader", False), ("owner", False)):
        assert ("/trust" in forms(name, "/trust")) == may, name
        assert ("/portfolio/losses" in forms(name, "/portfolio")) == may, name
        assert ("/plan" in forms(name, "/plan")) == (may and name != "reader"), name
