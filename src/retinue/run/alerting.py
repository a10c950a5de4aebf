"""From a published date to its alerts: read what the rules look at, decide, write all of it at once.

Dates are evaluated in their order, each once, whoever asks: `retinue run`, a worker, two of them. What a
run restates of dates that were evaluated raises nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.action.alerts import (
    Before,
    Memory,
    Raised,
    condition,
    having_told,
    many,
    raised,
    remembered,
    stake,
)
from retinue.action.matching import holds
from retinue.action.picture import NEVER, Earlier, Happened, Picture, aligned
from retinue.action.playbooks import Enrolment, enrolled
from retinue.action.portfolio import Finding, Known
from retinue.action.portfolio import told as told_of
from retinue.project.alerts import AlertRule
from retinue.project.conditions import names as names_of
from retinue.run.advising import advice
from retinue.run.happenings import Happenings
from retinue.run.layers import day_number
from retinue.run.looking import Looking
from retinue.run.messages import account_alert, messages, portfolio_alert
from retinue.store.published.current import explanations
from retinue.store.published.snapshots import Published
from retinue.store.work import alerts as kept
from retinue.store.work import plays
from retinue.store.work.alerts import Mute, NewAlert, Remembered
from retinue.warehouse.trace import Listener, Trace
from retinue.workspace import Workspace

#: What rules of triggers are called, so that they never meet those of alerts.
PLAYBOOK = "playbook:"
#: For how many days it is remembered when an account that is gone was last told of.
KEPT = 366
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Evaluated:
    """What was evaluated: dates, alerts by rule, messages, what was withheld, by reason, and
    accounts that came into playbooks."""

    dates: tuple[date, ...]
    alerts: Mapping[str, int]
    messages: int
    withheld: Mapping[str, int]
    enrolments: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "dates": [day.isoformat() for day in self.dates],
            "alerts": dict(self.alerts),
            "messages": self.messages,
            "withheld": dict(self.withheld),
            "enrolments": self.enrolments,
        }


def evaluate(
    workspace: Workspace,
    *,
    now: datetime,
    progress: Listener | None = None,
    go_on: Callable[[], bool] = lambda: True,
    first: date | None = None,
    clock: Callable[[date], datetime] | None = None,
    read: Happenings | None = None,
) -> Evaluated:
    """Raise what the published dates since the last evaluation call for.

    The first time only the last date is looked at (with `first`, all from it on), and the first one
    raises nothing but events: what has been so for long is no news. `clock` says what time it is taken
    to be when a date is looked at, by default `now`. `go_on` is asked before each date; what is left
    stays due. `read` are the sources as somebody has read them who evaluates one date after another; they
    must not have changed since, and reach back to the first of these dates. Raises NotFound before the
    first run.
    """
    alerts: dict[str, int] = {}
    withheld: dict[str, int] = {}
    sent, began = 0, 0
    done: list[date] = []
    if not workspace.project.settings.alerts and not workspace.project.playbooks:
        return Evaluated((), alerts, 0, withheld, 0)
    published = workspace.published()
    known = kept.evaluated(workspace.store)
    last = max((day for _, day in known.values()), default=None)
    dates = published.dates()
    begin = first or dates[-1] if last is None else last + timedelta(days=1)
    due = [day for day in dates if day >= begin]
    if not due:
        return Evaluated((), alerts, 0, withheld, 0)
    since = (last or due[0] - timedelta(days=1)) + timedelta(days=1)
    with Trace(progress) as trace, ExitStack() as stack:
        if read is None:
            read = stack.enter_context(Happenings(workspace.project, trace, since))
        for day in due:
            if not go_on():
                break
            trace.stage(f"looking for alerts of {day}")
            moment = now if clock is None else clock(day)
            one = _Date(workspace, published, day, last, known, moment, read).evaluated()
            if one is None:
                break  # another worker is at it
            done.append(day)
            for rule, count in one.alerts.items():
                alerts[rule] = alerts.get(rule, 0) + count
            for reason, count in one.withheld.items():
                withheld[reason] = withheld.get(reason, 0) + count
            sent += one.messages
            began += one.enrolments
            known = kept.evaluated(workspace.store)
            last = day
    return Evaluated(tuple(done), alerts, sent, withheld, began)


@dataclass(frozen=True)
class _Date:
    """One as-of date to evaluate; `last` is the one before it, None for the first ever."""

    workspace: Workspace
    published: Published
    day: date
    last: date | None
    known: Mapping[str, tuple[str, date]]
    now: datetime
    read: Happenings

    @property
    def rules(self) -> Mapping[str, AlertRule]:
        return self.workspace.project.settings.alerts

    @cached_property
    def triggers(self) -> Mapping[str, AlertRule]:
        """The triggers of playbooks, as rules; those that wait for an alert left out."""
        told = {
            PLAYBOOK + book.playbook: book.when.rule(book.applies_to, "0d")
            for book in self.workspace.project.playbooks
        }
        return {name: rule for name, rule in told.items() if rule is not None}

    def evaluated(self) -> Evaluated | None:
        project, store = self.workspace.project, self.workspace.store
        every = {**self.rules, **self.triggers}
        declared = {name: rule.model_dump_json(exclude_none=True) for name, rule in every.items()}
        # Without a single rule the date has been looked at all the same.
        declared = declared or {PLAYBOOK: ""}
        # A rule that was changed is a new one: what it finds at first has been so before.
        old = {name for name, text in declared.items() if self.known.get(name, ("", None))[0] == text}
        # Whom a playbook that waits for an alert is for: its condition is no rule's.
        named = frozenset(
            name for b in project.playbooks if b.applies_to is not None for name in names_of(b.applies_to)
        )
        look = Looking(store, self.published, self.day, self.last, every, self.read, named)
        now = look.picture()
        memory = {name: kept.memory_of(store, name) for name in every if name in old}
        arrays = {n: _as_arrays(m, now) for n, m in memory.items() if not every[n].is_portfolio}
        happened, findings = look.happened(now)
        earlier = look.earlier(now)
        policy = project.settings.alerting
        mutes = kept.mutes_on(store, self.day)
        silent = {mute.rule for mute in mutes if mute.account_id is None}
        before = Before(arrays, self._lately(now), self._muted(now, mutes))
        found = raised(self.rules, policy, now, earlier, happened, before)
        news = self._account_alerts(found, now, earlier)
        after = {name: _remembered(one, now, memory.get(name)) for name, one in found.memory.items()}
        for name, rule in self.rules.items():
            if not rule.is_portfolio:
                continue
            due, told_after = told_of(
                findings.get(name, []),
                _as_known(memory[name]) if name in memory else {},
                day_number(self.day),
                rule.hold.days,
                rule.rest.days,
                new=name not in old,
                muted=name in silent,
            )
            news += [portfolio_alert(name, rule, finding, self.day) for finding in due]
            after[name] = _of_subjects(told_after)
        began, crowds, of_triggers = self._enrolments(found, now, earlier, happened, arrays)
        after |= {name: _remembered(one, now, memory.get(name)) for name, one in of_triggers.items()}
        news += crowds
        rows = messages(self.workspace, news, self.day, self.now)
        owners = dict(zip(now.ids.to_pylist(), _texts(now, "owner"), strict=True)) if began else {}
        written = (self.day, declared, news, after, rows, began, owners)
        if not kept.record(store, *written, now=self.now, before=memory):
            return None
        counts: dict[str, int] = {}
        for one in news:
            counts[one.rule] = counts.get(one.rule, 0) + 1
        withheld: dict[str, int] = {}
        for reasons in found.withheld.values():
            for reason, count in reasons.items():
                withheld[reason] = withheld.get(reason, 0) + count
        return Evaluated((self.day,), counts, len(rows), withheld, len(began))

    def _enrolments(
        self,
        found: Raised,
        now: Picture,
        earlier: Mapping[int, Earlier],
        happened: Happened,
        arrays: Mapping[str, Memory],
    ) -> tuple[list[Enrolment], list[NewAlert], dict[str, Memory]]:
        """Who comes into which playbook on this date; alerts of playbooks that very many would come into
        at once: nobody does, since nobody could work on them; and what triggers remember."""
        began: list[Enrolment] = []
        crowds: list[NewAlert] = []
        after: dict[str, Memory] = {}
        books = self.workspace.project.playbooks
        policy = self.workspace.project.settings.alerting
        groups = {book.playbook: book.group for book in books}
        for book in books:
            name = PLAYBOOK + book.playbook
            if book.when.alert is not None:
                places = found.alerts.get(book.when.alert, np.zeros(0, np.int64))
                places = np.zeros(0, np.int64) if book.when.alert in found.storms else places
                if book.applies_to is not None:
                    places = places[holds(book.applies_to, now.columns, len(now))[places]]
            else:
                rule = self.triggers[name]
                true = condition(name, rule, now, earlier, happened)
                known = arrays.get(name)
                memory, due = remembered(rule, known or Memory.empty(len(now)), true, now, new=known is None)
                places = np.flatnonzero(due)
                crowded = many(len(places), len(now), policy)
                after[name] = having_told(memory, due, now.day, storm=crowded)
            if many(len(places), len(now), policy):
                finding = Finding(book.playbook, len(places), len(now), 0.0, 0.0)
                crowd = AlertRule(feed_stopped=True, label=f"would come into the playbook {book.playbook}")
                crowds.append(portfolio_alert(name, crowd, finding, self.day, storm=True))
                continue
            ids = now.ids.take(pa.array(places)).to_pylist()
            since = self.day - timedelta(days=book.once_per.days)
            others = [*plays.recent(self.workspace.store, ids, since), *began]
            began += enrolled(book, [(one, book.when.reason) for one in ids], others, groups, self.day)
        return began, crowds, after

    # --- what enters ---

    def _lately(self, now: Picture) -> Any:
        counts = kept.lately(self.workspace.store, self.day - timedelta(days=28))
        owners = pa.array(list(counts), pa.string())
        return aligned(now.ids, owners, np.array(list(counts.values()), np.int64), 0)

    def _muted(self, now: Picture, mutes: Sequence[Mute]) -> dict[str, Any]:
        found = {name: np.zeros(len(now), bool) for name in self.rules}
        for mute in mutes:
            whom = (
                np.ones(len(now), bool)
                if mute.account_id is None
                else pc.equal(now.ids, mute.account_id).to_numpy(zero_copy_only=False)
            )
            for name in [mute.rule] if mute.rule is not None else list(self.rules):
                if name in found:
                    found[name] |= whom
        return found

    # --- what is told ---

    def _account_alerts(self, found: Raised, now: Picture, earlier: Mapping[int, Earlier]) -> list[NewAlert]:
        weights = stake(now)
        single = {name: places for name, places in found.alerts.items() if name not in found.storms}
        told = sorted({place for places in single.values() for place in places.tolist()})
        ids = now.ids.take(pa.array(told, pa.int64())).to_pylist()
        found_why = explanations(self.workspace.store, ids)
        project = self.workspace.project
        advised = {n: advice(project, found_why.get(one)) for n, one in zip(told, ids, strict=True)}
        news = []
        for name, places in found.alerts.items():
            rule = self.rules[name]
            if name in found.storms:
                finding = Finding(name, len(places), len(now), 0.0, 0.0)
                news.append(portfolio_alert(name, rule, finding, self.day, storm=True))
                continue
            then = earlier.get(rule.within.days)
            news += [
                account_alert(name, rule, now, then, place, float(weights[place]), advised[place])
                for place in places.tolist()
            ]
        return news


def _texts(now: Picture, name: str) -> list[str | None]:
    column = now.columns.get(name)
    return [None] * len(now) if column is None else column.to_pylist()


def _as_arrays(memory: Remembered, now: Picture) -> Memory:
    subjects = pa.array(memory.subjects, pa.string())
    since = np.array([_number(day) for day in memory.since], np.int64)
    last = np.array([_number(day) for day in memory.raised], np.int64)
    told_ = np.array(memory.told, bool)
    return Memory(
        aligned(now.ids, subjects, since, NEVER),
        aligned(now.ids, subjects, last, NEVER),
        aligned(now.ids, subjects, told_, False),
    )


def _remembered(memory: Memory, now: Picture, before: Remembered | None) -> Remembered:
    """What is worth keeping: accounts for which something holds, or was raised.

    For one that is not in this run nothing holds; when it was last told of is kept for a year, in case
    it comes back.
    """
    worth = np.flatnonzero((memory.since != NEVER) | (memory.raised != NEVER))
    told = Remembered(
        now.ids.take(pa.array(worth)).to_pylist(),
        [_date(day) for day in memory.since[worth].tolist()],
        [_date(day) for day in memory.raised[worth].tolist()],
        memory.told[worth].tolist(),
    )
    if before is not None and before.subjects:
        there = pc.is_in(pa.array(before.subjects, pa.string()), value_set=now.ids)
        for place in np.flatnonzero(~there.to_numpy(zero_copy_only=False)).tolist():
            last = before.raised[place]
            if last is not None and now.day - day_number(last) <= KEPT:
                told.subjects.append(before.subjects[place])
                told.since.append(None)
                told.raised.append(last)
                since = before.since[place]
                told.told.append(before.told[place] or (since is not None and last < since))
    return told


def _as_known(memory: Remembered) -> dict[str, Known]:
    return {
        subject: Known(_number(since), _number(last))
        for subject, since, last in zip(memory.subjects, memory.since, memory.raised, strict=True)
    }


def _of_subjects(known: Mapping[str, Known]) -> Remembered:
    return Remembered(
        list(known),
        [_date(one.since) for one in known.values()],
        [_date(one.raised) for one in known.values()],
        [one.raised >= one.since != NEVER for one in known.values()],
    )


def _number(day: date | None) -> int:
    return NEVER if day is None else day_number(day)


def _date(day: int) -> date | None:
    return None if day == NEVER else _EPOCH + timedelta(days=day)
