"""My account: password, sessions, keys."""

from __future__ import annotations

from datetime import date

from starlette.responses import Response

from retinue.errors import NotFound, StoreError
from retinue.signin.passwords import Refused, check_new, sign_in
from retinue.store.people.keys import SCOPES, add_key, keys_of, revoke_key, rotate_key
from retinue.store.people.people import Person, set_password
from retinue.store.people.sessions import Open, revoke_session, sessions_of
from retinue.web.pages.signin import address, with_session
from retinue.web.site import Door, Visit

#: What was done, told on the page that follows.
SAID = {
    "password": "The password is changed. You are signed out everywhere else.",
    "session": "That session is over.",
    "key": "That key is over.",
}

# In this order: most browsers also name those that they want to be taken for.
_PROGRAMS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("Macintosh", "Mac"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def show(visit: Visit) -> Response:
    return _page(visit)


def change_password(visit: Visit) -> Response:
    person, form = _me(visit), visit.form
    assert visit.session is not None
    if not person.has_password:
        raise NotFound("you have no password here to change", hint="you sign in elsewhere")
    now = sign_in(
        visit.workspace.store,
        person.email,
        form.get("current", ""),
        address=address(visit.request),
        now=visit.now,
    )
    if not isinstance(now, Person):
        now = now if isinstance(now, Refused) else Refused()
        told = f"wait {now.wait} seconds, then try again" if now.wait else "that is not your password"
        return _page(visit, status=429 if now.wait else 400, error=StoreError(told))
    try:
        if form.get("new") != form.get("again"):
            raise StoreError("the new password is not the same twice")
        kept = check_new(form.get("new", ""), email=person.email, name=person.name)
    except StoreError as error:
        return _page(visit, status=400, error=error)
    set_password(visit.workspace.store, visit.actor, person.id, kept, now=visit.now)
    return with_session(visit, person.id, visit.to("/me?said=password"), how="new password")


def make_key(visit: Visit) -> Response:
    """The key is on the page that answers, and nowhere else ever again."""
    _me(visit)
    try:
        expires = visit.form.get("expires_on", "").strip()
        key, secret = add_key(
            visit.workspace.store,
            visit.actor,
            visit.form.get("name", ""),
            [scope for scope in SCOPES if visit.form.get("scope") == scope],
            now=visit.now,
            expires_on=_date(expires) if expires else None,
        )
    except StoreError as error:
        return _page(visit, status=400, error=error)
    return _told_once(visit, "Your new key", secret, f"Key {key}")


def new_key(visit: Visit) -> Response:
    key, secret = rotate_key(visit.workspace.store, visit.actor, visit.path["key"], now=visit.now)
    return _told_once(
        visit, "The key that takes over", secret, f"Key {key}; the one before goes on for a week"
    )


def end_key(visit: Visit) -> Response:
    revoke_key(visit.workspace.store, visit.actor, visit.path["key"], now=visit.now)
    return visit.to(_from(visit) + "?said=key")


def end_session(visit: Visit) -> Response:
    revoke_session(visit.workspace.store, visit.actor, visit.path["session"], now=visit.now)
    return visit.to(_from(visit) + "?said=session")


def named(sessions: list[Open]) -> list[tuple[Open, str]]:
    """Sessions with what people call their browsers."""
    return [(one, browser(one.agent or "")) for one in sessions]


def browser(agent: str) -> str:
    """Firefox on Linux, as far as what a browser says of itself tells."""
    program = next((name for sign, name in _PROGRAMS if sign in agent), None)
    system = next((name for sign, name in _SYSTEMS if sign in agent), None)
    if program is None:
        return agent[:60] or "unknown"
    return f"{program} on {system}" if system else program


def _page(visit: Visit, *, status: int = 200, error: StoreError | None = None) -> Response:
    person, store = _me(visit), visit.workspace.store
    return visit.page(
        "people/me.html",
        status=status,
        error=error,
        said=SAID.get(visit.query.get("said", "")),
        person=person,
        sessions=named(sessions_of(store, visit.actor, now=visit.now)),
        keys=keys_of(store, visit.actor),
        today=visit.now.date(),
        form=visit.form if error else {},
    )


def _told_once(visit: Visit, title: str, secret: str, what: str) -> Response:
    response = visit.page("people/once.html", title=title, secret=secret, what=what, there=_from(visit))
    response.headers["Cache-Control"] = "no-store"
    return response


def _me(visit: Visit) -> Person:
    if visit.session is None:
        raise NotFound("nobody is signed in here", hint="this Retinue is open on this machine")
    return visit.session.person


def _from(visit: Visit) -> str:
    """The page where the button was: that of a person, or one's own."""
    number = visit.form.get("person", "")
    return f"/people/{number}" if number.isascii() and number.isdigit() else "/me"


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise StoreError(f"{text[:40]!r} is not a date", hint="such as 2026-03-31") from None


DOORS = (
    Door("/me", "read", show=show),
    Door("/me/password", "read", act=change_password, act_right="read"),
    Door("/me/keys", "read", act=make_key, act_right="read"),
    # Whose they are is for the store to say: one's own, or anybody's for who manages people.
    Door("/keys/{key}/replace", "read", act=new_key, act_right="read"),
    Door("/keys/{key}/revoke", "read", act=end_key, act_right="read"),
    Door("/sessions/{session}/end", "read", act=end_session, act_right="read"),
)
