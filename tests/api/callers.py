"""The API of a house as programs and browsers call it."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from typing import Any

from retinue.project.serving import Serve
from retinue.serve.app import Served, serving
from retinue.store.people.access import OPERATOR, RIGHTS, Right
from retinue.store.people.keys import SCOPES, add_key
from tests.web.company import NOW, PEOPLE
from tests.web.house import House, clock

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

HOST = "http://127.0.0.1:8321"


@dataclass(frozen=True)
class Caller:
    """A person with a key of one scope, or with the session of their browser; nobody without a name."""

    name: str | None
    scope: str | None = None

    @property
    def known(self) -> bool:
        return self.name is not None and not PEOPLE[self.name].disabled

    def may(self, method: str, right: Right) -> bool:
        assert self.name is not None
        if self.scope is None:
            return method == "GET" and right in RIGHTS[PEOPLE[self.name].role]
        return right in RIGHTS[PEOPLE[self.name].role] & SCOPES[self.scope]

    def __str__(self) -> str:
        return f"{self.name or 'nobody'} ({self.scope or 'session'})"


#: Everybody with a key that may do all that they may, keys of fewer scopes, sessions, and nobody.
EVERYBODY = (
    *(Caller(name, "admin") for name in PEOPLE),
    *(Caller(name, scope) for name in ("admin", "owner") for scope in ("read", "act")),
    *(Caller(name) for name in ("admin", "owner", "guest", "gone")),
    Caller(None),
)


@dataclass
class Programs:
    """Clients of one house."""

    house: House
    settings: Serve = field(default_factory=Serve)
    served: Served = field(init=False)
    keys: dict[Caller, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.served = serving(self.settings, self.house.workspace, clock, ahead=False, environ={})

    def client(self, caller: Caller = Caller("admin", "admin")) -> TestClient:
        made = TestClient(self.served.front, base_url=HOST, raise_server_exceptions=True)
        if caller.name is None:
            return made
        if caller.scope is None:
            token, _ = self.house.tokens[caller.name]
            made.cookies.set("retinue", token)
            return made
        if caller not in self.keys:
            person = self.house.people[caller.name]
            store = self.house.workspace.store
            name = f"of {caller.name} for {caller.scope}"
            if PEOPLE[caller.name].disabled:
                self.keys[caller] = "rtn_000000000000_" + "x" * 43
            else:
                made_key = add_key(store, OPERATOR, name, [caller.scope], now=NOW, person=person)
                self.keys[caller] = made_key[1]
        made.headers["Authorization"] = f"Bearer {self.keys[caller]}"
        return made

    def document(self) -> dict[str, Any]:
        return self.client().get("/api/v1/openapi.json").json()


def problem(answer: Any, status: int) -> dict[str, Any]:
    """The problem that an answer is. Fails where it is none."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = json.loads(answer.text)
    assert set(told) >= {"type", "title", "status", "detail", "hint", "request_id"}
    assert told["status"] == status
    assert told["request_id"] == answer.headers["x-request-id"]
    assert told["detail"]
    return told
