"""What moved between two dates: the mean score taken apart, and accounts from band to band."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.desk.panel import Floats, Frame, Ints
from retinue.insight.replay import Coded
from retinue.insight.trend import Decomposition, decompose
from retinue.run.planned import STANDINGS, Migration

Weight = Literal["arr", "accounts"]
NOT_SCORED, ABSENT = STANDINGS.index("not_scored"), STANDINGS.index("absent")


@dataclass(frozen=True, slots=True)
class Parts:
    """Points of a change of the mean score: accounts that moved (`within`), weights that moved (`mix`),
    accounts that came (`entry`) and went (`exit`)."""

    within: float
    mix: float
    entry: float
    exit: float

    @property
    def points(self) -> float:
        return self.within + self.mix + self.entry + self.exit


@dataclass(frozen=True, slots=True)
class GroupParts:
    """What a group (None: accounts without a value) adds to the change of all, and its own mean at both
    dates (None without scored accounts)."""

    value: str | None
    before: float | None
    after: float | None
    parts: Parts


@dataclass(frozen=True)
class Movement:
    """The change of the mean effective score, weighted as `weight` says, from `since` to `until`.

    Accounts count all alike where no ARR is known. `parts` sum to after - before, and those of the groups
    sum to them; None where one date has no scored account of any weight. An account counts in the
    group that it is in at `until`, or was in at `since` if it is gone.
    """

    since: date
    until: date
    weight: Weight
    by: str
    before: float | None
    after: float | None
    parts: Parts | None
    groups: tuple[GroupParts, ...]
    migration: Migration
    entered: int
    left: int

    def to_dict(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in ("weight", "by", "before", "after", "entered", "left")}
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            **told,
            "parts": dataclasses.asdict(self.parts) if self.parts else None,
            "groups": [dataclasses.asdict(one) for one in self.groups],
            "migration": self.migration.to_dict(),
        }


@dataclass(frozen=True)
class Paired:
    """Two frames over the accounts of either; `before` and `after` are places in them, -1 for none."""

    first: Frame
    last: Frame
    ids: pa.Array
    before: Ints
    after: Ints

    @classmethod
    def of(cls, first: Frame, last: Frame) -> Paired:
        every = pc.unique(pa.chunked_array([first.ids, last.ids], pa.string()))
        ids = every.take(pc.sort_indices(every))
        return cls(first, last, ids, *(_places(ids, one.ids) for one in (first, last)))

    def floats(self, name: str) -> tuple[Floats, Floats]:
        """A number of both dates, nan where the account is not there."""
        sides = ((self.first, self.before), (self.last, self.after))
        first, last = (_at(getattr(side, name), at, np.nan) for side, at in sides)
        return first, last

    def standings(self) -> tuple[Ints, Ints]:
        """Places in STANDINGS at both dates."""
        sides = []
        for side, at in ((self.first, self.before), (self.last, self.after)):
            band = np.where(side.band >= 0, side.band, NOT_SCORED)
            sides.append(_at(band, at, ABSENT).astype(np.int64))
        return sides[0], sides[1]

    def groups(self, by: str) -> Coded:
        """The group of each account: the later one where there is one."""
        first, last = self.first.groups[by], self.last.groups[by]
        names = tuple(sorted({*first.names, *last.names}))
        codes = []
        for one, at in ((first, self.before), (last, self.after)):
            to = np.array([names.index(name) for name in one.names] + [-1], np.int64)
            codes.append(_at(to[one.codes], at, -1).astype(np.int64))
        return Coded(np.where(self.after >= 0, codes[1], codes[0]), names)


def movement(first: Frame, last: Frame, by: str, weight: Weight = "arr") -> Movement:
    """From the earlier frame to the later one."""
    pair = Paired.of(first, last)
    score0, score1 = pair.floats("score")
    weight, weight0, weight1 = weights(*pair.floats("arr"), weight)
    group = pair.groups(by)
    codes = np.where(group.codes >= 0, group.codes, len(group.names))
    names = (*group.names, None)
    found: Decomposition | None = None
    try:
        found = decompose(weight0, score0, weight1, score1)
    except ValueError:
        found = None
    scored0, scored1 = ~np.isnan(score0), ~np.isnan(score1)
    return Movement(
        first.day,
        last.day,
        weight,
        by,
        mean(score0, weight0),
        mean(score1, weight1),
        None if found is None else Parts(**found.totals()),
        () if found is None else _groups(found, codes, names, (weight0, score0), (weight1, score1)),
        _migration(pair),
        int((scored1 & ~scored0).sum()),
        int((scored0 & ~scored1).sum()),
    )


def weights(arr0: Floats, arr1: Floats, weight: Weight) -> tuple[Weight, Floats, Floats]:
    """What accounts count for; all the same where they are to, or where nobody's ARR is known."""
    if weight == "arr" and np.nansum(arr0) > 0 and np.nansum(arr1) > 0:
        return "arr", arr0, arr1
    return "accounts", np.ones(len(arr0)), np.ones(len(arr1))


def mean(score: Floats, weight: Floats) -> float | None:
    """The weighted mean of those that have a score and a weight; None without any."""
    kept = np.where(np.isnan(score) | np.isnan(weight) | (weight <= 0), 0.0, weight)
    whole = kept.sum()
    return float((kept * np.nan_to_num(score)).sum() / whole) if whole > 0 else None


def _groups(
    found: Decomposition,
    codes: Ints,
    names: tuple[str | None, ...],
    first: tuple[Floats, Floats],
    last: tuple[Floats, Floats],
) -> tuple[GroupParts, ...]:
    parts = found.by(codes, len(names))
    means = [group_means(codes, len(names), *side) for side in (first, last)]
    there = np.bincount(codes, minlength=len(names))
    return tuple(
        GroupParts(name, means[0][n], means[1][n], Parts(**{k: float(v[n]) for k, v in parts.items()}))
        for n, name in enumerate(names)
        if there[n]
    )


def group_means(codes: Ints, groups: int, weight: Floats, score: Floats) -> list[float | None]:
    """The weighted mean of each group, as `mean`."""
    kept = np.where(np.isnan(score) | np.isnan(weight) | (weight <= 0), 0.0, weight)
    whole = np.bincount(codes, kept, groups)
    total = np.bincount(codes, kept * np.nan_to_num(score), groups)
    return [float(t / w) if w > 0 else None for t, w in zip(total, whole, strict=True)]


def _migration(pair: Paired) -> Migration:
    """Accounts and ARR from standing to standing; ARR of the later date, else of the earlier."""
    before, after = pair.standings()
    arr0, arr1 = pair.floats("arr")
    arr = np.where(np.isnan(arr1), arr0, arr1)
    size = len(STANDINGS)
    cell = before * size + after
    shape = (size, size)
    accounts = np.bincount(cell, minlength=size * size).reshape(shape)
    revenue = np.bincount(cell, np.nan_to_num(arr), size * size).reshape(shape)
    return Migration(accounts, revenue, int(np.isnan(arr).sum()))


def _places(ids: pa.Array, among: pa.Array) -> Ints:
    found = pc.index_in(ids, value_set=among).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def _at(values: Any, at: Ints, empty: float) -> Any:
    """The values at these places, `empty` where there is no place."""
    if not len(values):
        return np.full(len(at), empty)
    return np.where(at >= 0, values[np.maximum(at, 0)], empty)
