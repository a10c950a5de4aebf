"""One look around at a time: what is due is done, under a lease, so that two workers do nothing twice."""

from __future__ import annotations

import json
import logging
import os
import random
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from retinue.deliver import Delivered, Outside, Pace, deliver_due
from retinue.errors import NotFound, ProjectError, RetinueError
from retinue.parent import COMMAND
from retinue.project.load import load
from retinue.run.alerting import evaluate
from retinue.run.playing import Moment, Played, advance, moment
from retinue.store.published.current import current_run
from retinue.store.work import leases, outbox
from retinue.store.work.leases import HOLDS
from retinue.worker.schedule import latest
from retinue.workspace import Workspace

#: The names of what is done by the clock: scheduled runs, and the sweep of what is old, with how often.
RUN, SWEEP = "run", "sweep"
EVERY = timedelta(hours=6)

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
    #: Set to have the project read again before the next look around; a new run does that too.
    again: threading.Event = field(default_factory=threading.Event)
    _renewed: datetime | None = None
    _run_id: str | None = None
    _advanced: Moment | None = None

    def tick(self) -> Ticked:
        """Do what is due. Raises StoreError and what a run raises; what is not done stays due."""
        store, now = self.workspace.store, self.clock()
        self._look()
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
            stop=self._ends,
        )
        if self.stop.is_set() or not self.renew():
            return Ticked(delivered=delivered)
        ran = self._run(now)
        alerts, enrolments, tasks = self._act()
        self._sweep(now)
        return Ticked(ran, alerts, enrolments, tasks, delivered)

    def renew(self) -> bool:
        """Have the lease from now on; False while another worker has it."""
        now = self.clock()
        mine = leases.take(self.workspace.store, leases.WORKER, self.name, now=now, lease=HOLDS)
        self._renewed = now if mine else None
        return mine

    def leave(self) -> None:
        """Give back what only one may have, so that others need not wait."""
        leases.give_back(self.workspace.store, leases.WORKER, self.name)
        self._renewed = None

    def _look(self) -> None:
        """Work by the project as it stands once another run is current, or somebody asks for that."""
        run = current_run(self.workspace.store)
        run_id = run.run_id if run is not None else None
        known, self._run_id = self._run_id, run_id
        if not self.again.is_set() and (known is None or known == run_id):
            return
        self.again.clear()
        before = self.workspace.project
        try:
            project = load(before.root, self.outside.environ)
        except ProjectError as error:
            _log.warning("the project stays as it was: %s", error)
            return
        if (project.store_url, project.home) != (before.store_url, before.home):
            _log.warning("another store or home needs a restart")
            return
        self.workspace = replace(self.workspace, project=project)

    def _go_on(self) -> bool:
        """Asked in the middle of long work: whether it is ours to go on with. The lease lasts meanwhile."""
        if self.stop.is_set() or self._renewed is None:
            return False
        return self.clock() - self._renewed < HOLDS / 4 or self.renew()

    def _ends(self) -> bool:
        """Asked between messages, which need no lease; whoever has it keeps it."""
        if self._renewed is not None:
            self._go_on()
        return self.stop.is_set()

    def _run(self, now: datetime) -> str | None:
        settings = self.workspace.project.settings
        if settings.work.run is None:
            return None
        store = self.workspace.store
        before = leases.last_due(store, RUN)
        if before is None:
            # From now on: a worker that is new has missed nothing.
            leases.set_due(store, RUN, now, done="first seen")
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
        found = evaluate(self.workspace, now=self.clock(), go_on=self._go_on)
        played = self._advance()
        return sum(found.alerts.values()), found.enrolments, played.tasks

    def _advance(self) -> Played:
        """Steps are looked at only where something has changed since they last were."""
        now = self.clock()
        stands = moment(self.workspace, now=now)
        if stands is None or stands == self._advanced:
            return Played(0, 0, 0, 0, 0)
        played = advance(self.workspace, now=now, go_on=self._go_on)
        # What a step changes may let another one begin, and what was broken off is not done: then it is
        # looked at once more.
        settled = played.advanced == 0 and self._renewed is not None and not self.stop.is_set()
        self._advanced = stands if settled else None
        return played

    def _sweep(self, now: datetime) -> None:
        before = leases.last_due(self.workspace.store, SWEEP)
        if before is not None and before.done_at is not None and now - before.due_at < EVERY:
            return
        leases.set_due(self.workspace.store, SWEEP, now)
        rows = outbox.housekeep(self.workspace.store, now=now)
        leases.set_done(self.workspace.store, SWEEP, f"{rows} messages", now=now)


def scored(worker: Worker) -> str:
    """`retinue run` in a process of its own; what came of it. It ends when the worker is to stop."""
    # What follows from it is looked at here, at once.
    asked = ("run", "--quiet", "--json", "--no-alerts", "--wait", "600")
    end, ours = os.pipe()
    try:
        process = subprocess.Popen(
            [*COMMAND, *asked, "-C", str(worker.workspace.project.root)],
            stdin=end,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(end)
        out, err = _followed(worker, process)
    finally:
        os.close(ours)
    if process.returncode == 0:
        dates = json.loads(out)["dates"]
        return f"scored {len(dates)} {'date' if len(dates) == 1 else 'dates'} up to {dates[-1]}"
    last = (err.strip().splitlines() or [f"it ended with the status {process.returncode}"])[-1]
    if not worker.stop.is_set():
        _log.error("a scheduled run failed: %s", last)
    return f"failed: {last}"


def _followed(worker: Worker, process: subprocess.Popen[str]) -> tuple[str, str]:
    """What the process says until it ends; the lease lasts as long."""
    asked = 0
    try:
        while True:
            try:
                return process.communicate(timeout=1.0)
            except subprocess.TimeoutExpired:
                if not worker.stop.is_set():
                    worker.renew()
                    continue
                # The first one ends it in order, another one at once.
                if asked in (0, 5):
                    process.terminate()
                asked += 1
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def work(worker: Worker, *, told: Callable[[Ticked], object] | None = None) -> None:
    """Look around every few seconds until `worker.stop` is set. What goes wrong is logged and tried again."""
    try:
        while not worker.stop.is_set():
            try:
                done = worker.tick()
            except NotFound as error:
                _log.info("nothing to do yet: %s", error)
            except Exception as error:  # noqa: BLE001 - a worker that ends helps nobody
                _failed(worker, error)
            else:
                if told is not None and not done.idle:
                    told(done)
            worker.stop.wait(worker.workspace.project.settings.work.every_seconds)
    finally:
        try:
            worker.leave()
        except RetinueError as error:
            _log.warning("others wait for %s at most: %s", HOLDS, error)


def _failed(worker: Worker, error: Exception) -> None:
    if worker.stop.is_set():
        # Whatever was going on was broken off, and stays due.
        _log.info("stopped in the middle: %s", error)
    elif isinstance(error, RetinueError):
        _log.error("could not work: %s", error)
    else:
        _log.error("an unexpected error; it is tried again", exc_info=error)
