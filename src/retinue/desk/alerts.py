"""Alerts: what was raised, on what evidence, who was told, what followed; and what nobody wants to hear.

An alert that the actor may not see is NotFound, a missing right is Forbidden, and what cannot be accepted
is a StoreError with what to do instead. `now` is an aware datetime.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, get_args

from retinue.action.playbooks import Enrolment
from retinue.desk.account import relative, seen
from retinue.desk.acting import Done, counts_from
from retinue.desk.day import PublishedDay
from retinue.desk.declared import KINDS, Rule, rule_told
from retinue.desk.rows import SourceRows, in_turn, plainly, source_rows
from retinue.desk.steady import steady
from retinue.errors import NotFound, RunError, SourceError, StoreError
from retinue.project.alerts import AlertRule
from retinue.run.explain import explain
from retinue.run.explanation import Change
from retinue.run.happenings import Happenings
from retinue.store.people.access import Actor, require
from retinue.store.published.current import CurrentRow, current_run
from retinue.store.work import alert_changes
from retinue.store.work import alerts as store
from retinue.store.work.alerts import Alert, Mute
from retinue.store.work.messages import Told, addressed, messages_about
from retinue.store.work.outbox import key
from retinue.store.work.plays import enrolments_of
from retinue.store.work.record import standing
from retinue.store.work.several import Changed
from retinue.store.work.tasks import Task, tasks_of
from retinue.store.work.tasks import add_task as task_for
from retinue.warehouse.facts.of_account import Looked
from retinue.warehouse.trace import Trace
from retinue.workspace import Workspace

Whose = Literal["mine", "team", "all"]
State = Literal["open", "closed", "any"]
About = Literal["accounts", "portfolio", "any"]
Severity = Literal["high", "normal", "low"]
PAGE = 50
#: Accounts of a storm that are shown.
SHOWN = 50
#: Parts of a change that count as evidence, the largest ones.
DRIVERS = 8


@dataclass(frozen=True, slots=True)
class AlertAsk:
    """Which alerts. `since` is the first as-of date; `after` the last alert of the page before."""

    whose: Whose = "all"
    state: State = "open"
    about: About = "any"
    rule: str | None = None
    kind: str | None = None
    severity: str | None = None
    since: date | None = None
    account_id: str | None = None
    after: int | None = None
    limit: int = PAGE

    def __post_init__(self) -> None:
        for what, value, allowed in (
            ("alerts", self.whose, get_args(Whose)),
            ("state", self.state, get_args(State)),
            ("subject", self.about, get_args(About)),
            ("kind", self.kind, (None, *KINDS)),
            ("severity", self.severity, (None, *get_args(Severity))),
        ):
            if value not in allowed:
                known = ", ".join(one for one in allowed if one)
                raise StoreError(f"no such {what}: {str(value)[:40]!r}", hint=f"one of {known}")
        if not 1 <= self.limit <= 500:
            raise StoreError(f"a page has 1 to 500 alerts, not {self.limit}")


@dataclass(frozen=True, slots=True)
class Alerts:
    """A page of alerts, the newest first. `after` starts the next page; None: no more. `rules` are
    those that can be asked for."""

    ask: AlertAsk
    alerts: tuple[Alert, ...]
    after: int | None
    rules: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "ask": dataclasses.asdict(self.ask),
            "alerts": [alert.to_dict() for alert in self.alerts],
            "after": self.after,
            "rules": list(self.rules),
        }


@dataclass(frozen=True)
class AlertPage:
    """One alert and all that belongs to it.

    `rule` is the rule as it is declared now, None if it is not any more. `account` is None where it
    is about the portfolio, or where the account is gone. `held_since`: since when its condition has held
    without a break until now; None: it holds no more. `change` is what moved the score until the
    as-of date. `sources` have the rows that it rests on: `behind`. `accounts` are those of a storm that
    the actor may see. `mutes` keep the same from being told again.
    """

    alert: Alert
    rule: Rule | None
    account: CurrentRow | None
    held_since: date | None
    change: Change | None
    sources: tuple[str, ...]
    messages: tuple[Told, ...]
    tasks: tuple[Task, ...]
    enrolments: tuple[Enrolment, ...]
    accounts: tuple[CurrentRow, ...]
    told_of: int
    mutes: tuple[Mute, ...]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Behind:
    """What an alert rests on: rows about its account, or the accounts that share an issue: the first of
    `count`. `trouble` says why nothing could be read now."""

    rows: tuple[SourceRows, ...] = ()
    accounts: tuple[CurrentRow, ...] = ()
    count: int | None = None
    trouble: str | None = None

    def to_dict(self) -> dict[str, Any]:
        accounts = [relative(row) for row in self.accounts]
        rows = [one.to_dict() for one in self.rows]
        return {"rows": rows, "accounts": accounts, "count": self.count, "trouble": self.trouble}


@dataclass(frozen=True, slots=True)
class MuteShown:
    """A mute, and the name of its account. `over`: its day has passed."""

    mute: Mute
    name: str | None
    over: bool


@dataclass(frozen=True, slots=True)
class Mutes:
    """A page of mutes that were not withdrawn, the newest first; `after` starts the next; None: no more."""

    mutes: tuple[MuteShown, ...]
    after: int | None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


# --- reading -------------------------------------------------------------------------------------


def alerts(workspace: Workspace, actor: Actor, ask: AlertAsk) -> Alerts:
    """Alerts that the actor may see; "mine" go by the names under which accounts are theirs now."""
    owners = {"mine": actor.own | {actor.name}, "team": actor.team | actor.own | {actor.name}, "all": None}
    found = store.alerts_of(
        workspace.store,
        actor,
        account_id=ask.account_id,
        owners=owners[ask.whose],
        rule=ask.rule,
        kind=ask.kind,
        severity=ask.severity,
        about_portfolio={"accounts": False, "portfolio": True, "any": None}[ask.about],
        is_open={"open": True, "closed": False, "any": None}[ask.state],
        since=ask.since - timedelta(days=1) if ask.since is not None and ask.since > date.min else None,
        limit=ask.limit + 1,
        after=ask.after,
    )
    more = len(found) > ask.limit
    found = found[: ask.limit]
    rules = dict.fromkeys([*workspace.project.settings.alerts, *store.rules_raised(workspace.store, actor)])
    return Alerts(ask, tuple(found), found[-1].id if more else None, tuple(rules))


def alert(workspace: Workspace, actor: Actor, number: int, *, now: datetime) -> AlertPage:
    """One alert with its evidence and what followed. Raises NotFound."""
    return steady(workspace, lambda _: _alert(workspace, actor, number, now))


def alert_of(workspace: Workspace, actor: Actor, number: int) -> Alert:
    """One alert by itself. Raises NotFound."""
    return store.alert_of(workspace.store, actor, number)


def _alert(workspace: Workspace, actor: Actor, number: int, now: datetime) -> AlertPage:
    one = store.alert_of(workspace.store, actor, number)
    rule = workspace.project.settings.alerts.get(one.rule)
    crowd = store.told_of(workspace.store, actor, number) if one.kind == "storm" else []
    about = [one.account_id] if one.account_id is not None else crowd[:SHOWN]
    rows = standing(workspace.store, actor, about) if about else []
    started: tuple[Enrolment, ...] = ()
    tasks: tuple[Task, ...] = ()
    if one.account_id is not None:
        started = _started(workspace, actor, one)
        numbers = {state.task for each in started for state in each.steps.values()}
        every = tasks_of(workspace.store, actor, account_id=one.account_id, status=None, limit=500)
        tasks = tuple(task for task in every if task.id in numbers or task.alert == number)
    return AlertPage(
        alert=one,
        rule=rule_told(one.rule, rule) if rule is not None else None,
        account=rows[0] if rows and one.account_id is not None else None,
        held_since=store.held_since(workspace.store, actor, number),
        change=_change(workspace, actor, one, rule),
        sources=_sources(workspace, rule) if one.kind != "storm" else (),
        messages=tuple(_messages(workspace, actor, one)),
        tasks=tasks,
        enrolments=started,
        accounts=tuple(rows) if one.account_id is None else (),
        told_of=len(crowd),
        mutes=tuple(_mutes_over(workspace, actor, one, now)),
    )


def _started(workspace: Workspace, actor: Actor, one: Alert) -> tuple[Enrolment, ...]:
    """The playbooks that began with it."""
    found = enrolments_of(workspace.store, actor, account_id=one.account_id)
    return tuple(
        each for each in found if each.started_on == one.as_of and each.reason == f"alert {one.rule}"
    )


def _change(workspace: Workspace, actor: Actor, one: Alert, rule: AlertRule | None) -> Change | None:
    """What moved the score: over the window of its rule if it has one."""
    if one.account_id is None:
        return None
    since = None
    if rule is not None and rule.kind in ("drop", "component"):
        since = one.as_of - timedelta(days=rule.within.days)
    for start in dict.fromkeys((since, None)):
        try:
            found = explain(workspace, one.account_id, as_of=one.as_of, since=start, actor=actor).change
        except NotFound:
            continue
        if found is not None:
            return dataclasses.replace(found, drivers=found.drivers[:DRIVERS])
    return None


def _sources(workspace: Workspace, rule: AlertRule | None) -> tuple[str, ...]:
    """The sources whose rows are what the rule looks at; of a score its metrics tell."""
    if rule is None:
        return ()
    issue = (rule.shared_issue.source,) if rule.shared_issue is not None else ()
    wanted = (rule.event,) if rule.event is not None else issue or rule.touches
    return tuple(name for name in wanted if name in workspace.project.sources)


def _messages(workspace: Workspace, actor: Actor, one: Alert) -> list[Told]:
    """What was sent of it, by itself or in somebody's digest."""
    places = {*workspace.project.settings.destinations, *addressed(workspace.store)}
    keys = {key("alert", one.rule, one.account_id, one.subject, one.as_of, place) for place in places}
    digests = {key("digest", one.owner, one.as_of, place) for place in places if one.account_id is not None}
    return messages_about(workspace.store, actor, keys | digests, one.rule, one.account_id)


