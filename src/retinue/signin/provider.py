"""An OpenID provider as we see it: what it says of itself, its keys, and asking it.

What it says is kept for an hour; keys are asked for again when a token names one that is not known.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from retinue.errors import SignInError, StoreError
from retinue.store.people.access import Role

#: Signatures that are taken: those of keys that only the provider has.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: What the provider says of itself holds this long; unknown keys are asked for this often at most.
KNOWN, AGAIN = timedelta(hours=1), timedelta(minutes=1)
#: Seconds that the provider may take, and bytes of its answer.
PATIENCE, ANSWER = 5.0, 1 << 20
#: How many ask the provider at once.
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Settings:
    """Where people can sign in instead. `name` is on the button.

    Without `create_as`, whoever an admin has not let in stays out. `territories_claim` and `team_claim`
    name claims that decide, at every sign-in, over what an admin set. `trust_email`: the provider does
    not say which e-mails are verified, and its people cannot choose theirs.
    """

    issuer: str
    client_id: str
    client_secret: str | None = None
    name: str = "single sign-on"
    create_as: Role | None = None
    territories_claim: str | None = None
    team_claim: str | None = None
    trust_email: bool = False
    scopes: tuple[str, ...] = ("openid", "email", "profile")

    def __post_init__(self) -> None:
        if not _private(self.issuer):
            raise StoreError(f"the issuer {self.issuer!r} is no https address")


class Provider:
    """One provider. Safe to share between threads."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self._trusted = httpx.create_ssl_context()
        # Whoever waits for the provider holds a thread that pages need: few may.
        self._asking = threading.BoundedSemaphore(AT_ONCE)
        self._said: tuple[datetime, dict[str, Any]] | None = None
        self._keys: tuple[datetime, KeySet] | None = None

    def metadata(self, now: datetime) -> dict[str, Any]:
        """What it says of itself (OpenID Connect Discovery 1.0). Raises SignInError."""
        said = self._said
        if said is not None and now - said[0] <= KNOWN:
            return said[1]
        told = self._json("GET", self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if told.get("issuer") != self.settings.issuer:
            raise self._odd("says that it is another one")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not _private(str(told.get(name, ""))):
                raise self._odd(f"names no https address as its {name}")
        self._said = (now, told)
        return told

    def tokens(self, code: str, verifier: str, redirect_uri: str, now: datetime) -> dict[str, Any]:
        """What it gives for a code. Raises SignInError."""
        told = self.metadata(now)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        ours, secret = self.settings.client_id, self.settings.client_secret
        ways = told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret is None:
            form["client_id"] = ours
        elif "client_secret_basic" in ways or "client_secret_post" not in ways:
            pair = f"{quote_plus(ours)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        else:
            form |= {"client_id": ours, "client_secret": secret}
        return self._json("POST", told["token_endpoint"], data=form, headers=headers)

    def signed(self, token: str, now: datetime) -> jwt.Token:
        """An ID token whose signature is the provider's; its claims are not looked at. Raises SignInError."""
        offered = self.metadata(now).get("id_token_signing_alg_values_supported", ["RS256"])
        algorithms = [name for name in ALGORITHMS if name in offered]
        try:
            try:
                return jwt.decode(token, self._key_set(now), algorithms=algorithms)
            except InvalidKeyIdError:
                return jwt.decode(token, self._key_set(now, again=True), algorithms=algorithms)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise self._odd(f"gave a token that it has not signed ({type(error).__name__})") from None

    def about(self, access_token: str, subject: str, now: datetime) -> dict[str, Any]:
        """What else it tells of the person; nothing where it has no place for that. Raises SignInError."""
        address = self.metadata(now).get("userinfo_endpoint")
        if not isinstance(address, str) or not _private(address):
            return {}
        told = self._json("GET", address, headers={"Authorization": f"Bearer {access_token}"})
        if told.get("sub") != subject:
            raise self._odd("tells of another person than who signed in")
        return told

    def _key_set(self, now: datetime, *, again: bool = False) -> KeySet:
        old = self._keys
        if old is not None and now - old[0] <= (AGAIN if again else KNOWN):
            return old[1]
        told = self._json("GET", self.metadata(now)["jwks_uri"])
        keys = KeySet.import_key_set(
            {"keys": [key for key in told.get("keys", []) if key.get("kty") != "oct"]}
        )
        self._keys = (now, keys)
        return keys

    def _json(self, method: str, address: str, **told: Any) -> dict[str, Any]:
        if not self._asking.acquire(timeout=PATIENCE):
            raise self._odd("is asked by too many at once")
        try:
            with (
                httpx.Client(timeout=PATIENCE, follow_redirects=False, verify=self._trusted) as client,
                client.stream(method, address, **told) as response,
            ):
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > ANSWER:
                        raise self._odd("says too much")
        except httpx.HTTPError as error:
            raise self._odd(f"cannot be reached ({type(error).__name__})") from None
        finally:
            self._asking.release()
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if response.status_code != 200 or not isinstance(found, dict):
            said = found.get("error") if isinstance(found, dict) else None
            raise self._odd(f"answers {response.status_code}" + (f" {said!s:.60}" if said else ""))
        return found

    def _odd(self, what: str) -> SignInError:
        return SignInError(f"{self.settings.name} {what}", hint="try again, or ask whoever runs this Retinue")


def _private(address: str) -> bool:
    """Whether nobody in between can read or change what is said there."""
    try:
        parts = urlsplit(address)
        if parts.scheme == "http":
            host = parts.hostname or ""
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        return parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        return False
