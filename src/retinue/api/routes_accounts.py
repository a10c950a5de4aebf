"""Accounts: the list, what it amounts to, one of them, and why its score is what it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, create_model

from retinue.api import asked
from retinue.api.calls import Call, caller
from retinue.api.problems import responses
from retinue.api.shapes import shape
from retinue.desk.account import AccountPage, account, history
from retinue.desk.acting import today
from retinue.desk.book import Ask, Book, BookRow, book, row_dict
from retinue.desk.past import Snapshot
from retinue.desk.timeline import Timeline, timeline
from retinue.run.explanation import Explanation
from retinue.store.published.current import Change, CurrentRow, Group, changes
from retinue.words import DIRECTION

router = APIRouter(tags=["accounts"], responses=responses(401, 403, 404, 409, 422, 503))
Reading = Annotated[Call, caller("read")]

_ROW: dict[str, Any] = {
    name: (field.annotation, ...)
    for name, field in shape(CurrentRow).model_fields.items()
    if name not in ("explanation", "attributes")
}
AccountRow = create_model(
    "AccountRow",
    __doc__="One account of a list. Scores are from 0 (worst health) to 100 (best).",
    **_ROW,
    open_tasks=(int, ...),
    open_alerts=(int, ...),
    renews_in=(int | None, Field(description="days from the as-of date")),
    falls_fast=(bool, ...),
)


class AccountList(BaseModel):
    """A page of accounts. `after` starts the next one; null: there are no more."""

    run_id: str
    as_of: str
    order: str
    accounts: int = Field(description="how many match, on all pages")
    arr: float
    items: list[AccountRow]  # type: ignore[valid-type]
    after: str | None


class BookSummary(BaseModel):
    """What the accounts that match amount to, and what there is to narrow them down by."""

    run_id: str
    as_of: str
    direction: str
    accounts: int
    arr: float
    bands: list[shape(Group)]  # type: ignore[valid-type]
    moves: list[dict[str, Any]] = Field(description="accounts whose band changed in the last 7 days")
    choices: dict[str, list[shape(Group)]]  # type: ignore[valid-type]


class ChangeList(BaseModel):
    items: list[shape(Change, "Transition")]  # type: ignore[valid-type]


class SnapshotList(BaseModel):
    """Every published date of the account, in order."""

    items: list[shape(Snapshot)]  # type: ignore[valid-type]


@router.get(
    "/accounts", response_model=AccountList, summary="The accounts that need attention, and all others"
)
def list_accounts(call: Reading, query: Annotated[asked.AccountPage, Query()]) -> Any:
    """A page of the accounts that the key's person may see, in the order that is asked for."""
    descending = None if query.order is None else query.order == "desc"
    found = _book(call, query, query.sort, descending, query.after, query.limit)
    told = found.to_dict()
    items = [_row(row) for row in found.rows]
    kept = {name: told[name] for name in ("run_id", "as_of", "order", "accounts", "arr", "after")}
    return call.answer({**kept, "items": items})


@router.get("/book", response_model=BookSummary, summary="What a list of accounts amounts to")
def summary(call: Reading, query: Annotated[asked.Accounts, Query()]) -> Any:
    """Accounts and ARR by band, moves of the last week, and the values that filters can have."""
    found = _book(call, query, "attention", None, None, 1)
    told = found.to_dict()
    kept = {name: told[name] for name in ("run_id", "as_of", "accounts", "arr", "bands", "moves")}
    return call.answer({**kept, "direction": DIRECTION, "choices": found.choices})


@router.get("/transitions", response_model=ChangeList, summary="Accounts whose band changed")
def transitions(call: Reading, query: Annotated[asked.TransitionPage, Query()]) -> Any:
    """Published transitions, newest first, of accounts that the key's person may see."""
    found = changes(
        call.workspace.store, call.actor, account_id=query.account_id, since=query.since, limit=query.limit
    )
    return call.answer({"items": found})


