"""Playbooks go on: for each account in one, the steps that are due, their tasks and messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from retinue.action.matching import holds
from retinue.action.picture import Picture
from retinue.action.playbooks import Enrolment, Load, Next, Start, advanced, balanced
from retinue.period import last_complete_day
from retinue.project.conditions import names as names_of
from retinue.project.playbooks import Playbook, Step, filled
from retinue.project.project import Project
from retinue.run.advising import Standing, advice, drivers
from retinue.run.happenings import Happenings
from retinue.run.looking import Looking
from retinue.run.messages import due_at, link, payload
from retinue.store.published.current import current_run, explanations
from retinue.store.work import plays
from retinue.store.work.outbox import Row, key
from retinue.store.work.plays import NewTask
from retinue.warehouse.trace import Listener, Trace
from retinue.words import WORDS, shown
from retinue.workspace import Workspace


@dataclass(frozen=True)
class Played:
    """What became of the accounts in playbooks: how many went on, tasks, messages, and how many ended."""

    advanced: int
    tasks: int
    messages: int
    completed: int
    stopped: int

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Moment:
    """All that steps are decided from, as far as it can change: between two that are equal nothing is due."""

    run_id: str
    day: date
    books: Sequence[Playbook]
    going: Sequence[Enrolment]
    tasks: Mapping[int, str]


def moment(workspace: Workspace, *, now: datetime) -> Moment | None:
    """How things stand for playbooks, read from the store alone; None if no account is in one.

    Who leads, and who has how many tasks, says who gets a step and not whether one is due.
    """
    going = plays.active(workspace.store)
    run = current_run(workspace.store)
    if not going or run is None:
        return None
    return Moment(
        run.run_id,
        _today(workspace.project, now),
        workspace.project.playbooks,
        going,
        plays.task_states(workspace.store, _numbers(going)),
    )


def advance(
    workspace: Workspace,
    *,
    now: datetime,
    progress: Listener | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> Played:
    """Take every step that is due on the project's day at `now`. Doing it again does nothing more.

    `go_on` is asked before each account; what is left stays due.
    """
    going = plays.active(workspace.store)
    if not going:
        return Played(0, 0, 0, 0, 0)
    desk = Playing.of(workspace, going, now, progress)
    count = {"advanced": 0, "tasks": 0, "messages": 0, "completed": 0, "stopped": 0}
    # A past day is played as it was: it goes by the day before, and by nothing that began later.
    for one in [one for one in going if one.started_on < desk.day]:
        if not go_on():
            break
        after, new, rows = desk.next(one)
        if after.enrolment == one:
            continue
        if plays.apply(workspace.store, one, after, new, rows, now):
            count["advanced"] += 1
            count["tasks"] += len(new)
            count["messages"] += len(rows)
            if after.enrolment.status in count:
                count[after.enrolment.status] += 1
    return Played(**count)


@dataclass
class Playing:
    """What steps are decided from, read once for all enrolments."""

    workspace: Workspace
    now: datetime
    day: date
    books: Mapping[str, Playbook]
    picture: Picture
    place: Mapping[str, int]
    tasks: Mapping[int, str]
    recovered: Mapping[str, Any]
    leaders: Sequence[tuple[str, frozenset[str]]]
    addresses: Mapping[str, str]
    loads: dict[str, Load]
    standings: Mapping[str, Standing] = field(default_factory=dict)
    teams: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, workspace: Workspace, going: Sequence[Enrolment], now: datetime, progress: Listener | None
    ) -> Playing:
        project, store = workspace.project, workspace.store
        books = {book.playbook: book for book in project.playbooks}
        published = workspace.published()
        today, dates = _today(project, now), published.dates()
        last = next((day for day in reversed(dates) if day < today), dates[-1])
        named = frozenset(
            name for book in books.values() if book.until is not None for name in names_of(book.until)
        )
        with Trace(progress) as trace, Happenings(project, trace, last) as read:
            picture = Looking(store, published, last, None, {}, read, named).picture()
        return cls(
            workspace,
            now,
            today,
            books,
            picture,
            {account: n for n, account in enumerate(picture.ids.to_pylist())},
            plays.task_states(store, _numbers(going)),
            {
                name: holds(book.until, picture.columns, len(picture))
                for name, book in books.items()
                if book.until is not None
            },
            plays.leaders(store),
            plays.addresses(store),
            plays.desks(store),
            explanations(store, sorted({one.account_id for one in going})),
        )

    def next(self, one: Enrolment) -> tuple[Next, list[NewTask], list[Row]]:
        book = self.books.get(one.playbook)
        if book is None:
            return self._withdrawn(one), [], []
        place = self.place.get(one.account_id)
        # What holds on the day on which it starts is why it starts: recovery comes after.
        recovered = (
            place is not None
            and book.playbook in self.recovered
            and bool(self.recovered[book.playbook][place])
        )
        after = advanced(
            book,
            one,
            self.day,
            tasks=self.tasks,
            gone=place is None,
            recovered=recovered,
            workdays=self.workspace.project.settings.alerting.workdays,
        )
        facts = self.facts(place, book, one) if place is not None else {}
        new: list[NewTask] = []
        rows: list[Row] = []
        for start in after.starts:
            step = book.steps[start.place]
            if step.kind == "task":
                new.append(self.task(step, start, facts))
            else:
                rows += self._messages(step, start, facts, one)
        return after, new, rows

    def _withdrawn(self, one: Enrolment) -> Next:
        open_tasks = [s.task for s in one.steps.values() if s.status == "going" and s.task is not None]
        ended = replace(
            one, status="stopped", ended_on=self.day, ended_because="the playbook is not declared any more"
        )
        return Next(ended, (), tuple(open_tasks))

    def facts(self, place: int, book: Playbook, one: Enrolment) -> dict[str, Any]:
        def column(name: str) -> Any:
            found = self.picture.columns.get(name)
            return None if found is None else found[place].as_py()

        standing = self.standings.get(one.account_id)
        return {
            **facts_of(one, column),
            "why": "; ".join(drivers(self.workspace.project, standing)) or None,
            "advice": advice(self.workspace.project, standing),
            "playbook": book.label or book.playbook,
            "link": link(self.workspace.project, one.account_id),
        }

    def task(self, step: Step, start: Start, facts: Mapping[str, Any]) -> NewTask:
        owner = self._owner(step, facts)
        load = self.loads.get(owner, Load(owner, 0, 0.0, 0))
        newest = max((one.last_given for one in self.loads.values()), default=0) + 1
        self.loads[owner] = replace(load, tasks=load.tasks + 1, last_given=newest)
        known = dict(facts)
        return NewTask(
            start.step,
            filled(step.task or "", known)[:200],
            filled(step.text, known) if step.text else None,
            owner,
            start.due_on,
            [filled(text, known) for text in step.checklist],
        )

    def _owner(self, step: Step, facts: Mapping[str, Any]) -> str:
        """Who is to do it: by balance among people, or the first of `owner` that there is."""
        if step.among is not None:
            names = self._team(step.among) if isinstance(step.among, str) else list(step.among)
            chosen = balanced([self.loads.get(n, Load(n, 0, 0.0, 0)) for n in names], step.balance)
            if chosen is not None:
                return chosen
        for name in step.owner:
            if name == "owner" and facts.get("owner"):
                return str(facts["owner"])
            if name == "leader":
                found = self._leader(facts.get("territory"))
                if found is not None:
                    return found
            elif name != "owner":
                return name
        return str(facts.get("owner") or plays.RETINUE)

    def _leader(self, territory: Any) -> str | None:
        """The leader of the territory, else one of everything."""
        own = [email for email, places in self.leaders if territory in places]
        every = [email for email, places in self.leaders if not places]
        return next(iter([*own, *every]), None)

    def _team(self, team: str) -> list[str]:
        if team not in self.teams:
            self.teams[team] = plays.members(self.workspace.store, team)
        return self.teams[team]

    def _messages(self, step: Step, start: Start, facts: Mapping[str, Any], one: Enrolment) -> list[Row]:
        project: Project = self.workspace.project
        known = dict(facts)
        subject = filled(step.subject or "{playbook}: {name}", known)[:200]
        due = due_at(self.now, project.settings.alerting, project, "normal")
        rows = []
        for destination in step.to:
            identity = key("playbook", one.playbook, one.id, start.step, destination)
            told = payload(
                identity,
                "playbook",
                subject,
                filled(step.message or "", known),
                self.now,
                link=facts.get("link"),
                account_id=one.account_id,
                account=str(facts.get("name")),
                recipient=facts.get("owner"),
                address=self.addresses.get(str(facts.get("owner"))),
                data={"playbook": one.playbook, "step": start.step, "enrolment": one.id, **known},
            )
            rows.append(Row(identity, destination, "playbook", subject, told, due, one.account_id))
        return rows


def facts_of(one: Enrolment, column: Callable[[str], Any]) -> dict[str, Any]:
    """What texts may name of the account itself; `column` tells what it has, None where nothing is known."""
    return {
        "account_id": one.account_id,
        "name": column("name") or one.account_id,
        **{name: column(name) for name in ("owner", "segment", "territory", "stage")},
        "renews_on": None if column("renews_on") is None else str(column("renews_on")),
        "score": shown(column("score")),
        "band": WORDS.get(column("band"), WORDS[None]),
        "arr": None if column("arr") is None else f"{column('arr'):,.0f}",
        "reason": one.reason,
    }


def _today(project: Project, now: datetime) -> date:
    """The project's day that is going on."""
    settings = project.settings
    return last_complete_day(now, settings.timezone, settings.day_closes) + timedelta(days=1)


def _numbers(going: Sequence[Enrolment]) -> list[int]:
    return [step.task for one in going for step in one.steps.values() if step.task is not None]
