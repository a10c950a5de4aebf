"""Rules of thumb that others use: what a method must be better than."""

from __future__ import annotations

import numpy as np

from tests.anomalies.worlds import Array


def log_mad(counts: Array) -> Array:
    """Weeks below three robust standard deviations of the logarithms of the eight weeks before."""
    weekly = np.log1p(counts.reshape(len(counts), -1, 7).sum(axis=2))
    before = weekly[:, -9:-1]
    middle = np.median(before, axis=1)
    spread = 1.4826 * np.median(np.abs(before - middle[:, None]), axis=1)
    return weekly[:, -1] < middle - 3 * spread


def own_mean(counts: Array) -> Array:
    """Weeks below three standard deviations of the eight weeks before."""
    weekly = counts.reshape(len(counts), -1, 7).sum(axis=2)
    before = weekly[:, -9:-1]
    return weekly[:, -1] < before.mean(axis=1) - 3 * before.std(axis=1, ddof=1)
