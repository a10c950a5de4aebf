"""What missing data and caps do to the score."""

from __future__ import annotations

import numpy as np

from retinue.insight.replay import Bools, Floats, Ints, Labels, Replay
from retinue.insight.validation.discrimination import auc, auc_within, measured
from retinue.insight.validation.report import Caps, Missing
from retinue.insight.validation.sampling import Estimate, Resampling, interval, share

_EXACT = 1e-9


def filled(rows: Replay, stand_in: float | None) -> Floats:
    """The score before caps with missing measures left out of the weights (None), or taken as `stand_in`.

    What is present weighs its coverage, freshness included; a missing measure comes with the share
    declared for it. What does not apply to an account counts as missing here.
    """
    there = ~np.isnan(rows.points)
    known = np.where(there, rows.weights, 0.0)
    total = known.sum(axis=1)
    declared = rows.declared[rows.scorecard.codes]
    absent = np.where(there, 0.0, declared).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        base = (known * np.nan_to_num(rows.points)).sum(axis=1) / total
    base = np.where(total > 0, base, np.nan)
    if stand_in is None:
        return base
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed = (rows.coverage * np.nan_to_num(base) + absent * stand_in) / (rows.coverage + absent)
    return np.where(absent > _EXACT, mixed, base)


def missing(
    rows: Replay, told: Labels, not_scored: Bools, group: Ints, all_told: Labels, risk: float
) -> Missing:
    """`not_scored` marks rows of the whole replay that would count, had they a score, on the same dates;
    `group` and `all_told` are of that. `risk` is -1 where low scores should come before the
    outcome, 1 where high ones should."""
    event = told.event
    reweight, neutral, worst = (
        auc_within(risk * filled(rows, stand_in), event, rows.group) for stand_in in (None, 50.0, 0.0)
    )
    declared = rows.declared[rows.scorecard.codes]
    gone = int(not_scored.sum())
    return Missing(
        reweight=reweight,
        neutral=neutral,
        worst=worst,
        rows_with_missing=int(((declared > 0) & np.isnan(rows.points)).any(axis=1).sum()),
        not_scored=gone,
        not_scored_share=gone / (gone + len(rows)) if gone + len(rows) else float("nan"),
        not_scored_rate=share(all_told.event[not_scored], group[not_scored]),
    )


def caps(rows: Replay, event: Bools, resampling: Resampling, score: Floats) -> Caps:
    """The AUC of the score without caps and floors, and what they add to it."""
    moved = np.abs(rows.adjustment) > _EXACT
    without, _, repeated = measured(-(rows.computed - rows.adjustment), event, resampling)
    adds = interval(auc(-rows.computed, event) - without.value, score - repeated)
    rate = share(event[moved], resampling.cluster[moved]) if moved.any() else Estimate.none()
    return Caps(int(moved.sum()), rate, without, adds)
