"""Every door with who may come through it: one table. A door that is missing here fails the tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from retinue.store.people.access import OPERATOR, RIGHTS, Right
from retinue.store.people.keys import add_key
from retinue.store.people.people import add_person, disable_person
from retinue.store.people.sessions import begin_session, digest
from retinue.store.work import destinations as places
from retinue.store.work.interventions import add_intervention
from retinue.store.work.said import add_note
from retinue.store.work.tasks import add_task
from tests.web.company import NOW, PEOPLE, mark, numbers_seen
from tests.web.house import House
from tests.web.raised import put_alert, put_dead, put_enrolment, put_mute

#: Everybody, and those who are not signed in: nobody, and somebody whose account is disabled.
EVERYBODY: tuple[str | None, ...] = (None, *PEOPLE)
OUT = (None, "gone")


def nothing(house: House, name: str | None) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Case:
    """How a door is asked, and what answers whoever has the right (None: whoever comes).

    `path` gives the parts of the address for a person; `form` what is posted. `account`: the address
    has an account in it, and those that the person may not see are not there. `without` is the status
    for whoever lacks the right.
    """

    right: Right | None
    status: int
    path: Callable[[House, str | None], dict[str, Any]] = nothing
    form: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""
    account: bool = False
    #: Where what somebody may do is not a matter of their role alone.
    instead: Mapping[str | None, int] = field(default_factory=dict)

    def expected(self, method: str, name: str | None) -> int:
        if name in self.instead:
            return self.instead[name]
        if self.right is None:
            return self.status
        if name in OUT:
            return 303 if method == "GET" else 401
        assert name is not None
        return self.status if self.right in RIGHTS[PEOPLE[name].role] else 403


def account_of(name: str | None) -> str:
    """An account that the person sees; the first one for who sees none."""
    return f"{mark(next(iter(numbers_seen(name)), 0) if name in PEOPLE else 0)}-id"


def account_hidden_from(name: str) -> str | None:
    """An account that is there and that the person does not see; None where they see all."""
    seen = set(numbers_seen(name))
    return next((f"{mark(n)}-id" for n in range(48) if n not in seen), None)


def their_account(house: House, name: str | None) -> dict[str, Any]:
    return {"account_id": account_of(name)}


def static_file(house: House, name: str | None) -> dict[str, Any]:
    return {"name": "retinue.css"}


def own_view(house: House, name: str | None) -> dict[str, Any]:
    """A view that this person saved; for who cannot, one of somebody else."""
    return {"view": house.view_of(name if name not in OUT else "owner")}


def own_key(house: House, name: str | None) -> dict[str, Any]:
    """A key of this person; for who is not signed in, one of somebody else."""
    store = house.workspace.store
    person = house.people[name if name is not None and name not in OUT else "owner"]
    key, _ = add_key(store, OPERATOR, f"key {next(_numbers)}", ["read"], now=NOW, person=person)
    return {"key": key}


def own_session(house: House, name: str | None) -> dict[str, Any]:
    """Another session of this person; for who is not signed in, one of somebody else."""
    store = house.workspace.store
    person = house.people[name if name is not None and name not in OUT else "owner"]
    token, _ = begin_session(store, person, agent="phone", now=NOW)
    return {"session": digest(token)}


def somebody(house: House, name: str | None) -> dict[str, Any]:
    """A person whom nothing else here knows."""
    number = next(_numbers)
    return {
        "person": add_person(
            house.workspace.store, OPERATOR, f"new{number}@example.com", f"New {number}", "csm", now=NOW
        )
    }


def somebody_disabled(house: House, name: str | None) -> dict[str, Any]:
    told = somebody(house, name)
    disable_person(house.workspace.store, OPERATOR, told["person"], now=NOW)
    return told


def _said(add: Callable[[House, str], int], what: str) -> Callable[[House, str | None], dict[str, Any]]:
    def made(house: House, name: str | None) -> dict[str, Any]:
        account = account_of(name)
        return {"account_id": account, "what": what, "number": add(house, account)}

    return made


def _note(house: House, account: str) -> int:
    return add_note(house.workspace.store, account, "worth knowing", by=OPERATOR, now=NOW)


def their_task(house: House, name: str | None) -> dict[str, Any]:
    """A task for an account that this person sees."""
    told = {"now": NOW, "checklist": ["ask what changed"]}
    return {"task": add_task(house.workspace.store, OPERATOR, account_of(name), "call them", **told)}


def their_alert(house: House, name: str | None) -> dict[str, Any]:
    """An alert about an account that this person sees."""
    return {"alert": put_alert(house.workspace.store, account_of(name))}


def their_mute(house: House, name: str | None) -> dict[str, Any]:
    return {"mute": put_mute(house.workspace.store, account_of(name))}


def their_enrolment(house: House, name: str | None) -> dict[str, Any]:
    return {"enrolment": put_enrolment(house.workspace.store, account_of(name))}


def playbook(house: House, name: str | None) -> dict[str, Any]:
    return {"name": "rescue"}


def dead_message(house: House, name: str | None) -> dict[str, Any]:
    return {"message": put_dead(house.workspace.store, account_of(name))}


def destination(house: House, name: str | None) -> dict[str, Any]:
    return {"destination": "crm"}


def disabled(house: House, name: str | None) -> dict[str, Any]:
    """A destination that nothing is sent to."""
    store = house.workspace.store
    if all(one.disabled_at is None for one in places.states(store, OPERATOR)):
        places.disable(store, OPERATOR, "owners", "gone", now=NOW)
    return {"destination": "owners"}


def their_intervention(house: House, name: str | None) -> dict[str, Any]:
    account, told = account_of(name), {"started_on": NOW.date(), "now": NOW, "today": NOW.date()}
    number = add_intervention(house.workspace.store, OPERATOR, account, "training", **told)
    return {"account_id": account, "number": number}


def their_metric(house: House, name: str | None) -> dict[str, Any]:
    return {"account_id": account_of(name), "metric": "active_days", "source": "tickets"}


#: Who sees no account sees none of their tasks.
_NO_ACCOUNT = {"stranger": 404}


def scorecard(house: House, name: str | None) -> dict[str, Any]:
    return {"name": "standard"}


_numbers = itertools.count()
#: People who may act, but do not see all accounts.
_NOT_ALL = {
    name: 403
    for name, one in PEOPLE.items()
    if name not in OUT and one.sees != "everything" and one.role != "reader"
}
_NOT_ALL_ACTING = tuple(_NOT_ALL)
#: Whoever is signed in need not sign in.
_ALREADY = {name: 303 for name in PEOPLE if name not in OUT}

#: Method and path of each door.
CASES: dict[str, Case] = {
    "GET /static/{name:path}": Case(None, 200, static_file),
    "GET /": Case("read", 200),
    "GET /book.csv": Case("read", 200),
    "POST /views": Case("read", 303, form={"name": "Mine", "query": "scope=all"}),
    "POST /views/{view:int}/remove": Case("read", 303, own_view),
    "GET /sign-in": Case(None, 200, instead=_ALREADY),
    "POST /sign-in": Case(None, 401),
    "POST /sign-in/choose": Case(None, 401),
    # No provider is declared here.
    "GET /sign-in/elsewhere": Case(None, 403),
    "GET /sign-in/return": Case(None, 403),
    "POST /sign-out": Case(None, 303),
    "GET /me": Case("read", 200),
    # Nobody here has a password that could be changed.
    "POST /me/password": Case("read", 404),
    "POST /me/keys": Case("read", 200, form={"name": "nightly", "scope": "read"}),
    "POST /keys/{key}/replace": Case("read", 200, own_key),
    "POST /keys/{key}/revoke": Case("read", 303, own_key),
    "POST /sessions/{session}/end": Case("read", 303, own_session),
    "GET /people": Case("manage", 200),
    "POST /people": Case("manage", 400),
    "GET /people/{person:int}": Case("manage", 200, somebody),
    "POST /people/{person:int}": Case("manage", 400, somebody),
    "POST /people/{person:int}/disable": Case("manage", 303, somebody),
    "POST /people/{person:int}/enable": Case("manage", 303, somebody_disabled),
    "POST /people/{person:int}/password": Case("manage", 200, somebody),
    "GET /audit": Case("audit", 200),
    "GET /portfolio": Case("read", 200),
    # Reading them, and trying the score, is about all accounts.
    "POST /portfolio/losses": Case("act", 303, instead=_NOT_ALL),
    "GET /alerts": Case("read", 200),
    "GET /alerts/{alert:int}": Case("read", 200, their_alert, instead=_NO_ACCOUNT),
    "GET /alerts/{alert:int}/rows": Case("read", 200, their_alert, instead=_NO_ACCOUNT),
    # Of several at once it is told, of each, why not: on the list.
    "POST /alerts/close": Case("act", 200, form={"alert-999999": "yes"}),
    "POST /alerts/{alert:int}/close": Case(
        "act", 303, their_alert, {"result": "called them"}, instead=_NO_ACCOUNT
    ),
    "POST /alerts/{alert:int}/task": Case(
        "act", 303, their_alert, {"title": "call them"}, instead=_NO_ACCOUNT
    ),
    "POST /alerts/{alert:int}/mute": Case(
        "act",
        303,
        their_alert,
        {"what": "both", "until": "2026-06-01", "reason": "known"},
        instead=_NO_ACCOUNT,
    ),
    "GET /mutes": Case("read", 200),
    # A rule is muted for everybody, by who sees everybody.
    "POST /mutes": Case(
        "act",
        303,
        form={"rule": "turned_red", "until": "2026-06-01", "reason": "known"},
        instead=dict.fromkeys(_NOT_ALL_ACTING, 400),
    ),
    "POST /mutes/{mute:int}/withdraw": Case("act", 303, their_mute, instead=_NO_ACCOUNT),
    "GET /playbooks": Case("read", 200),
    "GET /playbooks/{name}": Case("read", 200, playbook),
    "GET /playbooks/{name}/test": Case("read", 200, playbook),
    "POST /playbooks/{name}/test": Case("act", 303, playbook, instead=_NOT_ALL),
    "GET /enrolments/{enrolment:int}": Case("read", 200, their_enrolment, instead=_NO_ACCOUNT),
    "POST /enrolments/{enrolment:int}/stop": Case(
        "act", 303, their_enrolment, {"reason": "they asked us to"}, instead=_NO_ACCOUNT
    ),
    "GET /deliveries": Case("audit", 200),
    "POST /deliveries/messages/{message}/replay": Case("audit", 303, dead_message),
    "POST /deliveries/{destination}/replay": Case("audit", 303, destination),
    "POST /deliveries/{destination}/enable": Case("audit", 303, disabled),
    "POST /deliveries/{destination}/test": Case("audit", 303, destination),
    "GET /scorecards": Case("read", 200),
    "GET /scorecards/{name}": Case("read", 200, scorecard),
    "GET /plan": Case("audit", 200, instead={"leader": 200}),
    "POST /plan": Case("audit", 303, instead={"leader": 303}),
    "GET /trust": Case("read", 200),
    "POST /trust": Case("act", 303, instead=_NOT_ALL),
    "GET /leadership": Case("read", 200),
    "GET /accounts/{account_id:path}": Case("read", 200, their_account, account=True),
    "GET /accounts/{account_id:path}/series.json": Case("read", 200, their_account, account=True),
    "GET /accounts/{account_id:path}/timeline": Case("read", 200, their_account, account=True),
    "GET /accounts/{account_id:path}/metrics/{metric}": Case("read", 200, their_metric, account=True),
    "GET /accounts/{account_id:path}/rows/{source}": Case("read", 200, their_metric, account=True),
    "GET /accounts/{account_id:path}/people": Case("read", 200, their_account, account=True),
    "POST /accounts/{account_id:path}/notes": Case(
        "act", 303, their_account, {"text": "they are well"}, account=True
    ),
    "POST /accounts/{account_id:path}/pulses": Case(
        "act", 303, their_account, {"metric": "mood", "value": "7"}, account=True
    ),
    "POST /accounts/{account_id:path}/overrides": Case(
        "override",
        303,
        their_account,
        {"kind": "cap", "value": "60", "reason": "they said so", "expires_on": "2026-06-01"},
        account=True,
    ),
    "POST /accounts/{account_id:path}/outcomes": Case(
        "act", 303, their_account, {"kind": "renewed", "occurred_on": "2026-02-01"}, account=True
    ),
    # Whose they are already: another owner would let other people see them in all that follows.
    "POST /accounts/{account_id:path}/owner": Case(
        "assign", 303, their_account, {"owner": "Ann Archer"}, account=True
    ),
    "POST /accounts/{account_id:path}/tasks": Case(
        "act", 303, their_account, {"title": "call them"}, account=True
    ),
    "POST /accounts/{account_id:path}/withdraw/{what}/{number:int}": Case(
        "act", 303, _said(_note, "note"), account=True
    ),
    "POST /accounts/{account_id:path}/interventions": Case(
        "act", 303, their_account, {"kind": "training", "started_on": "2026-02-01"}, account=True
    ),
    "POST /accounts/{account_id:path}/interventions/{number:int}/end": Case(
        "act", 303, their_intervention, account=True
    ),
    "GET /tasks": Case("read", 200),
    "GET /tasks/responses": Case("read", 200),
    "GET /tasks/{task:int}": Case("read", 200, their_task, instead=_NO_ACCOUNT),
    # Of several at once it is told, of each, why not: on the list.
    "POST /tasks/bulk": Case("act", 200, form={"how": "done", "task-999999": "yes"}),
    "POST /tasks/{task:int}/snooze": Case(
        "act", 303, their_task, {"until": "2026-06-01"}, instead=_NO_ACCOUNT
    ),
    "POST /tasks/{task:int}/tick": Case("act", 303, their_task, {"done": "1"}, instead=_NO_ACCOUNT),
    "POST /tasks/{task:int}/close": Case("act", 303, their_task, {"how": "done"}, instead=_NO_ACCOUNT),
    "POST /tasks/{task:int}/give": Case("act", 303, their_task, {"owner": "Nora Nix"}, instead=_NO_ACCOUNT),
}
