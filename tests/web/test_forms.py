"""Whatever is typed into a form is kept as it was typed or refused with a reason; nothing else is changed."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.company import mark
from tests.web.faults import faults
from tests.web.house import House
from tests.web.leaks import leaked
from tests.web.pages import Page
from tests.web.payloads import FORMULAS, MARKUP

#: One account per kind of form, so that what a test looks for is not far down.
HERE = "/accounts/zq00-id"

#: Each form of an account with fields that are accepted, and those of them that are texts.
FORMS: Mapping[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "notes": ({"text": "they are well"}, ("text",)),
    "tasks": (
        {"title": "call", "detail": "soon", "owner": "ann", "due_on": "2026-04-01"},
        ("title", "detail", "owner"),
    ),
    "pulses": ({"metric": "mood", "value": "6", "note": "good call", "expires_on": "2026-05-01"}, ("note",)),
    "overrides": (
        {"kind": "cap", "value": "70", "reason": "a merger", "owner": "ann", "expires_on": "2026-05-01"},
        ("reason", "owner"),
    ),
    "outcomes": (
        {"kind": "renewed", "occurred_on": "2026-02-01", "amount": "10", "reason": "glad"},
        ("reason",),
    ),
    "interventions": (
        {"kind": "training", "started_on": "2026-02-01", "owner": "ann", "reason": "they asked"},
        ("reason", "owner"),
    ),
}
TABLES = {
    "notes": "notes",
    "tasks": "tasks",
    "pulses": "pulses",
    "overrides": "overrides",
    "outcomes": "outcomes",
    "interventions": "interventions",
}


def rows(house: House, table: str) -> list[Any]:
    with house.workspace.store.read() as connection:
        return list(connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY id").mappings())


@pytest.mark.parametrize("form", FORMS)
def test_hostile_texts_are_kept_as_they_are_and_shown_as_texts(house: House, form: str) -> None:
    """All of them in one form after the other, then the pages that show them."""
    told, texts = FORMS[form]
    browser = house.browser("leader")
    for n, text in enumerate((*MARKUP, *(FORMULAS if form == "notes" else ()))):
        fields = {**told, **dict.fromkeys(texts, f"{n}{text}")}
        answer = browser.post(f"{HERE}/{form}", fields)
        assert answer.status_code == 303, (text, answer.text)
        assert answer.headers["location"].startswith("/accounts/zq00-id?said=")
        last = rows(house, TABLES[form])[-1]
        assert [last[name] for name in texts] == [f"{n}{text}".strip()] * len(texts)
    pages = [HERE, f"{HERE}/timeline", "/tasks?whose=all", "/audit", "/?scope=all"]
    shown = ""
    for path in pages:
        page = house.browser("admin").get(path)
        assert page.status_code == 200
        assert not faults(page.text), path
        shown += html.unescape(page.text)
    assert "<script>pwned()</script>" in shown  # as a text: there is no such element


SECRETS = {
    "by": "admin@example.com",
    "said_at": "1999-01-01",
    "id": "1",
    "account_id": "zq05-id",
    "status": "done",
    "origin": "playbook",
    "withdrawn_at": "1999-01-01",
    "person": "1",
    "closed_by": "x",
}


@pytest.mark.parametrize("form", FORMS)
def test_nobody_says_something_in_the_name_or_about_the_account_of_another(house: House, form: str) -> None:
    """Fields that a form does not have are not listened to."""
    told, _ = FORMS[form]
    assert house.browser("owner").post(f"{HERE}/{form}", {**SECRETS, **told}).status_code == 303
    last = rows(house, TABLES[form])[-1]
    assert last["by"] == "owner@example.com"
    assert last["account_id"] == "zq00-id"
    assert str(last["said_at"]).startswith("2026-03-02")
    assert last.get("withdrawn_at") is None
    assert last.get("status", "open") == "open"
    assert last.get("origin", "by hand") == "by hand"


TYPED = (
    st.text(max_size=30)
    | st.sampled_from(
        ["", " ", "nan", "inf", "-1", "1e309", "10.0001", "0x10", "٣", "2026-02-30", "0000-00-00"]
    )
    | st.sampled_from(["9999-12-31", "0001-01-01", "2026-03-02T00:00", "20260302", "x" * 2500, "\0", "set"])
    | st.sampled_from(["mood", "active_days", "cap", "renewed", "7", "50", "2026-06-01", "done", "dropped"])
)
NAMES = st.sampled_from(
    [
        *sorted({name for told, _ in FORMS.values() for name in told}),
        "starts_on",
        "how",
        "result",
        "said",
        "account",
        "",
    ]
)


@given(
    form=st.sampled_from([*FORMS, "owner", "withdraw/note/1", "withdraw/override/1", "withdraw/x/1"]),
    base=st.booleans(),
    typed=st.dictionaries(NAMES, TYPED, max_size=5),
    name=st.sampled_from(["owner", "teammate", "leader", "reader", "stranger"]),
)
def test_no_form_is_a_bug(house: House, form: str, base: bool, typed: dict[str, str], name: str) -> None:
    told = {**(FORMS[form][0] if base and form in FORMS else {}), **typed}
    if form == "owner":
        told["owner"] = "Ann Archer" if told.get("owner", "").strip() else ""
    encoded = {key: value.encode("utf-8", "surrogatepass") for key, value in told.items()}
    answer = house.browser(name).post(f"{HERE}/{form}", encoded)
    assert answer.status_code in (303, 400, 403, 404, 413)
    assert not leaked(name, answer, "zq00")
    if answer.status_code == 400:
        assert not faults(answer.text)


@given(
    task=st.integers(-5, 2**70),
    fields=st.dictionaries(NAMES, TYPED, max_size=4),
    way=st.sampled_from(["close", "give"]),
)
def test_no_form_of_a_task_is_a_bug(house: House, task: int, fields: dict[str, str], way: str) -> None:
    encoded = {key: value.encode("utf-8", "surrogatepass") for key, value in fields.items()}
    answer = house.browser("guest").post(f"/tasks/{task}/{way}", encoded)
    assert answer.status_code in (400, 403, 404)
    answer = house.browser("southerner").post(f"/tasks/{task}/{way}", encoded)
    assert answer.status_code in (303, 400, 404)
    assert not leaked("southerner", answer, str(encoded))


def test_what_was_refused_comes_back_as_it_was_typed(house: House) -> None:
    answer = house.browser("owner").post(
        f"{HERE}/overrides",
        {"kind": "cap", "value": "700", "reason": "<b>merger</b>", "expires_on": "2026-05-01"},
    )
    assert answer.status_code == 400
    page = Page(answer.text)
    form = [one for one in page.all("input") if one.inside("form", action=f"{HERE}/overrides")]
    typed = {one.get("name"): one.get("value") for one in form}
    assert typed["value"] == "700"
    assert typed["reason"] == "<b>merger</b>"
    assert not faults(answer.text)


def test_an_account_that_is_given_away_goes_with_all_that_is_said_of_it(own: House) -> None:
    """Whoever gives it away still sees it, whoever looked after it does not; filters know the new owner."""
    before, ann = own.browser("leader"), own.browser("owner")
    assert ann.get("/accounts/zq06-id").status_code == 200
    assert "Nobody Known" not in before.get("/?scope=all").text
    assert before.post("/accounts/zq06-id/owner", {"owner": "Nobody Known"}).status_code == 303
    assert ann.get("/accounts/zq06-id").status_code == 404
    assert mark(6) not in ann.get("/?scope=all").text
    page = Page(own.browser("leader").get("/?scope=all").text)
    owners = [one.get("value") for one in page.all("option") if one.inside("select", name="owner")]
    assert "Nobody Known" in owners
    assert mark(6) in own.browser("stranger").get("/?scope=all").text
    assert own.browser("stranger").get("/accounts/zq06-id").status_code == 200
