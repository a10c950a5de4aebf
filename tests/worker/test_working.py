"""One look around at a time: what is due is done once, by whoever has the lease."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from retinue.errors import StoreError
from retinue.run.following import Followed, follow
from retinue.store.people.access import OPERATOR
from retinue.store.tables import alerts, audit, enrolments, outbox, schedules, tasks
from retinue.store.work import leases
from retinue.store.work.task_changes import close_task
from retinue.worker.working import RUN, SWEEP, Ticked, Worker, work
from retinue.workspace import Workspace, open_workspace
from tests.alerts.conftest import LAST, noon
from tests.deliver.receivers import HttpReceiver, http_receiver, outside, smtp_receiver
from tests.deliver.test_passing import SECRET

HOOK = 'webhook: {url: "https://crm.acme.example/hooks"'
NOW = noon(LAST)


@dataclass
class Office:
    """A company with workers whose clock goes when it is told to."""

    workspace: Workspace
    now: datetime = NOW
    runs: list[str] = field(default_factory=list)

    def worker(self, name: str = "one", **more: object) -> Worker:
        told = {"score": self._scored, **more}
        environ = {"CRM_SECRET": SECRET}
        return Worker(self.workspace, lambda: self.now, outside(environ), name=name, **told)

    def _scored(self, worker: Worker) -> str:
        self.runs.append(worker.name)
        return "scored"

    def after(self, **told: float) -> None:
        self.now += timedelta(**told)

    def count(self, table) -> int:
        with self.workspace.store.read() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    def declare(self, old: str, new: str) -> None:
        path = self.workspace.project.root / "retinue.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        self.workspace = open_workspace(self.workspace.project.root, {})


@pytest.fixture
def office(acme: Workspace) -> Office:
    """Two months are to be looked at."""
    return Office(acme)


@pytest.fixture
def quiet(evaluated: Workspace) -> Office:
    """Both months were looked at, and playbooks have gone on."""
    office = Office(evaluated)
    assert office.worker().tick().tasks > 0
    office.worker().leave()
    return office


@contextmanager
def receiving(office: Office) -> Iterator[HttpReceiver]:
    """Their messages come here."""
    with http_receiver() as receiver:
        hook = f'webhook: {{allow_private: ["127.0.0.0/8"], url: "http://hooks.example:{receiver.port}/in"'
        office.declare(HOOK, hook)
        yield receiver


def test_a_look_around_acts_once_sends_what_follows_and_then_is_idle(office: Office):
    with receiving(office) as receiver:
        worker = office.worker()
        done = worker.tick()
        assert done.alerts == office.count(alerts) > 0
        assert done.enrolments == office.count(enrolments) > 0
        assert done.tasks == office.count(tasks) > 0
        found, sent, looks = done, 0, 0
        while not (sent and found.idle):
            office.after(seconds=5)
            found = worker.tick()
            sent, looks = sent + found.delivered.sent, looks + 1
            assert (found.alerts, found.tasks) == (0, 0)
            assert looks < 50
        assert sent == len(receiver.requests) == office.count(outbox)
        before = office.count(audit), office.count(outbox), office.count(tasks)
        for _ in range(3):
            office.after(seconds=5)
            assert worker.tick().idle
        assert (office.count(audit), office.count(outbox), office.count(tasks)) == before
        keys = [one.headers["webhook-id"] for one in receiver.requests]
        assert len(set(keys)) == len(keys)


def test_messages_go_by_mail_too(office: Office):
    with smtp_receiver() as server:
        mail = f"smtp: {{host: 127.0.0.1, port: {server.port}, tls: none}}"
        post = f"  post: {{email: {{to: [cs@acme.example], from: r@acme.example, {mail}}}}}\n"
        office.declare("destinations:\n", f"destinations:\n{post}")
        office.declare("alerting: {to: [crm]", "alerting: {to: [post]")
        worker = office.worker()
        raised = worker.tick().alerts
        office.after(hours=1)
        worker.tick()
        assert raised > 0
        assert any(b"Late Payers" in one.content for one in server.mails)
        assert {tuple(one.to) for one in server.mails} == {("cs@acme.example",)}


def test_a_look_around_that_finds_nothing_new_reads_nothing_of_what_is_published(quiet: Office):
    worker = quiet.worker()
    worker.tick()
    assert quiet.count(enrolments) > 0
    for folder in (quiet.workspace.project.home / "runs").iterdir():
        for table in folder.iterdir():
            if table.is_dir():
                shutil.rmtree(table)
    quiet.after(seconds=5)
    assert worker.tick().idle
    # Tomorrow steps may be due: then it reads, and says that it cannot.
    quiet.after(days=1)
    with pytest.raises(StoreError):
        worker.tick()


def test_a_task_that_is_done_lets_its_playbook_go_on(quiet: Office):
    worker = quiet.worker()
    worker.tick()
    with quiet.workspace.store.read() as connection:
        mine = select(tasks.c.id, tasks.c.account_id).where(tasks.c.step == "call", tasks.c.status == "open")
        call = connection.execute(mine).first()
        told = select(outbox.c.id).where(outbox.c.kind == "playbook", outbox.c.account_id == call.account_id)
        before = connection.execute(told).all()
    quiet.after(seconds=5)
    assert worker.tick().idle
    close_task(quiet.workspace.store, OPERATOR, call.id, now=quiet.now, done=True, result="They pay.")
    worker.tick()
    with quiet.workspace.store.read() as connection:
        assert len(connection.execute(told).all()) == len(before) + 1


def test_steps_that_were_broken_off_with_the_lease_are_taken_when_it_is_back(evaluated: Workspace):
    office = Office(evaluated)
    store = evaluated.store

    class Slow(Worker):
        """So slow that another one takes over, once."""

        def _go_on(self) -> bool:
            if not office.runs:
                office.runs.append("slow")
                office.after(minutes=3)
                leases.take(store, leases.WORKER, "two", now=office.now, lease=leases.HOLDS)
            return super()._go_on()

    worker = Slow(office.workspace, lambda: office.now, outside({}), name="one")
    assert worker.tick().tasks == 0
    leases.give_back(store, leases.WORKER, "two")
    assert worker.tick().tasks > 0


def test_a_second_worker_only_sends_until_the_lease_of_the_first_ends(office: Office):
    with receiving(office) as receiver:
        first, second = office.worker("one"), office.worker("two")
        assert leases.take(office.workspace.store, leases.WORKER, "one", now=office.now, lease=leases.HOLDS)
        held_off = second.tick()
        assert held_off.idle and office.count(alerts) == 0
        assert first.tick().alerts > 0
        # Messages are everybody's.
        assert second.tick().delivered.sent == len(receiver.requests) > 0
        # The first one is gone without a word.
        office.after(seconds=119)
        second.tick()
        assert leases.held(office.workspace.store, leases.WORKER).holder == "one"
        office.after(seconds=2)
        second.tick()
        assert leases.held(office.workspace.store, leases.WORKER).holder == "two"
        # One that leaves lets others have it at once.
        second.leave()
        first.tick()
        assert leases.held(office.workspace.store, leases.WORKER).holder == "one"


def test_a_run_and_a_worker_at_the_same_time_raise_everything_once(office: Office):
    done: list[Followed] = []
    worker = office.worker()
    both = [
        threading.Thread(target=lambda: done.append(follow(office.workspace, now=NOW))),
        threading.Thread(target=worker.tick),
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    with office.workspace.store.read() as connection:
        raised = connection.execute(select(alerts.c.rule, alerts.c.account_id, alerts.c.as_of)).all()
        given = connection.execute(select(tasks.c.enrolment, tasks.c.step)).all()
    assert len(raised) == len(set(raised)) > 0
    assert len(given) == len(set(given)) > 0
    assert max(day for _, _, day in raised) > date(2026, 3, 1)
    assert worker.tick().alerts == 0


# --- runs by the clock ---


@pytest.fixture
def nightly(evaluated: Workspace) -> Office:
    office = Office(evaluated, datetime(2026, 4, 1, 4, 0, tzinfo=NOW.tzinfo))
    office.declare("timezone: UTC\n", 'timezone: Europe/Berlin\nwork: {run: "30 6 * * *"}\n')
    return office


def test_a_run_is_started_when_it_is_due_and_one_that_was_missed_once(nightly: Office):
    worker = nightly.worker()
    worker.tick()  # who is new has missed nothing
    nightly.after(minutes=29)
    worker.tick()
    assert nightly.runs == []
    nightly.after(minutes=1)  # 06:30 in Berlin
    assert worker.tick().ran == "scored"
    nightly.after(minutes=1)
    assert worker.tick().ran is None
    worker.leave()
    nightly.after(days=4)
    other = nightly.worker("two")
    assert other.tick().ran == "scored"
    assert other.tick().ran is None
    assert nightly.runs == ["one", "two"]


def test_a_run_that_was_broken_off_is_made_up_for_and_one_that_failed_is_not(nightly: Office):
    store = nightly.workspace.store
    nightly.worker().tick()
    nightly.after(hours=1)

    def dies(_worker: Worker) -> str:
        raise SystemExit

    with pytest.raises(SystemExit):
        nightly.worker(score=dies).tick()
    assert leases.last_due(store, RUN).done_at is None
    stopped = nightly.worker()

    def stops(worker: Worker) -> str:
        worker.stop.set()
        return ""

    stopped.score = stops
    assert stopped.tick().ran is None
    assert leases.last_due(store, RUN).done_at is None
    assert nightly.worker(score=lambda _worker: "failed: no data").tick().ran == "failed: no data"
    assert nightly.worker().tick().ran is None
    assert leases.last_due(store, RUN).result == "failed: no data"


def test_a_lease_lasts_as_long_as_what_it_is_for(nightly: Office):
    """A run of five minutes, during which it is renewed as `scored` does."""
    nightly.worker().tick()
    nightly.after(hours=1)
    other = nightly.worker("two")
    seen: list[bool] = []

    def long(worker: Worker) -> str:
        for _ in range(5):
            nightly.after(minutes=1)
            worker.renew()
            seen.append(other.tick().idle)
        return "scored"

    assert nightly.worker(score=long).tick().ran == "scored"
    assert seen == [True] * 5
    assert nightly.runs == []


def test_what_is_old_is_swept_every_six_hours_and_again_where_that_was_broken_off(quiet: Office):
    worker, store = quiet.worker(), quiet.workspace.store
    worker.tick()
    with store.write() as connection:
        connection.execute(outbox.update().values(sent_at=datetime(2025, 12, 1)))
    quiet.after(hours=5)
    worker.tick()
    assert quiet.count(outbox) > 0
    quiet.after(hours=2)
    worker.tick()
    assert quiet.count(outbox) == 0
    assert leases.last_due(store, SWEEP).result.endswith(" messages")
    with store.write() as connection:
        connection.execute(schedules.update().where(schedules.c.name == SWEEP).values(done_at=None))
    quiet.after(seconds=5)
    worker.tick()
    assert leases.last_due(store, SWEEP).done_at == quiet.now


# --- the project, and the loop ---


def test_it_works_by_the_project_as_it_stands_when_another_run_is_current(office: Office):
    from retinue.run import run

    worker = office.worker()
    worker.tick()
    office.declare("storm: 1.0", "storm: 0.9")
    assert worker.workspace.project.settings.alerting.storm == 1.0
    worker.tick()
    assert worker.workspace.project.settings.alerting.storm == 1.0
    run(office.workspace, now=NOW)
    worker.tick()
    assert worker.workspace.project.settings.alerting.storm == 0.9
    # Or when it is asked to; what cannot be read changes nothing.
    office.declare("storm: 0.9", "storm: 0.8")
    worker.again.set()
    worker.tick()
    assert worker.workspace.project.settings.alerting.storm == 0.8
    path = office.workspace.project.root / "retinue.yaml"
    path.write_text("project: [")
    worker.again.set()
    worker.tick()
    assert worker.workspace.project.settings.alerting.storm == 0.8


def test_it_goes_on_after_what_goes_wrong_and_gives_back_what_it_has(office: Office):
    told: list[dict[str, object]] = []
    worker = office.worker()
    _trigger(
        office.workspace, "CREATE TRIGGER full BEFORE INSERT ON alerts BEGIN SELECT RAISE(ABORT, 'no'); END"
    )

    def mend() -> None:
        _trigger(office.workspace, "DROP TRIGGER full")

    office.declare("timezone: UTC\n", "timezone: UTC\nwork: {every_seconds: 0.1}\n")
    worker.workspace = office.workspace
    tries: list[int] = []
    ordinary: Callable[[], object] = worker.tick

    def tick():
        tries.append(1)
        if len(tries) == 3:
            mend()
        return ordinary()

    worker.tick = tick

    def listens(done: Ticked) -> None:
        told.append(done.to_dict())
        worker.stop.set()

    work(worker, told=listens)
    assert len(tries) == 3
    assert told[0]["alerts"] == office.count(alerts) > 0
    assert leases.held(office.workspace.store, leases.WORKER) is None
    json.dumps(told)


def _trigger(workspace: Workspace, statement: str) -> None:
    with workspace.store.write() as connection:
        connection.exec_driver_sql(statement)
