"""Playbooks: what they do, who is in them, what became of those, and what one would do.

A playbook or enrolment that the actor may not see is NotFound, a missing right is Forbidden. Whoever works
on accounts is not told which ones are held out. `now` is an aware datetime.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, get_args

from retinue.action.playbooks import Enrolment, Status, StepStatus
from retinue.desk import background
from retinue.desk.account import seen
from retinue.desk.acting import Done, counts_from
from retinue.desk.declared import StepInWords, steps_told, trigger_words, until_words
from retinue.desk.effects import Effect, effect
from retinue.desk.plain import plain, rebuilt
from retinue.desk.rows import in_turn
from retinue.desk.steady import steady
from retinue.errors import Forbidden, NotFound, StoreError
from retinue.project.playbooks import Playbook, filled
from retinue.run.playing import facts_of
from retinue.run.rehearsing import Rehearsal, rehearse_playbook
from retinue.store.people.access import Actor, require
from retinue.store.published.current import CurrentRow, RunInfo
from retinue.store.work import plays
from retinue.store.work.record import standing
from retinue.store.work.tasks import tasks_of
from retinue.workspace import Workspace

PAGE = 50
#: What background work of rehearsing a playbook is called, before the name of the playbook.
REHEARSAL = "play"
#: Accounts and acts of a rehearsal that are shown.
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Summary:
    """A playbook in words, and how many accounts that the actor may see are in it.

    `hold_out` is the share of accounts for which nothing is done, and `held_out` how many they are; None
    for whoever works on accounts. `declared`: False for one that is not any more, of which accounts tell.
    """

    playbook: str
    label: str
    description: str | None
    declared: bool
    trigger: str
    until: str | None
    steps: tuple[StepInWords, ...]
    hold_out: float | None
    active: int
    completed: int
    stopped: int
    held_out: int | None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Playbooks:
    """All that are declared, in the order of their declaration, then those that were."""

    playbooks: tuple[Summary, ...]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An account in a playbook. `done` of `steps` are over; `now` are those that are going on."""

    enrolment: Enrolment
    name: str | None
    owner: str | None
    done: int
    steps: int
    now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepStanding:
    """A step of one account: `what` it is (None: not declared any more), and what it has come to."""

    step: str
    what: str | None
    status: StepStatus
    on: date | None
    task: int | None


