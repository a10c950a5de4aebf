"""The whole trial of a score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from retinue.insight.replay import (
    Bools,
    Events,
    Floats,
    Ints,
    Labels,
    Outcome,
    Replay,
    check_spacing,
    spaced,
)
from retinue.insight.validation import bands as of_bands
from retinue.insight.validation import guards
from retinue.insight.validation.amounts import amounts, reasons
from retinue.insight.validation.asked import Trial
from retinue.insight.validation.bars import bars
from retinue.insight.validation.baselines import baselines
from retinue.insight.validation.challenger import challenger
from retinue.insight.validation.discrimination import auc_within, measured
from retinue.insight.validation.held_out import held_out
from retinue.insight.validation.lead_time import lead_time
from retinue.insight.validation.losses import Grid, losses
from retinue.insight.validation.missing import caps, missing
from retinue.insight.validation.reliability import reliability
from retinue.insight.validation.report import Counted, Report, iso
from retinue.insight.validation.sampling import Estimate, Resampling, share
from retinue.insight.validation.slices import slices
from retinue.insight.validation.verdict import Outcomes, judge


def validate(
    replay: Replay,
    events: Events,
    told: Labels,
    outcome: Outcome,
    asked: Trial,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Hold a replayed score against what happened.

    Rates, AUC and calibration rest on rows a horizon apart; lead time, bands before a loss and
    restlessness on the whole grid. Raises TrialError where the trial would deceive: a score or
    metric that is too good and not explained, or no date that the score was not learned from.
    Where no row can be counted, the verdict is not_enough_churn.
    """
    say = progress or (lambda _: None)
    later, warnings = guards.after_fit(replay, asked)
    treated = asked.treated
    if not later.all():
        replay, told = replay.at(later), told.at(later)
        treated = treated[later] if treated is not None else None
    places = spaced(replay, told, outcome.horizon)
    rows, own = replay.at(places), told.at(places)
    event = own.event
    check_spacing(rows.account, rows.day, outcome.horizon)
    # For a good outcome all that ranks sees the scores upside down; bands and tables of scores do not.
    ranked = _upside_down(rows) if asked.good else rows
    warnings += guards.refuse_too_good(ranked, event, asked)
    warnings += guards.nearly_certain(rows, event, asked)
    warnings += guards.of_attributes(rows)

    say("intervals")
    resampling = Resampling.of(rows.group, asked.repetitions, asked.seed)
    value, precision, drawn = measured(-ranked.computed, event, resampling)
    say("baselines")
    rivals = baselines(ranked, own, asked, resampling, drawn)
    say("challenger")
    held = held_out(rows, own, asked.seed)
    rival = challenger(ranked, event, held, asked.repetitions, asked.seed)
    say("calibration")
    calibration, foretold = reliability(ranked, event, held, asked.repetitions, asked.seed)
    say("bands and lead time")
    grid = Grid.of(replay, told, losses(replay, events, told, asked.until))
    table = of_bands.bands(rows, event, resampling)
    early = of_bands.warned(grid, asked.repetitions, asked.seed)
    time = of_bands.over_time(grid)
    say("parts")
    count = int(event.sum())
    spread = Outcomes(count, len(rows) - count, len(np.unique(resampling.cluster[event])))
    verdict = judge(spread, value, rivals, rival, outcome.horizon, asked.good)
    within = _within(ranked, event, resampling.cluster)
    warnings += guards.of_strata(value, within)
    warnings += guards.of_labels(told)
    silent = told.usable & ~replay.scored & np.isin(replay.day, np.unique(rows.day))
    return Report(
        verdict=verdict.name,
        sentence=verdict.sentence,
        would_change=verdict.would_change,
        outcome=outcome.name,
        horizon_days=outcome.horizon,
        until=iso(asked.until),
        dates=tuple(iso(day) for day in rows.dates.tolist()),
        observations=len(rows),
        events=count,
        accounts=len(np.unique(rows.account)),
        groups=resampling.clusters,
        base_rate=share(event, resampling.cluster),
        auc=value,
        auc_by_account=auc_within(-ranked.computed, event, rows.account),
        auc_closed_form=auc_within(-ranked.computed, event, resampling.cluster),
        average_precision=precision,
        auc_within=within,
        baselines=rivals,
        challenger=rival,
        calibration=calibration,
        bands=table,
        deciles=of_bands.deciles(rows, event, resampling.cluster),
        histogram=of_bands.histogram(rows, event),
        before=of_bands.before(grid),
        warned=early,
        lead_time=lead_time(grid),
        movement=of_bands.movement(grid),
        over_time=time,
        missing=missing(rows, own, silent, replay.group, told, 1.0 if asked.good else -1.0),
        caps=caps(ranked, event, resampling, drawn),
        slices=slices(
            ranked, event, resampling.cluster, foretold, treated[places] if treated is not None else None
        ),
        reasons=reasons(grid),
        amounts=amounts(grid),
        bars=bars(asked, count, table[0], time[-1] if time else None, early),
        counted=_counted(replay, told, places),
        warnings=tuple(warnings),
        good=asked.good,
    )


def _within(rows: Replay, event: Bools, cluster: Ints) -> dict[str, Estimate]:
    """AUC over pairs of the same segment, stage or date."""
    risk: Floats = -rows.computed
    strata = {"segment": rows.segment.codes, "stage": rows.stage.codes, "date": rows.day}
    return {name: auc_within(risk, event, cluster, codes) for name, codes in strata.items()}


def _upside_down(rows: Replay) -> Replay:
    return replace(rows, computed=100 - rows.computed, points=100 - rows.points, adjustment=-rows.adjustment)


def _counted(replay: Replay, told: Labels, places: Ints) -> Counted:
    usable = told.usable
    return Counted(
        rows=len(replay),
        not_matured=int((~told.matured).sum()),
        not_at_risk=int((told.matured & ~told.at_risk).sum()),
        not_scored=int((usable & ~replay.scored).sum()),
        overlapping=int((usable & replay.scored).sum()) - len(places),
        counted=len(places),
        assumed=float(replay.assumed[places].mean()) if len(places) else float("nan"),
    )
