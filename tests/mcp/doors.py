"""Every tool with who may call it: one table. A tool that is missing here fails the tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retinue.store.people.access import OPERATOR, RIGHTS, Right
from retinue.store.work.tasks import add_task
from tests.web.company import NOW, PEOPLE, mark, numbers_seen
from tests.web.house import House

Asked = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """How a tool is asked about an account. `account`: whoever does not see it is told that it is not there;
    otherwise everybody with the right is answered."""

    right: Right
    asked: Callable[[House, str], Asked] = lambda _house, _account: {}
    account: bool = False

    def answers(self, name: str, *, sees: bool) -> bool:
        one = PEOPLE[name]
        return not one.disabled and self.right in RIGHTS[one.role] and (sees or not self.account)


def on_account(_house: House, account: str) -> Asked:
    return {"account_id": account}


def task(house: House, account: str) -> Asked:
    return {"task": add_task(house.workspace.store, OPERATOR, account, "call", now=NOW), "result": "called"}


def note(_house: House, account: str) -> Asked:
    return {"account_id": account, "text": "They were glad to hear from us."}


def compared(_house: House, account: str) -> Asked:
    return {"account_id": account, "since": "2026-02-01"}


CASES: dict[str, Case] = {
    "list_accounts": Case("read"),
    "search_accounts": Case("read", lambda _, account: {"text": account[:4]}),
    "explain_account": Case("read", on_account, account=True),
    "compare_dates": Case("read", compared, account=True),
    "portfolio_summary": Case("read"),
    "trust_summary": Case("read"),
    "what_if": Case("read", on_account, account=True),
    "my_tasks": Case("read"),
    "alerts": Case("read"),
    "add_note": Case("act", note, account=True),
    "complete_task": Case("act", task, account=True),
}
#: Tools that take an account where it is no more than a filter, or may be left out.
NARROWED: dict[str, Asked] = {
    "my_tasks": {"whose": "all"},
    "alerts": {"include_closed": True},
    "explain_account": {"as_of": "2026-02-10"},
    "what_if": {"metrics": [{"name": "active_days", "value": 20}]},
    "compare_dates": {"since": "2026-01-20", "until": "2026-02-20"},
}


def account_of(name: str) -> str:
    """An account that the person sees; the first one for who sees none."""
    return f"{mark(next(iter(numbers_seen(name)), 0))}-id"


def hidden_from(name: str) -> str | None:
    """An account that is there and that the person does not see; None where they see all."""
    seen = set(numbers_seen(name))
    return next((f"{mark(n)}-id" for n in range(48) if n not in seen), None)
