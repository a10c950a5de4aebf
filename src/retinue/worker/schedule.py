"""When something is due by a crontab line, in the project's timezone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from retinue.project.working import crontab

#: How far back a missed time is looked for; whoever was away for longer starts anew.
LONGEST = timedelta(days=8)
#: No change of a clock is longer.
_CHANGE = timedelta(hours=3)
_LEAST = timedelta(microseconds=1)


def latest(cron: str, timezone: str, after: datetime | None, now: datetime) -> datetime | None:
    """The last time in (after, now] at which the line is due, in UTC; None if it was not.

    What is due at an hour that the clock leaves out is due an hour later. What is due at an hour that comes
    twice is due the first time only, unless it is due every hour. Without `after`, none is due before it
    has been asked once.
    """
    if after is None:
        return None
    zone, since = ZoneInfo(timezone), max(after, now - LONGEST)
    hourly = cron.split()[1].startswith("*")
    # Times as the clock on the wall shows them go on evenly; each is then looked up in the zone.
    times = _shown(cron, since.astimezone(zone) - _CHANGE, now.astimezone(zone) + _CHANGE)
    due = [
        shown.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        for shown in times
        for fold in ((0, 1) if hourly else (0,))
    ]
    return max((one for one in due if since < one <= now), default=None)


def _shown(cron: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """When the line is due between two times of a clock, without a zone."""
    trigger = crontab(cron)
    at, end = start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    while True:
        upcoming: datetime | None = trigger.get_next_fire_time(None, at + _LEAST)
        if upcoming is None or upcoming > end:
            return
        yield upcoming.replace(tzinfo=None)
        at = upcoming
