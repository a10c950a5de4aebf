"""What is done by the clock: the key `work`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from retinue.project.declaration import Declaration


def _cron(text: str) -> str:
    from apscheduler.triggers.cron import CronTrigger

    try:
        CronTrigger.from_crontab(text, "UTC")
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
