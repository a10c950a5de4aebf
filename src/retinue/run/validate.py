"""An honest trial of the score against what happened; nothing is published."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from retinue import __version__
from retinue.insight.replay import Coded, Labels, Replay, spaced
from retinue.insight.stability import NO_DAY
from retinue.project.metrics import Pulse
from retinue.project.project import Project
from retinue.run.layers import bands_array, dates_array, numbers_array
from retinue.run.replay import Tried, tried
from retinue.store.work.said import pulses_for_run
from retinue.warehouse.trace import Listener
from retinue.workspace import Workspace

if TYPE_CHECKING:
    from retinue.insight.validation.asked import Bars, Trial
    from retinue.insight.validation.report import Report
    from retinue.insight.validation.sampling import Estimate


@dataclass(frozen=True)
class Validated:
    """A trial, and what it was a trial of.

    `fingerprints` are by scorecard. `with_pulses` is the AUC of the score that also hears what people
    say of accounts, None where no scorecard measures that or nobody said anything.
    """

    project: str
    fingerprints: dict[str, str]
    report: Report
    with_pulses: Estimate | None
    tried: Tried

    def observations(self) -> pa.Table:
        """The snapshots that were counted, with what became of them, sorted by account and date.

        account_id, as_of, horizon_days, label (whether the outcome came), event_on (null without),
        known_on (the day on which the label could be known), computed, band, scorecard, segment,
        stage, group (the same number for accounts that belong together).
        """
        return observations(self.tried)

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of `retinue validate`: that of the report, and what was tried."""
        from retinue.insight.validation.report import plain

        return {
            "project": self.project,
            "package": __version__,
            "fingerprints": self.fingerprints,
            **self.report.to_dict(),
            "auc_with_pulses": plain(self.with_pulses),
        }


def validate(
    workspace: Workspace,
    *,
    now: datetime,
    outcome: str | None = None,
    first: date | None = None,
    last: date | None = None,
    every: Literal["day", "week"] | None = None,
    progress: Listener | None = None,
) -> Validated:
    """Try the workspace's scorecards on a grid of past dates, as `tried` says.

    Raises TrialError where there is nothing to try or the trial would deceive.
    """
    from retinue.insight.validation.validate import validate as hold

    replayed = partial(
        tried,
        workspace,
        now=now,
        outcome=outcome,
        first=first,
        last=last,
        every=every,
        progress=progress,
    )

    def say(text: str) -> None:
        if progress is not None:
            progress(text, 1.0)

    found = replayed()
    report = hold(found.replay, found.events, found.labels, found.outcome, trial(found), say)
    heard = _auc(replayed(pulses=True)) if _hears(workspace) else None
    return Validated(
        workspace.project.settings.project,
        {one.scorecard.scorecard: one.fingerprint for one in workspace.project.formulas},
        replace(report, warnings=(*found.warnings, *report.warnings)),
        heard,
        found,
    )


def observations(found: Tried) -> pa.Table:
    """As `Validated.observations`."""
    replay, told = _counted(found)
    ids = pa.array(found.accounts, pa.string())
    return pa.table(
        {
            "account_id": ids.take(pa.array(replay.account)),
            "as_of": dates_array(replay.day),
            "horizon_days": pa.array(np.full(len(replay), found.outcome.horizon, np.int32)),
            "label": pa.array(told.event),
            "event_on": dates_array(np.where(told.event, told.day, NO_DAY)),
            "known_on": dates_array(told.known),
            "computed": numbers_array(replay.computed),
            "band": bands_array(replay.band),
            **{name: _texts(getattr(replay, name)) for name in ("scorecard", "segment", "stage")},
            "group": pa.array(replay.group),
        }
    )


def _texts(coded: Coded) -> pa.Array:
    """-1, which stands for none, is the last of the names."""
    return pa.array([*coded.names, None], pa.string()).take(pa.array(coded.codes % (len(coded.names) + 1)))


def trial(found: Tried, repetitions: int = 500) -> Trial:
    """How a replay is tried, as its project says."""
    from retinue.insight.validation.asked import Trial

    told = found.project.settings.validation
    return Trial(
        until=found.until,
        bars=_bars(found.project),
        explained=told.explained,
        recency=found.recency,
        usage=found.usage,
        treated=found.treated,
        capacity=told.capacity,
        fitted_until=found.fitted_until,
        good=found.rule.is_good,
        repetitions=repetitions,
    )


def _bars(project: Project) -> Bars:
    from retinue.insight.validation.asked import Bars

    told = project.settings.validation.bars
    return Bars(
        lift=told.red_lift,
        below_green=told.early_warning,
        below_green_ratio=told.early_warning_lift,
        green_share=told.green_share,
        capacity=project.settings.validation.capacity is not None,
    )


def _hears(workspace: Workspace) -> bool:
    """Whether what people say enters any score, and anybody said anything."""
    measured = any(
        isinstance(metric, Pulse)
        for formula in workspace.project.formulas
        for metric in formula.metrics.values()
    )
    return measured and pulses_for_run(workspace.store).num_rows > 0


def _auc(found: Tried) -> Estimate:
    from retinue.insight.validation.discrimination import auc_within

    replay, told = _counted(found)
    risk = replay.computed if found.rule.is_good else -replay.computed
    return auc_within(risk, told.event, replay.group)


def _counted(found: Tried) -> tuple[Replay, Labels]:
    """The rows that a trial counts: a horizon apart, without those that the scorecards were learned from."""
    replay, told = found.replay, found.labels
    if found.fitted_until is not None:
        later = replay.day > found.fitted_until
        replay, told = replay.at(later), told.at(later)
    rows = spaced(replay, told, found.outcome.horizon)
    return replay.at(rows), told.at(rows)
