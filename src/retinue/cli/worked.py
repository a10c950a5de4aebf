"""Three weeks of work at the demo's company: alerts as mornings found them, tasks as people did them.

A company that has just been scored has no work yet: the first date that is looked at raises nothing. So the
last weeks are looked at one after the other, each as of its own morning, and who looks after an account
does most of what is due, with what came of it. Who does what when is chance with a seed: the same demo gets
the same work.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from retinue.demo import words
from retinue.run.alerting import evaluate
from retinue.run.playing import advance
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.work.plays import RETINUE
from retinue.store.work.task_changes import close_task
from retinue.store.work.tasks import Task, tasks_of
from retinue.warehouse.trace import Listener
from retinue.workspace import Workspace

#: Days whose work is played through.
DAYS = 21
#: The share of what is due that is done on a workday, and that of what is due on the next one.
DUE, AHEAD = 0.75, 0.35


@dataclass(frozen=True)
class Worked:
    """What came of it: alerts, accounts that came into playbooks, tasks given, and tasks that were done."""

    days: int
    alerts: int
    enrolments: int
    tasks: int
    done: int


def work(workspace: Workspace, last: date, *, progress: Listener | None = None) -> Worked:
    """Play the weeks up to `last`, the newest date that is published, and leave its morning's tasks open."""
    told = evaluate(
        workspace,
        now=_morning(last),
        first=last - timedelta(days=DAYS),
        clock=_morning,
        progress=progress,
    )
    tasks = done = 0
    for day in told.dates:
        tasks += advance(workspace, now=_morning(day)).tasks
        if day != last:
            done += _done(workspace, _morning(day))
    return Worked(len(told.dates), sum(told.alerts.values()), told.enrolments, tasks, done)


def _morning(day: date) -> datetime:
    """Nine o'clock on the morning after an as-of date."""
    return datetime.combine(day + timedelta(days=1), time(9), UTC)


def _done(workspace: Workspace, morning: datetime) -> int:
    """Close some of the tasks that are due, in the course of the day. Nobody works at the weekend."""
    today = morning.date()
    if today.weekday() > 4:
        return 0
    count = 0
    for task in tasks_of(
        workspace.store, OPERATOR, due_before=today + timedelta(days=4), status="open", limit=1000
    ):
        chance = _chance(task, today)
        due = task.due_on is not None and task.due_on <= today
        if task.owner == RETINUE or chance >= (DUE if due else AHEAD):
            continue
        result, said = words.RESULTS[int(_chance(task, date.min) * len(words.RESULTS))]
        at = morning + timedelta(minutes=round(480 * chance))
        close_task(workspace.store, Actor(task.owner), task.id, now=at, result=result, said=said)
        count += 1
    return count


def _chance(task: Task, day: date) -> float:
    """A number in [0, 1) that is the same for the same task and day."""
    text = f"{task.account_id}\0{task.origin}\0{task.step}\0{day.isoformat()}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
