"""Curves from history: what points a metric's values would have, by what became of their accounts.

Breakpoints are medians of bins with enough outcomes each, their points the log odds of the bin,
made monotone in the direction that is declared, on a scale from 0 (the riskiest bin) to 100. A curve
is proposed only where, on accounts that it was not drawn from, it tells more than the one in force.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from retinue.insight.replay import Bools, Floats, Ints
from retinue.insight.tuning.evidence import Evidence, folds
from retinue.insight.tuning.weights import PARTS, Gain, line, log_likelihood, summed

MOST_BINS = 5
PER_BIN = 20
"""Outcomes per bin, so that its rate is known within a factor of about 1.6."""
SHRINK = 5.0
"""The k of n / (n + k): accounts that a cohort must have to count half against all."""

Kind = Literal["points", "steps", "target", "cohort"]


@dataclass(frozen=True)
class Declared:
    """A measure on the scorecard: the metric's values by row, the points that the curve in force gives them
    (nan where missing), and whether more is better; None where both too little and too much are bad."""

    name: str
    kind: Kind
    values: Floats
    points: Floats
    rising: bool | None


@dataclass(frozen=True)
class CurveProposal:
    """`knots` [value, points] are None where none are drawn. `gain` is what they tell beyond the curve in
    force on accounts left out, `cohort_gain` what ranks among like accounts tell beyond it."""

    name: str
    kind: Kind
    knots: tuple[tuple[float, float], ...] | None
    gain: Gain | None
    cohort_gain: Gain | None
    rows: int
    events: int
    proposed: Literal["points", "cohort"] | None
    why: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "in_force": self.kind,
            "proposed": self.proposed,
            "knots": None if self.knots is None else [list(knot) for knot in self.knots],
            "gain": self.gain.to_dict() if self.gain else None,
            "cohort_gain": self.cohort_gain.to_dict() if self.cohort_gain else None,
            "observations": self.rows,
            "events": self.events,
            "why": self.why,
        }


def propose(measure: Declared, rows: Evidence, cohort: Ints, seed: int = 0) -> CurveProposal:
    """A curve for one measure, or why there is none. `cohort` numbers like accounts, by row."""
    there = ~np.isnan(measure.values) & ~np.isnan(measure.points)
    part = rows.at(there)
    values, points, like = measure.values[there], measure.points[there], cohort[there]

    def none(why: str) -> CurveProposal:
        return CurveProposal(measure.name, measure.kind, None, None, None, len(part), part.events, None, why)

    if measure.rising is None:
        return none("a target band: too little and too much are not told apart by one direction")
    needed = 3 * PER_BIN
    if part.events < needed:
        return none(f"not enough evidence: {part.events} outcomes with a value, {needed} are needed")
    knots = drawn(values, part.event, measure.rising)
    if len(knots) < 2:
        return none("the outcome is no rarer in the declared direction")
    fold = folds(part, PARTS, seed)
    before, after, among = (np.zeros(len(part)) for _ in range(3))
    for left in range(PARTS):
        learn, test = fold != left, fold == left
        own = drawn(values[learn], part.event[learn], measure.rising)
        ranked = ranks(values[learn], like[learn], values, like, measure.rising)
        for told, given in (
            (before, points),
            (after, _on(own, values)),
            (among, ranked),
        ):
            told[test] = _line_likelihood(given, part, learn, test)
    gain = summed(after - before, part.group)
    cohort_gain = None if measure.kind == "cohort" else summed(among - before, part.group)
    proposed, why = _verdict(gain, cohort_gain)
    return CurveProposal(
        measure.name, measure.kind, knots, gain, cohort_gain, len(part), part.events, proposed, why
    )


def drawn(values: Floats, event: Bools, rising: bool) -> tuple[tuple[float, float], ...]:
    """Knots [value, points]: at most MOST_BINS, each with about PER_BIN outcomes or more; () where the
    outcome is no rarer in the declared direction."""
    from sklearn.isotonic import IsotonicRegression

    bins = int(min(MOST_BINS, event.sum() // PER_BIN))
    if bins < 2:
        return ()
    # Bins of equal numbers of outcomes: fine where they are.
    inner = np.quantile(values[event], np.arange(1, bins) / bins)
    place = np.searchsorted(np.unique(inner), values, side="right")
    place = np.unique(place, return_inverse=True)[1]
    many = np.bincount(place).astype(float)
    rate = (np.bincount(place, event) + 0.5) / (many + 1)
    middle = np.array([np.median(values[place == n]) for n in range(len(many))])
    smooth = IsotonicRegression(increasing=not rising).fit(middle, rate, sample_weight=many).predict(middle)
    risk = np.log(smooth / (1 - smooth))
    spread = float(risk.max() - risk.min())
    if spread < 1e-9:
        return ()
    points = np.round(100 * (risk.max() - risk) / spread)
    # Between equal points only the ends matter.
    keep = np.ones(len(points), bool)
    keep[1:-1] = (points[1:-1] != points[:-2]) | (points[1:-1] != points[2:])
    return tuple((_short(x), float(y)) for x, y in zip(middle[keep], points[keep], strict=True))


def ranks(reference: Floats, of: Ints, values: Floats, like: Ints, rising: bool) -> Floats:
    """Mid-rank of each value among the reference values of its cohort, shrunk to that among all."""
    whole = _rank(np.sort(reference), values)
    found = whole.copy()
    for cohort in np.unique(like).tolist():
        mine, here = np.sort(reference[of == cohort]), like == cohort
        if len(mine):
            weight = len(mine) / (len(mine) + SHRINK)
            found[here] = weight * _rank(mine, values[here]) + (1 - weight) * whole[here]
    return found if rising else 100 - found


def _rank(reference: Floats, values: Floats) -> Floats:
    below = np.searchsorted(reference, values, side="left")
    upto = np.searchsorted(reference, values, side="right")
    return np.asarray(100 * (0.5 * (below + upto) + 0.5) / (len(reference) + 1))


def _on(knots: tuple[tuple[float, float], ...], values: Floats) -> Floats:
    if len(knots) < 2:
        return np.full(len(values), 50.0)
    x, y = np.array(knots).T
    return np.asarray(np.interp(values, x, y))


def _line_likelihood(points: Floats, rows: Evidence, learn: Bools, test: Bools) -> Floats:
    """Log-likelihood of the rows `test` under a logistic curve of these points alone, fitted on `learn`."""
    one, none = np.ones((len(points), 1)), np.zeros(len(points))
    alone = replace(
        rows,
        names=("one",),
        declared=np.ones(1),
        points=points[:, None],
        presence=one,
        score=points,
        adjustment=none,
    )
    return log_likelihood(alone.at(test), line(alone.at(learn)))


def _verdict(gain: Gain, cohort: Gain | None) -> tuple[Literal["points", "cohort"] | None, str]:
    if cohort is not None and _clear(cohort) and cohort.gain > gain.gain + gain.se:
        return "cohort", "ranks among like accounts tell clearly more on accounts left out"
    if _clear(gain):
        return "points", "these points tell clearly more on accounts left out"
    return None, "the curve in force tells as much on accounts left out; it stays"


def _clear(gain: Gain) -> bool:
    """Two standard errors, not one: many curves are looked at, and the best of many is high by chance."""
    return gain.gain > 2 * gain.se


def _short(value: float) -> float:
    """Four significant digits: nobody declares more."""
    return float(f"{value:.4g}")
