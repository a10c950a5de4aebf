"""Who was lost, when, and where an account stood at some time before.

"Lost" stands for an account to which the outcome came while it could still come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retinue.insight.replay import NEVER, Bools, Coded, Events, Floats, Ints, Labels, Replay, keys


@dataclass(frozen=True)
class Losses:
    """Sorted by (account, day). `amount` is nan and `reason` -1 where none is told."""

    account: Ints
    group: Ints
    day: Ints
    amount: Floats
    reason: Coded

    def __len__(self) -> int:
        return len(self.account)


def losses(replay: Replay, events: Events, told: Labels, until: int) -> Losses:
    """Outcomes known to have come by `until` that some row of the replay could have foreseen."""
    hit = np.flatnonzero(told.event & told.at_risk & (told.day <= until))
    _, first = np.unique(keys(replay.account[hit], told.day[hit]), return_index=True)
    row = hit[first]
    account, day = replay.account[row], told.day[row]
    place = np.searchsorted(keys(events.account, events.day), keys(account, day))
    safe = np.minimum(place, max(0, len(events) - 1))
    amount, reason = np.full(len(row), np.nan), np.full(len(row), -1, np.int64)
    if len(events):
        same = (events.account[safe] == account) & (events.day[safe] == day)
        amount = np.where(same, events.amount[safe], np.nan)
        reason = np.where(same, events.reason.codes[safe], -1)
    return Losses(account, replay.group[row], day, amount, Coded(reason, events.reason.names))


@dataclass(frozen=True)
class Grid:
    """The replay with what is asked of it again and again: `start` is the first day of the uninterrupted
    spell in one band that a row belongs to, `next_loss` the day of the next loss after it (NEVER
    if none is known)."""

    replay: Replay
    at_risk: Bools
    lost: Losses
    dates: Ints
    start: Ints
    next_loss: Ints

    @classmethod
    def of(cls, replay: Replay, told: Labels, lost: Losses) -> Grid:
        fresh = np.ones(len(replay), bool)
        fresh[1:] = (np.diff(replay.account) != 0) | (np.diff(replay.band) != 0)
        first = np.maximum.accumulate(np.where(fresh, np.arange(len(replay)), 0))
        following = np.full(len(replay), NEVER, np.int64)
        if len(lost):
            place = np.searchsorted(
                keys(lost.account, lost.day), keys(replay.account, replay.day), side="right"
            )
            safe = np.minimum(place, len(lost) - 1)
            same = (place < len(lost)) & (lost.account[safe] == replay.account)
            following = np.where(same, lost.day[safe], NEVER)
        return cls(replay, told.at_risk, lost, replay.dates, replay.day[first], following)

    def before(self, days: int) -> Ints:
        """Place of the row of each account lost, so many days before at the latest: on the last date of the
        grid up to then, -1 where the account has no row on it."""
        row = rows_at(self.replay, self.lost.account, self.date_before(days))
        return np.where((row >= 0) & self.at_risk[row], row, -1) if len(self.replay) else row

    @property
    def step(self) -> int:
        """Days between dates of the grid, as a rule."""
        return int(np.median(np.diff(self.dates))) if len(self.dates) > 1 else 1

    def date_before(self, days: int) -> Ints:
        """The last date of the grid so many days before each loss or earlier; -NEVER if there is none."""
        at = np.searchsorted(self.dates, self.lost.day - days, side="right") - 1
        return np.where(at >= 0, self.dates[np.maximum(at, 0)], -NEVER)


def rows_at(replay: Replay, account: Ints, day: Ints) -> Ints:
    """Places of the rows of these accounts on these days, -1 where there is none."""
    if not len(replay):
        return np.full(len(account), -1, np.int64)
    told, asked = keys(replay.account, replay.day), keys(account, day)
    place = np.minimum(np.searchsorted(told, asked), len(told) - 1)
    return np.where(told[place] == asked, place, -1)
