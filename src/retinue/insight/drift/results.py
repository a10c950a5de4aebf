"""What a review says: quarters with their checks, versions, shifts, advice."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from retinue.insight.calibration import Calibrator
from retinue.insight.drift.shift import Shift

Advice = Literal["nothing", "new_intercept", "new_thresholds", "new_weights", "cannot_tell"]

ASSUMES = "assumes that nothing changed but the mix of accounts"


@dataclass(frozen=True)
class Check:
    """A value with its interval (96.7 %, see the module). `told` is false with too few events."""

    value: float
    low: float
    high: float
    p: float
    fails: bool

    @property
    def told(self) -> bool:
        return not np.isnan(self.p)


@dataclass(frozen=True)
class Assumed:
    """What is to be expected where nothing changed but the mix of accounts (days as of `day`):
    the mean of the chances, and the ranking that they would give."""

    first: int
    last: int
    accounts: int
    events: float
    rate: float
    auc: float


@dataclass(frozen=True)
class Quarter:
    """Scores of days `first` to `last`, and what came within the horizon of each.

    `over_expected`: events over expected ones, and the range that usual quarters have. `shock`
    is the standard deviation of usual quarters. `slope`: of the outcome on its chance, 1 at
    best. `auc_change`: against the earlier part.
    """

    first: int
    last: int
    rows: int
    events: int
    expected: float
    shock: float
    over_expected: Check
    slope: Check
    auc: float
    auc_change: Check
    assumed: Assumed

    @property
    def fails(self) -> bool:
        return self.over_expected.fails or self.slope.fails or self.auc_change.fails


@dataclass(frozen=True)
class Early:
    """Scores whose horizon is not over: events so far and those expected by now, the chance of each
    scaled by the share of its horizon that is over, at a constant hazard."""

    day: int
    elapsed: float
    accounts: int
    events: int
    expected: float
    over_expected: Check


@dataclass(frozen=True)
class Component:
    """How well one measure alone ranks, against the earlier part; `q` among all measures."""

    name: str
    auc_then: float
    auc_now: float
    p: float
    q: float
    fails: bool


@dataclass(frozen=True)
class Version:
    """One version of the score on the rows of the later part: `lift` is of as many of the lowest scores as
    are at risk today (of the highest as are healthy, where the outcome is good)."""

    name: str
    rows: int
    events: int
    auc: float
    low: float
    high: float
    over_expected: float
    lift: float


@dataclass(frozen=True)
class Review:
    """`reference` are days (first, last) that chances were learned from: by score, or by 100 - score where
    the outcome is `good`. `advice` is told in words by `because`."""

    outcome: str
    horizon: int
    good: bool
    reference: tuple[int, int]
    reference_rows: int
    reference_events: int
    calibrator: Calibrator
    quarters: tuple[Quarter, ...]
    early: Early | None
    ahead: Assumed | None
    shifts: tuple[Shift, ...]
    components: tuple[Component, ...]
    versions: tuple[Version, ...]
    advice: Advice
    because: str
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Days as ISO dates, what cannot be told as None."""
        told: dict[str, Any] = _plain(asdict(self))
        told["calibrator"] = self.calibrator.to_dict()
        told["reference"] = [iso(day) for day in self.reference]
        told["assumes"] = ASSUMES
        return told


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: iso(one) if key in ("first", "last", "day") else _plain(one) for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return None if np.isnan(value) else value
    return value


def iso(day: int) -> str:
    return str(np.datetime64(int(day), "D"))
