"""People, keys, saved views and the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from retinue.api import asked
from retinue.api.calls import Call, caller
from retinue.api.problems import responses
from retinue.api.shapes import shape
from retinue.store.people.access import Right
from retinue.store.people.audit_log import Entry, audit_log
from retinue.store.people.keys import Key, add_key, keys_of, revoke_key, rotate_key
from retinue.store.people.people import (
    Person,
    add_person,
    change_person,
    disable_person,
    enable_person,
    find_person,
    people_list,
)
from retinue.store.people.saved_views import SavedView, remove_view, save_view, views_of
from retinue.store.people.sessions import Open, revoke_session, sessions_of

reads = APIRouter(responses=responses(401, 403, 404, 409, 422, 503))
router = APIRouter(responses=responses(400, 401, 403, 404, 409, 413, 422, 503))
Reading = Annotated[Call, caller("read", tagged=False)]
Saving = Annotated[Call, caller("read")]
Managing = Annotated[Call, caller("manage")]
Auditing = Annotated[Call, caller("audit")]
SessionId = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
KeyId = Annotated[str, Path(pattern="^[0-9a-f]{12}$")]
PERSON: dict[int | str, dict[str, Any]] = {200: {"model": shape(Person)}}


class Me(BaseModel):
    """Whom the key acts for, and what it may do."""

    name: str
    person: int | None
    role: str
    rights: list[Right]
    everything: bool = Field(description="whether they see all accounts")
    owners: list[str]
    territories: list[str]


class PersonList(BaseModel):
    items: list[shape(Person)]  # type: ignore[valid-type]


class KeyList(BaseModel):
    items: list[shape(Key)]  # type: ignore[valid-type]


class MadeKey(BaseModel):
    """`key` is told this once."""

    id: str
    key: str


class SessionList(BaseModel):
    """Where a person is signed in, the last seen first."""

    items: list[shape(Open, "Session")]  # type: ignore[valid-type]


class ViewList(BaseModel):
    items: list[shape(SavedView)]  # type: ignore[valid-type]


class EntryList(BaseModel):
    """The newest first. `after` starts the next page; null: there are no more."""

    items: list[shape(Entry)]  # type: ignore[valid-type]
    after: int | None


@reads.get("/me", response_model=Me, tags=["people"], summary="Who am I")
def me(call: Reading) -> Any:
    """What the key may see and do."""
    actor = call.actor
    told = {name: getattr(actor, name) for name in ("name", "person", "role", "everything")}
    lists = {name: sorted(getattr(actor, name)) for name in ("rights", "owners", "territories")}
    return call.answer({**told, **lists})


@reads.get("/people", response_model=PersonList, tags=["people"], summary="Everybody who may sign in")
def list_people(call: Annotated[Call, caller("manage", tagged=False)]) -> Any:
    """By name; who is disabled too."""
    return call.answer({"items": people_list(call.workspace.store, call.actor)})


@reads.get("/people/{person}", response_model=None, responses=PERSON, tags=["people"], summary="One person")
def one_person(call: Annotated[Call, caller("manage", tagged=False)], person: asked.Number) -> Any:
    """What they see and may do."""
    return call.answer(find_person(call.workspace.store, call.actor, person))


@router.post(
    "/people", status_code=201, response_model=None, responses={201: {"model": shape(Person)}},
    tags=["people"], summary="Let a person in",
)  # fmt: skip
def new_person(call: Managing, body: asked.NewPerson) -> Any:
    """Without an `issuer` an admin gives them a password on the page of people."""
    told = body.model_dump(exclude_none=True)
    number = add_person(call.workspace.store, call.actor, **told, now=call.now)
    return call.answer(find_person(call.workspace.store, call.actor, number), 201)


@router.patch(
    "/people/{person}", response_model=None, responses=PERSON, tags=["people"], summary="Change a person"
)
def changed_person(call: Managing, person: asked.Number, body: asked.PersonChange) -> Any:
    """What is not named stays. A new role or view ends their sessions."""
    told = body.model_dump(exclude_unset=True)
    kept = {name: value for name, value in told.items() if value is not None or name in ("team", "issuer")}
    change_person(call.workspace.store, call.actor, person, now=call.now, **kept)
    return call.answer(find_person(call.workspace.store, call.actor, person))


@router.post(
    "/people/{person}/disable",
    response_model=None,
    responses=PERSON,
    tags=["people"],
    summary="Keep a person out",
)
def disable(call: Managing, person: asked.Number) -> Any:
    """Their sessions and keys end at once; what they said stays."""
    disable_person(call.workspace.store, call.actor, person, now=call.now)
    return call.answer(find_person(call.workspace.store, call.actor, person))


@router.post(
    "/people/{person}/enable",
    response_model=None,
    responses=PERSON,
    tags=["people"],
    summary="Let them in again",
)
def enable(call: Managing, person: asked.Number) -> Any:
    """Their sessions and keys stay ended."""
    enable_person(call.workspace.store, call.actor, person, now=call.now)
    return call.answer(find_person(call.workspace.store, call.actor, person))


@reads.get(
    "/people/{person}/sessions",
    response_model=SessionList,
    tags=["people"],
    summary="Where they are signed in",
)
def sessions(call: Annotated[Call, caller("manage", tagged=False)], person: asked.Number) -> Any:
    """Sessions of browsers that are not over. Passwords are not changed by programs."""
    find_person(call.workspace.store, call.actor, person)
    found = sessions_of(call.workspace.store, call.actor, now=call.now, person=person)
    return call.answer({"items": found})


@router.delete(
    "/sessions/{session}", status_code=204, response_model=None, tags=["people"], summary="Sign them out"
)
def end_session(call: Managing, session: SessionId) -> Any:
    """At once, in that browser."""
    revoke_session(call.workspace.store, call.actor, session, now=call.now)
    return call.answer(None, 204)


@reads.get("/keys", response_model=KeyList, tags=["keys"], summary="Keys")
def keys(call: Annotated[Call, caller("manage", tagged=False)]) -> Any:
    """Everybody's, the newest first, without their secrets."""
    return call.answer({"items": keys_of(call.workspace.store, call.actor, everybody=True)})


