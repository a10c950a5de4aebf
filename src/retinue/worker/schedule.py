"""When something is due by a crontab line, in the project's timezone."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

#: How far back a missed time is looked for; whoever was away for longer starts anew.
LONGEST = timedelta(days=8)
_LEAST = timedelta(microseconds=1)


def latest(cron: str, timezone: str, after: datetime | None, now: datetime) -> datetime | None:
    """The last time in (after, now] at which the line is due; None if it was not. Clocks that go forward
    and back are the library's to know. Without `after`, none is due before it has been asked once."""
    if after is None:
        return None
    trigger = CronTrigger.from_crontab(cron, ZoneInfo(timezone))
    found = None
    at = max(after, now - LONGEST)
    while True:
        upcoming: datetime | None = trigger.get_next_fire_time(None, at + _LEAST)
        if upcoming is None or upcoming > now:
            return found
        found = at = upcoming
