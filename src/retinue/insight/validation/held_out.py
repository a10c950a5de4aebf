"""Rows to learn from and rows to tell on: later ones, of other groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retinue.insight.replay import Ints, Labels, Replay, Split, split
from retinue.insight.validation.report import iso

ENOUGH = 20
"""Events that each side needs."""

_SHARE = 0.6


@dataclass(frozen=True)
class HeldOut:
    """`split` is None where there are too few events for one, and `reason` says so."""

    split: Split | None
    cutoff: int | None
    reason: str | None

    @property
    def learned_on(self) -> str:
        return f"rows known by {iso(self.cutoff)}, of other groups" if self.cutoff is not None else ""


def held_out(rows: Replay, told: Labels, seed: int) -> HeldOut:
    """The split in time whose earlier part has nearest to 60 % of the events, with enough on each side.

    Groups seen on both sides go to one of them.
    """
    dates = np.unique(rows.day)
    event = told.event
    if len(dates) < 2:
        return HeldOut(None, None, "all rows are of one date: there is no later one to tell on")
    best: tuple[float, int, Split] | None = None
    for cutoff in _candidates(dates, told):
        found = split(rows.group, rows.day, told.known, cutoff, seed)
        train, test = int(event[found.train].sum()), int(event[found.test].sum())
        spared = min(len(found.train) - train, len(found.test) - test)
        if min(train, test, spared) < ENOUGH:
            continue
        off = abs(train / (train + test) - _SHARE)
        if best is None or off < best[0]:
            best = off, cutoff, found
    if best is None:
        total = int(event.sum())
        return HeldOut(
            None,
            None,
            f"{total} events do not leave {ENOUGH} to learn from and {ENOUGH} later ones to tell on",
        )
    return HeldOut(best[2], best[1], None)


def _candidates(dates: Ints, told: Labels) -> list[int]:
    """At most a dozen dates around the one with the share of events wanted before it."""
    known = np.array([int(told.event[told.known <= date].sum()) for date in dates])
    wanted = np.argsort(np.abs(known / max(1, int(told.event.sum())) - _SHARE), kind="stable")
    return sorted(int(dates[at]) for at in wanted[:12])


def other_groups(group: Ints, seed: int) -> Split:
    """Half of the groups to learn from, the others to tell on, whatever their dates."""
    names = np.unique(group)
    learn = np.random.default_rng(seed).permutation(len(names))[: len(names) // 2]
    inside = np.isin(group, names[learn])
    return Split(np.flatnonzero(inside), np.flatnonzero(~inside))
