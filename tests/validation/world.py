"""A book of accounts drawn from a stated hazard, as a replay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retinue.insight.replay import Coded, Events, Labels, Outcome, Replay, labels

CHURN = Outcome("churn", 28)


@dataclass(frozen=True)
class World:
    replay: Replay
    events: Events
    told: Labels
    until: int


def world(
    accounts: int = 400,
    weeks: int = 40,
    seed: int = 0,
    strength: float = 1.0,
    rate: float = 0.01,
    step: int = 7,
) -> World:
    """Health moves as a random walk around the account's own level; the weekly hazard is `rate` times
    exp(strength * badness), so that 0 is a score that knows nothing."""
    random = np.random.default_rng(seed)
    level = random.normal(0, 1, accounts)
    walk = np.cumsum(random.normal(0, 0.25, (accounts, weeks)), axis=1) + level[:, None]
    health = walk - walk.mean()
    hazard = np.clip(rate * np.exp(-strength * health - strength**2 / 2), 0, 0.9)
    dies = random.random((accounts, weeks)) < hazard
    gone = np.where(dies.any(axis=1), dies.argmax(axis=1), weeks)
    day = np.arange(weeks) * step
    alive = np.arange(weeks)[None, :] <= gone[:, None]
    account, week = np.nonzero(alive)
    n = len(account)
    seen = health[account, week]
    metrics = np.column_stack(
        [
            np.exp(seen + random.normal(0, 1, n)),
            random.exponential(5, n),
            np.where(random.random(n) < 0.2, np.nan, seen),
        ]
    )
    points = np.clip(
        np.column_stack([50 + 18 * seen + random.normal(0, 6, n), 50 + 18 * seen + random.normal(0, 12, n)]),
        0,
        100,
    )
    points[random.random(n) < 0.1, 1] = np.nan
    declared = np.array([[0.6, 0.4]])
    shares = np.where(np.isnan(points), 0.0, declared)
    coverage = shares.sum(axis=1)
    weights = shares / coverage[:, None]
    computed = (weights * np.nan_to_num(points)).sum(axis=1)
    band = np.digitize(computed, [35, 60])
    replay = Replay(
        account=account.astype(np.int64),
        group=(account // 2 * 2 if accounts > 10 else account).astype(np.int64),
        day=day[week].astype(np.int64),
        computed=computed,
        band=band.astype(np.int64),
        coverage=coverage,
        adjustment=np.zeros(n),
        tenure=(week * step + 30.0 * (account % 12)),
        arr=1000.0 * (1 + account % 7),
        assumed=np.zeros(n, bool),
        segment=Coded((account % 3).astype(np.int64), ("large", "middle", "small")),
        stage=Coded((week > 10).astype(np.int64), ("new", "settled")),
        scorecard=Coded(np.zeros(n, np.int64), ("one",)),
        measures=("usage.logins", "value.goals"),
        points=points,
        weights=weights,
        declared=declared,
        edges=np.array([[35.0, 60.0]]),
        metrics=("logins", "noise", "goals"),
        values=metrics,
    )
    lost = np.flatnonzero(gone < weeks)
    events = Events.of(lost, day[gone[lost]] + random.integers(1, step + 1, len(lost)))
    until = int(day[-1]) + step
    return World(replay, events, labels(replay, events, CHURN, until), until)
