"""Why a message was not delivered, and when it is tried again."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from retinue.errors import RetinueError

#: Attempts after which a message is given up: a little more than a day, by the waits below.
MOST_ATTEMPTS = 20
#: The first wait is at most this long, and each at most twice the one before.
BASE = timedelta(seconds=5)
LONGEST = timedelta(hours=6)
#: Longest rest of a destination that does not answer.
LONGEST_REST = timedelta(minutes=15)
#: What a receiver asks for is taken up to here.
LONGEST_ASKED = timedelta(hours=24)


class NotDelivered(RetinueError):
    """A message did not arrive, or nobody said that it did. The text names no secret.

    It is tried again, unless it has been tried `final_after` times (1: never again). `counts` where the
    destination is to blame and not this message, `gone` where it said that it is no more. It `rests`
    where it would not take other messages either, for `asked` at least.
    """

    def __init__(
        self,
        message: str,
        *,
        final_after: int = MOST_ATTEMPTS,
        counts: bool = True,
        gone: bool = False,
        rests: bool = False,
        asked: timedelta | None = None,
    ):
        super().__init__(message)
        self.final_after = final_after
        self.counts = counts
        self.gone = gone
        self.rests = rests
        self.asked = asked


def refused(message: str, *, counts: bool = True, gone: bool = False) -> NotDelivered:
    """It will never be taken as it is."""
    return NotDelivered(message, final_after=1, counts=counts, gone=gone)


def not_ready(message: str) -> NotDelivered:
    """Something is missing here, which somebody has to put right: messages wait for it."""
    return NotDelivered(message, rests=True)


def wait(attempts: int, chance: random.Random, longest: timedelta = LONGEST) -> timedelta:
    """How long to wait after `attempts` failures: anything up to a bound that doubles (full jitter).

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    doubled = 1 << min(max(attempts - 1, 0), 32)
    bound = min(longest, BASE * doubled)
    # Never nothing: a pass that tries what just failed would have no end.
    return max(timedelta(seconds=1), bound * chance.random())


def asked_to_wait(value: str | None, now: datetime) -> timedelta | None:
    """`Retry-After`: seconds or a date (RFC 9110, 10.2.3), `LONGEST_ASKED` at most; None if it is neither."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        seconds = int(text) if len(text) < 9 else int(LONGEST_ASKED.total_seconds())
        return min(LONGEST_ASKED, timedelta(seconds=seconds))
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(LONGEST_ASKED, max(timedelta(0), moment - now))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
