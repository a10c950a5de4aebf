"""One account scored by hand of numpy, and what would raise its score most.

`combine` is the definition of a score for one account; the set-based scoring of a run must give
the same. `gains` rescores each candidate, so that what it promises is what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Presence = Literal["present", "missing", "not_applicable"]
Policy = Literal["reweight", "neutral", "worst"]

STAND_IN = {"neutral": 50.0, "worst": 0.0}
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class Combined:
    """A score and its parts; computed = base + adjustment.

    Not scored: base, adjustment and computed are nan, weights are 0. `weights` are the normalised
    shares, one per measure. `cap` and `floor` are the positions (in what was passed) of the ones
    that bind, None where none moves the score.
    """

    base: float
    adjustment: float
    computed: float
    coverage: float
    weights: Floats
    points: Floats
    cap: int | None
    floor: int | None

    @property
    def scored(self) -> bool:
        return not np.isnan(self.computed)

    @property
    def contributions(self) -> Floats:
        return np.where(self.weights > 0, self.weights * np.nan_to_num(self.points), 0.0)


def combine(
    points: Sequence[float] | Floats,
    declared_shares: Sequence[float] | Floats,
    freshness: Sequence[float] | Floats,
    present: Sequence[Presence],
    policies: Sequence[Policy],
    caps: Sequence[float] = (),
    floors: Sequence[float] = (),
    min_coverage: float = 0.5,
) -> Combined:
    """Score one account from its measures.

    `declared_shares` are component weight x measure weight within it, on any scale. `caps` and
    `floors` hold the levels of those that fired. A missing measure with a stand-in (neutral,
    worst) weighs its full declared share in base but does not count as covered. An account whose
    coverage equals `min_coverage` is scored.
    """
    point, declared = np.asarray(points, np.float64), np.asarray(declared_shares, np.float64)
    here = np.array([p == "present" for p in present], bool)
    absent = np.array([p == "missing" for p in present], bool)
    stand_in = np.array([STAND_IN.get(policy, np.nan) for policy in policies], np.float64)
    filled = absent & ~np.isnan(stand_in)

    known = np.where(here, declared * np.asarray(freshness, np.float64), 0.0)
    share = np.where(filled, declared, known)
    used = np.where(filled, stand_in, np.where(here, point, np.nan))
    expected = declared[here | absent].sum()
    coverage = float(known.sum() / expected) if expected > 0 else 0.0
    total = share.sum()
    if not total > 0 or coverage < min_coverage - _EXACT:
        nan = float("nan")
        return Combined(nan, nan, nan, coverage, np.zeros(len(point)), used, None, None)

    weights = share / total
    base = float(np.sum(np.where(share > 0, weights * np.nan_to_num(used), 0.0)))
    computed, floor, cap = base, None, None
    if len(floors) and max(floors) > computed:
        floor = int(np.argmax(floors))
        computed = float(floors[floor])
    if len(caps) and min(caps) < computed:
        cap = int(np.argmin(caps))
        computed = float(caps[cap])
    return Combined(base, computed - base, computed, coverage, weights, used, cap, floor)


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap or a floor that fired."""

    level: float
    because: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A measure of one account. `target` is what it is raised to: 100, or the points of the next
    knot of its curve."""

    component: str
    metric: str
    points: float
    declared_share: float
    freshness: float = 1.0
    present: Presence = "present"
    policy: Policy = "reweight"
    target: float = 100.0


@dataclass(frozen=True, slots=True)
class Account:
    """Everything that the score of one account on one day depends on."""

    measures: tuple[Placed, ...]
    caps: tuple[Limit, ...] = ()
    floors: tuple[Limit, ...] = ()
    min_coverage: float = 0.5


@dataclass(frozen=True, slots=True)
class Gain:
    """One thing to do. `computed` is the score after it; `gain` is nan where the account is not
    scored now. A cap that is lifted has no component, metric or points."""

    kind: Literal["lift", "raise", "supply"]
    component: str | None
    metric: str | None
    from_points: float | None
    to_points: float | None
    computed: float
    gain: float
    because: str | None = None


@dataclass(frozen=True, slots=True)
class Gains:
    """The score now, the cap that binds (to be told first) and the candidates, best first."""

    now: Combined
    cap: Limit | None
    gains: tuple[Gain, ...]


def score(account: Account) -> Combined:
    """`combine` for an `Account`."""
    measures = account.measures
    return combine(
        [m.points for m in measures],
        [m.declared_share for m in measures],
        [m.freshness for m in measures],
        [m.present for m in measures],
        [m.policy for m in measures],
        [cap.level for cap in account.caps],
        [floor.level for floor in account.floors],
        account.min_coverage,
    )


def gains(account: Account, rescore: Callable[[Account], Combined] = score) -> Gains:
    """What would raise the score most, one thing at a time.

    Each candidate is the account with one measure at its target, seen today (freshness 1), or with
    the binding cap gone, scored again by `rescore`; pass your own where raising a metric also
    lifts a cap. Lifting the cap comes first, then by gain; measures at or above their target and
    those not applicable are no candidates.
    """
    now = rescore(account)
    bound = None if now.cap is None else account.caps[now.cap]
    found = []
    for place, measure in enumerate(account.measures):
        supply = measure.present == "missing"
        if measure.present == "not_applicable" or (not supply and measure.points >= measure.target):
            continue
        better = replace(measure, points=measure.target, freshness=1.0, present="present")
        measures = (*account.measures[:place], better, *account.measures[place + 1 :])
        after = rescore(replace(account, measures=measures))
        found.append(
            Gain(
                "supply" if supply else "raise",
                measure.component,
                measure.metric,
                None if supply else measure.points,
                measure.target,
                after.computed,
                after.computed - now.computed,
            )
        )
    found.sort(key=lambda g: (-np.nan_to_num(g.computed, nan=-1.0), g.component or "", g.metric or ""))
    if bound is not None and now.cap is not None:
        free = rescore(replace(account, caps=account.caps[: now.cap] + account.caps[now.cap + 1 :]))
        gain = free.computed - now.computed
        found.insert(0, Gain("lift", None, None, None, None, free.computed, gain, bound.because))
    return Gains(now, bound, tuple(found))
