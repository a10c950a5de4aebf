"""Why there is a task: the alert that it answers, or the step of a playbook that made it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select

from retinue.store.database import Store
from retinue.store.people.access import Actor, in_scope
from retinue.store.tables import alerts, enrolments
from retinue.store.work.tasks import Task


@dataclass(frozen=True, slots=True)
class Reason:
    """What a task comes from; `day` is the as-of date of it. `alert` and `enrolment` are their numbers.

    `summary` are the words of the alert, or what started the playbook. `open` says of the alert whether
    it is; None without one.
    """

    day: date
    summary: str
    alert: int | None = None
    rule: str | None = None
    severity: str | None = None
    open: bool | None = None
    enrolment: int | None = None
    playbook: str | None = None
    step: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def reasons_of(store: Store, actor: Actor, found: Collection[Task]) -> dict[int, Reason]:
    """By task, as far as the actor may see the account; none for those that were added by hand."""
    raised = {task.alert for task in found if task.alert is not None}
    began = {task.enrolment for task in found if task.enrolment is not None}
    if not raised and not began:
        return {}
    with store.read() as connection:
        query = select(alerts).where(alerts.c.id.in_(raised), in_scope(actor, alerts.c.account_id))
        news = {row.id: row for row in connection.execute(query)} if raised else {}
        query = select(enrolments).where(enrolments.c.id.in_(began), in_scope(actor, enrolments.c.account_id))
        plays = {row.id: row for row in connection.execute(query)} if began else {}
    reasons = {}
    for task in found:
        alert, play = news.get(task.alert), plays.get(task.enrolment)
        if alert is None and play is None:
            continue
        told: dict[str, Any] = {}
        if play is not None:
            told |= {"day": play.started_on, "summary": play.reason}
            told |= {"enrolment": play.id, "playbook": play.playbook, "step": task.step}
        if alert is not None:
            told |= {"day": alert.as_of, "summary": alert.summary, "alert": alert.id, "rule": alert.rule}
            told |= {"severity": alert.severity, "open": alert.closed_at is None}
        reasons[task.id] = Reason(**told)
    return reasons
