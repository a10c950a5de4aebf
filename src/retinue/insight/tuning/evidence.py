"""The rows that weights are learned from: what each measure said, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinue.errors import TrialError
from retinue.insight.replay import Bools, Floats, Ints, Labels, Replay, check_spacing, keys, spaced


@dataclass(frozen=True)
class Evidence:
    """Rows of one scorecard, and what came of each within the horizon.

    `points` and `presence` are [rows, weights]. Presence is 0 where a part is missing, 1 where it is
    fresh, and between as it ages; only its proportions within a row matter. `declared` are the shares
    as declared, adding to 1. `score` is the computed score, `adjustment` what caps and floors added
    to it. `names` are of measures ("component.metric") or of components.
    """

    names: tuple[str, ...]
    declared: Floats
    points: Floats
    presence: Floats
    event: Bools
    account: Ints
    group: Ints
    day: Ints
    known: Ints
    score: Floats
    adjustment: Floats

    def __len__(self) -> int:
        return len(self.event)

    @property
    def events(self) -> int:
        """Outcomes, each counted once however often its row is there."""
        return len(np.unique(keys(self.account, self.day)[self.event]))

    def once(self) -> Evidence:
        """Each account and date once, however often its row is there: a copy is no further evidence."""
        first = np.unique(keys(self.account, self.day), return_index=True)[1]
        return self if len(first) == len(self) else self.at(np.sort(first))

    def at(self, rows: Any) -> Evidence:
        """The rows given, by mask or by places."""
        kept = {
            field.name: getattr(self, field.name)[rows]
            for field in fields(self)
            if field.name not in ("names", "declared")
        }
        return replace(self, **kept)

    @cached_property
    def weighed(self) -> Floats:
        """Presence times points."""
        return np.asarray(self.presence * self.points)

    def base(self, weights: Floats) -> Floats:
        """The score that `weights` give, before caps and floors: the share-weighted mean of what is
        present, 0 to 100."""
        mass = self.presence @ weights
        total = self.weighed @ weights
        return np.asarray(np.where(mass > 0, total / np.where(mass > 0, mass, 1.0), 50.0))

    def rescored(self, weights: Floats) -> Floats:
        """The computed score that `weights` give, under the caps and floors that acted."""
        return self.ruled(self.base(weights))[0]

    def ruled(self, base: Floats) -> tuple[Floats, Bools | None]:
        """A base score under the caps and floors that acted, and where none holds it (None: nowhere).

        The level of one that did not act under the declared weights is not known here: it does not act.
        """
        if not self.adjustment.any():
            return base, None
        capped = (self.adjustment < 0) & (base >= self.score)
        floored = (self.adjustment > 0) & (base <= self.score)
        held = capped | floored
        return np.where(held, self.score, base), ~held

    def by_component(self) -> Evidence:
        """The same rows with one part per component: its measures keep their declared proportions.

        The score of any weights of components is exactly what those proportions give.
        """
        component = components(self.names)
        names = tuple(dict.fromkeys(component))
        member = np.array([[c == name for c in component] for name in names], float).T
        inside = self.declared @ member
        within = np.divide(
            member * self.declared[:, None], inside, where=inside > 0, out=np.zeros_like(member)
        )
        presence = self.presence @ within
        points = self.weighed @ within
        points = np.divide(points, presence, where=presence > 0, out=np.zeros_like(points))
        return replace(self, names=names, declared=inside, points=points, presence=presence)

    def without(self, part: int) -> Evidence:
        """The same rows as if one part were never there; the declared shares of the others add to 1."""
        kept = np.arange(len(self.names)) != part
        declared = self.declared[kept]
        return replace(
            self,
            names=tuple(n for n, keep in zip(self.names, kept.tolist(), strict=True) if keep),
            declared=declared / declared.sum(),
            points=self.points[:, kept],
            presence=self.presence[:, kept],
        )


def components(names: Sequence[str]) -> list[str]:
    """The component of each measure named "component.metric"; a component is its own."""
    return [name.rsplit(".", 1)[0] if "." in name else name for name in names]


def counted(replay: Replay, told: Labels, horizon: int, scorecard: str) -> Ints:
    """Places of the spaced rows of one scorecard. Raises TrialError where none has matured."""
    if scorecard not in replay.scorecard.names:
        raise TrialError(
            f"no account was scored by the scorecard {scorecard} in the period",
            hint="give a longer period, or another scorecard",
        )
    code = replay.scorecard.names.index(scorecard)
    rows = spaced(replay, told, horizon)
    rows = rows[replay.scorecard.codes[rows] == code]
    if not len(rows):
        raise TrialError(
            f"no snapshot of the scorecard {scorecard} has seen the end of its horizon of {horizon} days",
            hint="wait for outcomes, or give a longer period",
        )
    check_spacing(replay.account[rows], replay.day[rows], horizon)
    return np.asarray(rows, np.int64)


def evidence(replay: Replay, told: Labels, rows: Ints, scorecard: str) -> Evidence:
    """Rows of one scorecard, by place, with what became of them; measures that it does not declare are left
    out."""
    code = replay.scorecard.names.index(scorecard)
    declared = replay.declared[code]
    used = np.flatnonzero(declared > 0)
    shares = declared[used] / declared[used].sum()
    points, weights = replay.points[np.ix_(rows, used)], replay.weights[np.ix_(rows, used)]
    there = (weights > 0) & ~np.isnan(points)
    presence = np.where(there, weights / shares, 0.0)
    top = presence.max(axis=1, initial=0.0, keepdims=True)
    presence = np.divide(presence, top, where=top > 0, out=np.zeros_like(presence))
    return Evidence(
        names=tuple(replay.measures[n] for n in used.tolist()),
        declared=shares,
        points=np.where(there, points, 0.0),
        presence=presence,
        event=told.event[rows],
        account=replay.account[rows],
        group=replay.group[rows],
        day=replay.day[rows],
        known=told.known[rows],
        score=replay.computed[rows],
        adjustment=replay.adjustment[rows],
    )


def folds(evidence: Evidence, parts: int, seed: int) -> Ints:
    """The fold of each row: groups stay whole, and those with an outcome are dealt out evenly."""
    names, place = np.unique(evidence.group, return_inverse=True)
    struck = np.bincount(place, evidence.event, minlength=len(names)) > 0
    shuffled = np.random.default_rng(seed).permutation(len(names))
    dealt = np.concatenate([shuffled[struck[shuffled]], shuffled[~struck[shuffled]]])
    fold = np.empty(len(names), np.int64)
    fold[dealt] = np.arange(len(names)) % parts
    return np.asarray(fold[place])


def by_group(values: Floats, group: NDArray[Any]) -> Floats:
    """Sums per group; `values` is [rows] or [rows, columns]."""
    place = np.unique(group, return_inverse=True)[1]
    many = int(place.max()) + 1 if len(place) else 0
    if values.ndim == 1:
        return np.asarray(np.bincount(place, values, minlength=many), np.float64)
    return np.stack([np.bincount(place, column, minlength=many) for column in values.T], axis=1)