@dataclass(frozen=True, slots=True)
class EnrolmentShown:
    """One account in a playbook, step by step. `label` is that of the playbook; `name` and `owner` None
    where the account is gone."""

    enrolment: Enrolment
    label: str
    name: str | None
    owner: str | None
    steps: tuple[StepStanding, ...]

    @property
    def account_id(self) -> str:
        return self.enrolment.account_id

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class EnrolmentPage:
    """Enrolments, the newest first. `after` starts the next page; None: no more."""

    enrolments: tuple[Enrolled, ...]
    after: int | None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class PlaybookPage:
    """One playbook with those who are in it. `effect` is None for whoever may not know who is held out.

    `status`: of those that are shown, None for all.
    """

    summary: Summary
    status: Status | None
    enrolled: EnrolmentPage
    effect: Effect | None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The last rehearsal of the whole portfolio, as far as it is about accounts that the actor may see.

    `work` is the one that goes on or was the last; `rehearsal` None: none was made. `names` are those
    of its accounts.
    """

    playbook: str
    work: background.Work | None
    rehearsal: Rehearsal | None
    names: Mapping[str, str | None]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


# --- reading -------------------------------------------------------------------------------------


def playbooks(workspace: Workspace, actor: Actor) -> Playbooks:
    """Every playbook, with counts of accounts that the actor may see."""
    require(actor, "read")
    counted = plays.counts(workspace.store, actor)
    books = {book.playbook: book for book in workspace.project.playbooks}
    names = [*books, *sorted(name for name in counted if name not in books)]
    return Playbooks(tuple(_summary(actor, name, books.get(name), counted.get(name, {})) for name in names))


def playbook(
    workspace: Workspace,
    actor: Actor,
    name: str,
    *,
    status: str | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> PlaybookPage:
    """One playbook, with a page of the accounts that are or were in it, of one status if asked."""
    if status is not None and status not in get_args(Status):
        raise StoreError(f"no such status: {status[:40]!r}", hint="one of " + ", ".join(get_args(Status)))
    found = next((one for one in playbooks(workspace, actor).playbooks if one.playbook == name), None)
    if found is None:
        raise NotFound(f"no playbook {name[:40]!r}", hint="see the list of playbooks")
    wanted: Any = status
    page = enrolled(workspace, actor, playbook=name, status=wanted, after=after, limit=limit)
    judged = None
    if plays.sees_held_out(actor):
        judged = steady(workspace, lambda _: effect(workspace, actor, name))
    return PlaybookPage(found, wanted, page, judged)


def enrolled(
    workspace: Workspace,
    actor: Actor,
    *,
    playbook: str | None = None,
    account_id: str | None = None,
    status: Status | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> EnrolmentPage:
    """Accounts in playbooks that the actor may see, the newest first."""
    found = plays.enrolments_of(
        workspace.store,
        actor,
        playbook=playbook,
        account_id=account_id,
        status=status,
        limit=limit + 1,
        after=after,
    )
    more = len(found) > limit
    found = found[:limit]
    rows = {
        row.account_id: row for row in standing(workspace.store, actor, [one.account_id for one in found])
    }
    told = []
    for one in found:
        row = rows.get(one.account_id)
        over = sum(state.status in ("done", "dropped") for state in one.steps.values())
        going = tuple(name for name, state in one.steps.items() if state.status == "going")
        told.append(
            Enrolled(one, row.name if row else None, row.owner if row else None, over, len(one.steps), going)
        )
    return EnrolmentPage(tuple(told), found[-1].id if more else None)


def enrolment(workspace: Workspace, actor: Actor, number: int) -> EnrolmentShown:
    """One account in a playbook. Raises NotFound.

    A task is told as it was given, anything else as it would be told of the account today.
    """
    one = plays.enrolment_of(workspace.store, actor, number)
    book = next((each for each in workspace.project.playbooks if each.playbook == one.playbook), None)
    rows = standing(workspace.store, actor, [one.account_id])
    facts = _facts(one, rows[0] if rows else None, _label(one.playbook, book))
    words = {step.step: filled(step.what, facts) for step in steps_told(book)} if book else {}
    numbers = [state.task for state in one.steps.values() if state.task is not None]
    found = tasks_of(workspace.store, actor, numbers=numbers, status=None, limit=len(numbers))
    given = {task.id: task.title for task in found}
    return EnrolmentShown(
        one,
        _label(one.playbook, book),
        rows[0].name if rows else None,
        rows[0].owner if rows else None,
        tuple(
            StepStanding(
                name, given.get(state.task or 0, words.get(name)), state.status, state.on, state.task
            )
            for name, state in one.steps.items()
        ),
    )


def _facts(one: Enrolment, row: CurrentRow | None, label: str) -> dict[str, Any]:
    columns = {} if row is None else {**row.to_dict(), "score": row.effective}
    return {
        **facts_of(one, columns.get),
        "playbook": label,
        # These are put together when the step begins.
        "why": "(what moved its score)",
        "advice": "(what its scorecard advises)",
        "link": "(a link to it)",
    }


def _label(name: str, book: Playbook | None) -> str:
    return (book.label if book is not None else None) or name.replace("_", " ").capitalize()


def _summary(actor: Actor, name: str, book: Playbook | None, counts: Mapping[Status, int]) -> Summary:
    knows = plays.sees_held_out(actor)
    return Summary(
        playbook=name,
        label=_label(name, book),
        description=book.description if book else None,
        declared=book is not None,
        trigger=trigger_words(book.when, book) if book else "",
        until=until_words(book) if book else None,
        steps=steps_told(book) if book else (),
        hold_out=book.hold_out if book and knows else None,
        active=counts.get("active", 0),
        completed=counts.get("completed", 0),
        stopped=counts.get("stopped", 0),
        held_out=counts.get("held_out", 0) if knows else None,
    )


# --- what one would do ---------------------------------------------------------------------------


def rehearse(workspace: Workspace, actor: Actor, name: str, account_id: str, *, now: datetime) -> Rehearsal:
    """What the playbook would do for one account, whether its trigger holds or not; does nothing."""
    require(actor, "read")
    if seen(workspace, actor, account_id) is None:
        raise NotFound(f"{account_id!r} is gone", hint="name an account of the book")
    with in_turn():
        found = rehearse_playbook(workspace, name, now=now, account_id=account_id)
    # How many others it holds for is not theirs to know who do not see them.
    return found if actor.everything else dataclasses.replace(found, holds=0, busy=min(found.busy, 1))


def may_rehearse(actor: Actor) -> bool:
    """Whether the actor may have the whole portfolio rehearsed: it costs as much as looking for alerts."""
    return actor.everything and actor.may("act")


def start_rehearsal(workspace: Workspace, actor: Actor, name: str, *, now: datetime) -> bool:
    """Find out in the background what the playbook would do for the whole portfolio; it does nothing.

    Returns whether it was started. Raises Forbidden for who does not see all accounts, or may not act.
    """
    _declared(workspace, name)
    if not may_rehearse(actor):
        raise Forbidden(
            f"{actor.name} ({actor.role}) may not try a playbook on all accounts",
            hint="it needs somebody who acts and sees them all; one account can be tried by anybody",
        )
    asked = [REHEARSAL, str(workspace.project.root), now.isoformat(), name]
    return background.start(workspace.project.home, f"{REHEARSAL}-{name}", "", asked)


def keep_rehearsal(workspace: Workspace, run: RunInfo, found: Rehearsal) -> None:
    """Keep a rehearsal as that of the run."""
    background.keep(workspace.project.home, f"{REHEARSAL}-{found.playbook}", run.run_id, plain(found))


def rehearsed(workspace: Workspace, actor: Actor, name: str) -> Rehearsed:
    """The rehearsal of the whole portfolio that was made last, whatever run it is about."""
    require(actor, "read")
    _declared(workspace, name)
    return steady(workspace, lambda run: _rehearsed(workspace, actor, name, run))


def _rehearsed(workspace: Workspace, actor: Actor, name: str, run: RunInfo) -> Rehearsed:
    home, kept = workspace.project.home, f"{REHEARSAL}-{name}"
    found = background.kept(home, kept, run.run_id)
    going = background.work(home, kept)
    try:
        told: Rehearsal | None = rebuilt(Rehearsal, found[1]) if found else None
    except (KeyError, TypeError, ValueError):
        told = None
    if told is None:
        return Rehearsed(name, going, None, {})
    ids = {*told.begin, *told.held_out}
    rows = {row.account_id: row.name for row in standing(workspace.store, actor, ids)}
    knows = plays.sees_held_out(actor)
    # Counts of the whole portfolio are for whoever sees all of it.
    told = dataclasses.replace(
        told,
        holds=told.holds if actor.everything else 0,
        busy=told.busy if actor.everything else 0,
        begin=tuple(one for one in told.begin if one in rows),
        held_out=tuple(one for one in told.held_out if one in rows) if knows else (),
        acts=tuple(act for act in told.acts if act.account_id in rows),
    )
    shown = {*told.begin, *told.held_out}
    return Rehearsed(name, going, told, {one: row for one, row in rows.items() if one in shown})


def _declared(workspace: Workspace, name: str) -> Playbook:
    for book in workspace.project.playbooks:
        if book.playbook == name:
            return book
    raise NotFound(f"no playbook {name[:40]!r} is declared", hint="see the list of playbooks")


# --- acting --------------------------------------------------------------------------------------


def stop(workspace: Workspace, actor: Actor, number: int, reason: str, *, now: datetime) -> Done:
    """Take an account out of a playbook: its open tasks are dropped, nothing more is done."""
    ended = plays.stop(workspace.store, actor, number, reason, today=counts_from(workspace, now), now=now)
    return Done("stopped", number, ended.account_id)
