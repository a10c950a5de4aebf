"""Signing in at an OpenID provider: authorization code with PKCE, state, nonce and checked claims.

A person is who the issuer says, by its subject. The e-mail counts once: for somebody whom an admin has
let in and allowed to sign in there, or where the project says as what newcomers come in.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authlib.common.urls import add_params_to_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc.errors import JoseError

from retinue.errors import Forbidden, SignInError
from retinue.signin.provider import Provider, Settings
from retinue.store.database import Store
from retinue.store.people.access import Actor
from retinue.store.people.people import (
    Person,
    add_person,
    change_person,
    email_of,
    find_person,
    link_person,
    who_signs_in,
)
from retinue.store.people.sign_ins import Begun, begin, take

#: Seconds by which the clocks of the provider and of this machine may differ.
LEEWAY = 60


@dataclass(frozen=True, slots=True)
class Away:
    """Where the browser goes to sign in, and the state that it must keep until it comes back."""

    address: str
    state: str


def send_away(store: Store, provider: Provider, *, redirect_uri: str, next: str, now: datetime) -> Away:  # noqa: A002
    """Begin to sign in. `next` is the page of ours to go to then. Raises SignInError."""
    told = provider.metadata(now)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    begin(store, state, Begun(nonce, verifier, next), now=now)
    asked = {
        "response_type": "code",
        "client_id": provider.settings.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(provider.settings.scopes),
        "state": state,
        "nonce": nonce,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
    }
    return Away(add_params_to_uri(told["authorization_endpoint"], asked), state)


def come_back(
    store: Store,
    provider: Provider,
    params: Mapping[str, str],
    *,
    kept_state: str,
    redirect_uri: str,
    now: datetime,
) -> tuple[Person, str]:
    """Who came back from the provider, and the page to go to. `kept_state` is what the browser kept.

    Raises SignInError where anything is not as it was sent, Forbidden for somebody who may not come in.
    """
    state = params.get("state", "")
    if not state or not hmac.compare_digest(state.encode(), kept_state.encode()):
        raise SignInError("this sign-in did not begin in this browser", hint="start again")
    begun = take(store, state, now=now)
    if begun is None:
        raise SignInError("this sign-in is over, or was used before", hint="start again")
    told = provider.metadata(now)
    issuer, named = provider.settings.issuer, params.get("iss")
    if named != issuer and (named or told.get("authorization_response_iss_parameter_supported")):
        raise SignInError("another provider answered than was asked", hint="start again")
    if "error" in params or not params.get("code"):
        raise SignInError(f"{provider.settings.name} let nobody in", hint="start again")
    tokens = provider.tokens(params["code"], begun.verifier, redirect_uri, now)
    claims = _claims(provider, tokens, begun.nonce, now)
    return _person(store, provider.settings, claims, now), begun.next


def _claims(provider: Provider, tokens: Mapping[str, Any], nonce: str, now: datetime) -> dict[str, Any]:
    """What is told of whoever signed in, after OpenID Connect Core 1.0, 3.1.3.7."""
    settings = provider.settings
    if not isinstance(tokens.get("id_token"), str):
        raise SignInError(f"{settings.name} does not say who signed in", hint="start again")
    token = provider.signed(tokens["id_token"], now)
    checked = CodeIDToken(
        token.claims,
        token.header,
        {
            "iss": {"essential": True, "value": settings.issuer},
            "aud": {"essential": True, "value": settings.client_id},
        },
        {"nonce": nonce, "client_id": settings.client_id, "access_token": tokens.get("access_token")},
    )
    try:
        checked.validate(now=int(now.timestamp()), leeway=LEEWAY)
    except JoseError as error:
        claim = getattr(error, "claim", None) or type(error).__name__
        raise SignInError(f"what {settings.name} says does not hold: {claim}", hint="start again") from None
    claims = dict(token.claims)
    if not claims["sub"]:
        raise SignInError(f"{settings.name} does not say who signed in", hint="start again")
    wanted = {"email", settings.territories_claim, settings.team_claim} - {None}
    if wanted - set(claims) and isinstance(tokens.get("access_token"), str):
        claims = {**provider.about(tokens["access_token"], claims["sub"], now), **claims}
    return claims


def _person(store: Store, settings: Settings, claims: Mapping[str, Any], now: datetime) -> Person:
    subject = claims["sub"]
    found = who_signs_in(store, issuer=settings.issuer, subject=subject)
    person = found[0] if found else _newcomer(store, settings, claims, now)
    if person.disabled_at is not None:
        raise _stranger(settings)
    changes: dict[str, Any] = {}
    if settings.territories_claim:
        changes["territories"] = tuple(_listed(claims.get(settings.territories_claim)))
    if settings.team_claim:
        changes["team"] = next(iter(_listed(claims.get(settings.team_claim))), None)
    if changes:
        change_person(store, _door(settings), person.id, now=now, **changes)
    return find_person(store, _door(settings), person.id)


def _newcomer(store: Store, settings: Settings, claims: Mapping[str, Any], now: datetime) -> Person:
    """Somebody who comes from there for the first time, by their verified e-mail."""
    if not (claims.get("email_verified") is True or settings.trust_email):
        raise _stranger(settings)
    email = email_of(str(claims.get("email", "")))
    found = who_signs_in(store, email=email)
    if found is None:
        if settings.create_as is None:
            raise _stranger(settings)
        # Names can be chosen over there: accounts are known to be theirs by their e-mail only.
        name = str(claims.get("name") or email)[:200]
        number = add_person(
            store,
            _door(settings),
            email,
            name,
            settings.create_as,
            now=now,
            owners=[email],
            issuer=settings.issuer,
        )
    elif found[0].issuer == settings.issuer and found[0].subject is None:
        number = found[0].id
    else:
        raise _stranger(settings)
    link_person(store, number, settings.issuer, str(claims["sub"]), now=now)
    return find_person(store, _door(settings), number)


def _door(settings: Settings) -> Actor:
    """Under whose name the log has what is done here."""
    return Actor(f"sign-in at {settings.name}")


def _stranger(settings: Settings) -> Forbidden:
    """One answer for whoever may not come in, whether they are known or not."""
    return Forbidden(
        f"{settings.name} knows you, and this Retinue does not let you in", hint="ask an admin to let you in"
    )


def _listed(claim: Any) -> list[str]:
    """A claim as texts: a list of them, or one."""
    values = claim if isinstance(claim, list) else [claim]
    return [value for value in values if isinstance(value, str) and value.strip()]
