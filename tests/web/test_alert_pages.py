"""Pages of alerts, mutes, playbooks and deliveries: whatever anybody writes is text on them."""

from __future__ import annotations

import csv
from datetime import timedelta
from urllib.parse import quote

import pytest

from retinue.desk import playbooks
from retinue.run.rehearsing import Act, Rehearsal
from retinue.store.people.access import OPERATOR
from retinue.store.people.people import actor_of, find_person
from retinue.store.published.current import current_run
from retinue.store.tables import alert_memory
from retinue.store.work import destinations as places
from retinue.store.work.alerts import alerts_of, mutes_of
from retinue.store.work.plays import enrolments_of
from retinue.store.work.tasks import tasks_of
from retinue.web.app import application
from tests.web.company import LAST, NOW, mark, numbers_seen
from tests.web.faults import faults
from tests.web.house import House
from tests.web.leaks import leaked
from tests.web.pages import Page, next_page
from tests.web.payloads import MARKUP
from tests.web.raised import put_alert, put_dead, put_enrolment, put_mute

ACCOUNT = "zq00-id"


def text_of(page: str) -> str:
    return " ".join(Page(page).all("main")[0].text.split())


def test_chosen_alerts_are_closed_together_and_those_that_cannot_be_are_told(own: House):
    store, browser = own.workspace.store, own.browser("owner")
    numbers = [put_alert(store, ACCOUNT) for _ in range(3)]
    page = Page(browser.get("/alerts?whose=all&rule=turned_red&chosen=all").text)
    boxes = [one.get("name") for one in page.all("input") if one.get("name").startswith("alert-")]
    assert {f"alert-{number}" for number in numbers} <= set(boxes)
    listed = {"list": "whose=all&rule=turned_red&said=x&next=//evil.example", "result": "The feed was late."}
    answer = browser.post("/alerts/close", {f"alert-{numbers[0]}": "yes", **listed})
    assert answer.headers["location"] == "/alerts?whose=all&rule=turned_red&count=1#said"
    assert "1 alert closed." in text_of(browser.get(answer.headers["location"]).text)
    several = dict.fromkeys([*(f"alert-{number}" for number in numbers), "alert-999999"], "yes")
    answer = browser.post("/alerts/close", {**several, **listed})
    told = text_of(answer.text)
    assert "2 closed, 2 not:" in told and "no alert 999999" in told.casefold() and "closed already" in told
    closed = alerts_of(store, OPERATOR, is_open=False)
    assert {one.id for one in closed} >= set(numbers)
    assert {one.result for one in closed if one.id in numbers} == {"The feed was late."}
    for wrong in ({"alert-x": "yes"}, {}):
        assert browser.post("/alerts/close", wrong).status_code == 400
    # Nobody chooses what cannot be closed: closed ones, and for who only reads.
    for query, who in (("whose=all&state=closed", "owner"), ("whose=all", "reader")):
        page = Page(own.browser(who).get(f"/alerts?{query}").text)
        assert not [one for one in page.all("form") if one.get("action") == "/alerts/close"]


def test_a_company_whose_every_text_is_markup_has_it_as_text_on_these_pages(hostile_house: House):
    browser = hostile_house.browser("admin")
    store = hostile_house.workspace.store
    paths = ["/alerts?whose=all", "/mutes", "/playbooks", "/playbooks/rescue", "/deliveries"]
    paths += [f"/alerts/{one.id}" for one in alerts_of(store, OPERATOR, limit=500)[::4]]
    paths += [f"/enrolments/{one.id}" for one in enrolments_of(store, OPERATOR, limit=500)[::6]]
    for path in paths:
        answer = browser.get(path)
        assert answer.status_code == 200 and faults(answer.text) == [], path
    listed = text_of(browser.get("/mutes").text) + text_of(browser.get("/deliveries").text)
    for text in MARKUP[-5:]:
        assert " ".join(text.split()) in listed


