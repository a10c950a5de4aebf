"""What happened to all accounts, or to a group of peers, at once: one alarm instead of thousands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinue.insight.anomalies import WEEKS
from retinue.insight.anomalies.usual import Usual
from retinue.insight.replay import Floats, Ints

FEED_STOPPED, EVERYBODY_DOWN, USUAL = "feed_stopped", "everybody_down", "ok"
TOO_FEW = "too_few"

#: A group of fewer accounts, or with fewer rows a week, raises no alarm of its own.
LEAST_ACCOUNTS, LEAST_ROWS = 10, 100.0
#: A feed has stopped only if so many rows were usual on the silent days.
LEAST_SILENT = 20.0
#: Everybody is down only if at least this share is missing.
LEAST_DROP = 0.1
#: The factor of so many weeks must be known before anybody says that it never was so low.
LEAST_WEEKS = 4


@dataclass(frozen=True)
class GroupUsage:
    """The whole portfolio (first) and each group of peers.

    `own` is what the accounts' own weeks let expect, `factor` how much of it the last week had at
    most accounts, `lowest` the lowest factor of the weeks before, `silent` the days at the end without any
    row of anybody where there usually are some.
    """

    accounts: Ints
    observed: Floats
    own: Floats
    factor: Floats
    lowest: Floats
    silent: int
    state: NDArray[np.str_]


def portfolio(days: Floats, near: Usual, group: Ints, groups: int) -> GroupUsage:
    """What the last week was for all accounts of `days` ([accounts, days]) together, and for each group."""
    told = ~np.isnan(near.own[:, -1])
    accounts = _with_all(np.bincount(group[told], minlength=groups))
    observed = _with_all(np.bincount(group[told], near.observed[told, -1], groups))
    own = _with_all(np.bincount(group[told], near.own[told, -1], groups))
    factor = np.vstack([near.all_factor[None, :], near.factor])
    last, before = factor[:, -1], factor[:, WEEKS:-1]
    states = np.full(groups + 1, USUAL, "U14")
    states[(accounts < LEAST_ACCOUNTS) | (own < LEAST_ROWS)] = TOO_FEW
    lowest = np.full(groups + 1, np.nan)
    if before.shape[1] >= LEAST_WEEKS:
        lowest, middle = before.min(axis=1), np.median(before, axis=1)
        # Below the lowest by as much as that is below the usual: a new low by a hair is no alarm.
        with np.errstate(invalid="ignore"):
            down = (last < lowest - (middle - lowest)) & (last < (1 - LEAST_DROP) * middle)
        states[down & (states == USUAL)] = EVERYBODY_DOWN
    silent = silent_days(np.nansum(days, axis=0))
    if silent:
        states[0] = FEED_STOPPED
    return GroupUsage(accounts.astype(np.int64), observed, own, last, lowest, silent, states)


def silent_days(total: Floats) -> int:
    """Days at the end of `total` (rows of everybody, by day) without any, where some were usual: on each of
    those weekdays in the four weeks before."""
    rows = np.flatnonzero(total > 0)
    if not len(rows):
        return 0
    silent = len(total) - 1 - int(rows[-1])
    if silent == 0 or len(total) < silent + 28:
        return 0
    at = np.arange(len(total) - silent, len(total))
    weeks_back = 7 * (np.arange(4) + 1 + (silent - 1) // 7)
    usual = total[at[:, None] - weeks_back]
    usual = usual.min(axis=1)
    expected = usual.sum()
    return silent if expected >= LEAST_SILENT else 0


def _with_all(values: NDArray[Any]) -> Floats:
    return np.concatenate([[values.sum()], values])
