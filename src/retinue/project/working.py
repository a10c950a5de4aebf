"""What is done by the clock: the key `work`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from retinue.project.declaration import Declaration

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger


#: As crontabs count them: 0 and 7 are Sunday.
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")


def crontab(text: str) -> CronTrigger:
    """When a line of a crontab is due, in UTC. Raises ValueError, in words."""
    from apscheduler.triggers.cron import CronTrigger

    fields = text.split()
    if len(fields) == 5:
        if fields[2] != "*" and fields[4] != "*":
            raise ValueError(
                "a day of the month and a weekday at once mean different things to different crons"
            )
        # The library counts weekdays from Monday.
        fields[4] = _weekdays(fields[4])
    return CronTrigger.from_crontab(" ".join(fields), "UTC")


def _weekdays(field: str) -> str:
    """The names of the weekdays of the fifth field."""
    if field == "*":
        return field
    names: list[str] = []
    for part in field.lower().split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise ValueError(f"{part!r} is no weekday")
        whole, first, last, step = found.groups()
        start, end = (0, 6) if whole == "*" else (_weekday(first), _weekday(last or first))
        if last is None and whole != "*" and step is not None:
            end = 6
        if end < start:
            end += 7
        names += [_WEEKDAYS[day % 7] for day in range(start, end + 1, int(step or 1))]
    return ",".join(dict.fromkeys(names))


def _weekday(text: str) -> int:
    if text.isdigit() and int(text) <= 7:
        return int(text)
    if text in _WEEKDAYS:
        return _WEEKDAYS.index(text)
    raise ValueError(f"{text!r} is no weekday: 0 to 7 (0 and 7 are Sunday), or mon to sun")


def _cron(text: str) -> str:
    try:
        crontab(text)
    except ValueError as error:
        raise ValueError(f"{error}; write five fields as in a crontab, such as `30 6 * * *`") from None
    return text


Cron = Annotated[
    str,
    AfterValidator(_cron),
    WithJsonSchema({"type": "string", "examples": ["30 6 * * *"], "pattern": r"^\S+( \S+){4}$"}),
]


class Work(Declaration):
    """What a worker does by itself, besides alerts, playbooks and messages.

    `run` says when accounts are scored, as in a crontab, in the project's timezone; without it a worker
    scores nothing. A run that was missed is made up for once. Alerts are looked for after every run.
    """

    run: Cron | None = None
    every_seconds: float = Field(default=5.0, ge=0.1, le=300)
