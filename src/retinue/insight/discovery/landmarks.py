"""Accounts on a landmark: what each had done by its first N days, and what came after.

Only accounts that are still there on day N are compared, by what they did up to day N, on what
came after day N. Anything else compares long lives with short ones: who stays longer does more
of everything (immortal time, Suissa 2008).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from retinue.insight.replay import (
    Bools,
    Coded,
    Events,
    Floats,
    Ints,
    Outcome,
    Replay,
    labels,
)


@dataclass(frozen=True)
class Landmarks:
    """Accounts `days` days after their start, one row each.

    `group` is shared by an account and its children. `start` is the day of the start, as days
    since 1970-01-01. `counts` [accounts, features] are of the first `days` days, as known at
    their end. `alive`: still there at the end of day `days`. `observed`: what followed is known.
    `event`: the outcome came within the follow-up.
    """

    days: int
    follow_up: int
    account: Ints
    group: Ints
    start: Ints
    segment: Coded
    features: tuple[str, ...]
    counts: Floats
    alive: Bools
    observed: Bools
    event: Bools

    def __len__(self) -> int:
        return len(self.account)

    @property
    def population(self) -> Bools:
        return np.asarray(self.alive & self.observed)

    @property
    def cohort(self) -> Ints:
        """The quarter of the start: quarters since 1970."""
        return (self.start.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)) // 3


@dataclass(frozen=True)
class Accounts:
    """Who is compared: one row per account. `ended` is the day on which an account ended in
    whatever way, NEVER where it did not."""

    account: Ints
    group: Ints
    start: Ints
    ended: Ints
    segment: Coded


def landmark(
    people: Accounts,
    features: tuple[str, ...],
    counts: Floats,
    days: int,
    events: Events,
    outcome: Outcome,
    until: int,
    follow_up: int | None = None,
) -> Landmarks:
    """What the accounts had done by day `days` of their life, and whether `outcome` came within
    `follow_up` days after it (the outcome's horizon unless told), as known on day `until`.

    `counts` [accounts, features] must hold nothing that was done or known later than that day:
    only whoever counts can see to it.
    """
    follow_up = outcome.horizon if follow_up is None else follow_up
    order = np.argsort(people.account, kind="stable")
    at = people.start + days
    told = labels(_rows(people.account[order], at[order]), events, replace(outcome, horizon=follow_up), until)
    # Labels come in the order of accounts; the rows stay as they were given.
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return Landmarks(
        days=days,
        follow_up=follow_up,
        account=people.account,
        group=people.group,
        start=people.start,
        segment=people.segment,
        features=features,
        counts=counts,
        alive=np.asarray(told.at_risk[back] & (people.ended > at)),
        observed=told.matured[back],
        event=told.event[back],
    )


def _rows(account: Ints, day: Ints) -> Replay:
    """A replay without scores: what `labels` needs to see."""
    rows = len(account)
    nothing = np.full(rows, np.nan)
    none = Coded.none(rows)
    return Replay(
        account=account,
        group=account,
        day=day,
        computed=nothing,
        band=np.full(rows, -1, np.int64),
        coverage=nothing,
        adjustment=nothing,
        tenure=nothing,
        arr=nothing,
        assumed=np.zeros(rows, bool),
        segment=none,
        stage=none,
        scorecard=none,
        measures=(),
        points=np.zeros((rows, 0)),
        weights=np.zeros((rows, 0)),
        declared=np.zeros((0, 0)),
        edges=np.zeros((0, 2)),
        metrics=(),
        values=np.zeros((rows, 0)),
    )