def test_what_people_write_about_alerts_and_playbooks_is_shown_as_they_wrote_it(own: House):
    browser, store = own.browser("leader"), own.workspace.store
    for text in MARKUP:
        alert, enrolment = put_alert(store, ACCOUNT), put_enrolment(store, ACCOUNT)
        posts = {
            f"/alerts/{alert}/task": {"title": text, "owner": text, "detail": text},
            f"/alerts/{alert}/mute": {"what": "account", "reason": text, "until": "2026-06-01"},
            f"/alerts/{alert}/close": {"result": text},
            f"/enrolments/{enrolment}/stop": {"reason": text},
            "/mutes": {"account": ACCOUNT, "rule": "", "reason": text, "until": "2026-06-01"},
        }
        for path, form in posts.items():
            assert browser.post(path, form).status_code == 303, (path, text)
        wanted = " ".join(text.split())
        for path in (f"/alerts/{alert}", f"/enrolments/{enrolment}"):
            page = browser.get(path).text
            assert faults(page) == [] and wanted in text_of(page), (path, text)
    assert len(tasks_of(store, OPERATOR, account_id=ACCOUNT, limit=500)) >= len(MARKUP)
    for path in ("/mutes", "/alerts?state=any&whose=all", "/playbooks/rescue?status=stopped"):
        assert faults(browser.get(path).text) == []


@pytest.mark.parametrize("text", MARKUP[::9])
def test_what_is_refused_comes_back_as_text(house: House, text: str):
    browser, store = house.browser("leader"), house.workspace.store
    alert, enrolment = put_alert(store, ACCOUNT), put_enrolment(store, ACCOUNT)
    refused = {
        f"/alerts/{alert}/task": {"title": text, "due_on": text, "owner": text, "detail": text},
        f"/alerts/{alert}/mute": {"what": text, "reason": text, "until": text},
        f"/enrolments/{enrolment}/stop": {"reason": text * 300},
        "/mutes": {"account": ACCOUNT, "rule": text, "reason": text, "until": text},
    }
    for path, form in refused.items():
        answer = browser.post(path, form)
        assert answer.status_code == 400 and faults(answer.text) == [], path
    for path in ("/alerts", "/mutes", "/playbooks/rescue", "/deliveries", f"/alerts/{alert}"):
        for name in (
            "rule",
            "kind",
            "severity",
            "since",
            "after",
            "account",
            "whose",
            "state",
            "said",
            "status",
        ):
            assert faults(browser.get(path, params={name: text}).text) == [], (path, name)
    found = house.browser("admin").get("/deliveries", params={"destination": text, "after": text})
    assert faults(found.text) == []
    assert faults(browser.get("/playbooks/rescue/test", params={"account": text}).text) == []
    assert faults(browser.get(f"/playbooks/{quote(text, safe='')}").text) == []


def test_lists_go_on_a_page_at_a_time_and_leave_nothing_out(house: House):
    browser = house.browser("admin")
    for _ in range(60):
        put_alert(house.workspace.store, ACCOUNT, text="paged", rule="paged")
    seen: list[str] = []
    address: str | None = "/alerts?rule=paged&whose=all"
    while address:
        page = browser.get(address if address.startswith("/") else f"/alerts{address}").text
        assert faults(page) == []
        seen += [one.get("href") for one in Page(page).all("a") if one.inside("tbody") and one.inside("th")]
        address = next_page(page)
    found = [one for one in seen if one.startswith("/alerts/")]
    assert len(found) == len(set(found)) == 60


def test_everybody_sees_alerts_and_mutes_of_their_accounts_and_no_other(house: House):
    store = house.workspace.store
    for name in ("owner", "teammate", "southerner", "guest", "stranger", "leader"):
        actor = actor_of(store, find_person(store, OPERATOR, house.people[name]))
        ids = {f"{mark(number)}-id" for number in numbers_seen(name)}
        told = {one.account_id for one in alerts_of(store, actor, limit=500)}
        assert told - {None} == ids
        assert {one.account_id for one in mutes_of(store, actor, limit=500)} - {None} == ids
        assert (None in told) == (name == "leader")


def test_who_works_on_accounts_is_not_told_on_any_page_which_ones_are_held_out(house: House):
    store = house.workspace.store
    number = put_enrolment(store, ACCOUNT, status="held_out", text="held apart")
    for name in ("owner", "teammate"):
        browser = house.browser(name)
        for path in ("/playbooks", "/playbooks/rescue", "/playbooks/rescue?status=held_out"):
            page = browser.get(path).text
            assert "held apart" not in page and "Held out" not in page, path
        assert browser.get(f"/enrolments/{number}").status_code == 404
        assert browser.get("/playbooks/rescue?status=held_out").status_code == 200
    assert "held apart" in house.browser("leader").get("/playbooks/rescue").text


