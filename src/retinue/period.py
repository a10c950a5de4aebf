"""Days, windows, grids: all arithmetic on dates that is not SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

_PERIOD = re.compile(r"^\s*(\d+)\s*([dw])\s*$")


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time: days (`28d`) or complete weeks, Monday to Sunday (`8w`)."""

    count: int
    unit: Literal["d", "w"] = "d"

    @classmethod
    def parse(cls, text: object) -> Period:
        """Raises ValueError for anything but a whole number followed by `d` or `w`."""
        if isinstance(text, Period):
            return text
        match = _PERIOD.match(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f"not a period: {text!r}; write days as `28d` or weeks as `8w`")
        return cls(int(match[1]), "w" if match[2] == "w" else "d")

    @property
    def days(self) -> int:
        return self.count * (7 if self.unit == "w" else 1)

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def last_complete_day(now: datetime, timezone: str, closes: timedelta) -> date:
    """The last day whose knowledge is complete at `now` (an aware datetime).

    A day ends at midnight in `timezone`, plus `closes`: with `closes` at 06:00,
    the 1st is complete at 06:00 on the 2nd.
    """
    local = now.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    return (local - closes).date() - timedelta(days=1)


def quarter_start(day: date) -> date:
    """First day of the calendar quarter of `day`."""
    return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)


def sundays(first: date, before: date) -> list[date]:
    """Sundays in [first, before), ascending."""
    start = first + timedelta(days=(6 - first.weekday()) % 7)
    return [start + timedelta(days=n) for n in range(0, max((before - start).days, 0), 7)]


def grid(first: date, last: date, every: Literal["day", "week"]) -> list[date]:
    """As-of dates in [first, last]: every day, or every Sunday."""
    if every == "week":
        return sundays(first, last + timedelta(days=1))
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
