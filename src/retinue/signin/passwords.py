"""Signing in with a password: argon2id, a wait for whoever guesses, and one answer for all that fails."""

from __future__ import annotations

import base64
import logging
import os
import re
import secrets
import threading
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from retinue.errors import StoreError
from retinue.store.database import Store, utc
from retinue.store.people.attempts import forgive, keys_for, try_now
from retinue.store.people.people import Person, rehash, who_signs_in

#: Fewest and most letters of a password.
LEAST, MOST = 12, 1024
#: Days within which people choose their own in place of one that was made up for them.
GIVEN_DAYS = 7

# The second recommended option of RFC 9106: 64 MiB, 3 passes, 4 lanes.
_HASHER = PasswordHasher(
    time_cost=3, memory_cost=65536, parallelism=4, hash_len=32, salt_len=16, type=Type.ID
)
# Each one at work takes 64 MiB, so no more than two are. Who waits holds a thread that pages need: few do.
_AT_ONCE = threading.BoundedSemaphore(2)
_IN_LINE = threading.BoundedSemaphore(6)
#: Seconds after which somebody who found the line full may try again.
FULL = 3

_log = logging.getLogger("retinue.signin")

# What people write where a password is asked for; what is left beside it must be a password by itself.
_WORDS = re.findall(
    r"\w+",
    """
    password passwort passw0rd motdepasse contrasena qwertyuiop qwertzuiop qwerty qwertz azerty asdfghjkl
    asdfgh asdf zxcvbnm zxcvbn yxcvbn 1q2w3e4r 1qaz2wsx q1w2e3r4 123 abcdefghij abcdef abcd abc
    administrator admin welcome letmein iloveyou dragon monkey football baseball sunshine princess master
    shadow superman batman trustno1 login changeme default secret hello whatever starwars spring summer
    autumn winter january february march april june july august september october november december
    retinue customer success company
    """,
)
_DIGITS = re.compile(r"\d{4,}")
_LEET = str.maketrans("@013457$!", "aoieastsi")


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody is signed in. `wait` is in seconds: how long until the next attempt; 0 for none."""

    wait: int = 0


@dataclass(frozen=True, slots=True)
class MustChoose:
    """The password is right, and was given to them: they sign in with one that they choose now."""

    person: Person


def hashed(password: str) -> str:
    """As it is kept; takes about a tenth of a second and 64 MiB, as it has to."""
    with _AT_ONCE:
        return _HASHER.hash(_letters(password))


def check_new(password: str, *, email: str, name: str) -> str:
    """The password as it is kept. Raises StoreError for one that is too short or easily guessed."""
    if len(password) < LEAST:
        raise StoreError(
            f"a password has {LEAST} letters at least, not {len(password)}",
            hint="several words make a good one",
        )
    if len(password) > MOST:
        raise StoreError(f"a password has {MOST:,} letters at most")
    own = [word for word in re.split(r"[^0-9a-z]+", f"{email} {name}".casefold()) if len(word) > 2]
    for text in (password.casefold(), password.casefold().translate(_LEET)):
        text = _DIGITS.sub("", text)
        for word in sorted({*own, *_WORDS}, key=len, reverse=True):
            text = text.replace(word, "")
        if len(text) < 6 or len(set(text)) < 4:
            raise StoreError(
                "this password is easily guessed: beside common words, the name and the e-mail there is "
                "little left",
                hint="several words make a good one",
            )
    return hashed(password)


def made_up() -> str:
    """A password that nobody has to think of: 98 bits, in groups that can be read out."""
    letters = "23456789abcdefghjkmnpqrstuvwxyz"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def sign_in(
    store: Store, email: str, password: str, *, address: str, now: datetime
) -> Person | MustChoose | Refused:
    """Whoever has that e-mail and password; `address` is where the attempt comes from.

    It is refused in the same way, after the same work, for somebody unknown or disabled, for one
    without a password, and for a wrong one.
    """
    if not email.strip() or not password:
        return Refused()
    if not _IN_LINE.acquire(blocking=False):
        return Refused(FULL)
    try:
        return _sign_in(store, email, password, address, now)
    finally:
        _IN_LINE.release()


def _sign_in(
    store: Store, email: str, password: str, address: str, now: datetime
) -> Person | MustChoose | Refused:
    keys = keys_for(email, address)
    wait = try_now(store, keys, now=now)
    if wait:
        _log.warning("a sign-in from %s has to wait %s seconds", address, wait)
        return Refused(wait)
    found = who_signs_in(store, email=email)
    person, kept = found if found is not None else (None, None)
    fits = verified(password, kept)
    if not fits or person is None or kept is None or person.disabled_at is not None or _over(person, now):
        # Not the e-mail: people type their password there.
        _log.warning(
            "a sign-in from %s was refused, for %s", address, person.email if person else "nobody known"
        )
        return Refused()
    forgive(store, keys, now=now)
    if _HASHER.check_needs_rehash(kept):
        rehash(store, person.id, kept, hashed(password))
    return person if person.password_until is None else MustChoose(person)


def _over(person: Person, now: datetime) -> bool:
    """Whether a password that was given to them was not replaced in time."""
    return person.password_until is not None and person.password_until <= utc(now)


def verified(password: str, kept: str | None) -> bool:
    """Whether it is the password that is kept so. Where none is kept it takes as long to say no."""
    with _AT_ONCE:
        try:
            _HASHER.verify(_NOBODYS if kept is None else kept, _letters(password))
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def _letters(password: str) -> bytes:
    """One password for all the ways to type it, as NIST SP 800-63B has it."""
    return unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")


def _random(size: int) -> str:
    return base64.b64encode(os.urandom(size)).decode().rstrip("=")


#: The hash of no password that anybody knows.
_NOBODYS = f"$argon2id$v=19$m=65536,t=3,p=4${_random(16)}${_random(32)}"
