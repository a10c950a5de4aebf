"""A hundred thousand accounts in a browser: filtered, sorted, searched, and read to the last page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from retinue.store.published.publish import publish
from retinue.workspace import open_workspace
from tests.browser.conftest import Served, Visit, serve, visits
from tests.store.company import changed, current_rows, ids, write_run
from tests.web.company import LAST, NOW, OWNERS, SEGMENTS, TERRITORIES, ordinary
from tests.web.house import furnish

COUNT = 100_000
ROWS = "table.book tbody tr"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Only the list of accounts is made: nothing else of a run is read for it."""
    folder = ordinary().write(tmp_path_factory.mktemp("many") / "acme")
    workspace = open_workspace(folder, {})
    bands = ("at_risk", "watch", "healthy")
    numbers = range(COUNT)
    rows = current_rows(
        COUNT,
        LAST,
        name=[f"Company {number:06}" for number in numbers],
        owner=[OWNERS[number % 6] for number in numbers],
        territory=[TERRITORIES[number % 3] for number in numbers],
        segment=[SEGMENTS[number // 6 % 3] for number in numbers],
        band=[bands[number % 10 % 3] for number in numbers],
        effective=[float(number * 7919 % 10_000) / 100 for number in numbers],
        attention=[float(number * 104_729 % COUNT) for number in numbers],
        arr=[float(number % 977) * 100 for number in numbers],
        renews_on=[LAST + timedelta(days=number % 365) for number in numbers],
        explanation=["{}"] * COUNT,
    )
    manifest = write_run(workspace.project.home, "20260302T060000-00000001", [LAST], 1, 50.0, None)
    publish(workspace.store, manifest, rows, changed(0, LAST), NOW)
    yield from serve(furnish(workspace))
    workspace.store.close()


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Visit]:
    yield from visits(browser, served)


def test_a_hundred_thousand_accounts_are_filtered_paged_and_searched(visit: Visit) -> None:
    visitor = visit("leader")
    page = visitor.open("/?scope=all")
    expect(page.locator(".bar")).to_contain_text("100,000 accounts")
    seen: list[str] = []
    for _ in range(4):
        seen += page.locator(f"{ROWS} th a").all_inner_texts()
        page.get_by_role("link", name="Next 50").click()
        page.wait_for_url(re.compile(f"after={ids(COUNT)[int(seen[-1].split()[1])]}"))
    assert len(seen) == len(set(seen)) == 200
    page = visitor.open("/?scope=all")
    page.get_by_role("combobox", name="Band").select_option("at_risk")
    expect(page.locator(".bar")).to_contain_text("40,000 accounts")
    page.get_by_role("combobox", name="Segment").select_option("mid")
    expect(page.locator(".bar")).not_to_contain_text("40,000 accounts")
    page.get_by_role("searchbox", name="Find an account").fill("company 077")
    page.keyboard.press("Enter")
    expect(page.locator(".bar")).to_contain_text("1,000 accounts")


def test_the_last_page_of_a_long_list_has_no_next_one(visit: Visit) -> None:
    last = ids(COUNT)[COUNT - 21]
    page = visit("leader").open(f"/?scope=all&sort=name&after={last}")
    expect(page.locator(ROWS)).to_have_count(20)
    expect(page.get_by_role("link", name="Next 50")).to_have_count(0)
    page.get_by_role("link", name="First page").click()
    expect(page.locator(ROWS).first).to_contain_text("Company 000000")


def test_who_sees_a_part_is_told_of_a_part(visit: Visit) -> None:
    page = visit("owner").open("/?scope=all")
    mine = len([number for number in range(COUNT) if OWNERS[number % 6] == "Ann Archer"])
    expect(page.locator(".bar")).to_contain_text(f"{mine:,} accounts")


def test_everything_is_exported_in_one_file(visit: Visit, tmp_path: Path) -> None:
    page = visit("leader").open("/?scope=all")
    with page.expect_download(timeout=120_000) as told:
        page.get_by_role("link", name="Export CSV").click()
    path = tmp_path / "book.csv"
    told.value.save_as(path)
    with path.open(encoding="utf-8") as lines:
        assert sum(1 for _ in lines) == COUNT + 1
