"""What a score said and what happened then, as arrays: the ground on which a score is tried.

A replay is what the score says of every account on a grid of dates, from only what was known on
each of them. Events are what happened. `labels` puts them together: what was to happen within
the horizon after each row. Nothing here knows where either comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinue.errors import TrialError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER = 2**31
"""Stands for a day that does not come; days are days since 1970-01-01."""


@dataclass(frozen=True)
class Coded:
    """One text per row: `names[codes]`, -1 for none."""

    codes: Ints
    names: tuple[str, ...]

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> Coded:
        names = tuple(sorted({text for text in texts if text is not None}))
        place = {name: n for n, name in enumerate(names)}
        return cls(
            np.array([place.get(text, -1) if text is not None else -1 for text in texts], np.int64), names
        )

    @classmethod
    def none(cls, rows: int) -> Coded:
        return cls(np.full(rows, -1, np.int64), ())

    def __len__(self) -> int:
        return len(self.codes)

    def at(self, rows: Any) -> Coded:
        return Coded(self.codes[rows], self.names)


@dataclass(frozen=True)
class Replay:
    """Rows of accounts and dates, sorted by (account, day), each pair once.

    `account` and `group` number accounts and those that belong together (an account and its
    children share a group). `computed` is nan and `band` -1 where nothing was scored; bands are 0
    at risk, 1 watch, 2 healthy, after stability. `adjustment` is what caps and floors add.
    `points` [rows, measures] are nan where a measure is missing or not on the row's scorecard,
    `weights` the normalised shares that counted, 0 there. `declared` [scorecards, measures] are
    the shares as declared, each row adding to 1. `measures` are named "component.metric".
    `values` [rows, metrics] are metrics as they are, nan where they have no value. `assumed`
    marks rows whose attributes are today's. `edges` [scorecards, 2] are the lower edges of watch
    and healthy.
    """

    account: Ints
    group: Ints
    day: Ints
    computed: Floats
    band: Ints
    coverage: Floats
    adjustment: Floats
    tenure: Floats
    arr: Floats
    assumed: Bools
    segment: Coded
    stage: Coded
    scorecard: Coded
    measures: tuple[str, ...]
    points: Floats
    weights: Floats
    declared: Floats
    edges: Floats
    metrics: tuple[str, ...]
    values: Floats

    def __len__(self) -> int:
        return len(self.account)

    @property
    def dates(self) -> Ints:
        """The grid, ascending."""
        return np.unique(self.day)

    @property
    def scored(self) -> Bools:
        return ~np.isnan(self.computed)

    def at(self, rows: Any) -> Replay:
        """The rows given, by mask or by places."""
        kept: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Coded):
                kept[field.name] = value.at(rows)
            elif isinstance(value, np.ndarray) and field.name not in ("declared", "edges"):
                kept[field.name] = value[rows]
        return replace(self, **kept)


@dataclass(frozen=True)
class Events:
    """What happened to accounts, sorted by (account, day): `known` is the day on which it was known,
    `amount` is nan where none is told."""

    account: Ints
    day: Ints
    known: Ints
    amount: Floats
    reason: Coded

    def __len__(self) -> int:
        return len(self.account)

    @classmethod
    def of(cls, account: Any, day: Any, known: Any = None) -> Events:
        """Events without amount and reason, in any order; known when they happen unless told."""
        account, day = np.asarray(account, np.int64), np.asarray(day, np.int64)
        when = day if known is None else np.asarray(known, np.int64)
        order = np.lexsort((day, account))
        rows = len(account)
        return cls(account[order], day[order], when[order], np.full(rows, np.nan), Coded.none(rows))


@dataclass(frozen=True)
class Outcome:
    """What is to be foreseen, within `horizon` days.

    `final`: it happens to an account once, and then the account is gone. `absence`: the events are
    signs of life, and the outcome is that none comes within the horizon.
    """

    name: str
    horizon: int
    final: bool = True
    absence: bool = False


@dataclass(frozen=True)
class Labels:
    """By row of a replay: whether the outcome came within the horizon, on which day (NEVER where it
    did not), whether the horizon was over by the last day that is known of (`matured`), and
    whether it could still happen to the account (`at_risk`). `known` is the day on which the
    label could be known: no fit on knowledge of an earlier day may use it."""

    event: Bools
    day: Ints
    matured: Bools
    at_risk: Bools
    known: Ints

    @property
    def usable(self) -> Bools:
        return np.asarray(self.matured & self.at_risk)

    def at(self, rows: Any) -> Labels:
        """Those of the rows given, by mask or by places."""
        return Labels(*(getattr(self, field.name)[rows] for field in fields(self)))


def labels(replay: Replay, events: Events, outcome: Outcome, until: int) -> Labels:
    """What became of each row, as known on day `until`.

    An outcome counts for the row of day D from D + 1 to D + horizon. Rows whose horizon ends after
    `until` are not matured, whatever happened: keeping those that already had their event, or
    only dropping those that had none, both bend the rate.
    """
    before, after = _around(replay, events)
    end = replay.day + outcome.horizon
    matured = end <= until
    if outcome.absence:
        silent = after.day > end
        return Labels(
            event=silent,
            day=np.where(silent, np.maximum(before.day + outcome.horizon, replay.day + 1), NEVER),
            matured=matured,
            at_risk=before.day > replay.day - outcome.horizon,
            known=end,
        )
    event = after.day <= end
    return Labels(
        event=event,
        day=np.where(event, after.day, NEVER),
        matured=matured,
        at_risk=before.day == -NEVER if outcome.final else np.ones(len(replay), bool),
        known=np.where(event, np.maximum(after.known, replay.day + 1), end),
    )


@dataclass(frozen=True)
class _Near:
    day: Ints
    known: Ints


def _around(replay: Replay, events: Events) -> tuple[_Near, _Near]:
    """The last event on or before each row, and the first after it."""
    told = keys(events.account, events.day)
    at = np.searchsorted(told, keys(replay.account, replay.day), side="right")
    found = []
    for place, absent in ((at - 1, -NEVER), (at, NEVER)):
        inside = (place >= 0) & (place < len(events))
        safe = np.where(inside, place, 0)
        if len(events):
            inside &= events.account[safe] == replay.account
            day = np.where(inside, events.day[safe], absent)
            known = np.where(inside, events.known[safe], absent)
        else:
            day = known = np.full(len(replay), absent)
        found.append(_Near(np.asarray(day, np.int64), np.asarray(known, np.int64)))
    return found[0], found[1]


def keys(account: Ints, day: Ints) -> Ints:
    """One number per (account, day), which sorts as the pair does."""
    return account * 2**33 + (day + 2**32)


def spaced(replay: Replay, told: Labels, horizon: int) -> Ints:
    """Places of the rows that a trial counts: scored, at risk, matured, on dates at least `horizon`
    apart, counted back from the last one that has matured.

    Rows nearer than that share their future: their labels are one observation told twice.
    """
    usable = told.usable & replay.scored
    taken: list[int] = []
    for day in np.unique(replay.day[usable])[::-1].tolist():
        if not taken or taken[-1] - day >= horizon:
            taken.append(day)
    return np.flatnonzero(usable & np.isin(replay.day, taken))


def check_spacing(account: Ints, day: Ints, horizon: int) -> None:
    """Raise TrialError if rows of one account are nearer than the horizon: what counts rows as
    independent would count the same future more than once."""
    order = np.lexsort((day, account))
    same = account[order][1:] == account[order][:-1]
    near = same & (np.diff(day[order]) < horizon)
    if near.any():
        raise TrialError(
            f"{int(near.sum())} snapshots lie within {horizon} days of another one of the same account: "
            "their outcomes overlap, so they do not count as independent",
            hint="take dates that are at least a horizon apart",
        )


@dataclass(frozen=True)
class Split:
    """Rows to learn from and later rows to test on, as places; no group is in both."""

    train: Ints
    test: Ints


def split(group: Ints, day: Ints, known: Ints, cutoff: int, seed: int = 0) -> Split:
    """Learn from what was known on day `cutoff`, test on later days, on other groups of accounts.

    `known` is the day on which the label of each row could be known. A group with rows on
    both sides goes to one of them by chance, half each, the same way for the same `seed`.
    """
    early, late = known <= cutoff, day >= cutoff
    both = np.intersect1d(group[early], group[late])
    chosen = both[np.random.default_rng(seed).permutation(len(both))[: len(both) // 2]]
    learns = np.isin(group, chosen)
    tests = np.isin(group, np.setdiff1d(both, chosen))
    found = Split(np.flatnonzero(early & ~tests), np.flatnonzero(late & ~learns))
    check_apart(group[found.train], group[found.test])
    return found


def check_apart(train: Ints, test: Ints) -> None:
    """Raise TrialError if a group of accounts is both learned from and tested on."""
    shared = np.intersect1d(train, test)
    if len(shared):
        raise TrialError(
            f"{len(shared)} accounts are both in training and in test: "
            "what is learned of them by heart would count as foresight",
            hint="split by account, with children beside their parent",
        )
