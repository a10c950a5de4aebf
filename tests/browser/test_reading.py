"""A morning at the book: find an account, narrow the list down, go through its pages, keep a view."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.web.company import numbers_seen

ROWS = "table.book tbody tr"
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])


def names(page: Page) -> list[str]:
    return page.locator(f"{ROWS} th a").all_inner_texts()


@SIZES
def test_an_account_is_found_from_the_top_of_the_page(visit: Visit, size: tuple[int, int]) -> None:
    page = visit("teammate", size=size).open("/")
    page.get_by_role("searchbox", name="Find an account").fill("zq00")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"search=zq00"))
    assert names(page) == ["zq00 Company"]


def test_a_slash_goes_to_the_search_and_j_and_k_walk_through_the_list(visit: Visit) -> None:
    page = visit("leader").open("/")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("j/k")
    assert page.locator("#find").input_value() == "j/k"  # who types a slash means a slash
    page.locator("#find").evaluate("one => one.blur()")
    links = page.locator(f"{ROWS} th a")
    for key, at in (("j", 0), ("j", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        expect(links.nth(at)).to_be_focused()


@SIZES
def test_the_list_is_narrowed_down_at_once_and_the_address_says_so(
    visit: Visit, size: tuple[int, int]
) -> None:
    page = visit("leader", size=size).open("/?scope=all")
    before = names(page)
    page.evaluate("window.same = true")
    page.get_by_role("combobox", name="Band").select_option("at_risk")
    expect(page).to_have_url(re.compile("band=at_risk"))
    expect(page.locator(".bar")).not_to_contain_text(f"{len(before)} accounts")
    bands = page.locator(f"{ROWS} .band").all_inner_texts()
    assert bands
    assert all("At risk" in band or "at risk" in band for band in bands)
    assert page.evaluate("window.same"), "only the list is loaded anew"
    expect(page.get_by_role("combobox", name="Band")).to_have_value("at_risk")
    page.go_back()
    expect(page.locator(".bar")).to_contain_text("48 accounts")
    page.reload()
    assert names(page) == before


def test_without_javascript_the_same_form_narrows_the_list_down(visit: Visit) -> None:
    page = visit("leader", java_script_enabled=False).open("/?scope=all")
    page.get_by_role("combobox", name="Segment").select_option("smb")
    page.get_by_role("button", name="Show").click()
    assert "segment=smb" in page.url
    assert 0 < len(names(page)) < 48
    page.get_by_role("combobox", name="Order").select_option("name")
    page.get_by_role("button", name="Show").click()
    assert names(page) == sorted(names(page))


def test_without_javascript_a_view_is_kept_opened_and_removed(visit: Visit) -> None:
    page = visit("ops", java_script_enabled=False).open("/?scope=all&segment=mid")
    page.locator("details.views summary").click()
    page.get_by_label("Save these filters as").fill("Mid market")
    page.get_by_role("button", name="Save").click()
    assert "segment=mid" in page.url
    page.goto(page.url.split("?")[0])
    page.locator("details.views summary").click()
    page.get_by_role("link", name="Mid market").click()
    assert "segment=mid" in page.url
    page.locator("details.views summary").click()
    page.get_by_role("button", name="Remove the view Mid market").click()
    page.locator("details.views summary").click()
    expect(page.get_by_role("link", name="Mid market")).to_have_count(0)


def test_a_menu_closes_on_escape_and_gives_the_focus_back(visit: Visit) -> None:
    page = visit("leader").open("/")
    summary = page.locator("details.menu:not(.views) > summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(summary).to_be_focused()


def test_everybody_sees_their_own_accounts_first(visit: Visit) -> None:
    assert len(names(visit("owner").open("/"))) == len(list(numbers_seen("owner")))
    page = visit("stranger").open("/")
    expect(page.locator(".empty .title")).to_be_visible()


def test_the_export_is_what_is_shown(visit: Visit) -> None:
    page = visit("leader").open("/?scope=all&band=at_risk&sort=name")
    with page.expect_download() as told:
        page.get_by_role("link", name="Export CSV").click()
    lines = told.value.path().read_text(encoding="utf-8").splitlines()
    assert told.value.suggested_filename == "accounts-2026-03-02.csv"
    assert len(lines) == len(names(page)) + 1


def test_a_picture_says_in_words_what_it_shows(visit: Visit) -> None:
    page = visit("leader").open("/?scope=all")
    for svg in page.locator("main svg[role=img]").all()[:10]:
        assert len(svg.get_attribute("aria-label") or "") > 5
