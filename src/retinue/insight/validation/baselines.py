"""What one would have without the score, on the same rows."""

from __future__ import annotations

import numpy as np

from retinue.insight.replay import Bools, Floats, Ints, Labels, Replay
from retinue.insight.validation.asked import Trial
from retinue.insight.validation.discrimination import auc, auc_within, measured
from retinue.insight.validation.report import Baseline
from retinue.insight.validation.sampling import Estimate, Resampling, interval

BEST = "best single metric"


def baselines(
    rows: Replay, told: Labels, asked: Trial, resampling: Resampling, score: Floats
) -> tuple[Baseline, ...]:
    """Constant, recency, tenure, usage, and the one metric that was best on the earlier half. A long silence,
    short tenure and little usage foretell a loss, and their opposites a good outcome.

    `score` holds the AUC of the score in each repetition of `resampling`; differences are between
    the same draws.
    """
    event = told.event
    given = -rows.computed
    found = [_constant(rows, event, score)]
    sign = -1 if asked.good else 1
    named: list[tuple[str, Floats]] = [("tenure", -sign * rows.tenure)]
    if asked.recency in rows.metrics:
        named.insert(0, ("days since last activity", sign * _metric(rows, asked.recency)))
    if asked.usage in rows.metrics:
        named.append(("usage", -sign * _metric(rows, asked.usage)))
    found += [_against(name, risk, given, event, resampling, score) for name, risk in named]
    best = _best(rows, told, resampling, score)
    return (*found, best) if best else tuple(found)


def _metric(rows: Replay, name: str | None) -> Floats:
    return rows.values[:, rows.metrics.index(str(name))]


def _constant(rows: Replay, event: Bools, score: Floats) -> Baseline:
    half = Estimate(0.5, 0.5, 0.5)
    ahead = interval(auc(-rows.computed, event) - 0.5, score - 0.5)
    base = float(event.mean()) if len(rows) else float("nan")
    return Baseline("constant", half, ahead, base, len(rows))


def _against(
    name: str, risk: Floats, given: Floats, event: Bools, resampling: Resampling, score: Floats
) -> Baseline:
    filled, rows = _filled(risk)
    value, precision, repeated = measured(filled, event, resampling)
    ahead = interval(auc(given, event) - value.value, score - repeated)
    return Baseline(name, value, ahead, precision.value, rows)


def _filled(risk: Floats) -> tuple[Floats, int]:
    """Rows without a value stand in the middle of those that have one."""
    there = ~np.isnan(risk)
    middle = float(np.median(risk[there])) if there.any() else 0.0
    return np.where(there, risk, middle), int(there.sum())


def _best(rows: Replay, told: Labels, resampling: Resampling, score: Floats) -> Baseline | None:
    """The metric, with its direction, that was best on rows whose label was known by the middle date; its
    AUC on all rows flatters it, so that on later rows stands beside it."""
    if not rows.metrics or not len(rows):
        return None
    event, given = told.event, -rows.computed
    middle = _middle(rows.day, event)
    early = told.known <= middle
    later = rows.day >= middle
    blind = event[early].any() and not event[early].all() and event[later].any()
    learned = early if blind else np.ones(len(rows), bool)
    filled = [_filled(rows.values[:, at])[0] for at in range(len(rows.metrics))]
    strength = np.array([auc(one[learned], event[learned]) - 0.5 for one in filled])
    if np.isnan(strength).all():
        return None
    at = int(np.nanargmax(np.abs(strength)))
    risk = rows.values[:, at] * (1 if strength[at] >= 0 else -1)
    found = _against(f"{BEST} ({rows.metrics[at]})", risk, given, event, resampling, score)
    side = _filled(risk)[0]
    return Baseline(
        BEST,
        found.auc,
        found.ahead,
        found.average_precision,
        found.rows,
        chosen=f"{rows.metrics[at]}, chosen on the {'earlier half' if blind else 'same rows'}",
        later=_of(side, event, later, resampling.cluster) if blind else None,
        score_later=_of(given, event, later, resampling.cluster) if blind else None,
    )


def _of(risk: Floats, event: Bools, which: Bools, cluster: Ints) -> Estimate:
    return auc_within(risk[which], event[which], cluster[which])


def _middle(day: Ints, event: Bools) -> int:
    """The date that has about half of the events before it."""
    dates = np.unique(day)
    counts = np.cumsum([event[day == one].sum() for one in dates])
    return int(dates[min(len(dates) - 1, int(np.searchsorted(counts, counts[-1] / 2)) + 1)])
