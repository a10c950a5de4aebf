"""The pages of tasks: many are changed together, items are ticked, and it is told how soon somebody came."""

from __future__ import annotations

from typing import Any

from tests.web.house import House
from tests.web.pages import Page
from tests.web.test_account_pages import HERE, body, seen


def test_chosen_tasks_are_changed_together_and_those_that_cannot_be_are_told(own: House) -> None:
    browser = own.browser("owner")
    for title in ("first", "second", "third"):
        browser.post(f"{HERE}/tasks", {"title": title, "checklist": "ask\n\nagree"})
    page = seen(own, "/tasks?whose=all&chosen=all", "owner")
    boxes = [one.get("name") for one in page.all("input") if one.get("name").startswith("task-")]
    assert len(boxes) == 3
    listed = {"list": "whose=all&said=x&next=//evil.example"}

    def bulk(names: list[str], **form: str) -> Any:
        return browser.post("/tasks/bulk", {**dict.fromkeys(names, "yes"), **listed, **form})

    answer = bulk(boxes[:1], how="snooze", until="2026-03-09")
    assert answer.headers["location"] == "/tasks?whose=all&said=changed&count=1#said"
    assert "1 task changed." in browser.get(answer.headers["location"]).text
    assert len(seen(own, "/tasks?whose=all&status=snoozed", "owner").all("ol")[0].text.split("Choose: ")) == 2
    # Where Enter is pressed it is what is filled in, and never more than that.
    assert bulk(boxes[1:], until="2026-03-09", owner="Ann Archer").status_code == 400
    assert bulk(boxes[1:2], result="called them").status_code == 303
    answer = bulk([*boxes, "task-999999"], how="done")
    assert answer.status_code == 200
    told = body(Page(answer.text))
    assert "2 changed, 2 not:" in told and "no task 999999" in told.casefold() and "is done already" in told
    assert bulk(["task-x"], how="done").status_code == 400
    assert bulk([], how="done").status_code == 400


def test_an_item_is_ticked_where_it_stands(own: House) -> None:
    browser = own.browser("owner")
    browser.post(f"{HERE}/tasks", {"title": "call them", "checklist": "ask\nagree"})
    page = seen(own, HERE, "owner")
    (tick,) = {one.get("action") for one in page.all("form") if one.get("action").endswith("/tick")}
    number = tick.split("/")[2]
    answer = browser.post(tick, {"done": "2", "account": "zq00-id"})
    assert answer.headers["location"] == f"{HERE}?said=ticked#task-{number}"
    buttons = seen(own, f"/tasks/{number}", "owner").all("button")
    assert [one.get("aria-pressed") for one in buttons if one.get("class") == "tick"] == ["false", "true"]
    assert (
        browser.post(tick, {"undone": "2", "one": "yes"}).headers["location"].startswith(f"/tasks/{number}?")
    )
    assert browser.post(tick, {"done": "3"}).status_code == 400


def test_a_form_without_a_day_or_a_name_is_refused_with_what_to_do(own: House) -> None:
    browser = own.browser("owner")
    browser.post(f"{HERE}/tasks", {"title": "call them"})
    page = seen(own, HERE, "owner")
    (give,) = {one.get("action") for one in page.all("form") if one.get("action").endswith("/give")}
    snooze = give.replace("/give", "/snooze")
    assert browser.post(snooze).status_code == 400
    assert browser.post(give).status_code == 400
    assert browser.post(snooze, {"until": "2026-03-02"}).status_code == 400
    assert browser.post(snooze, {"until": "2026-03-03", "account": "zq00-id"}).status_code == 303
    assert "1 snoozed" in body(seen(own, HERE, "owner"))
    assert "call them" not in body(seen(own, "/tasks?whose=all", "owner"))
    assert browser.post(snooze, {"wake": "yes"}).status_code == 303
    assert "call them" in body(seen(own, "/tasks?whose=all", "owner"))


def test_interventions_stand_on_the_page_until_they_are_withdrawn(own: House) -> None:
    browser = own.browser("owner")
    told = {"kind": "training", "started_on": "2026-02-10", "reason": "new team"}
    assert browser.post(f"{HERE}/interventions", told).headers["location"].endswith("?said=intervention#said")
    page = seen(own, HERE, "owner")
    assert "Training" in body(page) and "going on: new team" in body(page)
    actions = {one.get("action") for one in page.all("form")}
    (end,) = [one for one in actions if one.endswith("/end")]
    (withdraw,) = [one for one in actions if "/withdraw/intervention/" in one and "timeline" not in one]
    assert browser.post(end.replace("zq00", "zq06")).status_code == 404
    assert browser.post(end).status_code == 303
    assert "training ended" in body(seen(own, f"{HERE}/timeline?kind=intervention", "owner")).casefold()
    assert browser.post(withdraw).status_code == 303
    assert "What was done for it" not in body(seen(own, HERE, "owner"))
    assert browser.post(f"{HERE}/interventions", {**told, "started_on": "2026-04-01"}).status_code == 400
    assert browser.post(f"{HERE}/interventions", {**told, "kind": " "}).status_code == 400


def test_how_soon_people_respond_is_told_of_others_only_to_whoever_assigns(own: House) -> None:
    for n in range(5):
        own.browser("leader").post(f"{HERE}/tasks", {"title": f"call {n}", "owner": "Ann Archer"})
    assert "Ann Archer" in body(seen(own, "/tasks/responses", "leader"))
    page = seen(own, "/tasks/responses", "reader")
    assert [one.text for one in page.all("th") if one.get("scope") == "row"] == ["All"]
    # Five that Ann was asked for on one account at one time are one response, and five tasks.
    cells = [one.text for one in page.all("td") if one.inside("tbody")]
    assert cells == ["1", "0", "not enough", "5", "0", "not yet", "not yet"]