@router.post("/keys", status_code=201, response_model=MadeKey, tags=["keys"], summary="Make a key")
def new_key(call: Managing, body: asked.NewKey) -> Any:
    """It acts as its person, within its scopes: read, act, admin."""
    number, secret = add_key(
        call.workspace.store,
        call.actor,
        body.name,
        dict.fromkeys(body.scopes),
        now=call.now,
        expires_on=body.expires_on,
        person=body.person,
    )
    return call.answer({"id": number, "key": secret}, 201)


@router.post(
    "/keys/{key}/rotate", status_code=201, response_model=MadeKey, tags=["keys"], summary="Replace a key"
)
def next_key(call: Managing, key: KeyId) -> Any:
    """The one before goes on for a week, so that programs can be given the new one meanwhile."""
    number, secret = rotate_key(call.workspace.store, call.actor, key, now=call.now)
    return call.answer({"id": number, "key": secret}, 201)


@router.delete("/keys/{key}", status_code=204, response_model=None, tags=["keys"], summary="End a key")
def end_key(call: Managing, key: KeyId) -> Any:
    """At once."""
    revoke_key(call.workspace.store, call.actor, key, now=call.now)
    return call.answer(None, 204)


@reads.get("/views", response_model=ViewList, tags=["views"], summary="Saved views")
def views(call: Reading) -> Any:
    """The person's own, then those that others share."""
    return call.answer({"items": views_of(call.workspace.store, call.actor)})


@router.post("/views", status_code=201, response_model=ViewList, tags=["views"], summary="Save a view")
def new_view(call: Saving, body: asked.NewView) -> Any:
    """In place of one of the same name; all views are told back."""
    store = call.workspace.store
    save_view(store, call.actor, body.name, body.query, shared=body.shared, now=call.now)
    return call.answer({"items": views_of(store, call.actor)}, 201)


@router.delete("/views/{view}", status_code=204, response_model=None, tags=["views"], summary="Forget a view")
def forget_view(call: Saving, view: asked.Number) -> Any:
    """One of the person's own."""
    remove_view(call.workspace.store, call.actor, view)
    return call.answer(None, 204)


@reads.get("/audit", response_model=EntryList, tags=["people"], summary="Who did what")
def audit(
    call: Annotated[Call, caller("audit", tagged=False)], query: Annotated[asked.AuditPage, Query()]
) -> Any:
    """The audit log, the newest first."""
    found = audit_log(
        call.workspace.store,
        call.actor,
        who=query.who,
        what=query.what,
        subject=query.subject,
        limit=query.limit + 1,
        after=query.after,
    )
    more = len(found) > query.limit
    found = found[: query.limit]
    return call.answer({"items": found, "after": found[-1].id if more else None})
