"""Everybody at every route: one table; a route that is missing from it fails the tests."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from retinue.store.people.access import OPERATOR, Right
from retinue.store.people.keys import add_key
from retinue.store.people.people import add_person
from retinue.store.people.sessions import begin_session, sessions_of
from retinue.store.work import destinations as places
from retinue.store.work.interventions import add_intervention
from retinue.store.work.said import add_note, add_outcome, add_override, add_pulse
from retinue.store.work.tasks import add_task
from tests.api.callers import EVERYBODY, Caller, Programs, problem
from tests.web.company import LAST, NOW, PEOPLE, mark, numbers_seen
from tests.web.house import House
from tests.web.leaks import leaked
from tests.web.raised import put_alert, put_dead, put_enrolment, put_mute

Parts = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """How a route is asked, and what answers whoever has the right.

    `parts` makes what the address names, on an account; `account`: then whoever does not see that
    account finds nothing. `everything`: it needs somebody who sees all accounts.
    """

    right: Right
    status: int = 200
    parts: Callable[[House, str, Caller], Parts] = lambda *_: {}
    body: Any = None
    account: bool = False
    everything: bool = False
    #: What answers whoever may, but does not see all accounts, where `everything`.
    narrow: int = 403
    roles: tuple[str, ...] = field(default_factory=lambda: tuple(one.role for one in PEOPLE.values()))


def on_account(_house: House, account_id: str, _caller: Caller) -> Parts:
    return {"account_id": account_id}


def said(add: Callable[..., int]) -> Callable[[House, str, Caller], Parts]:
    return lambda house, account_id, _caller: {"number": add(house.workspace.store, account_id)}


def task(house: House, account_id: str, _caller: Caller) -> Parts:
    return {"task": add_task(house.workspace.store, OPERATOR, account_id, "call", now=NOW, checklist=["ask"])}


def intervention(house: House, account_id: str, _caller: Caller) -> Parts:
    store = house.workspace.store
    told = {"started_on": LAST, "now": NOW, "today": NOW.date()}
    return {"number": add_intervention(store, OPERATOR, account_id, "training", **told)}


@functools.cache
def _count() -> Iterator[int]:
    return iter(range(10**6))


def someone(house: House, _account_id: str, _caller: Caller) -> Parts:
    email = f"new{next(_count())}@example.com"
    return {"person": add_person(house.workspace.store, OPERATOR, email, "New", "reader", now=NOW)}


def out(house: House, account_id: str, caller: Caller) -> Parts:
    from retinue.store.people.people import disable_person

    found = someone(house, account_id, caller)
    disable_person(house.workspace.store, OPERATOR, found["person"], now=NOW)
    return found


def a_key(house: House, _account_id: str, _caller: Caller) -> Parts:
    person, name = house.people["reader"], f"key {next(_count())}"
    return {"key": add_key(house.workspace.store, OPERATOR, name, ["read"], now=NOW, person=person)[0]}


def signed_in(house: House, _account_id: str, _caller: Caller) -> Parts:
    store, told = house.workspace.store, {"agent": "Firefox", "now": NOW}
    begin_session(store, house.people["reader"], **told)
    return {"session": sessions_of(store, OPERATOR, now=NOW, person=house.people["reader"])[0].id}


def a_metric(house: House, account_id: str, _caller: Caller) -> Parts:
    return {"account_id": account_id, "metric_name": next(iter(house.workspace.project.metrics))}


def own_view(house: House, _account_id: str, caller: Caller) -> Parts:
    return {"view": house.view_of(caller.name if caller.known else "owner")}


def _note(store: Any, account_id: str) -> int:
    return add_note(store, account_id, "said", by=OPERATOR, now=NOW)


def _pulse(store: Any, account_id: str) -> int:
    return add_pulse(store, account_id, "mood", 5, by=OPERATOR, now=NOW)


def _override(store: Any, account_id: str) -> int:
    told = {"reason": "known", "owner": "ann", "starts_on": LAST, "by": OPERATOR, "now": NOW}
    return add_override(store, account_id, "cap", 40, **told)


def _outcome(store: Any, account_id: str) -> int:
    return add_outcome(store, account_id, "renewed", LAST, by=OPERATOR, now=NOW)


def raised(put: Callable[..., Any], name: str) -> Callable[[House, str, Caller], Parts]:
    return lambda house, account_id, _caller: {name: put(house.workspace.store, account_id)}


def disabled(house: House, account_id: str, caller: Caller) -> Parts:
    del account_id, caller
    store = house.workspace.store
    if all(one.disabled_at is None for one in places.states(store, OPERATOR)):
        places.disable(store, OPERATOR, "owners", "gone", now=NOW)
    return {"destination": "owners"}


READ = Case("read")
OF_ACCOUNT = Case("read", parts=on_account, account=True)
SAY = Case("act", 201, on_account, account=True)
PERSON = Case("manage", parts=someone)

CASES: dict[str, Case] = {
    "GET /me": READ,
    "GET /accounts": READ,
    "GET /book": READ,
    "GET /transitions": READ,
    "GET /pulses": READ,
    "GET /tasks": READ,
    "GET /tasks/responses": READ,
    "GET /tasks/{task}": Case("read", parts=task, account=True),
    "GET /alerts": READ,
    "GET /alerts/{alert}": Case("read", parts=raised(put_alert, "alert"), account=True),
    "GET /alerts/{alert}/rows": Case("read", parts=raised(put_alert, "alert"), account=True),
    "POST /alerts/{alert}/close": Case("act", parts=raised(put_alert, "alert"), body={}, account=True),
    "POST /alerts/{alert}/tasks": Case("act", 201, raised(put_alert, "alert"), {}, account=True),
    "GET /mutes": READ,
    "POST /mutes": Case(
        "act",
        201,
        body={"rule": "turned_red", "until": "2026-06-30", "reason": "known"},
        everything=True,
        narrow=409,
    ),
    "POST /mutes/{mute}/withdraw": Case("act", parts=raised(put_mute, "mute"), account=True),
    "GET /playbooks": READ,
    "GET /playbooks/{playbook}": replace(READ, parts=lambda *_: {"playbook": "rescue"}),
    "GET /playbooks/{playbook}/rehearsal": replace(READ, parts=lambda *_: {"playbook": "rescue"}),
    "POST /playbooks/{playbook}/rehearsal": Case(
        "act", 202, lambda *_: {"playbook": "rescue"}, everything=True
    ),
    "GET /enrolments": READ,
    "GET /enrolments/{enrolment}": Case("read", parts=raised(put_enrolment, "enrolment"), account=True),
    "POST /enrolments/{enrolment}/stop": Case(
        "act", parts=raised(put_enrolment, "enrolment"), body={"reason": "they asked"}, account=True
    ),
    "GET /deliveries": Case("audit"),
    "POST /deliveries/messages/{message}/replay": Case("audit", parts=raised(put_dead, "message")),
    "POST /deliveries/{destination}/replay": Case("audit", parts=lambda *_: {"destination": "crm"}),
    "POST /deliveries/{destination}/enable": Case("audit", parts=disabled),
    "POST /deliveries/{destination}/test": Case("audit", parts=lambda *_: {"destination": "crm"}),
    "GET /views": READ,
    "GET /portfolio": READ,
    "GET /scorecards": READ,
    "GET /scorecards/{scorecard_name}": replace(READ, parts=lambda *_: {"scorecard_name": "standard"}),
    "GET /trust": READ,
    "GET /leadership": READ,
    "GET /plan": Case("read", everything=True, roles=("admin", "ops", "leader")),
    "GET /audit": Case("audit"),
    "GET /people": Case("manage"),
    "GET /people/{person}": PERSON,
    "GET /people/{person}/sessions": PERSON,
    "DELETE /sessions/{session}": Case("manage", 204, signed_in),
    "GET /keys": Case("manage"),
    "GET /accounts/{account_id}": OF_ACCOUNT,
    "GET /accounts/{account_id}/explanation": OF_ACCOUNT,
    "GET /accounts/{account_id}/history": OF_ACCOUNT,
    "GET /accounts/{account_id}/metrics/{metric_name}": replace(OF_ACCOUNT, parts=a_metric),
    "GET /accounts/{account_id}/people": OF_ACCOUNT,
    "GET /accounts/{account_id}/timeline": OF_ACCOUNT,
    "GET /accounts/{account_id}/interventions": OF_ACCOUNT,
    "POST /accounts/{account_id}/notes": replace(SAY, body={"text": "called"}),
    "POST /accounts/{account_id}/pulses": replace(SAY, body={"metric": "mood", "value": 4}),
    "POST /accounts/{account_id}/overrides": Case(
        "override",
        201,
        on_account,
        {"kind": "cap", "value": 40, "reason": "sponsor left", "expires_on": "2026-06-30"},
        account=True,
    ),
    "POST /accounts/{account_id}/outcomes": replace(
        SAY, body={"kind": "renewed", "occurred_on": "2026-03-01"}
    ),
    "POST /accounts/{account_id}/tasks": replace(SAY, body={"title": "call"}),
    "PUT /accounts/{account_id}/owner": Case(
        "assign", 200, on_account, {"owner": "Ann Archer"}, account=True
    ),
    # Of several at once it is told of each why not.
    "POST /alerts/close": Case("act", body={"alerts": [10**6]}),
    "POST /tasks/close": Case("act", body={"tasks": [10**6]}),
    "POST /tasks/snooze": Case("act", body={"tasks": [10**6], "until": "2026-07-01"}),
    "POST /tasks/give": Case("act", body={"tasks": [10**6], "owner": "Bob Baker"}),
    "POST /tasks/{task}/snooze": Case("act", parts=task, body={"until": "2026-07-01"}, account=True),
    "POST /tasks/{task}/tick": Case("act", parts=task, body={"item": 1}, account=True),
    "POST /accounts/{account_id}/interventions": replace(SAY, body={"kind": "training"}),
    "POST /interventions/{number}/end": Case("act", parts=intervention, body={}, account=True),
    "POST /interventions/{number}/withdraw": Case("act", parts=intervention, account=True),
    "POST /tasks/{task}/close": Case("act", parts=task, body={}, account=True),
    "PUT /tasks/{task}/owner": Case("act", parts=task, body={"owner": "Bob Baker"}, account=True),
    "POST /notes/{number}/withdraw": Case("act", parts=said(_note), account=True),
    "POST /pulses/{number}/withdraw": Case("act", parts=said(_pulse), account=True),
    "POST /overrides/{number}/withdraw": Case("override", parts=said(_override), account=True),
    "POST /outcomes/{number}/withdraw": Case("act", parts=said(_outcome), account=True),
    "POST /views": Case("read", 201, body={"name": "Red", "query": "band=at_risk"}),
    "DELETE /views/{view}": Case("read", 204, own_view),
    "POST /people": Case(
        "manage", 201, body={"email": "someone@example.com", "name": "Some One", "role": "reader"}
    ),
    "PATCH /people/{person}": replace(PERSON, body={"team": "red"}),
    "POST /people/{person}/disable": PERSON,
    "POST /people/{person}/enable": Case("manage", parts=out),
    "POST /keys": Case("manage", 201, body={"name": "bi", "scopes": ["read"]}),
    "POST /keys/{key}/rotate": Case("manage", 201, a_key),
    "DELETE /keys/{key}": Case("manage", 204, a_key),
    "POST /plan": Case("read", 202, everything=True, roles=("admin", "ops", "leader")),
    "POST /trust/trial": Case("act", 202, everything=True),
}


@pytest.fixture(scope="module")
def programs(house: House) -> Programs:
    return Programs(house)


def test_every_route_stands_in_the_table_of_who_may_ask_it(programs: Programs) -> None:
    told = programs.document()["paths"]
    there = {
        f"{method.upper()} {path.removeprefix('/api/v1')}" for path, ways in told.items() for method in ways
    }
    assert there == set(CASES)


def ask(programs: Programs, caller: Caller, what: str, parts: Parts) -> Any:
    method, path = what.split(" ", 1)
    for name, value in parts.items():
        path = path.replace("{" + name + "}", str(value))
    return programs.client(caller).request(method, f"/api/v1{path}", json=CASES[what].body)


def expected(caller: Caller, what: str) -> int:
    case, method = CASES[what], what.split(" ", 1)[0]
    if not caller.known or (caller.scope is None and method != "GET"):
        return 401
    person = PEOPLE[caller.name or ""]
    allowed = caller.may(method, case.right) and person.role in case.roles
    if case.everything and allowed and person.sees != "everything":
        return case.narrow
    return case.status if allowed else 403


def account_for(caller: Caller, *, seen: bool = True) -> str | None:
    """An account that the caller sees, or does not; None where there is none."""
    if not caller.known:
        return f"{mark(0)}-id"
    numbers = set(numbers_seen(caller.name or ""))
    found = sorted(numbers if seen else set(range(48)) - numbers)
    return f"{mark(found[0])}-id" if found else None


@pytest.mark.parametrize("what", CASES)
def test_a_route_answers_everybody_as_the_table_says(programs: Programs, what: str) -> None:
    case = CASES[what]
    found, wanted = {}, {}
    for caller in EVERYBODY:
        account_id = account_for(caller)
        if account_id is None and case.account:
            continue
        parts = case.parts(programs.house, account_id or "", caller)
        if what == "POST /people":
            case = replace(case, body={**case.body, "email": f"one{next(_count())}@example.com"})
            CASES[what] = case
        answer = ask(programs, caller, what, parts)
        found[str(caller)], wanted[str(caller)] = answer.status_code, expected(caller, what)
        if answer.status_code >= 400:
            problem(answer, answer.status_code)
        if caller.name is not None and what != "GET /audit":
            # What an admin reads of people is not about accounts.
            assert not leaked(caller.name, answer, str(parts)), str(caller)
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
        _make_room(programs, what)
    assert found == wanted


def _make_room(programs: Programs, what: str) -> None:
    """Keys of one name are few; work in the background is waited for by nobody."""
    if what == "POST /keys":
        from retinue.store.people.keys import keys_of, revoke_key

        store = programs.house.workspace.store
        for key in keys_of(store, OPERATOR, everybody=True):
            if key.name == "bi" and key.revoked_at is None:
                revoke_key(store, OPERATOR, key.id, now=NOW)


@pytest.mark.parametrize("what", [what for what, case in CASES.items() if case.account])
def test_an_account_out_of_sight_is_not_there(programs: Programs, what: str) -> None:
    case = CASES[what]
    asked = 0
    for caller in EVERYBODY:
        hidden = account_for(caller, seen=False)
        if not caller.known or hidden is None:
            continue
        parts = case.parts(programs.house, hidden, caller)
        answer = ask(programs, caller, what, parts)
        wanted = expected(caller, what)
        assert answer.status_code == (wanted if wanted in (401, 403) else 404), str(caller)
        assert not leaked(caller.name, answer, hidden), str(caller)
        asked += wanted not in (401, 403)
    assert asked


@pytest.mark.parametrize("scope", ["mine", "team", "all"])
def test_a_list_has_the_accounts_of_its_reader_and_no_other(programs: Programs, scope: str) -> None:
    for name in PEOPLE:
        caller = Caller(name, "read")
        if not caller.known:
            continue
        ids: list[str] = []
        after = ""
        while True:
            answer = programs.client(caller).get(f"/api/v1/accounts?scope={scope}&limit=7{after}").json()
            ids += [item["account_id"] for item in answer["items"]]
            if answer["after"] is None:
                break
            after = f"&after={answer['after']}"
        assert len(ids) == len(set(ids)) == answer["accounts"]
        seen = {f"{mark(number)}-id" for number in numbers_seen(name)}
        assert set(ids) == seen if scope == "all" else set(ids) <= seen
