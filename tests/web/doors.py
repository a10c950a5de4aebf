"""Every door with who may come through it: one table. A door that is missing here fails the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from retinue.store.access import RIGHTS, Right
from tests.web.company import PEOPLE, mark, numbers_seen
from tests.web.house import House

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


#: Method and path of each door.
CASES: dict[str, Case] = {
    "GET /static/{name:path}": Case(None, 200, static_file),
    "GET /": Case("read", 200),
    "GET /book.csv": Case("read", 200),
    "POST /views": Case("read", 303, form={"name": "Mine", "query": "scope=all"}),
    "POST /views/{view:int}/remove": Case("read", 303, own_view),
}