def _mutes_over(workspace: Workspace, actor: Actor, one: Alert, now: datetime) -> list[Mute]:
    """What keeps the same from being told again."""
    today = counts_from(workspace, now)
    found = store.mutes_of(
        workspace.store, actor, account_id=one.account_id or "", rule=one.rule, day=today, limit=20
    )
    # One of an account would do for all of its rules; of the portfolio only rules can be muted.
    return [mute for mute in found if one.account_id is not None or mute.account_id is None]


def behind(workspace: Workspace, actor: Actor, number: int) -> Behind:
    """What an alert rests on, read from its source as it was known then.

    Of an event the rows that were new; of silence the last ones; of an issue that many accounts share
    those accounts, as far as the actor may see them. Raises NotFound.
    """
    one = store.alert_of(workspace.store, actor, number)
    rule = workspace.project.settings.alerts.get(one.rule)
    if rule is None:
        return Behind()
    if one.account_id is None:
        return _sharing(workspace, actor, one, rule)
    looked = Looked(where=rule.where) if rule.event is not None else Looked()
    told = []
    for source in _sources(workspace, rule):
        found = source_rows(workspace, actor, one.account_id, source, as_of=one.as_of, looked=looked)
        if rule.event is not None:
            before = workspace.published().previous_dates(one.as_of)
            new = tuple(row for row in found.rows if not before or row.known > before[0])
            found = dataclasses.replace(found, rows=new or found.rows[:5])
        else:
            found = dataclasses.replace(found, rows=found.rows[:5], more=found.more or len(found.rows) > 5)
        told.append(found)
    return Behind(tuple(told))


