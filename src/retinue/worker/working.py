"""One look around at a time: what is due is done, under a lease, so that two workers do nothing twice."""

from __future__ import annotations

import logging
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from retinue.deliver import Delivered, Outside, Pace, deliver_due
from retinue.errors import NotFound, RetinueError
from retinue.run.alerting import evaluate
from retinue.run.playing import advance
from retinue.store.published.current import current_run
from retinue.store.work import leases, outbox
from retinue.worker.schedule import latest
from retinue.workspace import Workspace

#: The lease of what only one worker does, and how long it holds; it is renewed while a run goes on.
LEASE, HOLDS = "worker", timedelta(minutes=2)
#: The name of scheduled runs, and how often what is old is swept.
RUN, SWEEP = "run", timedelta(hours=6)
_SWEPT = "sweep"

_log = logging.getLogger("retinue.worker")


@dataclass(frozen=True)
class Ticked:
    """What one look around did."""

    ran: str | None = None
    alerts: int = 0
    enrolments: int = 0
    tasks: int = 0
    delivered: Delivered = field(default_factory=Delivered)

    @property
    def idle(self) -> bool:
        return not (self.ran or self.alerts or self.enrolments or self.tasks or self.delivered.sent)

    def to_dict(self) -> dict[str, Any]:
        return {
            "ran": self.ran,
            "alerts": self.alerts,
            "enrolments": self.enrolments,
            "tasks": self.tasks,
            "delivered": self.delivered.to_dict(),
        }


def a_name() -> str:
    """A name that no other worker has."""
    return f"{socket.gethostname()}:{os.getpid()}:{random.SystemRandom().getrandbits(32):08x}"


@dataclass
class Worker:
    """A worker of one project. `clock` gives aware times; `outside` is how messages leave.

    `score` starts a scheduled run and is told when to give up; by default `retinue run` in a process of
    its own, so that what it takes in memory and time is not the server's.
    """

    workspace: Workspace
    clock: Callable[[], datetime]
    outside: Outside
    stop: threading.Event = field(default_factory=threading.Event)
    pace: Pace = field(default_factory=Pace)
    chance: random.Random = field(default_factory=random.SystemRandom)
    name: str = field(default_factory=a_name)
    score: Callable[[Worker], str] | None = None

    def tick(self) -> Ticked:
        """Do what is due. Raises StoreError and what a run raises; what is not done stays due."""
        store, now = self.workspace.store, self.clock()
        # Messages are claimed one by one: as many workers as there are may send them. They come first,
        # so that nothing else that goes wrong keeps them.
        delivered = deliver_due(
            store,
            self.workspace.project.settings.destinations,
            clock=self.clock,
            worker=self.name,
            outside=self.outside,
            pace=self.pace,
            chance=self.chance,
            stop=self.stop.is_set,
        )
        if not leases.take(store, LEASE, self.name, now=now, lease=HOLDS):
            return Ticked(delivered=delivered)
        ran = self._run(now)
        alerts, enrolments, tasks = self._act()
        self._sweep(now)
        return Ticked(ran, alerts, enrolments, tasks, delivered)

    def leave(self) -> None:
        """Give back what only one may have, so that others need not wait."""
        leases.give_back(self.workspace.store, LEASE, self.name)

    def _run(self, now: datetime) -> str | None:
        settings = self.workspace.project.settings
        if settings.work.run is None:
            return None
        store = self.workspace.store
        before = leases.last_due(store, RUN)
        if before is None:
            # From now on: a worker that is new has missed nothing.
            leases.set_due(store, RUN, now)
            leases.set_done(store, RUN, "first seen", now=now)
            return None
        if before.done_at is not None:
            due = latest(settings.work.run, settings.timezone, before.due_at, now)
            if due is None:
                return None
            leases.set_due(store, RUN, due)
        result = (self.score or scored)(self)
        if self.stop.is_set():
            return None  # it stays due: whoever works next makes up for it
        leases.set_done(store, RUN, result, now=self.clock())
        return result

    def _act(self) -> tuple[int, int, int]:
        """Alerts of new dates, and steps of playbooks."""
        if self.stop.is_set() or current_run(self.workspace.store) is None:
            return 0, 0, 0
        found = evaluate(self.workspace, now=self.clock())
        played = advance(self.workspace, now=self.clock())
        return sum(found.alerts.values()), found.enrolments, played.tasks

    def _sweep(self, now: datetime) -> None:
        before = leases.last_due(self.workspace.store, _SWEPT)
        if before is not None and now - before.due_at < SWEEP:
            return
        leases.set_due(self.workspace.store, _SWEPT, now)
        outbox.housekeep(self.workspace.store, now=now)
        leases.set_done(self.workspace.store, _SWEPT, "done", now=now)


def scored(worker: Worker) -> str:
    """`retinue run` in a process of its own; what it said last. It ends when the worker is to stop."""
    command: Sequence[str] = (
        *(sys.executable, "-c", "from retinue.cli import main; main()"),
        *("run", "--quiet", "--wait", "600", "-C", str(worker.workspace.project.root)),
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while True:
            try:
                said, _ = process.communicate(timeout=1.0)
                break
            except subprocess.TimeoutExpired:
                leases.take(worker.workspace.store, LEASE, worker.name, now=worker.clock(), lease=HOLDS)
                if worker.stop.is_set():
                    process.terminate()
    finally:
        if process.poll() is None:
            process.kill()
    last = (said or "").strip().splitlines()[-1:] or [""]
    if process.returncode != 0:
        _log.error("a scheduled run failed: %s", last[0])
        return f"failed: {last[0]}"
    return last[0] or "done"


def work(worker: Worker, *, told: Callable[[Ticked], object] | None = None) -> None:
    """Look around every few seconds until `worker.stop` is set. What goes wrong is logged and tried again."""
    pause = worker.workspace.project.settings.work.every_seconds
    try:
        while not worker.stop.is_set():
            try:
                done = worker.tick()
            except NotFound as error:
                _log.info("nothing to do yet: %s", error)
            except RetinueError as error:
                _log.error("could not work: %s", error)
            except Exception:  # noqa: BLE001 - a worker that ends helps nobody
                _log.exception("an unexpected error; it is tried again")
            else:
                if told is not None and not done.idle:
                    told(done)
            worker.stop.wait(pause)
    finally:
        worker.leave()
