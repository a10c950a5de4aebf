"""Signing in that failed: counted in the store, so that a restart forgets nothing.

Somebody who guesses gets a few attempts, then has to wait twice as long each time. Kept are hashes of
the e-mail and address that were used, and counts.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from retinue.store.database import Store, utc
from retinue.store.tables import attempts

#: Attempts without a wait, for one e-mail from one address, and for one address.
FREE, FREE_PER_ADDRESS = 5, 30
#: The first wait, and the longest.
FIRST, LONGEST = timedelta(minutes=1), timedelta(minutes=15)
#: After this long without an attempt all is forgotten.
FORGOTTEN = timedelta(minutes=15)


def keys_for(email: str, address: str) -> dict[str, int]:
    """Under what an attempt is counted, and how many of each are free."""
    place = _place(address)
    return {_hashed("both", email.strip().casefold(), place): FREE, _hashed("from", place): FREE_PER_ADDRESS}


def try_now(store: Store, keys: Mapping[str, int], *, now: datetime) -> int:
    """Count an attempt and return 0; or the seconds to wait, and count nothing.

    An attempt counts as failed until `forgive` is told otherwise, so that many at once are no way round.
    """
    moment = utc(now)
    with store.read() as connection:
        held = connection.execute(
            select(attempts.c.blocked_until).where(attempts.c.key.in_(list(keys)))
        ).scalars()
        until = max(held, default=moment)
    if until > moment:
        return _seconds(until - moment)
    with store.write() as connection:
        # Somebody else may have been quicker: what counts is what is there now.
        rows = {
            row.key: row for row in connection.execute(select(attempts).where(attempts.c.key.in_(list(keys))))
        }
        until = max((row.blocked_until for row in rows.values()), default=moment)
        if until > moment:
            return _seconds(until - moment)
        connection.execute(delete(attempts).where(attempts.c.blocked_until < moment - FORGOTTEN))
        for key, free in keys.items():
            row = rows.get(key)
            known = row is not None and row.blocked_until >= moment - FORGOTTEN
            failures = (row.failures if row is not None and known else 0) + 1
            values = {"failures": failures, "blocked_until": moment + _wait(failures, free)}
            if known:
                connection.execute(update(attempts).where(attempts.c.key == key).values(values))
            else:
                connection.execute(insert(attempts).values(key=key, **values))
    return 0


def forgive(store: Store, keys: Mapping[str, int], *, now: datetime) -> None:
    """The attempt that was just counted was none: whoever made it is who they say.

    What was counted for their e-mail is forgotten; of the address, which others share, this one only.
    """
    both, *shared = keys
    with store.write() as connection:
        connection.execute(delete(attempts).where(attempts.c.key == both))
        connection.execute(
            update(attempts)
            .where(attempts.c.key.in_(shared), attempts.c.failures > 0)
            .values(failures=attempts.c.failures - 1, blocked_until=utc(now))
        )


def _wait(failures: int, free: int) -> timedelta:
    """Nothing at first; then `FIRST`, and twice as long each time."""
    if failures < free:
        return timedelta(0)
    return min(LONGEST, FIRST * (1 << min(failures - free, 10)))


def _seconds(wait: timedelta) -> int:
    return max(1, -int(-wait.total_seconds() // 1))


def _place(address: str) -> str:
    """One place: an IPv4 address, or the network of 64 bits that one customer has of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()
