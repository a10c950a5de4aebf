"""What a part adds: the score without it, on later rows of accounts that were not learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from retinue.insight.replay import Floats, Split
from retinue.insight.tuning.comparison import estimate_dict
from retinue.insight.tuning.evidence import Evidence
from retinue.insight.tuning.weights import Gain, fit, log_likelihood, summed
from retinue.insight.validation.discrimination import measured
from retinue.insight.validation.sampling import Estimate, Resampling, interval

_LOOSE = 0.1
"""Kappa of the fits that a likelihood ratio compares: hardly any prior."""


@dataclass(frozen=True)
class Dropped:
    """What a measure or component adds to the others.

    `auc` is the AUC with it less that without it, the weights fitted anew each time; `declared_auc`
    the same under the declared weights; `gain` what it adds in log-likelihood. All three are on
    held-out rows, None where there are none. `p_value` is of a likelihood ratio on all rows.
    """

    name: str
    auc: Estimate | None
    declared_auc: Estimate | None
    gain: Gain | None
    p_value: float

    @property
    def told(self) -> str:
        """In words: whether it adds anything that the others do not."""
        if self.auc is not None and self.auc.low > 0 and self.gain is not None and self.gain.clear:
            return "adds"
        if self.auc is not None and self.auc.high < 0:
            return "better without"
        return "adds on all rows, not clearly on held-out ones" if self.p_value < 0.05 else "cannot tell"

    def to_dict(self) -> dict[str, Any]:
        return {
            "auc": estimate_dict(self.auc),
            "declared_auc": estimate_dict(self.declared_auc),
            "gain": self.gain.to_dict() if self.gain else None,
            "p_value": self.p_value,
            "told": self.told,
        }


def dropped(
    rows: Evidence, split: Split | None, kappa: float, repetitions: int = 300, seed: int = 0
) -> tuple[Dropped, ...]:
    """Each part of `rows` left out in turn, the others keeping their proportions."""
    if len(rows.names) < 2 or not rows.events:
        return ()
    whole = fit(rows, _LOOSE)
    most = float(log_likelihood(rows, whole).sum()) / whole.design_effect
    drawn = Resampling.of(rows.group[split.test], repetitions, seed) if split is not None else None
    full = _held_out(rows, split, drawn, kappa)
    found = []
    for part, name in enumerate(rows.names):
        without = rows.without(part)
        left = fit(without, _LOOSE, whole.design_effect)
        ratio = 2 * (most - float(log_likelihood(without, left).sum()) / whole.design_effect)
        less = _held_out(without, split, drawn, kappa)
        if full is None or less is None or split is None:
            found.append(Dropped(name, None, None, None, _chance(ratio)))
            continue
        found.append(
            Dropped(
                name,
                interval(full.auc - less.auc, full.drawn - less.drawn),
                interval(full.declared_auc - less.declared_auc, full.declared_drawn - less.declared_drawn),
                summed(full.rows - less.rows, rows.group[split.test]),
                _chance(ratio),
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class _HeldOut:
    auc: float
    drawn: Floats
    declared_auc: float
    declared_drawn: Floats
    rows: Floats


def _held_out(rows: Evidence, split: Split | None, drawn: Resampling | None, kappa: float) -> _HeldOut | None:
    if split is None or drawn is None:
        return None
    test, found = rows.at(split.test), fit(rows.at(split.train), kappa)
    fitted, _, one = measured(-test.rescored(found.weights), test.event, drawn)
    declared, _, two = measured(-test.rescored(rows.declared), test.event, drawn)
    return _HeldOut(fitted.value, one, declared.value, two, log_likelihood(test, found))


def _chance(ratio: float) -> float:
    """Of so large a likelihood ratio where the weight is 0: half the time 0, half chi-square with one degree
    of freedom, because 0 is an end of what a weight may be (Self & Liang 1987, JASA 82: 605-610)."""
    from scipy.stats import chi2

    return float(0.5 * chi2.sf(ratio, 1)) if ratio > 0 else 1.0
