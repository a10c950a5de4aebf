"""Signing in, by password or at a provider, and out. The session's cookie is written here only."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from retinue.errors import Forbidden, RetinueError, SignInError, StoreError
from retinue.signin.oidc import come_back, send_away
from retinue.signin.passwords import MustChoose, Refused, check_new, sign_in
from retinue.store.people.people import actor_of, is_anybody, set_password
from retinue.store.people.sessions import begin_session, end_session
from retinue.store.people.sign_ins import TIME
from retinue.web.guard import cookie, local
from retinue.web.site import Door, Site, Visit


def show(visit: Visit) -> Response:
    there = safe_next(visit.query.get("next", ""))
    if visit.session is not None or (visit.site.open_as is not None and visit.actor == visit.site.open_as):
        return visit.to(there)
    return _form(visit, there)


def enter(visit: Visit) -> Response:
    """A password was posted."""
    there, email = safe_next(visit.form.get("next", "")), visit.form.get("email", "")
    if not visit.site.passwords:
        raise Forbidden("people do not sign in with a password here")
    found = sign_in(
        visit.workspace.store,
        email,
        visit.form.get("password", ""),
        address=address(visit.request),
        now=visit.now,
    )
    if isinstance(found, Refused):
        return _refused(visit, there, email, found)
    if isinstance(found, MustChoose):
        return _choose(visit, there, email)
    return with_session(visit, found.id, visit.to(there))


def choose(visit: Visit) -> Response:
    """A password of their own in place of one that was given to them; with it they are in."""
    there, email = safe_next(visit.form.get("next", "")), visit.form.get("email", "")
    store = visit.workspace.store
    if not visit.site.passwords:
        raise Forbidden("people do not sign in with a password here")
    given, new = visit.form.get("password", ""), visit.form.get("new", "")
    found = sign_in(store, email, given, address=address(visit.request), now=visit.now)
    if isinstance(found, Refused):
        return _refused(visit, there, email, found)
    if isinstance(found, MustChoose):
        person = found.person
        try:
            kept = check_new(new, email=person.email, name=person.name)
            if new != visit.form.get("again") or new == given:
                raise StoreError("type a new password, the same one twice")
        except StoreError as error:
            return _choose(visit, there, email, status=400, error=error)
        set_password(store, actor_of(store, person), person.id, kept, now=visit.now)
    number = found.person.id if isinstance(found, MustChoose) else found.id
    return with_session(visit, number, visit.to(there), how="new password")


def leave(visit: Visit) -> Response:
    """Sign out: the session ends here, whatever the browser keeps."""
    token = visit.request.cookies.get(cookie(visit.site))
    if token:
        end_session(visit.workspace.store, token, now=visit.now)
    response = visit.to("/sign-in?said=out")
    response.delete_cookie(cookie(visit.site), secure=visit.site.secure, httponly=True, samesite="lax")
    return response


def away(visit: Visit) -> Response:
    """To the provider. A link, not a form: browsers hold `form-action` against where a form ends up."""
    there = safe_next(visit.query.get("next", ""))
    if visit.site.provider is None:
        raise Forbidden("people do not sign in elsewhere here")
    try:
        sent = send_away(
            visit.workspace.store, visit.site.provider, redirect_uri=_return(visit), next=there, now=visit.now
        )
    except SignInError as error:
        return _form(visit, there, status=503, error=error)
    response = RedirectResponse(sent.address, 303)
    response.set_cookie(
        _state_cookie(visit.site),
        sent.state,
        max_age=int(TIME.total_seconds()),
        secure=visit.site.secure,
        httponly=True,
        samesite="lax",
    )
    return response


def back(visit: Visit) -> Response:
    """From the provider."""
    if visit.site.provider is None:
        raise Forbidden("people do not sign in elsewhere here")
    kept = visit.request.cookies.get(_state_cookie(visit.site), "")
    try:
        person, there = come_back(
            visit.workspace.store,
            visit.site.provider,
            visit.query,
            kept_state=kept,
            redirect_uri=_return(visit),
            now=visit.now,
        )
    except RetinueError as error:
        status = 403 if isinstance(error, Forbidden) else 400
        response: Response = _form(visit, "/", status=status, error=error)
    else:
        how = f"at {visit.site.provider.settings.name}"
        response = with_session(visit, person.id, visit.to(safe_next(there)), how=how)
    response.delete_cookie(_state_cookie(visit.site), secure=visit.site.secure, httponly=True, samesite="lax")
    return response


def with_session(visit: Visit, person: int, response: Response, *, how: str = "password") -> Response:
    """The response, which brings a new session along; the one that the browser had ends."""
    site = visit.site
    token, _ = begin_session(
        visit.workspace.store,
        person,
        agent=visit.request.headers.get("user-agent"),
        now=visit.now,
        hours=site.idle_hours,
        days=site.session_days,
        replaces=visit.request.cookies.get(cookie(site)),
        how=how,
    )
    response.set_cookie(
        cookie(site),
        token,
        max_age=int(site.session_days * 86400),
        secure=site.secure,
        httponly=True,
        samesite="lax",
    )
    return response


def safe_next(there: str) -> str:
    """A page of ours, whatever was asked for."""
    plain = there.startswith("/") and not there.startswith(("//", "/sign-")) and len(there) <= 2000
    if not plain or "\\" in there or any(ord(letter) < 33 or ord(letter) == 127 for letter in there):
        return "/"
    parts = urlsplit(there)
    return "/" if parts.scheme or parts.netloc else there


def address(request: Request) -> str:
    """Where a request comes from, for limits. Behind a trusted proxy the server has put it right."""
    return request.client.host if request.client is not None else "unknown"


def _refused(visit: Visit, there: str, email: str, refused: Refused) -> Response:
    if not refused.wait:
        return _form(visit, there, status=401, email=email, wrong=True)
    response = _form(visit, there, status=429, email=email, wait=refused.wait)
    response.headers["Retry-After"] = str(refused.wait)
    return response


def _choose(
    visit: Visit, there: str, email: str, *, status: int = 200, error: StoreError | None = None
) -> Response:
    return visit.page("signin/choose.html", status=status, next=there, email=email, error=error)


def _form(visit: Visit, there: str, *, status: int = 200, **told: object) -> Response:
    provider = visit.site.provider
    known: dict[str, object] = {"email": "", "wrong": False, "wait": 0, "error": None, **told}
    return visit.page(
        "signin/sign_in.html",
        status=status,
        next=there,
        passwords=visit.site.passwords,
        provider=provider.settings.name if provider is not None else None,
        anybody=is_anybody(visit.workspace.store),
        out=visit.query.get("said") == "out" and status == 200,
        **known,
    )


def _return(visit: Visit) -> str:
    """Where the provider sends people back to: never what a stranger's Host header says."""
    base = visit.site.address
    if base is None and local(visit.request):
        base = f"{visit.request.url.scheme}://{visit.request.headers['host']}"
    if base is None:
        raise SignInError(
            "people cannot come back here from elsewhere", hint="whoever runs this sets `serve.address`"
        )
    return base + "/sign-in/return"


def _state_cookie(site: Site) -> str:
    return cookie(site) + "-away"


DOORS = (
    Door("/sign-in", None, show=show, act=enter, act_right=None),
    Door("/sign-in/choose", None, act=choose, act_right=None),
    Door("/sign-in/elsewhere", None, show=away),
    Door("/sign-in/return", None, show=back),
    Door("/sign-out", None, act=leave, act_right=None),
)
