"""Who may come in: let people in, change what they see and may do, keep them out. For admins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from starlette.responses import Response

from retinue.errors import StoreError
from retinue.signin.passwords import GIVEN_DAYS, hashed, made_up
from retinue.store.people.access import RIGHTS, Role
from retinue.store.people.keys import keys_of
from retinue.store.people.people import (
    SEES,
    Person,
    Sees,
    add_person,
    change_person,
    disable_person,
    enable_person,
    find_person,
    people_list,
    set_password,
)
from retinue.store.people.sessions import sessions_of
from retinue.web.pages import me
from retinue.web.site import Door, Visit

ROLES: dict[Role, str] = {
    "admin": "everything, and lets people in",
    "ops": "acts, overrides, assigns, and reads the audit log",
    "leader": "acts, overrides and assigns",
    "csm": "acts, and overrides for a while",
    "reader": "reads",
}
VIEWS: dict[Sees, str] = {
    "everything": "all accounts",
    "team": "their team's accounts, and their territories'",
    "own": "their own accounts, and their territories'",
}
SAID = {
    **me.SAID,
    "changed": "Changed.",
    "disabled": "They are signed out, their keys are over, and they cannot come in.",
    "enabled": "They can come in again.",
    "nopassword": "They have no password any more.",
}


def show(visit: Visit) -> Response:
    return _list(visit)


def add(visit: Visit) -> Response:
    form, elsewhere = visit.form, _issuer(visit)
    password = None if visit.form.get("way") == "elsewhere" else made_up()
    try:
        told = _told(form)
        role = told.pop("role")
        number = add_person(
            visit.workspace.store,
            visit.actor,
            told.pop("email"),
            told.pop("name"),
            role,
            now=visit.now,
            password_hash=hashed(password) if password else None,
            password_days=GIVEN_DAYS if password else None,
            issuer=elsewhere if password is None else None,
            **told,
        )
    except StoreError as error:
        return _list(visit, status=400, error=error, form=form)
    if password is None:
        return visit.to(f"/people/{number}")
    return _password_once(visit, find_person(visit.workspace.store, visit.actor, number), password)


def one(visit: Visit) -> Response:
    return _one(visit)


def change(visit: Visit) -> Response:
    person = _person(visit)
    told = _told(visit.form)
    if _issuer(visit) is not None:
        allowed = visit.form.get("elsewhere") == "yes"
        told["issuer"] = (person.issuer or _issuer(visit)) if allowed else None
    try:
        change_person(visit.workspace.store, visit.actor, person.id, now=visit.now, **told)
    except StoreError as error:
        return _one(visit, status=400, error=error)
    return visit.to(f"/people/{person.id}?said=changed")


def disable(visit: Visit) -> Response:
    person = _person(visit)
    try:
        disable_person(visit.workspace.store, visit.actor, person.id, now=visit.now)
    except StoreError as error:
        return _one(visit, status=400, error=error)
    return visit.to(f"/people/{person.id}?said=disabled")


def enable(visit: Visit) -> Response:
    person = _person(visit)
    enable_person(visit.workspace.store, visit.actor, person.id, now=visit.now)
    return visit.to(f"/people/{person.id}?said=enabled")


def reset(visit: Visit) -> Response:
    """Another password, told once; or none at all."""
    person, store = _person(visit), visit.workspace.store
    if visit.form.get("none") == "yes":
        set_password(store, visit.actor, person.id, None, now=visit.now)
        return visit.to(f"/people/{person.id}?said=nopassword")
    password = made_up()
    set_password(store, visit.actor, person.id, hashed(password), now=visit.now, days=GIVEN_DAYS)
    return _password_once(visit, person, password)


def _list(
    visit: Visit, *, status: int = 200, error: StoreError | None = None, form: Mapping[str, str] | None = None
) -> Response:
    people = people_list(visit.workspace.store, visit.actor)
    return visit.page(
        "people/list.html",
        status=status,
        error=error,
        form=form or {},
        people=people,
        roles=ROLES,
        views=VIEWS,
        sees=SEES,
        teams=sorted({person.team for person in people if person.team}),
        elsewhere=_elsewhere(visit),
    )


def _one(visit: Visit, *, status: int = 200, error: StoreError | None = None) -> Response:
    person, store = _person(visit), visit.workspace.store
    return visit.page(
        "people/person.html",
        status=status,
        error=error,
        said=SAID.get(visit.query.get("said", "")),
        person=person,
        form=visit.form if error else {},
        roles=ROLES,
        views=VIEWS,
        rights=RIGHTS,
        sessions=me.named(sessions_of(store, visit.actor, now=visit.now, person=person.id)),
        keys=keys_of(store, visit.actor, person=person.id),
        today=visit.now.date(),
        elsewhere=_elsewhere(visit),
    )


def _password_once(visit: Visit, person: Person, password: str) -> Response:
    response = visit.page(
        "people/once.html",
        title=f"A password for {person.name}",
        secret=password,
        what=f"{person.email} signs in with it within {GIVEN_DAYS} days, and chooses their own then",
        there=f"/people/{person.id}",
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _told(form: Mapping[str, str]) -> dict[str, Any]:
    """What the fields of a person say; lists are written a line each."""
    told: dict[str, Any] = {name: form.get(name, "") for name in ("email", "name", "team")}
    told["role"] = cast(Role, form.get("role", ""))
    sees = form.get("sees", "")
    told["sees"] = cast(Sees, sees if sees in get_args(Sees) else SEES.get(told["role"], "own"))
    told["territories"] = form.get("territories", "").splitlines()
    owners = [line for line in form.get("owners", "").splitlines() if line.strip()]
    told["owners"] = owners or [told["email"], told["name"]]
    return told


def _person(visit: Visit) -> Person:
    return find_person(visit.workspace.store, visit.actor, int(visit.path["person"]))


def _issuer(visit: Visit) -> str | None:
    return visit.site.provider.settings.issuer if visit.site.provider is not None else None


def _elsewhere(visit: Visit) -> str | None:
    """What the provider is called where people can sign in instead."""
    return visit.site.provider.settings.name if visit.site.provider is not None else None


DOORS = (
    Door("/people", "manage", show=show, act=add, act_right="manage"),
    Door("/people/{person:int}", "manage", show=one, act=change, act_right="manage"),
    Door("/people/{person:int}/disable", "manage", act=disable, act_right="manage"),
    Door("/people/{person:int}/enable", "manage", act=enable, act_right="manage"),
    Door("/people/{person:int}/password", "manage", act=reset, act_right="manage"),
)