@router.get(
    "/accounts/{account_id:path}/explanation", response_model=None, summary="A score, taken apart",
    responses={200: {"model": shape(Explanation)}},
)  # fmt: skip
def explanation(call: Reading, account_id: asked.AccountId, query: Annotated[asked.AsOf, Query()]) -> Any:
    """What the score is made of, which parts of it changed since a date, and what would raise it most.

    Contributions sum to the base, drivers to the change.
    """
    found = _page(call, account_id, query)
    attributes = _seen(found, found.explanation.attributes)
    return call.answer(dataclasses.replace(found.explanation, attributes=attributes))


@router.get(
    "/accounts/{account_id:path}/history", response_model=SnapshotList, summary="Every published score"
)
def scores(call: Reading, account_id: asked.AccountId) -> Any:
    """The three layers of the score on every published date: computed, published and effective."""
    return call.answer({"items": history(call.workspace, call.actor, account_id)})


@router.get(
    "/accounts/{account_id:path}/timeline", response_model=None, summary="What happened, and what was done",
    responses={200: {"model": shape(Timeline)}},
)  # fmt: skip
def happened(
    call: Reading, account_id: asked.AccountId, query: Annotated[asked.TimelinePage, Query()]
) -> Any:
    """Events of the last two years, the newest first: from sources, from people, and changes of band."""
    found = timeline(
        call.workspace, call.actor, account_id, kind=query.kind, before=query.before, limit=query.limit
    )
    zone = ZoneInfo(call.workspace.project.settings.timezone)
    events = tuple(dataclasses.replace(one, at=one.at.replace(tzinfo=zone)) for one in found.events)
    return call.answer(dataclasses.replace(found, events=events))


_PAGE: dict[str, Any] = {
    name: (shape(AccountPage).model_fields[name].annotation, ...)
    for name in (
        *("account", "peers", "parent", "children", "tasks", "snoozed", "interventions", "in_force"),
        *("link", "renews_in", "latest"),
    )
}
OneAccount = create_model(
    "OneAccount",
    __doc__="One account as it stands, with what is around it. Its explanation has an address of its own.",
    run_id=(str, ...),
    account_id=(str, ...),
    as_of=(str, ...),
    attributes=(dict[str, Any], ...),
    **_PAGE,
)


# Last: it takes whatever stands below /accounts/.
@router.get("/accounts/{account_id:path}", response_model=OneAccount, summary="One account")
def one_account(call: Reading, account_id: asked.AccountId, query: Annotated[asked.AsOf, Query()]) -> Any:
    """The account, its peers, parent and children, open tasks, what was done for it, and the pulses and
    overrides in force."""
    found = _page(call, account_id, query)
    told = {name: getattr(found, name) for name in _PAGE}
    if found.account is not None:
        attributes = _seen(found, found.account.attributes or {})
        told["account"] = dataclasses.replace(found.account, attributes=attributes)
    explained = found.explanation
    kept = {"run_id": found.run.run_id, "account_id": account_id, "as_of": explained.as_of}
    return call.answer({**kept, "attributes": _seen(found, explained.attributes), **told})


def _seen(found: AccountPage, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes without a parent that the caller may not see."""
    hidden = () if found.parent is not None else ("parent",)
    return {name: value for name, value in attributes.items() if name not in hidden}


def _page(call: Call, account_id: str, query: asked.AsOf) -> AccountPage:
    return account(call.workspace, call.actor, account_id, now=call.now, as_of=query.as_of, since=query.since)


def _book(
    call: Call,
    query: asked.Accounts,
    sort: str,
    descending: bool | None,
    after: str | None,
    limit: int,
) -> Book:
    ask = Ask(
        scope=query.scope,
        search=query.search or None,
        filters=query.filters(),
        ranges=query.ranges(),
        renews_within=query.renews_within,
        fell=query.fell,
        sort=sort,
        descending=descending,
        after=after,
        limit=limit,
    )
    return book(call.workspace, call.actor, ask, today=today(call.workspace, call.now))


def _row(row: BookRow) -> dict[str, Any]:
    return row_dict(row)