def test_a_storm_shows_the_accounts_that_it_is_about(own: House):
    from sqlalchemy import insert

    store = own.workspace.store
    rows = [
        {"rule": "turned_red", "subject": f"{mark(n)}-id", "since": LAST, "raised": LAST, "told": True}
        for n in range(12)
    ]
    with store.write() as connection:
        connection.execute(insert(alert_memory), rows)
    [storm] = [one for one in alerts_of(store, OPERATOR, limit=500) if one.account_id is None]
    page = own.browser("leader").get(f"/alerts/{storm.id}")
    assert page.status_code == 200 and faults(page.text) == []
    links = {one.get("href") for one in Page(page.text).all("a") if one.inside("tbody")}
    assert links == {f"/accounts/{mark(n)}-id" for n in range(12)}
    assert own.browser("owner").get(f"/alerts/{storm.id}").status_code == 404


def test_a_rehearsal_of_all_accounts_shows_each_reader_theirs(own: House):
    run = current_run(own.workspace.store)
    assert run is not None
    ids = tuple(f"{mark(n)}-id" for n in range(48))
    acts = tuple(Act(one, LAST, "call", "task", f"Call {one}", f"owner of {one}", LAST, ()) for one in ids)
    playbooks.keep_rehearsal(
        own.workspace, run, Rehearsal("rescue", LAST, LAST, 48, 0, ids[:40], ids[40:], acts)
    )
    for name in ("leader", "owner", "guest", "stranger"):
        page = own.browser(name).get("/playbooks/rescue/test")
        assert page.status_code == 200 and faults(page.text) == []
        assert not leaked(name, page)
    assert "40 would begin, 8 would be held out" in text_of(
        own.browser("leader").get("/playbooks/rescue/test").text
    )
    assert "held out" not in own.browser("owner").get("/playbooks/rescue/test").text


def test_one_account_is_rehearsed_on_the_page_and_nothing_is_done(own: House):
    store = own.workspace.store
    before = len(tasks_of(store, OPERATOR, limit=500)), len(enrolments_of(store, OPERATOR, limit=500))
    with store.write() as connection:
        from retinue.store.tables import enrolments

        connection.execute(enrolments.delete())
    page = own.browser("owner").get(f"/playbooks/rescue/test?account={ACCOUNT}")
    assert page.status_code == 200 and faults(page.text) == []
    assert "Call zq00 Company" in text_of(page.text)
    assert (len(tasks_of(store, OPERATOR, limit=500)), 0) == (
        before[0],
        len(enrolments_of(store, OPERATOR, limit=500)),
    )
    hidden = own.browser("owner").get("/playbooks/rescue/test?account=zq01-id")
    assert hidden.status_code == 404 and "Call" not in text_of(hidden.text)


def test_deliveries_tell_no_secret_and_nothing_of_what_messages_say(own: House):
    browser, store = own.browser("ops"), own.workspace.store
    put_dead(store, ACCOUNT, text="it failed for")
    page = browser.get("/deliveries").text
    assert faults(page) == []
    assert "crm.acme.example" in page and "s3cr3t" not in page and "CRM_SECRET" not in page
    assert "secret of the customer" not in page
    assert "it failed for fell" in page and "500 it failed for" in page


def test_a_destination_is_tried_replayed_and_enabled_from_its_page(own: House):
    browser, store = own.browser("ops"), own.workspace.store
    dead = next(one.dead for one in places.states(store, OPERATOR) if one.name == "crm")
    assert dead == 48
    assert browser.post("/deliveries/crm/test").status_code == 303
    again = browser.post("/deliveries/crm/test")
    assert again.status_code == 400 and "in this minute already" in again.text
    assert browser.post("/deliveries/crm/replay").status_code == 303
    state = next(one for one in places.states(store, OPERATOR) if one.name == "crm")
    assert (state.dead, state.waiting) == (0, 49)
    places.disable(store, OPERATOR, "crm", "410 gone", now=NOW)
    page = browser.get("/deliveries").text
    assert "410 gone" in page and "disabled" in text_of(page) and faults(page) == []
    assert browser.post("/deliveries/crm/test").status_code == 400
    assert browser.post("/deliveries/crm/enable").status_code == 303
    assert browser.post("/deliveries/none/test").status_code == 404
    assert browser.post("/deliveries/messages/msg_none/replay").status_code == 404


