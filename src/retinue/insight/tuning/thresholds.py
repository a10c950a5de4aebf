"""The edge of red from chance: by capacity or by cost, for segments and stages with an offset.

A segment's offset is how many outcomes it has had over those expected of its scores, O / E, shrunk
to 1 as far as segments do not truly differ: rates relative to expectation follow a gamma
distribution with mean 1 and variance tau2, outcomes given the rate are Poisson, and the posterior
mean is (O + 1/tau2) / (E + 1/tau2) (Clayton & Kaldor 1987, Biometrics 43: 671-681; tau2 by moments).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retinue.errors import TrialError
from retinue.insight.calibration import Calibrator
from retinue.insight.replay import Bools, Coded, Floats, Ints


@dataclass(frozen=True)
class Offset:
    """A segment's outcomes, those expected of its scores, and what its log odds are moved by."""

    name: str
    rows: int
    observed: int
    expected: float
    ratio: float
    logit: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "observed": self.observed,
            "expected": self.expected,
            "ratio": self.ratio,
            "logit": self.logit,
        }


@dataclass(frozen=True)
class Offsets:
    """`tau2` is the variance of the true rates around what the score expects, 0 where segments differ no
    more than chance makes them."""

    tau2: float
    by_name: dict[str, Offset]

    def logits(self, names: Coded) -> Floats:
        """By row; 0 for names that were not seen, and for none."""
        told = np.array([self.by_name[n].logit if n in self.by_name else 0.0 for n in names.names] + [0.0])
        return np.asarray(told[names.codes])

    def to_dict(self) -> dict[str, Any]:
        return {"tau2": self.tau2, "by_name": {n: one.to_dict() for n, one in self.by_name.items()}}


def offsets(chance: Floats, event: Bools, names: Coded) -> Offsets:
    """Offsets of segments (or stages) from calibrated chances and what happened.

    tau2 by moments: E[(O - E)^2] = E + E^2 tau2, summed over segments. Chances are scaled first so
    that all expect as many as there were: a wrong general level is not a difference of segments.
    """
    inside = names.codes >= 0
    many = len(names.names)
    observed = np.bincount(names.codes[inside], event[inside], many)
    raw = np.bincount(names.codes[inside], chance[inside], many)
    rows = np.bincount(names.codes[inside], minlength=many)
    expected = raw * (observed.sum() / raw.sum()) if raw.sum() > 0 else raw
    tau2 = between(observed.astype(np.float64), np.asarray(expected, np.float64))
    found = {}
    for n, name in enumerate(names.names):
        if rows[n]:
            ratio = shrunk(observed[n], expected[n], tau2)
            found[name] = Offset(
                name, int(rows[n]), int(observed[n]), float(expected[n]), ratio, float(np.log(ratio))
            )
    return Offsets(tau2, found)


def between(observed: Floats, expected: Floats) -> float:
    """tau2 by moments, not below 0."""
    squares = float((expected**2).sum())
    if squares <= 0 or len(expected) < 2:
        return 0.0
    return max(0.0, float(((observed - expected) ** 2 - expected).sum()) / squares)


def shrunk(observed: float, expected: float, tau2: float) -> float:
    """(O + 1/tau2) / (E + 1/tau2): above 0 whatever was observed, 1 where tau2 is 0."""
    if tau2 <= 0:
        return 1.0
    return float((observed + 1 / tau2) / (expected + 1 / tau2))


def shifted(chance: Floats, logit: Floats | float) -> Floats:
    """Chances with their log odds moved."""
    from scipy.special import expit
    from scipy.special import logit as log_odds

    return np.asarray(expit(log_odds(np.clip(chance, 1e-12, 1 - 1e-12)) + logit))


