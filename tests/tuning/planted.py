"""Rows with known weights: what a fit should find is what they were drawn from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit

from retinue.insight.tuning.evidence import Evidence

TRUE = (0.4, 0.3, 0.2, 0.1)


def planted(
    seed: int,
    rows: int = 2000,
    true: Any = TRUE,
    declared: Any = None,
    *,
    names: tuple[str, ...] | None = None,
    rate: float = -2.0,
    slope: float = 0.5,
    missing: float = 0.2,
    per: int = 1,
) -> Evidence:
    """`rows` rows of `rows / per` accounts; measures share a common part, and miss at random; `rate`
    is the logit at a score of 50, `slope` the fall of the logit per ten points."""
    random = np.random.default_rng(seed)
    k = len(true)
    true = np.asarray(true, float)
    w0 = np.full(k, 1 / k) if declared is None else np.asarray(declared, float)
    points = 100 * expit(0.7 * random.normal(size=(rows, 1)) + random.normal(size=(rows, k)))
    presence = (random.random((rows, k)) > missing) * random.uniform(0.5, 1, (rows, k))
    presence[:, 0] = 1
    account = np.arange(rows) // per
    one = Evidence(
        names=names or tuple(f"c{n}.m{n}" for n in range(k)),
        declared=w0,
        points=np.where(presence > 0, points, 0.0),
        presence=presence,
        event=np.zeros(rows, bool),
        account=account,
        group=account,
        day=(np.arange(rows) % per) * 90,
        known=(np.arange(rows) % per) * 90 + 90,
        score=np.zeros(rows),
        adjustment=np.zeros(rows),
    )
    chance = expit(rate - slope * (one.base(true) / 10 - 5))
    return replace(one, event=random.random(rows) < chance, score=one.base(w0))
