"""Simulated books of accounts whose early days are, or are not, signs of what came later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retinue.insight.discovery.landmarks import Accounts, Landmarks, landmark
from retinue.insight.replay import NEVER, Coded, Events, Outcome

SEGMENTS = ("enterprise", "mid", "smb")
CHURN = Outcome("churn", 180)
#: Landmarks that are tried.
DAYS = (30, 60, 90)
#: Of 40 features: the first three are true, the next four go with the segment, the rest are nothing.
TRUE = ("true_0", "true_1", "true_2")
CONFOUNDED = tuple(f"segment_{n}" for n in range(4))


@dataclass(frozen=True)
class World:
    landmarks: tuple[Landmarks, ...]
    ever: np.ndarray
    """Counts over the whole life of each account: the design that deceives."""


def world(
    seed: int,
    accounts: int,
    *,
    effect: float = 0.9,
    features: int = 40,
    days: Sequence[int] = DAYS,
    confounding: float = 1.0,
    rarer: float = 0.0,
) -> World:
    """Accounts of three segments that start over two years and have a constant hazard each.

    A true feature is done as often by everybody; those who do it 3 times or more in their first
    60 days have a lower logit by `effect`. Accounts of small segments leave sooner, and do what
    goes with the segment more seldom. `rarer` lowers all logits. Everything goes on at a constant
    rate as long as one lives.
    """
    rng = np.random.default_rng(seed)
    segment = rng.choice(3, accounts, p=[0.2, 0.3, 0.5])
    start = 18_000 + np.sort(rng.integers(0, 730, accounts))
    span = 730 + 90 + CHURN.horizon
    by_segment = np.array([3.0, 1.5, 0.4])
    rates = np.empty((accounts, features))
    rates[:, :3] = 2.6 / 60
    rates[:, 3:7] = (1 + confounding * (by_segment[segment] - 1))[:, None] / 60
    rates[:, 7:] = rng.uniform(0.5, 4, features - 7) / 60
    first = rng.poisson(rates * 30)
    early = [first, first + rng.poisson(rates * 30)]
    early.append(early[1] + rng.poisson(rates * 30))
    hit = early[1][:, :3] >= 3
    logit = np.array([-8.2, -7.4, -6.6])[segment] - rarer - effect * (hit.sum(axis=1) - 1.5)
    life = rng.exponential(np.exp(-logit)).astype(np.int64) + 1
    ends = start + life
    until = 18_000 + span
    churned = ends <= until
    late = np.maximum(np.minimum(ends, until) - start - 90, 0)
    ever = early[2] * np.minimum(life / 90, 1)[:, None] + rng.poisson(rates * late[:, None])
    people = Accounts(
        account=np.arange(accounts),
        group=np.arange(accounts),
        start=start,
        ended=np.where(churned, ends, NEVER),
        segment=Coded(segment.astype(np.int64), SEGMENTS),
    )
    events = Events.of(np.flatnonzero(churned), ends[churned])
    names = (*TRUE, *CONFOUNDED, *(f"noise_{n}" for n in range(features - 7)))
    counts = {30: early[0], 60: early[1], 90: early[2]}
    landmarks = tuple(
        landmark(people, names, counts[n].astype(np.float64), n, events, CHURN, until) for n in days
    )
    return World(landmarks, ever.astype(np.float64))
