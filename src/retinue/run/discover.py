"""Leading indicators of a project: what accounts did early, beside what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from retinue.errors import NotFound, TrialError
from retinue.insight.replay import NEVER, Coded, Floats, Ints, Replay
from retinue.project import conditions
from retinue.project.metrics import feeds
from retinue.project.project import Project
from retinue.run.layers import day_number, days_of, keys
from retinue.run.replay import Tried, tried
from retinue.warehouse.trace import Listener, Trace
from retinue.workspace import Workspace

if TYPE_CHECKING:
    from retinue.insight.discovery.findings import Discovery
    from retinue.insight.discovery.landmarks import Accounts
    from retinue.warehouse.landmarks import FirstDays

DAYS = (14, 30, 60, 90)
FOLLOW_UP = 180
"""Days after the landmark, where the horizon of the outcome is not longer."""
SILENT, TOO_LATE = 60, 180
"""Days after the first row of any source: up to the first, a source that has none yet was only silent;
after the second, it is left out."""


@dataclass(frozen=True)
class Discovered:
    """What was found, and from what: `looked_at` are sources with their columns."""

    project: str
    until: date
    looked_at: dict[str, tuple[str, ...]]
    discovery: Discovery
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of `retinue discover`."""
        told = self.discovery.to_dict()
        return {
            "project": self.project,
            "until": self.until.isoformat(),
            "looked_at": {name: list(columns) for name, columns in self.looked_at.items()},
            **told,
            "warnings": [*self.warnings, *told["warnings"]],
        }


def discover(
    workspace: Workspace,
    *,
    now: datetime,
    outcome: str | None = None,
    events: Sequence[str] = (),
    days: Sequence[int] = DAYS,
    follow_up: int | None = None,
    by_account: bool = False,
    progress: Listener | None = None,
) -> Discovered:
    """Which early doings are associated with the outcome within `follow_up` days after them.

    `events` names sources and columns to look at, such as `usage.event`; without it, every source
    that a metric reads with the columns that the project declares of it or chooses rows by. What the
    outcome is told from is never looked at. Raises TrialError where no account can be followed.
    """
    from retinue.insight.discovery.indicators import discover as find
    from retinue.insight.discovery.landmarks import landmark

    found = tried(workspace, now=now, outcome=outcome, progress=progress)
    wanted = _wanted(workspace.project, found, events)
    after = follow_up or max(FOLLOW_UP, found.outcome.horizon)
    seen, told = _counted(workspace, wanted, days, progress)
    chosen, begins, warnings = _usable(told)
    people = _people(seen, found, begins)
    names, counts = _features(chosen, len(found.accounts), days)
    discovery = find(
        [
            landmark(
                people, names, counts[n][people.account], n, found.events, found.outcome, found.until, after
            )
            for n in days
        ],
        found.outcome.name,
        by_account=by_account,
    )
    columns = {
        one.source: tuple(dict.fromkeys(c.column for c in one.counted if c.column is not None))
        for one in chosen
    }
    return Discovered(
        workspace.project.settings.project,
        _day(found.until),
        columns,
        discovery,
        (*found.warnings, *warnings),
    )


def discover_metrics(
    workspace: Workspace, *, now: datetime, outcome: str | None = None, progress: Listener | None = None
) -> Discovered:
    """Which metrics, on any date, are associated with the outcome within its horizon. Raises TrialError."""
    from retinue.insight.discovery.any_time import discover_metrics as find

    found = tried(workspace, now=now, outcome=outcome, progress=progress)
    discovery = find(found.replay, found.labels, found.outcome)
    looked_at = {"metrics": found.replay.metrics}
    name = workspace.project.settings.project
    return Discovered(name, _day(found.until), looked_at, discovery, found.warnings)


def _day(number: int) -> date:
    day: date = np.datetime64(number, "D").item()
    return day


def _wanted(project: Project, found: Tried, events: Sequence[str]) -> dict[str, list[str]]:
    """Columns by source."""
    given = _given(project, events) if events else _declared(project)
    # Who was active goes with who is; only rows that are the outcome would foretell themselves.
    own = found.rule.fact
    if own is not None and own in given:
        if events:
            raise TrialError(
                f'the outcome "{found.outcome.name}" is told from "{own}": it cannot foretell itself',
                hint="name other events",
            )
        del given[own]
    if not given:
        raise TrialError("there is nothing to look at", hint="name events, such as `--events usage.event`")
    return given


