"""The time of the simulated company: weeks, working rhythm, holidays, incidents, broken feeds.

Days are integers counted from `origin`, the Monday on or before the first day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TIMEZONE = "Europe/Berlin"
_WEEKDAYS = (1.0, 1.08, 1.06, 1.0, 0.86, 0.25, 0.2)


@dataclass(frozen=True)
class Calendar:
    """`months` calendar months that end on `last` (the last of them may be cut short)."""

    last: date
    months: int

    @cached_property
    def first(self) -> date:
        month = self.last.year * 12 + self.last.month - 1 - (self.months - 1)
        return date(month // 12, month % 12 + 1, 1)

    @cached_property
    def origin(self) -> date:
        return self.first - timedelta(days=self.first.weekday())

    @cached_property
    def weeks(self) -> int:
        return self.index(self.last) // 7 + 1

    @property
    def first_index(self) -> int:
        return self.index(self.first)

    @property
    def last_index(self) -> int:
        return self.index(self.last)

    def index(self, day: date) -> int:
        return (day - self.origin).days

    def day(self, index: int) -> date:
        return self.origin + timedelta(days=int(index))

    def dates(self, days: Array) -> Array:
        """Day numbers as datetime64[D]."""
        return np.datetime64(self.origin, "D") + days.astype("timedelta64[D]")

    @cached_property
    def rhythm(self) -> Array:
        """Relative volume of work by (week, weekday): week, year and holidays multiplied.

        It covers complete weeks; the mean over ordinary weeks is about 1 a working day.
        """
        days = [self.day(i) for i in range(self.weeks * 7)]
        return np.array([_volume(day) for day in days]).reshape(self.weeks, 7)

    @cached_property
    def utc_shift(self) -> Array:
        """Seconds to add to local time to get UTC, by day (as at noon), four weeks beyond the end."""
        zone = ZoneInfo(TIMEZONE)
        noons = [
            datetime.combine(self.day(i), datetime.min.time()).replace(hour=12, tzinfo=zone)
            for i in range(self.weeks * 7 + 28)
        ]
        return np.array([-int((noon.utcoffset() or timedelta()).total_seconds()) for noon in noons])

    def part(self, share: float) -> int:
        """The Tuesday (as a day number) nearest before `share` of the whole time."""
        return (self.first_index + int(share * (self.last_index - self.first_index))) // 7 * 7 + 1

    @property
    def incident_weeks(self) -> tuple[int, ...]:
        """Weeks in which the product was down for everybody."""
        return tuple(sorted({self.part(0.32) // 7, self.part(0.83) // 7}))

    @property
    def delayed(self) -> tuple[int, int]:
        """Days [from, until) whose product events were loaded only on the day `until`."""
        return self.part(0.45), self.part(0.45) + 5

    @property
    def lost(self) -> tuple[int, int]:
        """Days [from, until) whose product events never arrived."""
        return self.part(0.72), self.part(0.72) + 3

    @property
    def lost_tickets(self) -> tuple[int, int]:
        """Days [from, until) whose tickets never arrived."""
        return self.part(0.6), self.part(0.6) + 4


def _volume(day: date) -> float:
    week = _WEEKDAYS[day.weekday()]
    year = 1 + 0.06 * float(np.cos(2 * np.pi * (day.timetuple().tm_yday - 75) / 365.25))
    summer = 0.82 if (7, 20) <= (day.month, day.day) <= (8, 25) else 1.0
    holidays = (day.month, day.day) >= (12, 23) or (day.month, day.day) <= (1, 2)
    single = (day.month, day.day) in {(1, 6), (5, 1), (10, 3)}
    return week * year * summer * (0.22 if holidays else 0.35 if single else 1.0)