def test_pages_say_what_to_do_where_there_is_nothing(unscored: House):
    browser = unscored.browser("admin")
    for path, told in {
        "/alerts": "No rule is declared",
        "/mutes": "Nothing is muted",
        "/playbooks": "No playbook is declared",
        "/deliveries": "No destination is declared",
    }.items():
        answer = browser.get(path)
        assert answer.status_code == 200 and faults(answer.text) == [], path
        assert told in text_of(answer.text)
    assert browser.get("/alerts/7").status_code == 404
    assert browser.get("/playbooks/rescue").status_code == 404


def test_a_mute_is_seen_with_its_alert_and_withdrawn_from_the_list(own: House):
    browser, store = own.browser("owner"), own.workspace.store
    put_mute(store, ACCOUNT, text="they are moving")
    alert = put_alert(store, ACCOUNT)
    assert "they are moving" in browser.get(f"/alerts/{alert}").text
    page = Page(browser.get("/mutes").text)
    forms = [one.get("action") for one in page.all("form") if one.get("action").endswith("/withdraw")]
    assert forms
    for action in forms:
        assert browser.post(action).status_code == 303
    assert [one for one in mutes_of(store, OPERATOR, limit=500) if one.account_id == ACCOUNT] == []
    assert "they are moving" not in browser.get(f"/alerts/{alert}").text


def test_open_alerts_stand_in_the_book_and_on_the_page_of_their_account(own: House):
    browser, store = own.browser("owner"), own.workspace.store
    put_alert(store, ACCOUNT)
    page = Page(browser.get("/?scope=all&sort=name").text)
    marks = {one.get("href"): one.text for one in page.all("a") if one.get("class") == "alert-mark"}
    assert marks[f"/accounts/{ACCOUNT}#alerts"] == "2 alerts"
    assert set(marks.values()) == {"1 alert", "2 alerts"}
    text = browser.get(f"/accounts/{ACCOUNT}").text
    assert faults(text) == []
    links = [one.get("href") for one in Page(text).all("a") if one.get("href").startswith("/alerts/")]
    assert len(links) == 2
    for link in links:
        assert browser.post(f"{link}/close", {"result": "called"}).status_code == 303
    assert "Open alerts" not in browser.get(f"/accounts/{ACCOUNT}").text


def test_an_issue_that_many_share_shows_the_accounts_that_share_it(own: House):
    store = own.workspace.store
    number = put_alert(store, None, text="bug", rule="alike", kind="shared_issue")
    with (own.workspace.project.root / "data" / "tickets.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    since = LAST - timedelta(days=27)
    wanted = {row["id"] for row in rows if row["kind"] == "bug" and row["opened"][:10] >= since.isoformat()}
    assert 0 < len(wanted) < len({row["id"] for row in rows})
    browser = own.browser("leader")
    assert "The accounts behind it" in browser.get(f"/alerts/{number}").text
    page = browser.get(f"/alerts/{number}/rows")
    assert faults(page.text) == []
    assert {
        one.get("href").removeprefix("/accounts/") for one in Page(page.text).all("a") if one.inside("tbody")
    } == wanted
    assert f"{len(wanted)} accounts" in text_of(page.text)
    assert own.browser("owner").get(f"/alerts/{number}/rows").status_code == 404


def test_the_use_of_alerts_and_playbooks_is_kept_with_the_account_that_it_is_about(own: House):
    kept: list[tuple[str, str, str | None]] = []
    own.app = application(own.site, lambda _, kind, what, account, __: kept.append((kind, what, account)))
    browser, store = own.browser("owner"), own.workspace.store
    alert, enrolment = put_alert(store, ACCOUNT), put_enrolment(store, ACCOUNT)
    browser.get(f"/alerts/{alert}")
    browser.post(f"/alerts/{alert}/close", {"result": "called"})
    browser.get(f"/enrolments/{enrolment}")
    browser.post(f"/enrolments/{enrolment}/stop", {"reason": "they asked"})
    browser.get("/alerts")
    assert kept == [
        ("view", "/alerts/{alert:int}", ACCOUNT),
        ("act", "/alerts/{alert:int}/close", ACCOUNT),
        ("view", "/enrolments/{enrolment:int}", ACCOUNT),
        ("act", "/enrolments/{enrolment:int}/stop", ACCOUNT),
        ("view", "/alerts", None),
    ]
