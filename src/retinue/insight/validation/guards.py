"""Ways in which a trial deceives, refused or said aloud."""

from __future__ import annotations

import numpy as np

from retinue.errors import TrialError
from retinue.insight.replay import Bools, Floats, Labels, Replay
from retinue.insight.validation.asked import Trial
from retinue.insight.validation.discrimination import auc
from retinue.insight.validation.report import iso
from retinue.insight.validation.sampling import Estimate

TOO_GOOD = 0.95
"""An AUC that no honest signal of a company has; what reaches it most often knows the outcome."""

ENOUGH = 20
"""Events, and rows without one, from which an AUC is taken seriously."""

_MOSTLY = 0.5
_RARE = 0.3
"""Base rate up to which a share of _CERTAIN is no accident."""

_CERTAIN = 0.9


def refuse_too_good(rows: Replay, event: Bools, asked: Trial) -> list[str]:
    """Raise TrialError if the score, one metric, one measure, or whether one has a value, tells the outcome
    almost perfectly and nobody explained it; give a warning for each that was explained."""
    if min(int(event.sum()), int((~event).sum())) < ENOUGH:
        return []
    found = {name: strength for name, strength in _strengths(rows, event) if strength > TOO_GOOD}
    open_ = {name: value for name, value in found.items() if name not in asked.explained}
    if open_:
        worst = max(open_, key=lambda name: (name != "score", open_[name]))
        others = len(open_) - 1
        also = f" (as do {others} more: {', '.join(sorted(set(open_) - {worst}))})" if others else ""
        raise TrialError(
            f"{worst} tells the outcome with AUC {open_[worst]:.3f}, above {TOO_GOOD}{also}: too good to be "
            "foresight, so it most likely uses the outcome itself or was written after it",
            hint=f"look at when {worst} is known; if it is right, name it as explained",
        )
    return [
        f"{name} tells the outcome with AUC {value:.3f}; explained by a person"
        for name, value in found.items()
    ]


def nearly_certain(rows: Replay, event: Bools, asked: Trial) -> list[str]:
    """A warning for each metric or measure with values at which the outcome is all but certain: a request to
    cancel, say, tells of a loss that is already decided, which an AUC over everyone hides."""
    base = float(event.mean()) if len(event) else 0.0
    if base > _RARE:
        return []
    found = []
    for name, column in _columns(rows):
        hit = max(_certain(column, event), _certain(-column, event))
        if hit[1] and name not in asked.explained:
            found.append(
                f"{hit[0]} of the {hit[1]} rows with the most extreme values of {name} had the outcome "
                f"(of all rows {base:.0%}): look at whether {name} is known only once a loss is decided"
            )
    return found


def _certain(column: Floats, event: Bools) -> tuple[int, int]:
    """Events and rows among the lowest values, for as many as have almost only events; 0 where none do."""
    there = np.flatnonzero(~np.isnan(column))
    order = there[np.argsort(column[there], kind="stable")]
    if not len(order):
        return 0, 0
    value = column[order]
    last = np.flatnonzero(np.append(value[1:] != value[:-1], True))
    events, count = np.cumsum(event[order])[last], last + 1
    certain = np.flatnonzero((events >= ENOUGH) & (events >= _CERTAIN * count))
    return (int(events[certain[-1]]), int(count[certain[-1]])) if len(certain) else (0, 0)


def _columns(rows: Replay) -> list[tuple[str, Floats]]:
    columns = [(name, rows.values[:, at]) for at, name in enumerate(rows.metrics)]
    return columns + [(name, rows.points[:, at]) for at, name in enumerate(rows.measures)]


def _strengths(rows: Replay, event: Bools) -> list[tuple[str, float]]:
    found = [("score", auc(-rows.computed, event))]
    for name, column in _columns(rows):
        found.append((name, max(_either(column, event), _either(np.isnan(column).astype(float), event))))
    return found


def _either(column: Floats, event: Bools) -> float:
    """AUC in the better direction, over the rows with a value; nothing where there are too few."""
    there = ~np.isnan(column)
    happened = event[there]
    if min(int(happened.sum()), int((~happened).sum())) < ENOUGH:
        return 0.0
    value = auc(column[there], happened)
    return max(value, 1 - value)


def after_fit(replay: Replay, asked: Trial) -> tuple[Bools, list[str]]:
    """Rows that the scorecard was not learned from; TrialError if there are none."""
    if asked.fitted_until is None:
        return np.ones(len(replay), bool), []
    kept = replay.day > asked.fitted_until
    day = iso(asked.fitted_until)
    if not kept.any():
        raise TrialError(
            f"the scorecard was learned from data up to {day}, and there is no later date to try it on",
            hint="try it once there are later dates, or learn it from an earlier part of history",
        )
    return kept, [
        f"thresholds, references or weights were learned from data up to {day}: only the "
        f"{int(kept.sum())} rows after it count, {int((~kept).sum())} do not"
    ]


def of_attributes(rows: Replay) -> list[str]:
    """A warning where attributes of the past are today's."""
    share = float(rows.assumed.mean()) if len(rows) else 0.0
    if not share:
        return []
    loud = ", so segments, stages and thresholds of the past may know the future" if share > _MOSTLY else ""
    return [
        f"{share:.0%} of the rows have attributes without a history: today's values stand for the past{loud}"
    ]


def of_strata(pooled: Estimate, within: dict[str, Estimate]) -> list[str]:
    """A warning where the score tells parts of the book apart, and nobody within a part."""
    if not pooled.low > 0.5:
        return []
    return [
        f"AUC {pooled.value:.2f} over all, but {one.value:.2f} (from {one.low:.2f}) between rows of "
        f"the same {name}: the score may only say which {name} an account is of"
        for name, one in within.items()
        if one.known and one.low <= 0.5
    ]


def of_labels(told: Labels) -> list[str]:
    """A warning where most of history is too young to count."""
    young = float((~told.matured).mean()) if len(told.matured) else 0.0
    if young <= _MOSTLY:
        return []
    return [
        f"{young:.0%} of the rows are left out because their horizon is not over: a shorter horizon, or a "
        "longer history, would count more of them"
    ]
