"""From a score to a chance: calibrators that never let the chance rise with the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retinue.errors import TrialError

Floats = NDArray[np.float64]
Kind = Literal["constant", "platt", "beta", "isotonic"]

ISOTONIC_FROM = 1000
"""Events from which steps are learned better than a curve: isotonic regression overfits below
(log loss on course enrolments .1233 at 20 events and .1158 at 50, where beta has .1145 and .1134)."""

MINIMUM: dict[str, int] = {"constant": 0, "platt": 10, "beta": 10, "isotonic": 100}
"""Events, and rows without one, below which a kind is refused."""

_EDGE = 0.005
"""Scores are kept this far (as a share of 100) from 0 and 100 where a logarithm is taken."""


def kind_for(events: int) -> Kind:
    """The kind that so many events are enough for."""
    if events < MINIMUM["beta"]:
        return "constant"
    return "beta" if events < ISOTONIC_FROM else "isotonic"


@dataclass(frozen=True)
class Calibrator:
    """The chance of the outcome at a score; `rows` and `events` are what it was learned from.

    `parameters` of platt and beta are the intercept and slopes that are at least 0. `knots` of
    isotonic are pairs (score, chance), straight lines between them.
    """

    kind: Kind
    rows: int
    events: int
    parameters: tuple[float, ...] = ()
    knots: tuple[tuple[float, float], ...] = ()

    def chance(self, score: Any) -> Floats:
        """Chance by score, nan where the score is."""
        at = np.asarray(score, np.float64)
        if self.kind == "constant":
            return np.where(np.isnan(at), np.nan, self.parameters[0])
        if self.kind == "isotonic":
            knots = np.array(self.knots)
            return np.where(np.isnan(at), np.nan, np.interp(at, knots[:, 0], knots[:, 1]))
        features = _features(self.kind, at)
        return _sigmoid(self.parameters[0] + features @ np.array(self.parameters[1:]))

    def score_at(self, chance: float) -> float:
        """The highest score from 0 to 100 at which the chance is still at least `chance`; nan if it is
        lower at every score."""
        if not self.chance(0.0) >= chance:
            return float("nan")
        low, high = 0.0, 100.0
        if self.chance(high) >= chance:
            return high
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.chance(middle) >= chance else (low, middle)
        return low

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "rows": self.rows,
            "events": self.events,
            "parameters": list(self.parameters),
            "knots": [list(knot) for knot in self.knots],
        }


def fit(kind: Kind, score: Any, event: Any) -> Calibrator:
    """Learn the chance of `event` by score (0 to 100), as a curve that never rises with the score.

    constant: the share of events. platt: a logistic curve on smoothed targets (Platt 1999).
    beta: logit of the chance = c + a ln(risk) - b ln(1 - risk), a and b at least 0, with
    risk = 1 - score / 100 (Kull, Silva Filho and Flach 2017). isotonic: falling steps, joined by
    lines, chances kept half a row away from 0 and 1. Raises TrialError where there are fewer
    events, or rows without one, than the kind needs.
    """
    at, happened = np.asarray(score, np.float64), np.asarray(event, bool)
    rows, events = len(at), int(happened.sum())
    fewest = min(events, rows - events)
    if rows == 0 or fewest < MINIMUM[kind]:
        raise TrialError(
            f"{kind} calibration needs {MINIMUM[kind]} events and as many rows without one, "
            f"there are {events} and {rows - events}",
            hint="use more history, or a simpler kind",
        )
    if kind == "constant":
        return Calibrator(kind, rows, events, parameters=(events / rows,))
    if kind == "isotonic":
        return Calibrator(kind, rows, events, knots=_steps(at, happened))
    target = happened.astype(np.float64)
    if kind == "platt":
        target = np.where(happened, (events + 1) / (events + 2), 1 / (rows - events + 2))
    return Calibrator(kind, rows, events, parameters=_logistic(_features(kind, at), target))


def _features(kind: Kind, score: Floats) -> Floats:
    """What the logit of the chance is linear in, each rising with the risk."""
    if kind == "platt":
        return np.asarray((50.0 - score) / 10.0)[..., None]
    risk = np.clip(1 - score / 100, _EDGE, 1 - _EDGE)
    return np.stack([np.log(risk), -np.log(1 - risk)], axis=-1)


def _sigmoid(logit: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(logit), np.float64)


def _logistic(features: Floats, target: Floats) -> tuple[float, ...]:
    """Intercept and slopes of at least 0 with the least log loss."""
    from scipy.optimize import minimize

    rows, slopes = features.shape

    def loss(parameters: Floats) -> tuple[float, Floats]:
        logit = parameters[0] + features @ parameters[1:]
        off = _sigmoid(logit) - target
        value = float(np.mean(np.logaddexp(0, logit) - target * logit))
        return value, np.concatenate([[off.mean()], features.T @ off / rows])

    rate = target.mean()
    start = np.concatenate([[np.log(rate / (1 - rate))], np.full(slopes, 0.1)])
    bounds = [(-50.0, 50.0)] + [(0.0, 50.0)] * slopes
    options = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1000}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return tuple(float(one) for one in found.x)


def _steps(score: Floats, happened: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    from sklearn.isotonic import IsotonicRegression

    edge = 0.5 / len(score)
    steps = IsotonicRegression(y_min=edge, y_max=1 - edge, increasing=False, out_of_bounds="clip")
    steps.fit(score, happened.astype(np.float64))
    return tuple(
        (float(at), float(chance))
        for at, chance in zip(steps.X_thresholds_, steps.y_thresholds_, strict=True)
    )
