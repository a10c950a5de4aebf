"""A company's quarter as workers live through it, day by day, and how things stand at its end.

Each day has three phases: midnight is over, a run is published, people have closed tasks. A phase is over
when a worker has looked around in it and found nothing to do, and nothing waits to be sent. Time goes
`SPEED` times as fast as on the wall from the start of a phase on, for all processes the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from retinue.store.people.access import OPERATOR
from retinue.store.tables import alerts, enrolments, outbox, tasks
from retinue.store.work.outbox import OPEN
from retinue.store.work.task_changes import close_task
from retinue.workspace import Workspace
from tests.alerts import declared
from tests.alerts.quarter import BERLIN, Quarter

SPEED = 600
#: Steps of playbooks whose owners are found by balance: who has how much depends on the order of things.
SHARED = {"show"}
DESTINATIONS = """\
destinations:
  crm: {{webhook: {{url: "http://hooks.example:{port}/crm", secret: {{env: S}}, allow_private: {net}}},
        {pace}}}
  board: {{webhook: {{url: "http://hooks.example:{port}/board", secret: {{env: S}}, allow_private: {net}}},
          {pace}}}
work: {{every_seconds: 0.1}}
"""


def declarations(port: int) -> dict[str, str]:
    """The company's rules, less those that read sources: that takes a second a date."""
    read = ("cancels", "silent", "tickets_alike")
    lines = [line for line in declared.ALERTS.splitlines() if not line.strip().startswith(read)]
    books = [text for text in declared.PLAYBOOKS.split("---\n") if "notices" not in text]
    told = DESTINATIONS.format(port=port, net='["127.0.0.0/8"]', pace="per_minute: 6000")
    return {"alerts": "\n".join(lines) + "\n", "playbooks": "---\n".join(books), "destinations": told}


# --- time ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clock:
    """The time of all processes, in a file; and in another one which phase a worker found idle."""

    folder: Path

    def set(self, phase: int, moment: datetime) -> None:
        told = json.dumps([phase, moment.isoformat(), time.time()])  # noqa: TID251
        _replace(self.folder / "clock", told)

    def read(self) -> tuple[int, datetime]:
        phase, moment, since = json.loads((self.folder / "clock").read_text())
        passed = timedelta(seconds=SPEED * (time.time() - since))  # noqa: TID251
        return phase, datetime.fromisoformat(moment) + passed

    def now(self) -> datetime:
        return self.read()[1]

    def mark(self, phase: int) -> None:
        """A worker looked around in this phase and found nothing to do."""
        _replace(self.folder / "idle", str(phase))

    def idle(self) -> int:
        path = self.folder / "idle"
        return int(path.read_text()) if path.exists() else -1


def _replace(path: Path, text: str) -> None:
    other = path.with_name(f"{path.name}.{os.getpid()}")
    other.write_text(text)
    other.replace(path)


def phases(quarter: Quarter, workspace: Workspace, place: int) -> list[tuple[datetime, Callable[[], Any]]]:
    """The phases of the day after the date at `place`: when each is, and what happens before it.

    All of a day is one day for the project, so that it does not matter to what a worker comes first.
    """
    return [
        (quarter.at(place, hour=2), lambda: None),
        (quarter.at(place, hour=9), lambda: quarter.publish(workspace, place)),
        (quarter.at(place, hour=14), lambda: close_some(workspace, quarter.at(place, hour=14))),
    ]


def close_some(workspace: Workspace, now: datetime) -> None:
    """People close two of three tasks on the day on which they are due; the same ones each time."""
    today = now.astimezone(BERLIN).date()
    query = select(tasks).where(tasks.c.status == "open", tasks.c.due_on <= today).order_by(tasks.c.id)
    with workspace.store.read() as connection:
        due = connection.execute(query).all()
    for one in due:
        chance = hashlib.sha256(f"{one.account_id} {one.step} {one.due_on}".encode()).digest()[0] % 3
        if chance:
            close_task(workspace.store, OPERATOR, one.id, now=now, done=chance == 1, result="Talked.")


def waiting(workspace: Workspace, now: datetime) -> int:
    """Messages that are to be sent within the hour."""
    soon = (now + timedelta(hours=1) - (now.utcoffset() or timedelta())).replace(tzinfo=None)
    with workspace.store.read() as connection:
        return len(connection.execute(select(outbox.c.id).where(OPEN, outbox.c.due_at <= soon)).all())


# --- how it ends ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """Everything that was raised, given and begun, and what was put in the outbox in the last three weeks
    (older messages are swept), with how often; ids left out."""

    alerts: Counter[tuple[Any, ...]]
    tasks: Counter[tuple[Any, ...]]
    enrolments: Counter[tuple[Any, ...]]
    messages: Counter[tuple[Any, ...]]


def end(workspace: Workspace) -> End:
    with workspace.store.read() as connection:
        raised = connection.execute(select(alerts)).all()
        given = connection.execute(select(tasks)).all()
        began = connection.execute(select(enrolments)).all()
        put = connection.execute(select(outbox)).all()
    kept = max((m.created_at for m in put), default=datetime(2100, 1, 1)) - timedelta(days=21)
    return End(
        Counter((a.rule, a.account_id, a.subject, a.as_of, a.severity, a.owner, a.summary) for a in raised),
        Counter(
            (
                *(t.account_id, t.title, t.due_on, t.status, t.step, t.said_at.date()),
                *(t.closed_at and t.closed_at.date(), None if t.step in SHARED else t.owner),
            )
            for t in given
        ),
        Counter(
            (e.playbook, e.account_id, e.started_on, e.status, e.reason, e.ended_on, e.ended_because)
            for e in began
        ),
        Counter(
            (m.destination, m.kind, m.account_id, m.subject, m.created_at.date())
            for m in put
            if m.created_at > kept
        ),
    )


def sent(workspace: Workspace) -> set[str]:
    """The keys of messages that were sent and are not swept yet."""
    with workspace.store.read() as connection:
        query = select(outbox.c.id).where(outbox.c.sent_at.is_not(None))
        return set(connection.execute(query).scalars())
