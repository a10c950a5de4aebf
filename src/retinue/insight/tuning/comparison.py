"""Later, unseen time and other accounts: how declared, fitted and boosted scores do there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retinue.errors import TrialError
from retinue.insight.replay import Floats, Replay, Split, split
from retinue.insight.tuning.evidence import Evidence, folds
from retinue.insight.tuning.proposed import Weighing, weigh
from retinue.insight.tuning.weights import PARTS, Fit, Gain, expanded, fit, gain
from retinue.insight.validation.challenger import NEEDED, boosted
from retinue.insight.validation.discrimination import measured
from retinue.insight.validation.sampling import Estimate, Resampling, interval

ENOUGH = 20
"""Outcomes that each side of a split needs."""
_SHARE = 0.6
"""Of the outcomes, so many are to lie before the cutoff, as near as dates allow."""


@dataclass(frozen=True)
class Comparison:
    """AUC on rows later than `cutoff`, of accounts that nothing was learned from, with 95 % intervals by
    group; `ahead` are paired differences. `gain` is what the fitted weights add in log-likelihood.
    The challenger is None where there are too few outcomes to learn it from.
    """

    cutoff: int
    learned: Weighing
    train_rows: int
    train_events: int
    test_rows: int
    test_events: int
    declared: Estimate
    fitted: Estimate
    challenger: Estimate | None
    fitted_ahead: Estimate
    challenger_ahead: Estimate | None
    gain: Gain

    def to_dict(self) -> dict[str, Any]:
        return {
            "declared": auc_dict(self.declared),
            "fitted": auc_dict(self.fitted),
            "challenger": auc_dict(self.challenger),
            "fitted_minus_declared": estimate_dict(self.fitted_ahead),
            "challenger_minus_fitted": estimate_dict(self.challenger_ahead),
            "gain": self.gain.to_dict(),
            "cutoff": str(np.datetime64(self.cutoff, "D")),
            "train": {"observations": self.train_rows, "events": self.train_events},
            "test": {"observations": self.test_rows, "events": self.test_events},
        }


def auc_dict(one: Estimate | None) -> dict[str, float | None] | None:
    return (
        None if one is None else {"auc": _plain(one.value), "low": _plain(one.low), "high": _plain(one.high)}
    )


def estimate_dict(one: Estimate | None) -> dict[str, float | None] | None:
    if one is None:
        return None
    return {"value": _plain(one.value), "low": _plain(one.low), "high": _plain(one.high)}


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True)
class Later:
    """A split in time, or why there is none."""

    split: Split | None
    cutoff: int | None
    reason: str | None


def later(rows: Evidence, cutoff: int | None, learned_until: int | None, seed: int = 0) -> Later:
    """Rows to learn from, and later ones of other groups to test on.

    Without a `cutoff`, the date with nearest to 60 % of the outcomes before it, with ENOUGH on each
    side. `learned_until`: today's scorecard was itself learned from what was known up to that day, so
    only later days are unseen by it. Raises TrialError where a stated cutoff is before that day,
    or leaves too few outcomes on a side.
    """
    if cutoff is not None:
        if learned_until is not None and cutoff < learned_until:
            raise TrialError(
                f"the period tested was learned from: the scorecard in force rests on what was known up to "
                f"{np.datetime64(learned_until, 'D')}",
                hint="test on later days",
            )
        found = _split(rows, cutoff, seed)
        if found is None:
            raise TrialError(
                f"fewer than {ENOUGH} outcomes before or after {np.datetime64(cutoff, 'D')} to learn from "
                "and to test on",
                hint="take a date nearer to the middle of the outcomes, or more history",
            )
        return Later(found, cutoff, None)
    dates = np.unique(rows.day)
    if learned_until is not None:
        dates = np.unique(np.maximum(dates, learned_until + 1))
    known = np.array([int(rows.event[rows.known <= date].sum()) for date in dates.tolist()])
    wanted = np.argsort(np.abs(known / max(1, int(rows.event.sum())) - _SHARE), kind="stable")
    best: tuple[float, int, Split] | None = None
    for date in dates[wanted[:12]].tolist():
        one = _split(rows, date, seed)
        if one is None:
            continue
        train, test = (int(rows.event[part].sum()) for part in (one.train, one.test))
        off = abs(train / (train + test) - _SHARE)
        if best is None or off < best[0]:
            best = off, date, one
    if best is not None:
        return Later(best[2], best[1], None)
    since = "" if learned_until is None else " since the scorecard in force was learned"
    return Later(
        None,
        None,
        f"{rows.events} outcomes{since} do not leave {ENOUGH} to learn from and {ENOUGH} later ones, of "
        "other accounts, to test on",
    )


def _split(rows: Evidence, cutoff: int, seed: int) -> Split | None:
    found = split(rows.group, rows.day, rows.known, cutoff, seed)
    for part in (found.train, found.test):
        events = int(rows.event[part].sum())
        if min(events, len(part) - events) < ENOUGH:
            return None
    return found


def compare(rows: Evidence, replay: Replay, at: Later, repetitions: int = 500, seed: int = 0) -> Comparison:
    """Fit on the earlier rows, and hold declared, fitted and challenger against the later ones.

    `replay` has the rows of `rows`, in their order. All scores are as a run would compute them, caps
    included; where the fitted weights would not be adopted they are compared all the same.
    """
    assert at.split is not None
    assert at.cutoff is not None
    learn, test = rows.at(at.split.train), rows.at(at.split.test)
    told = weigh(learn, seed=seed)
    drawn = Resampling.of(test.group, repetitions, seed)
    declared, _, one = measured(-test.score, test.event, drawn)
    fitted, _, two = measured(-test.rescored(told.fitted), test.event, drawn)
    rival: Estimate | None = None
    ahead: Estimate | None = None
    if int(learn.event.sum()) >= NEEDED:
        risk = boosted(replay, rows.event, at.split.train, at.split.test, seed)
        rival, _, three = measured(risk, test.event, drawn)
        ahead = interval(rival.value - fitted.value, three - two)
    parts = rows if told.level == "measures" else rows.by_component()
    return Comparison(
        cutoff=at.cutoff,
        learned=told,
        train_rows=len(learn),
        train_events=int(learn.event.sum()),
        test_rows=len(test),
        test_events=int(test.event.sum()),
        declared=declared,
        fitted=fitted,
        challenger=rival,
        fitted_ahead=interval(fitted.value - declared.value, two - one),
        challenger_ahead=ahead,
        gain=gain(parts.at(at.split.train), parts.at(at.split.test), told.fit),
    )


def out_of_fold(rows: Evidence, weighing: Weighing, seed: int = 0) -> Floats:
    """The proposed score of each row, by weights fitted without its group: what thresholds may be learned
    from. Where the declared weights stay, the score as it is."""
    if not weighing.adopted:
        return rows.score
    parts = rows if weighing.level == "measures" else rows.by_component()
    fold, score = folds(rows, PARTS, seed), np.empty(len(rows))
    for part in range(PARTS):
        left = np.flatnonzero(fold == part)
        found: Fit = fit(parts.at(fold != part), weighing.fit.kappa)
        score[left] = rows.at(left).rescored(expanded(found.weights, rows, parts))
    return score
