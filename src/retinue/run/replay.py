"""The score replayed over the past, beside what happened: the ground of validate, tune and drift.

Scores are computed from what was known on each date, settled as a run settles them, and
published nowhere. Overrides never enter; what people said (pulses) only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

import numpy as np

from retinue.errors import TrialError
from retinue.insight.replay import Events, Labels, Outcome, Replay, labels
from retinue.period import grid
from retinue.project.metrics import AnyMetric, Count, Since, feeds
from retinue.project.outcomes import OutcomeRule
from retinue.project.project import Project
from retinue.project.rules_outcomes import giveaways
from retinue.run import kept_replays
from retinue.run.history import Past
from retinue.run.layers import day_number, keys
from retinue.run.recipe import complete_day
from retinue.run.replaying import Asked, Replayed
from retinue.warehouse.trace import Listener
from retinue.workspace import Workspace

#: How far back a replay goes where nothing says otherwise, in days.
_SPAN = 728


@dataclass(frozen=True)
class Tried:
    """A replay beside its outcome, labelled as of the day `until`.

    `recency` and `usage` name the metrics of the naive baselines. `treated` marks rows at which
    something was being done for the account within the horizon, None where nothing is recorded.
    `fitted_until`: the scorecards were learned from what was known up to that day.
    """

    project: Project
    replay: Replay
    events: Events
    outcome: Outcome
    rule: OutcomeRule
    labels: Labels
    until: int
    accounts: tuple[str, ...]
    recency: str | None = None
    usage: str | None = None
    treated: Any = None
    fitted_until: int | None = None
    warnings: tuple[str, ...] = field(default=())


def tried(
    workspace: Workspace,
    *,
    now: datetime,
    outcome: str | None = None,
    first: date | None = None,
    last: date | None = None,
    every: Literal["day", "week"] | None = None,
    pulses: bool = False,
    progress: Listener | None = None,
) -> Tried:
    """The project's score on a grid of dates, and what became of each row.

    `first` and `last` bound the as-of dates; by default those that are published, or two years up to
    the end of the data. `every` is by default what `validation` says. For other scorecards on the
    same data, put another project into the workspace. Raises TrialError where there is nothing to
    try, or where a scorecard looks at the outcome itself.
    """
    chosen = workspace.project
    name, rule = _rule(chosen, outcome)
    given_away = list(giveaways(chosen, rule))
    if given_away:
        raise TrialError(
            f'the score knows the outcome "{name}": {"; ".join(given_away)}',
            hint="take it off the scorecard: what follows from the outcome cannot foretell it",
        )
    span = first, last, every or chosen.settings.validation.every
    dates = _dates(workspace, now, *span)
    extended, recency, usage = _with_naive(chosen)
    asked = Asked(workspace, extended, name, rule, dates, now, pulses)
    found = _answered(asked, progress)
    if found.seen_until < day_number(dates[-1]) and last is None and not asked.published():
        # Nobody said until when, and the data end earlier: the grid ends with them.
        span = first, _date(found.seen_until), span[2]
        dates = _dates(workspace, now, *span)
        asked = replace(asked, dates=dates)
        found = _answered(asked, progress)
    horizon = Outcome(name, rule.within.days, rule.is_final, rule.silence is not None)
    until = min(found.seen_until, day_number(complete_day(chosen, now)))
    told = labels(found.replay, found.events, horizon, until)
    if found.limit is not None:
        told = replace(told, matured=told.matured & (found.replay.day + horizon.horizon <= found.limit))
    learned = [card.fitted.until for card in chosen.scorecards if card.fitted is not None]
    return Tried(
        chosen,
        found.replay,
        found.events,
        horizon,
        rule,
        told,
        until,
        found.accounts,
        recency,
        usage,
        _treated(found, horizon.horizon),
        day_number(max(learned)) if learned else None,
        tuple(_doubts(found, until, dates)),
    )


def _answered(asked: Asked, progress: Listener | None) -> Replayed:
    """What was kept of the same question, or else a new replay."""
    project, today = asked.project, complete_day(asked.project, asked.now)
    key = kept_replays.key(
        project, asked.rule, asked.dates, today, asked.spoken(), asked.recorded(), asked.published()
    )
    found = kept_replays.read(project.home, key) if key else None
    if found is None:
        found = asked.replayed(progress)
        if key:
            kept_replays.keep(project.home, key, found)
    return found


def _rule(project: Project, outcome: str | None) -> tuple[str, OutcomeRule]:
    told = dict(project.settings.outcomes)
    if not told and "ended_on" in project.settings.accounts.columns:
        told["churn"] = OutcomeRule(ended=True)
    if not told:
        raise TrialError(
            "there is no outcome to try the score against",
            hint="declare one in retinue.yaml, such as `outcomes: {churn: {ended: true, within: 90d}}`",
        )
    name = outcome or project.settings.validation.outcome or next(iter(told))
    if name not in told:
        raise TrialError(f'there is no outcome "{name}"', hint=f"declared: {', '.join(told)}")
    return name, told[name]


def _dates(
    workspace: Workspace,
    now: datetime,
    first: date | None,
    last: date | None,
    every: Literal["day", "week"],
) -> tuple[date, ...]:
    today = complete_day(workspace.project, now)
    published = Past.of(workspace).dates()
    end = last or (published[-1] if published else today)
    start = first or (published[0] if published else end - timedelta(days=_SPAN))
    if end > today:
        raise TrialError(f"{end} is not complete yet; the last complete day is {today}")
    dates = grid(start, end, every) if start <= end else ()
    if not dates:
        raise TrialError(
            f"no {'Sunday' if every == 'week' else 'day'} between {start} and {end}",
            hint="give --from and --to further apart",
        )
    return tuple(dates)


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def _with_naive(project: Project) -> tuple[Project, str | None, str | None]:
    """The project with the metrics of naive baselines: recency and volume of its main activity."""
    used = [name for f in project.formulas for metric in f.metrics.values() for name in feeds(metric)]
    source = project.settings.validation.activity or max(
        (name for name in project.settings.facts if name in used), key=used.count, default=None
    )
    if source is None:
        return project, None, None
    recency, usage = f"days since {source}", f"{source} in 28 days"
    naive: dict[str, AnyMetric] = {
        recency: Since(since=source),
        usage: Count.model_validate({"count": source, "window": "28d"}),
    }
    return replace(project, metrics={**project.metrics, **naive}), recency, usage


def _treated(found: Replayed, horizon: int) -> Any:
    """Rows of accounts for which something was done in the horizon before or after."""
    if found.done is None:
        return None
    replay, done = found.replay, keys(found.done.account, found.done.day)
    after = np.searchsorted(done, keys(replay.account, replay.day + horizon), "right")
    before = np.searchsorted(done, keys(replay.account, replay.day - horizon), "left")
    return after > before


def _doubts(found: Replayed, until: int, dates: Sequence[date]) -> list[str]:
    told = []
    if until < day_number(dates[-1]):
        told.append(f"the data end on {_date(until)}: later dates have no outcome")
    if found.done is not None and not len(found.done):
        told.append("no intervention is recorded")
    return told
