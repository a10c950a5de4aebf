"""The page of an account in its parts, and its forms: what is posted, refused, kept and said once."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from retinue.workspace import open_workspace
from tests.desk.studied import write_and_score
from tests.web.company import LAST
from tests.web.faults import faults
from tests.web.house import House, furnish
from tests.web.pages import Page

HERE = "/accounts/zq00-id"
MINUS = "\u2212"


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    workspace = open_workspace(write_and_score(tmp_path_factory.mktemp("web") / "studied"), {})
    yield furnish(workspace)
    workspace.store.close()


def seen(house: House, path: str, name: str = "leader", status: int = 200) -> Page:
    answer = house.browser(name).get(path)
    assert answer.status_code == status, answer.text[:2000]
    assert faults(answer.text) == []
    return Page(answer.text)


def body(page: Page) -> str:
    return " ".join(page.all("main")[0].text.split())


def test_the_score_and_what_to_do_come_first(studied: House) -> None:
    text = body(seen(studied, HERE))
    order = [
        "60",
        "watch",
        "since 1",
        "What changed and why",
        "What to do next",
        "Trend",
        "Timeline",
    ]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert f"{MINUS}32.0 since" in text and "Open tickets rose from 1 to 3" in text


@pytest.mark.parametrize(
    "path",
    [
        HERE,
        f"{HERE}?as_of=2026-02-10",
        f"{HERE}?since=2026-01-15&as_of=2026-02-20",
        f"{HERE}?since=2020-01-01",
        f"{HERE}?said=override",
        f"{HERE}?said=%3Cb%3E",
        "/accounts/zq43-id",
        "/accounts/zq11-id",
        "/accounts/zq04-id",
        f"{HERE}/timeline",
        f"{HERE}/timeline?kind=surveys",
        f"{HERE}/timeline?kind=%3Cscript%3E",
        "/accounts/zq03-id/timeline",
        f"{HERE}/people",
        f"{HERE}/rows/tickets",
        f"{HERE}/rows/usage",
        *(f"{HERE}/metrics/{name}" for name in ("active_days", "open_tickets", "mood", "share_of_questions")),
        f"{HERE}/metrics/questions?rows=yes",
        f"{HERE}/metrics/last_nps?as_of=2026-01-12",
        "/tasks",
        "/tasks?whose=all&overdue=yes",
        "/tasks?status=done",
    ],
)
def test_every_page_is_whole_for_a_leader_and_for_an_owner(studied: House, path: str) -> None:
    seen(studied, path)
    theirs = path.startswith((HERE, "/tasks"))
    seen(studied, path, "owner", 200 if theirs else 404)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{HERE}?as_of=yesterday", 400),
        (f"{HERE}?since=%00", 400),
        (f"{HERE}/timeline?before=x", 400),
        (f"{HERE}/metrics/nothing", 404),
        (f"{HERE}/rows/nothing", 404),
        ("/tasks?after=x", 400),
        ("/tasks?whose=theirs", 400),
        ("/accounts/", 404),
    ],
)
def test_what_is_not_there_is_said(studied: House, path: str, status: int) -> None:
    seen(studied, path, status=status)


def test_the_change_is_drawn_and_told_and_sums(studied: House) -> None:
    page = seen(studied, f"{HERE}?since=2026-01-15&as_of=2026-02-20")
    text = body(page).replace(MINUS, "-")
    told = studied.browser("leader").get(f"{HERE}/series.json").json()
    scores = dict(zip(told["dates"], told["effective"], strict=True))
    before, after = scores["2026-01-11"], scores["2026-02-15"]
    points = f"{after - before:.1f}"
    sentence = (
        f"From {before:.1f} ● healthy on 11 Jan 2026 to {after:.1f} ● healthy on 15 Feb 2026: {points}."
    )
    assert before > after and sentence in text
    parts = [
        one
        for one in page.all("td")
        if one.get("class") == "number"
        and any(outer.get("aria-label") == "Drivers of the change" for outer in one.within)
    ]
    assert len(parts) > 1
    whole = [one.text.replace(MINUS, "-") for one in page.all("th") if one.inside("tfoot")]
    assert whole == [points]
    charts = [one.get("aria-label") for one in page.all("svg") if one.get("role") == "img"]
    assert any(chart.startswith(f"What changed the score. 2026-01-11 {before:.1f};") for chart in charts)


def test_the_formula_that_changed_is_marked_on_the_trend(studied: House) -> None:
    page = seen(studied, HERE)
    trends = [one for one in page.all("svg") if "formula changed 1 time" in one.get("aria-label")]
    assert len(trends) == 2
    titles = [one.text for one in page.all("title") if one.inside("svg")]
    assert "2026-02-15: the scorecard standard was changed" in titles


def test_the_series_is_every_published_date(studied: House) -> None:
    answer = studied.browser("owner").get(f"{HERE}/series.json")
    told = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert (
        told["dates"][0] == "2026-01-04" and told["dates"][-1] == LAST.isoformat() and len(told["dates"]) == 9
    )
    assert all(len(values) == 9 for values in told.values())


FORMS = {
    "notes": ({"text": "they  <b>grow</b>\nfast"}, "note", "they  <b>grow</b>\nfast"),
    "tasks": ({"title": "call <b>them</b>", "due_on": "2026-03-01"}, "task", "call <b>them</b>"),
    "pulses": ({"metric": "mood", "value": "3", "note": "<i>hm"}, "pulse", "<i>hm"),
    "overrides": (
        {"kind": "floor", "value": "70", "reason": "<u>trust", "expires_on": "2026-04-01"},
        "override",
        "<u>trust",
    ),
    "outcomes": ({"kind": "renewed", "occurred_on": "2026-02-01", "reason": "<s>x"}, "outcome", "<s>x"),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_posted_is_said_once_and_seen(studied: House, form: str) -> None:
    fields, said, text = FORMS[form]
    browser = studied.browser("owner")
    answer = browser.post(f"{HERE}/{form}", fields)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HERE}?said={said}#said")
    assert text not in answer.headers["location"]
    page = Page(browser.get(answer.headers["location"]).text)
    statuses = [one.text for one in page.all("p") if one.get("id") == "said"]
    assert len(statuses) == 1 and ("2026-03-02" in statuses[0]) == (said in ("pulse", "override"))
    told = Page(browser.get(f"{HERE}/timeline?kind={said}").text)
    assert any(one.text == text for one in told.all("span"))
    assert faults(browser.get(HERE).text) == []


@pytest.mark.parametrize(
    ("form", "fields", "why"),
    [
        ("notes", {"text": "   "}, "needs text"),
        ("tasks", {"title": "", "detail": "kept detail"}, "needs a title"),
        ("tasks", {"title": "x", "due_on": "soon", "detail": "kept detail"}, "is a date"),
        ("pulses", {"metric": "mood", "value": "11", "note": "kept note"}, "0 (worst) to 10"),
        ("pulses", {"metric": "mood", "value": "nan", "note": "kept note"}, "0 (worst) to 10"),
        ("pulses", {"metric": "moon", "value": "1"}, "no metric of the kind"),
        ("pulses", {"metric": "mood", "value": "1_0"}, "is a number"),
        ("overrides", {"kind": "cap", "value": "x", "reason": "kept reason"}, "is a number"),
        (
            "overrides",
            {"kind": "cap", "value": "5", "reason": "", "expires_on": "2026-04-01"},
            "needs a reason",
        ),
        (
            "overrides",
            {"kind": "lift", "value": "5", "reason": "kept", "expires_on": "2026-04-01"},
            "no such",
        ),
        ("outcomes", {"kind": "renewed"}, "needs the day"),
        ("outcomes", {"kind": "sold", "occurred_on": "2026-01-01", "reason": "kept"}, "no such outcome"),
        ("outcomes", {"kind": "renewed", "occurred_on": "2026-01-01", "amount": "-1"}, "from 0"),
        ("notes", {"text": "x\x00y"}, "no text"),
        ("tasks", {"title": "x" * 201}, "200 letters"),
    ],
)
def test_what_is_refused_stays_in_its_form(
    studied: House, form: str, fields: dict[str, str], why: str
) -> None:
    answer = studied.browser("leader").post(f"{HERE}/{form}", fields)
    assert answer.status_code == 400
    page = Page(answer.text)
    assert [why.lower() in one.text.lower() for one in page.all("p") if one.get("role") == "alert"] == [True]
    opened = [
        one.get("id") for one in page.all("details") if one.get("name") == "act" and "open" in one.attributes
    ]
    assert opened == [f"act-{form.removesuffix('s')}"]
    kept = {(one.get("name"), one.get("value")) for one in page.all("input")}
    for name, value in fields.items():
        if value.startswith("kept") and name != "detail":
            assert (name, value) in kept
    if "detail" in fields:
        assert any(one.text == "kept detail" for one in page.all("textarea"))


def test_a_csm_says_until_when_an_override_holds(studied: House) -> None:
    form = {"kind": "cap", "value": "5", "reason": "kept"}
    answer = studied.browser("owner").post(f"{HERE}/overrides", form)
    assert answer.status_code == 403
    page = Page(answer.text)
    assert any("needs a leader" in one.text for one in page.all("p") if one.get("role") == "alert")
    assert ("reason", "kept") in {(one.get("name"), one.get("value")) for one in page.all("input")}


def test_forms_are_there_for_those_who_may_use_them(studied: House) -> None:
    def actions(name: str) -> set[str]:
        page = seen(studied, HERE, name)
        return {one.get("action").rsplit("/", 1)[-1] for one in page.all("form") if HERE in one.get("action")}

    every = {"notes", "tasks", "pulses", "overrides", "outcomes"}
    assert every | {"owner"} <= actions("leader")
    assert every <= actions("owner") and "owner" not in actions("owner")
    assert not actions("reader") & (every | {"owner"})


def test_what_is_withdrawn_is_of_the_account_in_the_address(own: House) -> None:
    browser = own.browser("leader")
    browser.post(f"{HERE}/notes", {"text": "soon gone"})
    page = Page(browser.get(f"{HERE}/timeline?kind=note").text)
    (action,) = {one.get("action") for one in page.all("form") if "/withdraw/note/" in one.get("action")}
    other = action.replace("zq00-id", "zq01-id")
    assert browser.post(other).status_code == 404
    assert browser.post(action.replace("/note/", "/task/")).status_code == 404
    assert browser.post(action).headers["location"] == f"{HERE}?said=withdrawn#said"
    text = body(Page(browser.get(f"{HERE}/timeline?kind=note").text))
    assert "withdrawn" in text and "soon gone" not in text
    assert browser.post(action).status_code == 404


def test_a_task_is_closed_where_it_stands(own: House) -> None:
    browser = own.browser("leader")
    browser.post(f"{HERE}/tasks", {"title": "call them", "owner": "Leader", "due_on": "2026-02-01"})
    listed = seen(own, "/tasks?overdue=yes")
    assert "call them" in body(listed) and "overdue" in body(listed)
    forms = {one.get("action") for one in listed.all("form") if one.get("action").startswith("/tasks/")}
    (close,) = [action for action in forms if action.endswith("/close")]
    (give,) = [action for action in forms if action.endswith("/give")]
    assert browser.post(give, {"owner": "Ann Archer"}).headers["location"] == "/tasks?said=given#said"
    assert "Ann Archer" in body(seen(own, HERE))
    form = {"how": "done", "result": "they stay", "said": "thank you", "account": "zq00-id"}
    assert browser.post(close, form).headers["location"] == f"{HERE}?said=done#said"
    assert browser.post(close, form).status_code == 400
    text = body(seen(own, "/tasks?status=done"))
    assert "they stay" in text and "thank you" in text and "call them" not in body(seen(own, "/tasks"))


@pytest.mark.parametrize("account", ["//evil.example", "https://evil.example", "../../x", "a\r\nX: 1"])
def test_a_form_leads_back_to_no_address_of_its_own(own: House, account: str) -> None:
    browser = own.browser("leader")
    browser.post(f"{HERE}/tasks", {"title": "call them"})
    listed = Page(browser.get("/tasks").text)
    close = next(one.get("action") for one in listed.all("form") if one.get("action").endswith("/close"))
    where = browser.post(close, {"how": "dropped", "account": account}).headers["location"]
    assert re.fullmatch(r"/accounts/[A-Za-z0-9%.\-]+\?said=dropped#said", where)


def test_mail_goes_only_to_plain_addresses(studied: House) -> None:
    page = seen(studied, f"{HERE}/people")
    mails = [one.get("href") for one in page.all("a") if one.get("href").startswith("mailto:")]
    assert mails == ["mailto:ann@customer.example"]
    links = [one.get("href") for one in page.all("a") if one.get("href").startswith("https://crm")]
    assert len(links) == 3 and links[0] == "https://crm.example.com/people/ann%40customer.example"
    assert "gone@customer.example" not in body(page)


def test_the_page_is_light_on_the_wire(studied: House) -> None:
    answer = studied.browser("owner").client.get(HERE, headers={"Accept-Encoding": "gzip"})
    assert int(answer.headers["content-length"]) < 40_000
