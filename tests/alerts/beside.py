"""The simulated quarter in Retinue and in the naive reading, side by side, day by day."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from retinue.run.alerting import evaluate
from retinue.run.happenings import Happenings
from retinue.run.playing import advance
from retinue.store.database import utc
from retinue.store.people.access import Actor
from retinue.store.tables import alerts, enrolments, outbox, tasks
from retinue.store.work.alerts import mute, unmute
from retinue.store.work.said import add_note
from retinue.store.work.task_changes import close_task
from retinue.store.work.tasks import add_task
from retinue.warehouse.trace import Trace
from retinue.workspace import Workspace
from tests.alerts.declared import ALERTS, PLAYBOOKS
from tests.alerts.naive import Company, Task
from tests.alerts.quarter import BERLIN, PEOPLE, Quarter

SOMEBODY = Actor("somebody@acme.example")
Counted = Counter[tuple[Any, ...]]


def naive_company(quarter: Quarter, rules: str = ALERTS, books: str = PLAYBOOKS) -> Company:
    """The naive reading of what the company declares, with nothing seen yet."""
    declared = yaml.safe_load(rules)
    return Company(
        alerts=declared.get("alerts", {}),
        policy=declared["alerting"],
        playbooks=list(yaml.safe_load_all(books)) if books else [],
        accounts={one.id: one for one in quarter.accounts},
        facts=quarter.facts,
        leaders=sorted((email, places) for email, role, places, _ in PEOPLE if role == "leader"),
        teams={"save": sorted(email for email, _, _, team in PEOPLE if team == "save")},
        zone=BERLIN,
    )


@dataclass
class Both:
    """A quarter that is played twice. `pending` are places of dates that nobody has looked at yet."""

    quarter: Quarter
    workspace: Workspace
    naive: Company
    read: Happenings
    pending: list[int] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)
    muted: list[int] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, quarter: Quarter, folder: Path, url: str | None = None, **changes: str) -> Both:
        workspace = quarter.open(folder, url, **changes)
        told = {"rules": changes.get("alerts"), "books": changes.get("playbooks")}
        naive = naive_company(quarter, **{name: text for name, text in told.items() if text is not None})
        # The sources are the same all the time, and are read once.
        return cls(quarter, workspace, naive, Happenings(workspace.project, Trace(None), quarter.dates[0]))

    def publish(self, place: int) -> None:
        """The run of a date, in both."""
        self.quarter.publish(self.workspace, place)
        self.pending.append(place)
        for told in self.quarter.told_by(place):
            day = self.quarter.dates[told]
            self.naive.seen[day] = self.quarter.seen(told, place)
            self.naive.bridges[day] = self.quarter.bridged(told, place)
            stopped = any(one.held for one in self.naive.seen[day].values())
            self.naive.usage[day] = "feed_stopped" if stopped else "ok"

    def day(self, place: int) -> None:
        """A run; then, unless nobody looks that day, alerts and playbooks in both, which are the same."""
        self.publish(place)
        if place in self.quarter.down:
            return
        now = self.quarter.at(place, hour=(6, 11, 19)[place % 3])
        before = self._marks()
        evaluate(self.workspace, now=now, read=self.read)
        advance(self.workspace, now=now)
        was = (
            len(self.naive.raised),
            len(self.naive.tasks),
            len(self.naive.enrolled),
            len(self.naive.messages),
        )
        for waiting in self.pending:
            self.naive.look(self.quarter.dates[waiting], now)
        self.naive.go_on(now)
        self.pending.clear()
        self._same_alerts(before["alerts"], was[0])
        self._same_enrolments(before["enrolments"], was[2])
        self._same_tasks(before["tasks"], was[1])
        self._same_messages(now, was[3])
        self._people(place)

    # --- compared ---

    def _marks(self) -> dict[str, int]:
        with self.workspace.store.read() as connection:
            return {
                table.name: max(connection.execute(select(table.c.id)).scalars(), default=0)
                for table in (alerts, enrolments, tasks)
            }

    def _rows(self, query: Any) -> list[Any]:
        with self.workspace.store.read() as connection:
            return list(connection.execute(query))

    def _same(self, what: str, mine: Counted, naive: Counted) -> None:
        self.counted[what] = self.counted.get(what, 0) + mine.total()
        assert not (mine - naive), f"{what} that the naive reading has not: {sorted(mine - naive)[:9]}"
        assert not (naive - mine), f"{what} that only the naive reading has: {sorted(naive - mine)[:9]}"

    def _same_alerts(self, after: int, known: int) -> None:
        rows = self._rows(select(alerts).where(alerts.c.id > after))
        mine = Counter((r.rule, r.account_id or r.subject, r.as_of, r.account_id is not None) for r in rows)
        self._same("alerts", mine, Counter(self.naive.raised[known:]))

    def _same_enrolments(self, after: int, known: int) -> None:
        rows = self._rows(select(enrolments).where(enrolments.c.id > after))
        mine = Counter((r.playbook, r.account_id, r.started_on) for r in rows)
        told = Counter((e.playbook, e.account, e.started) for e in self.naive.enrolled[known:])
        self._same("enrolments", mine, told)

    def _same_tasks(self, after: int, known: int) -> None:
        rows = self._rows(select(tasks).where(tasks.c.id > after).order_by(tasks.c.id))
        mine = [
            (r.account_id, f"{r.origin.removeprefix('playbook ')}.{r.step}", r.owner, r.due_on) for r in rows
        ]
        new = self.naive.tasks[known:]
        self._same("tasks", Counter(mine), Counter((t.account, t.step, t.owner, t.due) for t in new))
        numbers = {told: row.id for told, row in zip(mine, rows, strict=True)}
        assert len(numbers) == len(rows)
        self.numbers |= {t.number: numbers[t.account, t.step, t.owner, t.due] for t in new}

    def _same_messages(self, now: datetime, known: int) -> None:
        rows = self._rows(select(outbox).where(outbox.c.created_at == utc(now)))
        mine = Counter((r.destination, r.kind, _about(r), r.due_at.replace(tzinfo=UTC)) for r in rows)
        self._same("messages", mine, Counter(self.naive.messages[known:]))

    def same_in_the_end(self) -> None:
        """What has become of all tasks and of all accounts in playbooks."""
        rows = self._rows(select(tasks.c.id, tasks.c.status))
        naive = {self.numbers[task.number]: task.status for task in self.naive.tasks}
        assert {row.id: row.status for row in rows} == naive
        every = self._rows(select(enrolments))
        mine = Counter((r.playbook, r.account_id, r.started_on, r.status) for r in every)
        assert mine == Counter((e.playbook, e.account, e.started, e.status) for e in self.naive.enrolled)

    # --- what people do in the afternoon ---

    def _people(self, place: int) -> None:
        now, store = self.quarter.at(place, hour=16), self.workspace.store
        if now < self.quarter.at(place, hour=(6, 11, 19)[place % 3]):
            now = self.quarter.at(place, hour=22)
        here = self.naive.seen[self.quarter.dates[place]]
        for one in self.quarter.said[place]:
            if one.account is not None and one.account not in here:
                continue
            if one.kind == "note":
                assert one.account is not None
                add_note(store, one.account, "They called.", by=SOMEBODY, now=now)
                self.naive.touches.append((one.account, now))
            elif one.kind == "mute":
                told: dict[str, Any] = {"account_id": one.account, "rule": one.rule, "until": one.until}
                self.muted.append(mute(store, SOMEBODY, now=now, reason="in talks", **told))
                self.naive.mutes.append({"account": one.account, "rule": one.rule, "until": one.until})
            elif self.muted:
                unmute(store, SOMEBODY, self.muted.pop(0), now=now)
                self.naive.mutes.pop(0)
        for task in [task for task in self.naive.tasks if task.status == "open"]:
            chance = _chance(task, self.quarter.dates[place])
            if chance < 0.25:
                done = chance < 0.2
                close_task(store, SOMEBODY, self.numbers[task.number], now=now, done=done, result="Done.")
                task.status = "done" if done else "dropped"
                if done:
                    self.naive.touches.append((task.account, now))
        if place % 5 == 0:
            account = min(here)
            number = add_task(store, SOMEBODY, account, "Think", now=now, owner="sam@acme.example")
            task = Task(len(self.naive.tasks) + 1, account, "by hand", "sam@acme.example", date.max)
            self.naive.tasks.append(task)
            self.numbers[task.number] = number


def _about(row: Any) -> str:
    told = json.loads(row.payload)
    data = told["data"]
    if row.kind == "alert":
        return f"{data['rule']} {row.account_id or data['subject']} {data['as_of']}"
    if row.kind == "digest":
        return f"{told['recipient']} {data['as_of']} {len(data['alerts'])}"
    return str(row.subject)


def _chance(task: Task, day: date) -> float:
    told = f"{task.account} {task.step} {task.due} {day}".encode()
    return int(hashlib.sha256(told).hexdigest()[:8], 16) / 2**32
