"""A score drops: in the browser it is a task with its reason, is worked, recorded, and measured."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from retinue.run.alerting import evaluate
from retinue.run.playing import advance
from retinue.store.people.access import OPERATOR
from retinue.store.work.tasks import add_task
from retinue.workspace import open_workspace
from tests.browser.conftest import DESKTOP, PHONE, Served, Visit, serve, visits
from tests.run.company import DAY, noon, score
from tests.web.company import FIRST, LAST, NOW, SETTINGS, mark, ordinary
from tests.web.house import furnish

WHO = f"{mark(0)}-id"
#: Until this day nothing is wrong; on the next one they complain.
CALM = LAST - 3 * DAY
RULES = {
    "alerts": {"turned_red": {"band": "at_risk", "severity": "high", "do": "Call them."}},
    "alerting": {"storm": 1.0, "per_account": 10},
}
PLAYBOOK = """\
playbook: rescue
label: Rescue
when: {alert: turned_red}
until: band = healthy
steps:
  - {id: call, task: "Call {name}", due: 1, checklist: [Ask what changed, Agree on a date]}
  - {id: review, task: "Review {name}", due: 5}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Scored day by day and evaluated; people come to it three hours later."""
    folder = tmp_path_factory.mktemp("drop") / "acme"
    complaints = [
        {"id": WHO, "opened": CALM + DAY, "solved": None, "kind": "bug", "subject": f"down {n}"}
        for n in range(7)
    ]
    company = ordinary().with_rows("tickets", complaints)
    replace(company, settings={**SETTINGS, **RULES}).write(folder)
    (folder / "playbooks.yaml").write_text(PLAYBOOK, encoding="utf-8")
    score(folder, CALM, FIRST, every="week")
    workspace = open_workspace(folder, {})
    evaluate(workspace, now=noon(CALM))
    score(folder, LAST, CALM + DAY, every="day")
    evaluate(workspace, now=NOW)
    advance(workspace, now=NOW)
    house = furnish(workspace)
    yield from serve(house.served(clock=lambda: NOW + timedelta(hours=3)))
    workspace.store.close()


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Visit]:
    yield from visits(browser, served)


@pytest.mark.parametrize(
    ("size", "script"), [(DESKTOP, True), (PHONE, False)], ids=["desktop", "phone without script"]
)
def test_it_appears_with_its_reason_and_may_be_ticked(
    visit: Visit, size: tuple[int, int], script: bool
) -> None:
    visitor = visit("owner", size=size, java_script_enabled=script)
    page = visitor.open("/tasks")
    card = page.locator("li.task-card", has_text=f"Call {mark(0)} Company")
    expect(card).to_contain_text("now at risk")
    expect(card).to_contain_text("Moved its score in four weeks")
    expect(card).to_contain_text("Step “call” of the playbook rescue")
    item = card.get_by_role("button", name="Ask what changed")
    before = item.get_attribute("aria-pressed")
    item.click()
    card = page.locator("li.task-card", has_text=f"Call {mark(0)} Company")
    item = card.get_by_role("button", name="Ask what changed")
    expect(item).to_have_attribute("aria-pressed", "false" if before == "true" else "true")
    assert _fits(page)


def test_it_is_worked_recorded_and_measured(visit: Visit) -> None:
    visitor = visit("owner")
    page = visitor.open("/tasks")
    page.get_by_role("link", name=f"Call {mark(0)} Company").click()
    expect(page).to_have_url(re.compile(r"/tasks/\d+$"))
    expect(page.locator("main")).to_contain_text("not touched yet")
    page.get_by_role("link", name=re.compile("Alert of")).click()
    expect(page).to_have_url(re.compile(r"/alerts/\d+$"))
    expect(page.locator("main")).to_contain_text("now at risk")
    page.go_back()
    page.get_by_role("button", name="Agree on a date").click()
    expect(page.get_by_role("button", name="Agree on a date")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".checklist")).to_contain_text("owner@example.com")
    page.get_by_label("What was done").fill("Agreed on a fix by Friday")
    page.get_by_label("What the customer said").fill("We will wait until Friday")
    page.get_by_role("button", name="Done", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("The task is done.")
    main = page.locator("main")
    expect(main).to_contain_text("Agreed on a fix by Friday")
    # Raised when it was evaluated; the task that is done is the first touch, three hours later.
    expect(main).to_contain_text("first touch after 3.0 h")
    expect(main).to_contain_text("closed after 3.0 h")

    page = visitor.open(f"/accounts/{WHO}/timeline?kind=task")
    expect(page.locator("#events")).to_contain_text("Task done")
    expect(page.locator("#events")).to_contain_text("The customer: We will wait until Friday")
    for kind, told in (("alert", "now at risk"), ("playbook", "Playbook rescue begun")):
        expect(visitor.open(f"/accounts/{WHO}/timeline?kind={kind}").locator("#events")).to_contain_text(told)
    page = visitor.open("/tasks/responses")
    row = page.locator("tbody tr", has_text="Ann Archer")
    expect(row).to_be_visible()
    expect(row).to_contain_text("not enough")


def test_by_keyboard_some_are_chosen_and_put_off_together(visit: Visit, served: Served) -> None:
    for n in range(3):
        add_task(served.house.workspace.store, OPERATOR, f"{mark(5 + n)}-id", f"call {n}", now=NOW)
    visitor = visit("leader")
    page = visitor.open("/tasks?whose=all")
    count = page.locator("li.task-card").count()
    assert count >= 3
    boxes = page.get_by_role("checkbox")
    for n in (0, 1):
        boxes.nth(n).focus()
        page.keyboard.press("Space")
    page.locator("#bulk").get_by_label("Back on").focus()
    page.locator("#bulk").get_by_label("Back on").fill("2026-03-09")
    # Enter does what is filled in: it closes nothing.
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("2 tasks changed.")
    expect(page.locator("li.task-card")).to_have_count(count - 2)
    page = visitor.open("/tasks?whose=all&status=snoozed")
    expect(page.locator("li.task-card")).to_have_count(2)


def _fits(page: Page) -> bool:
    """Nothing has to be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