def _sharing(workspace: Workspace, actor: Actor, one: Alert, rule: AlertRule) -> Behind:
    """The accounts that share an issue: those that are still there, the ones that need attention first."""
    issue = rule.shared_issue
    if issue is None or one.subject is None or one.kind == "storm":
        return Behind()
    run = current_run(workspace.store)
    day = PublishedDay(workspace, run.run_id if run is not None else "", one.as_of)
    try:
        ids = _having(day, issue.source, issue.by, one.subject, issue.within.days)
    except (SourceError, RunError) as error:
        return Behind(trouble=plainly(error))
    rows = sorted(standing(workspace.store, actor, ids), key=lambda row: -(row.attention or 0.0))
    return Behind((), tuple(rows[:SHOWN]), len(rows))


@lru_cache(maxsize=64)
def _having(asked: PublishedDay, source: str, column: str, value: str, days: int) -> tuple[str, ...]:
    """The accounts with a row of that value lately: it takes seconds, and is the same for every actor."""
    with in_turn(), Trace(None) as trace, Happenings(asked.workspace.project, trace, asked.day) as read:
        return tuple(read.having(source, column, value, asked.day, days))


def mutes(workspace: Workspace, actor: Actor, *, now: datetime, after: int | None = None) -> Mutes:
    """Mutes of accounts that the actor may see; those of rules for whoever sees everything."""
    found = store.mutes_of(workspace.store, actor, limit=PAGE + 1, after=after)
    more = len(found) > PAGE
    found = found[:PAGE]
    rows = standing(workspace.store, actor, [one.account_id for one in found if one.account_id is not None])
    names = {row.account_id: row.name for row in rows}
    today = counts_from(workspace, now)
    shown = (
        MuteShown(one, names.get(one.account_id or ""), one.until is not None and one.until < today)
        for one in found
    )
    return Mutes(tuple(shown), found[-1].id if more else None)


