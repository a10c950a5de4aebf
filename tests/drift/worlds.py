"""Simulated books over quarters, with a drift planted in what happens or in who is there."""

from __future__ import annotations

import numpy as np

from retinue.insight.replay import Coded, Events, Labels, Outcome, Replay, labels

HORIZON = 91
CHURN = Outcome("churn", HORIZON)
FIRST = 18_000


def book(
    seed: int,
    accounts: int = 1500,
    quarters: int = 8,
    *,
    factor: dict[int, float] | None = None,
    weaker: dict[int, float] | None = None,
    lower: dict[int, float] | None = None,
    shocks: float = 0.0,
    measures: int = 3,
    base: float = -3.4,
) -> tuple[Replay, Events, Labels, int]:
    """Accounts with a standing health that moves, one date a quarter, churn by quarter with
    logit = base - 1.0 * health; those who leave are replaced by new ones.

    By quarter, from the one given on: `factor` multiplies the odds of leaving, `weaker` the slope on
    health, `lower` is taken from the health of everybody. `shocks`: standard deviation of the
    logarithm of a factor drawn for each quarter.
    """
    rng = np.random.default_rng(seed)
    health = rng.normal(size=accounts)
    for _ in range(12):  # until those who have stayed and those who are new are in balance
        leaves = rng.random(accounts) < 1 / (1 + np.exp(health - base))
        health = 0.9 * health + np.sqrt(1 - 0.81) * rng.normal(size=accounts)
        health[leaves] = rng.normal(size=int(leaves.sum()))
    number = np.arange(accounts)
    born = accounts
    rows: list[tuple[np.ndarray, ...]] = []
    gone: list[tuple[np.ndarray, np.ndarray]] = []
    for quarter in range(quarters + 1):
        day = FIRST + HORIZON * quarter

        def at(what: dict[int, float] | None, usual: float, now: int = quarter) -> float:
            return [usual, *(value for since, value in sorted((what or {}).items()) if since <= now)][-1]

        seen = health - at(lower, 0.0)
        parts = seen[:, None] + rng.normal(0, 0.7, (accounts, measures))
        computed = np.clip(50 + 15 * parts.mean(axis=1), 0, 100)
        rows.append((number.copy(), np.full(accounts, day), computed, np.clip(50 + 15 * parts, 0, 100)))
        logit = base - at(weaker, 1.0) * seen + np.log(at(factor, 1.0)) + rng.normal(0, 1) * shocks
        leaves = rng.random(accounts) < 1 / (1 + np.exp(-logit))
        gone.append((number[leaves], day + rng.integers(1, HORIZON + 1, int(leaves.sum()))))
        number = np.where(leaves, born + np.cumsum(leaves) - 1, number)
        born += int(leaves.sum())
        health = 0.9 * health + np.sqrt(1 - 0.81) * rng.normal(size=accounts)
        health[leaves] = rng.normal(size=int(leaves.sum()))
    account, day, computed, points = (np.concatenate(one) for one in zip(*rows, strict=True))
    order = np.lexsort((day, account))
    replay = scored(account[order], day[order], computed[order], points[order])
    events = Events.of(*(np.concatenate(one) for one in zip(*gone, strict=True)))
    until = FIRST + HORIZON * quarters
    return replay, events, labels(replay, events, CHURN, until), until


def scored(account: np.ndarray, day: np.ndarray, computed: np.ndarray, points: np.ndarray) -> Replay:
    n = len(account)
    measures = points.shape[1]
    return Replay(
        account=account.astype(np.int64),
        group=account.astype(np.int64),
        day=day.astype(np.int64),
        computed=computed,
        band=np.searchsorted([35.0, 55.0], computed, side="right").astype(np.int64),
        coverage=np.ones(n),
        adjustment=np.zeros(n),
        tenure=np.zeros(n),
        arr=np.full(n, np.nan),
        assumed=np.zeros(n, bool),
        segment=Coded.none(n),
        stage=Coded.none(n),
        scorecard=Coded(np.zeros(n, np.int64), ("one",)),
        measures=tuple(f"part.m{k}" for k in range(measures)),
        points=points,
        weights=np.full(points.shape, 1 / measures),
        declared=np.full((1, measures), 1 / measures),
        edges=np.array([[35.0, 55.0]]),
        metrics=tuple(f"m{k}" for k in range(measures)),
        values=points / 10,
    )
