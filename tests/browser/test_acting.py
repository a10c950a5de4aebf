"""Read why a score is what it is, act on it, sign in and out, and be refused: in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from retinue.signin.passwords import hashed
from retinue.store.people.access import OPERATOR
from retinue.store.people.people import set_password
from tests.browser.conftest import DESKTOP, PHONE, Served, Visit
from tests.web.company import NOW
from tests.web.leaks import unseen

HERE = "/accounts/zq00-id"
PASSWORD = "grey-otters-walk-uphill"
SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


def summary(page: Page, words: str) -> None:
    page.locator("summary", has_text=words).first.click()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_from_the_list_to_why_an_account_stands_where_it_does(visit: Visit, size: tuple[int, int]) -> None:
    page = visit("owner", size=size).open("/")
    page.get_by_role("link", name="zq00 Company").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("zq00 Company")
    expect(page.get_by_role("heading", name="What the score is made of")).to_be_visible()
    for word in ("Adoption", "Service", "Voice"):
        expect(page.locator("#parts")).to_contain_text(word)
    part = page.locator("#parts details.part").first
    if part.get_attribute("open") is None:
        part.locator("summary").click()
    part.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(rf"{HERE}/metrics/\w+"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@SCRIPT
def test_two_dates_are_compared(visit: Visit, script: bool) -> None:
    page = visit("owner", java_script_enabled=script).open(f"{HERE}?since=2026-01-18&as_of=2026-02-22")
    expect(page.locator("main")).to_contain_text("18\u00a0Jan\u00a02026")
    expect(page.locator("main")).to_contain_text("22\u00a0Feb\u00a02026")
    labels = [one.get_attribute("aria-label") or "" for one in page.locator("svg[role=img]").all()]
    assert any("changed the score" in label for label in labels)


@SCRIPT
def test_a_note_is_written_and_read_again(visit: Visit, script: bool) -> None:
    visitor = visit("owner", java_script_enabled=script)
    page = visitor.open(HERE)
    summary(page, "Write a note")
    told = f"They asked for <b>a review</b>, {'with' if script else 'without'} script"
    page.locator("textarea[name=text]").fill(told)
    page.locator(f"form[action='{HERE}/notes'] button").click()
    expect(page.get_by_text("The note is written.")).to_be_visible()
    expect(page.locator("main")).to_contain_text(told)


def test_a_task_is_given_and_done(visit: Visit) -> None:
    visitor = visit("owner")
    page = visitor.open(HERE)
    summary(page, "Add a task")
    page.get_by_label("What is to be done").fill("Call the new sponsor")
    page.locator(f"form[action='{HERE}/tasks'] button").click()
    expect(page.get_by_text("The task is there.")).to_be_visible()
    page = visitor.open("/tasks")
    task = page.locator("main").get_by_role("link", name="Call the new sponsor")
    expect(task).to_be_visible()
    page.locator("details", has_text="What was done").first.locator("summary").first.click()
    page.get_by_label("What was done").first.fill("called")
    page.get_by_role("button", name="Done").first.click()
    expect(page.get_by_text("The task is done.")).to_be_visible()


@SCRIPT
def test_a_pulse_and_an_override_are_said_with_their_ends(visit: Visit, script: bool) -> None:
    page = visit("southerner", java_script_enabled=script).open("/accounts/zq06-id")
    summary(page, "Give a pulse")
    page.locator("form[action$='/pulses']").get_by_label("0 (worst) to 10 (best)").fill("3")
    page.locator("form[action$='/pulses'] button").click()
    expect(page.get_by_text("The pulse is recorded.")).to_be_visible()
    summary(page, "Override the score")
    form = page.locator("form[action$='/overrides']")
    form.get_by_label("Score, 0 (worst) to 100 (best)").fill("40")
    form.get_by_label("Reason").fill("they are leaving")
    form.get_by_label("Until (last day)").fill("2026-05-01")
    form.locator("button").click()
    expect(page.get_by_text("The override is recorded.")).to_be_visible()


def test_what_a_reader_may_not_do_is_not_offered(visit: Visit) -> None:
    page = visit("reader").open(HERE)
    assert page.locator("main form[method=post]").count() == 0
    assert page.get_by_text("Write a note").count() == 0


def test_who_may_not_see_an_account_is_told_that_there_is_none(visit: Visit) -> None:
    page = visit("owner").open("/accounts/zq01-id", status=404)
    expect(page.get_by_role("heading", level=1)).to_contain_text("No account")
    text = page.content()
    assert not [mark for mark in unseen("owner") if mark in re.sub('zq01|value="[^"]*"', "", text)]
    page = visit("owner").open("/people", status=403)
    expect(page.locator("main")).to_contain_text("refused")


@SCRIPT
def test_who_signs_in_comes_to_the_page_that_they_asked_for(
    visit: Visit, served: Served, script: bool
) -> None:
    store = served.house.workspace.store
    name = "leader" if script else "ops"
    set_password(store, OPERATOR, served.house.people[name], hashed(PASSWORD), now=NOW)
    visitor = visit(java_script_enabled=script)
    page = visitor.open("/accounts/zq05-id")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    page.get_by_label("E-mail").fill(f"{name}@example.com")
    page.get_by_label("Password").fill("not the password at all")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("E-mail").fill(f"{name}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{visitor.url}/accounts/zq05-id")
    cookies = page.context.cookies()
    assert [one["httpOnly"] and one["sameSite"] == "Lax" for one in cookies] == [True]
    page.locator("details.menu:not(.views) > summary").first.click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in"))
    page.goto(f"{visitor.url}/accounts/zq05-id")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))


def test_a_form_that_is_pressed_twice_is_posted_once(visit: Visit) -> None:
    visitor = visit("owner")
    page = visitor.open(HERE)
    summary(page, "Write a note")
    page.locator("textarea[name=text]").fill("pressed twice")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.locator(f"form[action='{HERE}/notes'] button").dblclick()
    expect(page.get_by_text("The note is written.")).to_be_visible()
    assert len(posts) == 1


def test_the_report_of_a_leader_prints_on_paper(visit: Visit) -> None:
    visitor = visit("leader")
    page = visitor.open("/leadership")
    page.emulate_media(media="print")
    for part in (".top", ".skip", ".tabs"):
        for one in page.locator(part).all():
            expect(one).to_be_hidden()
    pdf = page.pdf(format="A4")
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))
    assert 1 <= pages <= 2, pages
