"""What the portfolio as a whole has to tell: one alert each, however many accounts it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinue.action.picture import NEVER, Flags

#: How many of the alerts may be false, over the values or groups that are looked at together.
FALSE = 0.05
#: Windows before the last one that it is compared with.
WINDOWS = 3
#: What a feed that stopped is called; of one the scores that it holds are counted, of usage none.
A_FEED = "a feed"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about `subject` (a source, a value, a group): `count` of `among`, `usual` before."""

    subject: str
    count: int
    among: int
    usual: float
    p: float


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a subject: since when it holds, and when it was last raised."""

    since: int
    raised: int


def shared(
    values: Sequence[str], recent: NDArray[np.int64], before: NDArray[np.int64], accounts: int, at_least: int
) -> list[Finding]:
    """Values that more accounts than usual have in common.

    `recent` are accounts with a row of each value in the last window, `before` the sum of those of the
    three windows before, each account counting once a window. With a constant rate a quarter of both
    falls into the last window: a binomial tail, and Benjamini and Hochberg over the values.
    """
    from scipy.stats import binom

    both = recent + before
    p = binom.sf(recent - 1, both, 1 / (WINDOWS + 1))
    found = _discovered(p, recent >= at_least)
    return [
        Finding(values[i], int(recent[i]), accounts, float(before[i]) / WINDOWS, float(p[i]))
        for i in np.flatnonzero(found).tolist()
    ]


def rising(
    groups: Sequence[str], group: NDArray[np.int64], then: Flags, now: Flags, at_least: int
) -> list[Finding]:
    """Groups in which more accounts came into a band than left it.

    One entry per account that is there on both dates: its group, and whether it was and is in the band.
    Of those that changed, as many come as go by chance: the tail of a sign test, and Benjamini and
    Hochberg over the groups.
    """
    from scipy.stats import binom

    size = len(groups)
    came = np.bincount(group[now & ~then], minlength=size)
    left = np.bincount(group[then & ~now], minlength=size)
    accounts = np.bincount(group, minlength=size)
    p = binom.sf(came - 1, came + left, 0.5)
    found = _discovered(p, accounts >= at_least)
    inside, was = np.bincount(group[now], minlength=size), np.bincount(group[then], minlength=size)
    return [
        Finding(groups[i], int(inside[i]), int(accounts[i]), float(was[i]), float(p[i]))
        for i in np.flatnonzero(found).tolist()
    ]


def told(
    findings: Sequence[Finding],
    known: Mapping[str, Known],
    day: int,
    hold: int,
    rest: int,
    *,
    new: bool,
    muted: bool = False,
) -> tuple[list[Finding], dict[str, Known]]:
    """Which findings are raised on this day, and what is remembered after it.

    As for accounts: once an episode, after `hold` days, not again within `rest` days; a new rule
    raises nothing on its first date. What is `muted` waits: what still holds when the mute ends is
    raised then.
    """
    due: list[Finding] = []
    after = {name: Known(NEVER, one.raised) for name, one in known.items() if one.raised != NEVER}
    for finding in findings:
        one = known.get(finding.subject, Known(NEVER, NEVER))
        since = day if one.since == NEVER else one.since
        raised = one.raised
        # An episode that was told, or that a new rule found, is over only when it ends.
        told_before = raised >= since
        if new:
            raised = max(raised, day)
        elif not muted and day - since >= hold and not told_before and day - raised >= rest:
            due.append(finding)
            raised = day
        after[finding.subject] = Known(since, raised)
    return due, after


def _discovered(p: NDArray[np.float64], eligible: Flags) -> Flags:
    from scipy.stats import false_discovery_control

    found = np.zeros(len(p), bool)
    there = np.flatnonzero(eligible)
    if len(there):
        found[there] = false_discovery_control(p[there]) <= FALSE
    return found
