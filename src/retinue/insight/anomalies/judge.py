"""Which accounts did clearly less, or more, than usual in the last week, and which decline slowly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from retinue.insight.anomalies import HISTORY_WEEKS, LAG, LIMIT, RATE, SLACK, WEEKS
from retinue.insight.anomalies.peers import shared
from retinue.insight.anomalies.portfolio import FEED_STOPPED, GroupUsage, portfolio
from retinue.insight.anomalies.usual import Usual, baselines, usual
from retinue.insight.replay import Floats, Ints

#: Below so many expected a week there is too little usage to judge.
LEAST_A_WEEK = 5.0
#: How much of an account's dispersion is its own; the rest is its peers'.
OWN = 0.5
#: Usage has bursts, and its upper tail is heavier than a negative binomial's: rises are read from a t
#: distribution with so many degrees of freedom.
RISES = 15

OK, TOO_LITTLE, TOO_YOUNG, FEED = "ok", "too_little", "too_young", FEED_STOPPED

Texts = NDArray[np.str_]


@dataclass(frozen=True)
class Anomalies:
    """One entry per account.

    `observed` and `expected` are totals of the seven days that end on `day`; `direction` is -1 below
    what was expected, 1 above (or as much). `p` is one-sided, in that direction; `q` is the false discovery
    rate over accounts at which this one is flagged, falls and rises apart. Both are nan unless `state` is
    `ok` (others: `too_little` usage, `too_young` with fewer than eight whole weeks before, `feed_stopped`).
    `cusum` is the evidence of a slow decline, `falling_since` the first day of the week in which it
    began (NaT while `cusum` is at most `LIMIT`).
    """

    day: date
    observed: Floats
    expected: Floats
    p: Floats
    q: Floats
    direction: Ints
    state: Texts
    cusum: Floats
    falling_since: NDArray[np.datetime64]
    groups: GroupUsage

    @cached_property
    def flagged(self) -> NDArray[np.bool_]:
        """Accounts whose last week is an anomaly, at a false discovery rate of `RATE`."""
        with np.errstate(invalid="ignore"):
            return self.q <= RATE

    @cached_property
    def falling(self) -> NDArray[np.bool_]:
        """Accounts whose usage has declined over weeks."""
        return self.cusum > LIMIT


def anomalies(counts: Floats, group: Ints, day: date, groups: int | None = None) -> Anomalies:
    """Judge the last seven days of `counts` ([accounts, days], nan before an account's first day).

    `group` numbers the peers of each account from 0; `day` is that of the last column. The last
    `HISTORY_WEEKS` weeks are looked at. Nothing is random.
    """
    accounts = len(counts)
    groups = groups or int(group.max(initial=0)) + 1
    weeks = min(counts.shape[1] // 7, HISTORY_WEEKS)
    days = counts[:, counts.shape[1] - 7 * weeks :]
    whole = days.reshape(accounts, weeks, 7)
    usually = baselines(whole)
    near = usual(whole, usually, group, groups, 0)
    around = portfolio(days, near, group, groups)
    spread = dispersion(near, group, groups)
    observed, expected = near.observed[:, -1], near.expected[:, -1]
    state = np.full(accounts, OK, "U12")
    with np.errstate(invalid="ignore"):
        state[expected < LEAST_A_WEEK] = TOO_LITTLE
    state[np.isnan(expected)] = TOO_YOUNG
    if around.state[0] == FEED_STOPPED:
        state[:] = FEED
    judged = state == OK
    variance = uncertain(spread, near.own[:, -1], near.factor_error[group, -1], WEEKS)
    p, q, direction = np.full(accounts, np.nan), np.full(accounts, np.nan), np.zeros(accounts, np.int64)
    if judged.any():
        low, high = tails(observed[judged], expected[judged], variance[judged])
        high = special.stdtr(RISES, special.ndtri(np.clip(high, 1e-300, 1)))
        down = observed[judged] < expected[judged]
        direction[judged] = np.where(down, -1, 1)
        p[judged] = np.where(down, low, high)
        q[judged] = np.where(down, false_discovery(low), false_discovery(high))
    cusum, since = decline(usual(whole, usually, group, groups, LAG), spread, group)
    first = np.datetime64(day, "D") - 7 * (weeks - since) + 1
    fell = np.where(cusum > LIMIT, first, np.datetime64("NaT", "D"))
    return Anomalies(day, observed, expected, p, q, direction, state, cusum, fell, around)


def dispersion(near: Usual, group: Ints, groups: int) -> Floats:
    """The variance of weekly totals beyond Poisson's, relative to the squared mean, by account.

    From how far the weeks before the last missed what was expected of them one week ahead: half its own,
    half that of its peers, since a dozen weeks tell little of a variance.
    """
    expected, observed = near.expected[:, :-1], near.observed[:, :-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        told = expected >= LEAST_A_WEEK
        ahead = 1 + 1 / WEEKS  # eight weeks are themselves uncertain about the level
        each = ((observed - expected) / expected) ** 2 / ahead - 1 / expected
        number = told.sum(axis=1)
        own = np.where(told, each, 0).sum(axis=1) / number
        mean = np.where(told, expected, 0).sum(axis=1) / number
        weights = number * (mean / (1 + 0.1 * mean)) ** 2
    known = number > 0
    peers = shared(own, np.where(known, weights, 0), group, groups)
    of_peers = np.nan_to_num(peers.of_group, nan=0.1)[group].clip(min=0)
    return np.where(known, OWN * np.nan_to_num(own).clip(min=0) + (1 - OWN) * of_peers, of_peers)


def uncertain(spread: Floats, own: Floats, factor_error: Floats, weeks: int) -> Floats:
    """`spread`, and what is not known of the level (of `weeks` weeks) and of the peers' factor."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return spread + (spread + 1 / own) / weeks + np.nan_to_num(factor_error)


def tails(observed: Floats, expected: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Chances of at most, and of at least, as much as `observed`, negative binomial with mean `expected`."""
    size = 1 / np.maximum(variance, 1e-4)
    success = size / (size + expected)
    low = special.betainc(size, observed + 1, success)
    high = np.where(observed > 0, special.betaincc(size, np.maximum(observed, 1), success), 1.0)
    return low, high


def false_discovery(p: Floats) -> Floats:
    """q-values by Benjamini and Hochberg. SciPy has them too, but scipy.stats is long to import."""
    order = np.argsort(p)[::-1]
    rates = np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1))
    q = np.empty(len(p))
    q[order] = np.minimum(rates, 1)
    return q


def decline(far: Usual, spread: Floats, group: Ints) -> tuple[Floats, Ints]:
    """One-sided CUSUM over the weeks: its last value, and the week in which its climb began.

    What is expected is `LAG` weeks old, so that a slow decline is not taken for the new level.
    """
    accounts, weeks = far.observed.shape
    total, since = np.zeros(accounts), np.full(accounts, weeks)
    for week in range(WEEKS + LAG, weeks):
        expected, observed = far.expected[:, week], far.observed[:, week]
        with np.errstate(invalid="ignore"):
            told = expected >= LEAST_A_WEEK
        seen, mean = observed[told], expected[told]
        variance = uncertain(spread, far.own[:, week], far.factor_error[group, week], WEEKS)[told]
        low, high = tails(seen, mean, variance)
        z = special.ndtri(np.clip((low + 1 - high) / 2, 1e-6, 1 - 1e-6))
        step = np.zeros(accounts)
        step[told] = -z - SLACK
        since = np.where((total == 0) & (step > 0), week, since)
        total = np.maximum(total + step, 0)
    return total, since