# --- acting --------------------------------------------------------------------------------------


def close(
    workspace: Workspace, actor: Actor, number: int, *, now: datetime, result: str | None = None
) -> Done:
    """Say that an alert has been dealt with, and how."""
    one = store.alert_of(workspace.store, actor, number)
    alert_changes.close_alert(workspace.store, actor, number, now=now, result=result)
    return Done("alert_closed", number, one.account_id)


def close_many(
    workspace: Workspace, actor: Actor, numbers: Collection[int], *, now: datetime, result: str | None = None
) -> Changed:
    """The same of several. What cannot be closed is told with its reason."""
    return alert_changes.close_alerts(workspace.store, actor, numbers, now=now, result=result)


def add_task(
    workspace: Workspace,
    actor: Actor,
    number: int,
    title: str | None = None,
    *,
    now: datetime,
    owner: str | None = None,
    due_on: date | None = None,
    detail: str | None = None,
) -> Done:
    """Make a task of an alert about an account: what its rule says is to be done, if nothing else is said."""
    one = store.alert_of(workspace.store, actor, number)
    if one.account_id is None:
        raise StoreError("a task is for an account, and this is about the portfolio")
    rule = workspace.project.settings.alerts.get(one.rule)
    told = (title or "").strip() or ((rule.do if rule is not None else None) or one.summary)[:200]
    task = task_for(
        workspace.store,
        actor,
        one.account_id,
        told,
        now=now,
        owner=owner.strip() if owner and owner.strip() else None,
        due_on=due_on,
        detail=detail if detail and detail.strip() else one.summary,
        alert=number,
    )
    return Done("task", task, one.account_id)


def mute(
    workspace: Workspace,
    actor: Actor,
    *,
    now: datetime,
    reason: str,
    account_id: str | None = None,
    rule: str | None = None,
    until: date | None = None,
) -> Done:
    """Raise no alerts of an account, of a rule, or of both, until a day, that day included."""
    require(actor, "act")
    if account_id is not None:
        seen(workspace, actor, account_id)
    if rule is not None and rule not in workspace.project.settings.alerts:
        raise StoreError(f"no rule {rule[:40]!r} is declared", hint=_offered(workspace))
    today = counts_from(workspace, now)
    if until is not None and until < today:
        raise StoreError(f"{until} has passed", hint="name a day to come")
    number = store.mute(
        workspace.store, actor, now=now, reason=reason, account_id=account_id, rule=rule, until=until
    )
    return Done("muted", number, account_id)


def unmute(workspace: Workspace, actor: Actor, number: int, *, now: datetime) -> Done:
    """Take a mute back: what still holds is told with the next date."""
    store.unmute(workspace.store, actor, number, now=now)
    return Done("unmuted", number)


def _offered(workspace: Workspace) -> str:
    names = list(workspace.project.settings.alerts)
    return "one of " + ", ".join(names[:20]) if names else "`alerts` in retinue.yaml declares them"
