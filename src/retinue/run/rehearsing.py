"""What a playbook would do, for one account or all, without doing any of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from retinue.action.alerts import condition
from retinue.action.matching import holds
from retinue.action.playbooks import Enrolment, StepState, advanced, enrolled
from retinue.errors import NotFound
from retinue.project.alerts import AlertRule
from retinue.project.conditions import names as names_of
from retinue.project.playbooks import Playbook, filled
from retinue.run.happenings import Happenings
from retinue.run.looking import Looking
from retinue.run.playing import Playing
from retinue.store.published.current import explanations
from retinue.store.work import plays
from retinue.warehouse.trace import Listener, Trace
from retinue.workspace import Workspace

#: Days that a rehearsal goes on for at most, and accounts that it plays through.
LONGEST, MOST = 365, 2000


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that would be done: a task for `owner`, due on a day; or a message to destinations."""

    account_id: str
    day: date
    step: str
    kind: str
    text: str
    owner: str | None
    due_on: date | None
    to: tuple[str, ...]


@dataclass(frozen=True)
class Rehearsal:
    """What would happen if the trigger's accounts of the date came into the playbook now.

    `holds` are accounts for which the trigger holds, `busy` those among them that are in it, were
    lately, or are in another playbook of its group. Tasks are taken to be done when they are due.
    """

    playbook: str
    as_of: date
    day: date
    holds: int
    busy: int
    begin: tuple[str, ...]
    held_out: tuple[str, ...]
    acts: tuple[Act, ...]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @property
    def tasks_by_owner(self) -> dict[str, int]:
        """How many tasks each owner would get, most first."""
        counts: dict[str, int] = {}
        for act in self.acts:
            if act.owner is not None:
                counts[act.owner] = counts.get(act.owner, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def rehearse_playbook(
    workspace: Workspace,
    name: str,
    *,
    now: datetime,
    account_id: str | None = None,
    progress: Listener | None = None,
) -> Rehearsal:
    """Play the playbook through, on the last published date. With an account, for that one whether its
    trigger holds or not. Raises NotFound for a playbook, account or alert that is not there."""
    book = _named(workspace, name)
    rule = _rule(workspace, book)
    published = workspace.published()
    dates = published.dates()
    day = dates[-1]
    said = [part for part in (book.until, book.applies_to) if part is not None]
    named = frozenset(name for part in said for name in names_of(part))
    with Trace(progress) as trace, Happenings(workspace.project, trace, day) as read:
        look = Looking(
            workspace.store, published, day, dates[-2] if dates[1:] else None, {name: rule}, read, named
        )
        picture = look.picture()
        happened, _ = look.happened(picture)
        true = condition(name, rule, picture, look.earlier(picture), happened)
        if book.when.alert is not None and book.applies_to is not None:
            true = true & holds(book.applies_to, picture.columns, len(picture))
    ids = picture.ids.to_pylist()
    if account_id is not None and account_id not in ids:
        raise NotFound(f"no account {account_id!r} as of {day}")
    wanted = [account_id] if account_id is not None else [ids[n] for n in np.flatnonzero(true)]
    table = Playing.of(workspace, [], now, progress)
    others = plays.recent(workspace.store, wanted, table.day - timedelta(days=book.once_per.days))
    groups = {one.playbook: one.group for one in workspace.project.playbooks}
    new = enrolled(book, [(one, book.when.reason) for one in wanted], others, groups, table.day)
    table.standings = explanations(workspace.store, [one.account_id for one in new])
    acts: list[Act] = []
    if account_id is not None:
        # Whoever asks for one account wants to see its steps, also if it would be held out.
        new = [replace(one, status="active") for one in new]
    for one in [each for each in new if each.status == "active"][:MOST]:
        acts += _played(book, one, table)
    return Rehearsal(
        name,
        day,
        table.day,
        int(true.sum()),
        len(wanted) - len(new),
        tuple(one.account_id for one in new if one.status == "active"),
        tuple(one.account_id for one in new if one.status == "held_out"),
        tuple(acts),
    )


def _named(workspace: Workspace, name: str) -> Playbook:
    books = {book.playbook: book for book in workspace.project.playbooks}
    if name not in books:
        known = ", ".join(books) or "none is declared: add a file to playbooks/"
        raise NotFound(f"no playbook {name!r}", hint=known)
    return books[name]


def _rule(workspace: Workspace, book: Playbook) -> AlertRule:
    if book.when.alert is None:
        rule = book.when.rule(book.applies_to, "0d")
        assert rule is not None
        return rule
    found = workspace.project.settings.alerts.get(book.when.alert)
    if found is None or found.is_portfolio:
        raise NotFound(f"no alert {book.when.alert!r} about accounts, which {book.playbook} waits for")
    return found


def _played(book: Playbook, one: Enrolment, table: Playing) -> list[Act]:
    """Its steps, day by day; every task is done on the day on which it is due."""
    facts = table.facts(table.place[one.account_id], book, one)
    acts: list[Act] = []
    done_on: dict[int, date] = {}
    workdays = table.workspace.project.settings.alerting.workdays
    for ahead in range(LONGEST):
        day = table.day + timedelta(days=ahead)
        states = {number: "done" for number, due in done_on.items() if due <= day}
        after = advanced(book, one, day, tasks=states, gone=False, recovered=False, workdays=workdays)
        steps = dict(after.enrolment.steps)
        for start in after.starts:
            step = book.steps[start.place]
            if step.kind == "task":
                task = table.task(step, start, facts)
                number = len(done_on)
                done_on[number] = start.due_on or day
                steps[start.step] = StepState("going", day, number)
                acts.append(
                    Act(one.account_id, day, start.step, "task", task.title, task.owner, start.due_on, ())
                )
            else:
                text = filled(step.message or "", dict(facts))
                acts.append(Act(one.account_id, day, start.step, "message", text, None, None, step.to))
        one = replace(after.enrolment, steps=steps)
        if one.status != "active":
            break
    return acts