# --- red ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Red:
    """Red below the score `edge`, one for all: its `chance`, and what of the rows it was learned from is red,
    and came true. `apart` has an edge for each segment and stage instead.
    """

    rule: str
    chance: float
    edge: float
    share: float
    churn_rate: float
    lift: float
    apart: Apart

    def to_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "chance": self.chance,
            "edge": _plain(self.edge),
            "share": _plain(self.share),
            "churn_rate": _plain(self.churn_rate),
            "lift": _plain(self.lift),
            "by_segment_and_stage": self.apart.to_dict(),
        }


@dataclass(frozen=True)
class Apart:
    """Red from the same chance in every segment and stage: the scores at which each has it, nan where no
    score is that risky, and what of the rows would be red and came true."""

    chance: float
    by_segment: dict[str, float]
    by_stage: dict[str, float]
    share: float
    churn_rate: float
    lift: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "chance": self.chance,
            "by_segment": {name: _plain(edge) for name, edge in self.by_segment.items()},
            "by_stage": {name: _plain(edge) for name, edge in self.by_stage.items()},
            "share": _plain(self.share),
            "churn_rate": _plain(self.churn_rate),
            "lift": _plain(self.lift),
        }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def chance_of_cost(alert_cost: float, uplift: float, at_stake: float) -> float:
    """The chance from which an alert pays: its cost over what it saves, uplift x ARR at stake.

    Raises TrialError where no alert pays, or where the numbers are not amounts and shares.
    """
    if alert_cost <= 0 or at_stake <= 0 or not 0 < uplift <= 1:
        raise TrialError("a cost and an ARR above 0, and an uplift between 0 and 1, are needed")
    chance = alert_cost / (uplift * at_stake)
    if chance >= 1:
        raise TrialError(
            f"an alert that costs {alert_cost:g} never pays: it saves {uplift:.0%} of {at_stake:g} at best",
            hint="name a lower cost, a larger uplift, or the ARR of larger accounts",
        )
    return chance


def cut_of_capacity(risk: Floats, day: Ints, capacity: int) -> float:
    """The risk from which on, on the median date, are as many accounts as can be looked after.

    Ties share an edge: there are never more above it on that date.
    """
    if capacity < 1:
        raise TrialError(f"a capacity is at least 1 account, not {capacity}")
    cuts = []
    for rows in _by_day(day):
        ordered = np.sort(risk[rows])[::-1]
        if len(ordered) <= capacity:
            cuts.append(float(ordered[-1]))
            continue
        above = ordered[ordered > ordered[capacity]]
        cuts.append(float(above[-1]) if len(above) else float(np.nextafter(ordered[0], np.inf)))
    return float(np.median(cuts))


def caught(red: Bools, event: Bools) -> tuple[float, float, float]:
    """(share of rows, outcome rate, that rate over the base rate) of what is red; nan where nothing is."""
    rate = float(event.mean()) if len(event) else float("nan")
    struck = float(event[red].mean()) if red.any() else float("nan")
    return (
        float(red.mean()) if len(red) else float("nan"),
        struck,
        struck / rate if rate > 0 else float("nan"),
    )


def apart(
    calibrator: Calibrator, chance: float, moved: Floats, event: Bools, by: tuple[Offsets, Offsets]
) -> Apart:
    """Edges from one chance; `moved` are the chances of rows with their offsets, `by` the offsets of segments
    and of stages."""
    segments, stages = (
        {name: edge_at(calibrator, chance, one.logit) for name, one in offsets_.by_name.items()}
        for offsets_ in by
    )
    return Apart(chance, segments, stages, *caught(moved >= chance, event))


def edge_at(calibrator: Calibrator, chance: float, offset: float) -> float:
    """The score at which the chance, moved by `offset` in log odds, is `chance`; nan if none is."""
    return float(calibrator.score_at(float(shifted(np.array(chance), -offset))))


def _by_day(day: Ints) -> list[Ints]:
    order = np.argsort(day, kind="stable")
    starts = np.unique(day[order], return_index=True)[1]
    return list(np.split(order, starts[1:])) if len(day) else []