def _given(project: Project, events: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event in events:
        source, _, column = event.partition(".")
        if source not in project.settings.facts:
            declared = ", ".join(project.settings.facts)
            raise NotFound(f'there is no source "{source}"', hint=f"declared: {declared}")
        columns = found.setdefault(source, [])
        if column and column not in columns:
            columns.append(column)
    return found


def _declared(project: Project) -> dict[str, list[str]]:
    """The sources that metrics read, with their declared columns and those that metrics choose rows by."""
    found: dict[str, dict[str, None]] = {}
    for metric in project.metrics.values():
        where = getattr(metric, "where", None)
        chosen_by = list(conditions.names(where)) if where is not None else []
        for source in feeds(metric):
            if source in project.settings.facts:
                columns = found.setdefault(source, dict.fromkeys(project.settings.facts[source].columns))
                columns.update(dict.fromkeys(chosen_by))
    return {source: list(columns) for source, columns in sorted(found.items())}


def _counted(
    workspace: Workspace, wanted: dict[str, list[str]], days: Sequence[int], progress: Listener | None
) -> tuple[pa.Table, list[FirstDays]]:
    """The accounts (account_id, started_on, ended_on, by ix), and what they did."""
    from retinue.warehouse.engine import connect
    from retinue.warehouse.facts import accounts, money
    from retinue.warehouse.landmarks import first_days

    project = workspace.project
    with Trace(progress, {}) as trace, connect(project, trace=trace) as engine:
        trace.stage("counting first days")
        people = accounts.load(engine, project, money.load(engine, project), None).table
        told = list(first_days(engine, project, people, wanted, days))
        return engine.arrow(
            people.select("account_id", "started_on", "ended_on").order_by("account_id")
        ), told


def _usable(told: Sequence[FirstDays]) -> tuple[list[FirstDays], int, list[str]]:
    """The sources that go back far enough, the day from which they do, and what is left out.

    Of an account that started before a source did, the first days are not all there. A source whose
    first row comes a little later than that of others may only have had nothing to say.
    """
    begun = {one.source: day_number(one.first) for one in told if one.first is not None}
    if not begun:
        raise TrialError("the sources have no row about any account", hint="name other events")
    first = min(begun.values())
    late = sorted(name for name, day in begun.items() if day > first + TOO_LATE)
    warnings = [f'"{name}" begins on {_day(begun[name])}, too late to be looked at' for name in late]
    warnings += [
        f"{one.source}.{column}: not looked at: numbers, or too many values"
        for one in told
        for column in one.left_out
    ]
    chosen = [one for one in told if one.source in begun and one.source not in late]
    later = [begun[one.source] for one in chosen if begun[one.source] > first + SILENT]
    return chosen, max(later, default=first), warnings


def _people(seen: pa.Table, found: Tried, begins: int) -> Accounts:
    """The accounts of the replay that started on `begins` or later."""
    from retinue.insight.discovery.landmarks import Accounts

    number = {account: n for n, account in enumerate(found.accounts)}
    ids = np.array([number.get(account, -1) for account in seen["account_id"].to_pylist()], np.int64)
    start, end = days_of(seen["started_on"]), days_of(seen["ended_on"])
    kept = (ids >= 0) & (start >= begins)
    account = ids[kept]
    group, segment = _standing(found.replay, account, start[kept])
    ended = np.where(end[kept] < -(2**30), NEVER, end[kept])
    return Accounts(account, group, start[kept], ended, segment)


def _standing(replay: Replay, account: Ints, start: Ints) -> tuple[Ints, Coded]:
    """Group and segment of each account on its first row of the replay from its start on."""
    if not len(replay):
        return account, Coded.none(len(account))
    at = np.searchsorted(keys(replay.account, replay.day), keys(account, start))
    safe = np.minimum(at, len(replay) - 1)
    there = replay.account[safe] == account
    codes = np.where(there, replay.segment.codes[safe], -1)
    # Groups share a number with no account that is alone: those count from the number of accounts on.
    group = np.where(there, replay.group[safe], account)
    return np.asarray(group, np.int64), Coded(codes, replay.segment.names)


def _features(
    told: Sequence[FirstDays], accounts: int, days: Sequence[int]
) -> tuple[tuple[str, ...], dict[int, Floats]]:
    """Counts [accounts, features] for each N; 0 where an account did nothing of the kind."""
    counted = [one for source in told for one in source.counted]
    counts = {n: np.zeros((accounts, len(counted))) for n in days}
    for k, one in enumerate(counted):
        at = one.rows["ix"].to_numpy().astype(np.int64)
        for n in days:
            counts[n][at, k] = one.rows[f"n{n}"].to_numpy()
    return tuple(one.name for one in counted), counts
