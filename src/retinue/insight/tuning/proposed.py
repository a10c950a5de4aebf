"""The weights that are proposed: which are fitted, how sure they are, whether to adopt them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from retinue.insight.replay import Floats
from retinue.insight.tuning import weights as model
from retinue.insight.tuning.evidence import Evidence, components
from retinue.insight.tuning.intervals import interval
from retinue.insight.tuning.weights import Fit, Gain, SlopeTest

NEEDED = 10
"""Outcomes per fitted weight; with fewer the declared weights stay."""
NEGLIGIBLE = 0.02
"""A posterior over shares never reaches 0: where its lower end is below this, it is told as 0."""
SENSITIVITY = (3.0, 10.0, 30.0)

Level = Literal["components", "measures"]


@dataclass(frozen=True)
class Weight:
    """One weight as a share of 1: declared, fitted, and its interval given the prior.

    `by_kappa` is what is fitted at other strengths of the prior.
    """

    name: str
    declared: float
    fitted: float
    low: float
    high: float
    upper_bound_only: bool
    by_kappa: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return {
            "declared": self.declared,
            "fitted": self.fitted,
            "low": self.low,
            "high": self.high,
            "upper_bound_only": self.upper_bound_only,
            "by_kappa": self.by_kappa,
        }


@dataclass(frozen=True)
class Weighing:
    """Weights of one scorecard, declared and fitted, on the level that the outcomes can tell apart.

    `proposed` is per measure: the fitted weights where they are `adopted`, else the declared ones.
    `cross_validated` is what they add on accounts left out.
    """

    level: Level
    weights: tuple[Weight, ...]
    measures: tuple[str, ...]
    declared: Floats
    fitted: Floats
    proposed: Floats
    rows: int
    accounts: int
    events: int
    needed: int
    slope: SlopeTest
    cross_validated: Gain | None
    adopted: bool
    why: str
    fit: Fit

    @property
    def enough(self) -> bool:
        return self.events >= self.needed

    def to_dict(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "weights": {weight.name: weight.to_dict() for weight in self.weights},
            "measures": {
                name: {"declared": float(a), "fitted": float(b), "proposed": float(c)}
                for name, a, b, c in zip(
                    self.measures, self.declared, self.fitted, self.proposed, strict=True
                )
            },
            "rows": self.rows,
            "accounts": self.accounts,
            "events": self.events,
            "events_needed": self.needed,
            "enough_evidence": self.enough,
            "kappa": self.fit.kappa,
            "design_effect": self.fit.design_effect,
            "intercept": self.fit.intercept,
            "slope": self.fit.slope,
            "interval": "90 %, given the declared weights as prior",
            "signal": self.slope.to_dict(),
            "cross_validated": self.cross_validated.to_dict() if self.cross_validated else None,
            "adopted": self.adopted,
            "why": self.why,
        }


def level_of(evidence: Evidence) -> Level:
    """Weights of measures where there are NEEDED outcomes for each of them, else of components."""
    groups = len(set(components(evidence.names)))
    many = len(evidence.names)
    return "measures" if evidence.events >= NEEDED * many or groups in (1, many) else "components"


def weigh(evidence: Evidence, level: Level | None = None, seed: int = 0) -> Weighing:
    """Fit the weights of one scorecard, by measures or components, and say whether to adopt them."""
    level = level or level_of(evidence)
    parts = evidence if level == "measures" else evidence.by_component()
    needed = NEEDED * len(parts.names)
    events = parts.events
    kappas = model.KAPPAS if events >= model.MANY else (model.KAPPA,)
    told = model.cross_validated(parts, kappas, seed) if events >= needed else {}
    kappa = model.best_kappa(parts, told)
    gain = model.summed(told[kappa], parts.group) if told else None
    found = model.fit(parts, kappa)
    slope = model.slope_test(evidence.score, evidence.event, evidence.group)
    adopted, why = _verdict(events, needed, level, slope, gain)
    fitted = model.expanded(found.weights, evidence, parts)
    return Weighing(
        level=level,
        weights=_told(parts, found, seed),
        measures=evidence.names,
        declared=evidence.declared,
        fitted=fitted,
        proposed=fitted if adopted else evidence.declared,
        rows=len(evidence),
        accounts=len(np.unique(evidence.account)),
        events=events,
        needed=needed,
        slope=slope,
        cross_validated=gain,
        adopted=adopted,
        why=why,
        fit=found,
    )


def kept(weighing: Weighing, why: str) -> Weighing:
    """The same weights, not adopted: what later time showed speaks against them."""
    return replace(weighing, adopted=False, proposed=weighing.declared, why=why)


def _told(parts: Evidence, found: Fit, seed: int) -> tuple[Weight, ...]:
    low, high = interval(parts, found, seed=seed)
    other = {f"{kappa:g}": model.fit(parts, kappa, found.design_effect).weights for kappa in SENSITIVITY}
    return tuple(
        Weight(
            name=name,
            declared=float(parts.declared[n]),
            fitted=float(found.weights[n]),
            low=0.0 if low[n] < NEGLIGIBLE else float(low[n]),
            high=float(high[n]),
            upper_bound_only=bool(low[n] < NEGLIGIBLE),
            by_kappa={kappa: float(one[n]) for kappa, one in other.items()},
        )
        for n, name in enumerate(parts.names)
    )


def _verdict(events: int, needed: int, level: Level, slope: SlopeTest, gain: Gain | None) -> tuple[bool, str]:
    if events < needed:
        return False, (
            f"not enough evidence: {events} outcomes, and {NEEDED} for each of the {needed // NEEDED} "
            f"weights of {level} are needed; the declared weights stay, the fitted ones are advice"
        )
    if gain is None or not gain.clear:
        told = "" if gain is None else f" ({gain.gain:+.1f} in log-likelihood, standard error {gain.se:.1f})"
        also = "" if slope.signal else "; nor is there evidence that the score predicts the outcome at all"
        return False, f"the fitted weights are not clearly better on accounts left out{told}{also}"
    return True, (
        f"the fitted weights are better on accounts left out: {gain.gain:+.1f} in log-likelihood, "
        f"more than one standard error ({gain.se:.1f})"
    )
