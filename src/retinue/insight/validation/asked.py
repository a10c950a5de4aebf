"""What a trial is asked for: its options, and the bars that a score has to clear."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Bars:
    """What a score must reach before people work by it. None leaves a bar out.

    `lift`: outcome rate in red over the base rate. `below_green`: share of the lost accounts that
    were below green 60 to 90 days before; `below_green_ratio`: that share over the share of
    accounts that stayed, at the lower end of its interval. `green_share`: at most this share of
    the book is green. `capacity`: at most as many accounts are red as the team can work at once.
    """

    lift: float | None = 3.0
    below_green: float | None = 2 / 3
    below_green_ratio: float | None = 1.5
    green_share: float | None = 0.8
    capacity: bool = True


@dataclass(frozen=True)
class Trial:
    """How a score is tried.

    `until`: the last day that is known of. `explained`: metrics, measures, or "score", whose
    too good AUC a person has looked into and explained. `recency` and `usage` name metrics of the
    replay: days since last activity (larger is worse) and plain usage (less is worse).
    `treated`: per row of the replay, whether an intervention was open then or begun within the
    horizon. `capacity`: accounts that the team can work at once. `fitted_until`: thresholds,
    references or weights of the scorecard were learned from data up to that day, so that only
    later rows count. `good`: the outcome is wished for (an expansion, a referral), so that it is the
    high scores that should come before it.
    """

    until: int
    seed: int = 0
    bars: Bars = field(default_factory=Bars)
    explained: tuple[str, ...] = ()
    recency: str | None = None
    usage: str | None = None
    treated: NDArray[np.bool_] | None = None
    capacity: float | None = None
    fitted_until: int | None = None
    repetitions: int = 500
    good: bool = False
