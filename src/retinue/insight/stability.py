"""What is published of what was computed: deadband, margins, confirmation, caps.

A fold over dates. The loop runs over the distinct dates; each step is vectorised over the
accounts of that date. Everything a step needs is in `State`, so folding day by day gives exactly
what folding the whole history gives.

Sides. An account is above or below each of the two inner edges (of watch, of healthy); its band
is the number of edges that it is above. A side flips when computed has been beyond the edge, by
`margin`, on every snapshot of a streak of `confirm` days. Conditions of the two edges nest, so
nobody is ever above healthy and below watch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.int8]
Bools = NDArray[np.bool_]

AT_RISK, WATCH, HEALTHY, NOT_SCORED = 0, 1, 2, -1
NONE, DATA, RULE, RECALIBRATED = 0, 1, 2, 3
KINDS = ("", "data", "rule", "recalibrated")
NO_DAY = -(2**31)
"""Stands for "no day"; days are days since 1970-01-01, so that they may be negative."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How one row is judged: `edges` [rows, 2] are the lower edges of watch and healthy,
    `down` and `up` the days of confirmation."""

    edges: Floats
    deadband: Floats
    margin: Floats
    down: Floats
    up: Floats

    def of(self, rows: Any) -> Rules:
        return Rules(self.edges[rows], self.deadband[rows], self.margin[rows], self.down[rows], self.up[rows])


@dataclass(frozen=True, slots=True)
class Days:
    """Rows sorted by (ix, as_of), each pair once.

    `cap` is the level of the lowest cap that fired, else nan. `held`: a feed that the row rests on
    is dead. `reset`: the formula changed since the previous snapshot. `old_computed`: the row
    scored the old way, where the formula or the reference of a cohort changed, else nan.
    """

    ix: NDArray[np.integer[Any]]
    as_of: NDArray[np.integer[Any]]
    scored: Bools
    computed: Floats
    cap: Floats
    held: Bools
    reset: Bools
    old_computed: Floats
    rules: Rules


@dataclass(frozen=True, slots=True)
class State:
    """What the next day needs to know of each account; row i belongs to the account ix i."""

    started: Bools
    published: Floats
    above: Bools
    band_since: Ints
    last: Ints
    last_scored: Ints
    streak: Floats
    streak_since: Ints
    accrued: Floats
    pending: Floats
    pending_reset: Bools
    edges: Floats
    deadband: Floats
    margin: Floats
    down: Floats
    up: Floats

    @classmethod
    def empty(cls, accounts: int) -> Self:
        no_day = np.full(accounts, NO_DAY, np.int64)
        zero, two = np.zeros(accounts), np.zeros((accounts, 2))
        return cls(
            started=np.zeros(accounts, bool),
            published=np.full(accounts, np.nan),
            above=np.zeros((accounts, 2), bool),
            band_since=no_day,
            last=no_day.copy(),
            last_scored=no_day.copy(),
            streak=two,
            streak_since=np.full((accounts, 2), NO_DAY, np.int64),
            accrued=two.copy(),
            pending=zero,
            pending_reset=np.zeros(accounts, bool),
            edges=two.copy(),
            deadband=zero.copy(),
            margin=zero.copy(),
            down=zero.copy(),
            up=zero.copy(),
        )

    def __len__(self) -> int:
        return len(self.started)

    def placed(self, source: NDArray[np.integer[Any]]) -> State:
        """The state with row i taken from row source[i]; -1 starts an account from nothing.

        For the day on which new accounts shift the dense numbers of the others.
        """
        fresh = State.empty(len(source))
        known = source >= 0
        for field in fields(State):
            getattr(fresh, field.name)[known] = getattr(self, field.name)[source[known]]
        return fresh

    def to_dict(self) -> dict[str, NDArray[Any]]:
        return {field.name: getattr(self, field.name) for field in fields(State)}

    @classmethod
    def from_dict(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        return cls(**{field.name: np.array(arrays[field.name]) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Folded:
    """One entry per row of `Days`, in its order, and the state after the last.

    Not scored: `published` nan, `band` -1, `band_since` NO_DAY. `kind` is one of DATA, RULE,
    RECALIBRATED where the band changed, else NONE; `from_band` and `to_band` are -1 elsewhere.
    `since` is the day of the last scored snapshot before the streak that led to the change:
    drivers start there.
    """

    published: Floats
    band: Bytes
    band_since: Ints
    kind: Bytes
    from_band: Bytes
    to_band: Bytes
    since: Ints
    state: State

    @property
    def transition(self) -> Bools:
        return np.asarray(self.kind != NONE)


@dataclass(frozen=True, slots=True)
class _Memory:
    """The part of the state that one step changes, for the accounts of one date."""

    published: Floats
    above: Bools
    streak: Floats
    streak_since: Ints
    accrued: Floats
    pending: Floats

    def of(self, rows: Any) -> _Memory:
        return _Memory(*(getattr(self, field.name)[rows] for field in fields(_Memory)))


@dataclass(frozen=True, slots=True)
class _Seen:
    """One date: what a step sees of its accounts. `gap`: days since the previous snapshot."""

    computed: Floats
    drift: Floats
    cap: Floats
    held: Bools
    gap: Ints
    last_scored: Ints

    def of(self, rows: Any) -> _Seen:
        return _Seen(*(getattr(self, field.name)[rows] for field in fields(_Seen)))


def fold(days: Days, state: State | None = None) -> Folded:
    """Publish day by day, from `state` on (None: from nothing).

    Raises ValueError when rows are not sorted by (ix, as_of), repeat, lack a computed score
    where they are scored, or do not come after what `state` has seen.
    """
    ix, as_of = days.ix.astype(np.int64), days.as_of.astype(np.int64)
    state = State.empty(0) if state is None else state
    _check(days, ix, as_of, state)
    accounts = max(len(state), int(ix.max()) + 1 if len(ix) else 0)
    state = state.placed(np.where(np.arange(accounts) < len(state), np.arange(accounts), -1))

    rows = len(ix)
    out = Folded(
        published=np.full(rows, np.nan),
        band=np.full(rows, NOT_SCORED, np.int8),
        band_since=np.full(rows, NO_DAY, np.int64),
        kind=np.zeros(rows, np.int8),
        from_band=np.full(rows, NOT_SCORED, np.int8),
        to_band=np.full(rows, NOT_SCORED, np.int8),
        since=np.full(rows, NO_DAY, np.int64),
        state=state,
    )
    order = np.argsort(as_of, kind="stable")
    dates, starts = np.unique(as_of[order], return_index=True)
    for date, day_rows in zip(dates.tolist(), np.split(order, starts[1:]) if rows else [], strict=True):
        scored = days.scored[day_rows]
        silent = ix[day_rows[~scored]]
        state.pending_reset[silent] |= days.reset[day_rows[~scored]]
        _publish(date, ix[day_rows[scored]], day_rows[scored], days, out)
        state.last[ix[day_rows]] = date
    return out


def plain_band(score: Floats, edges: Floats) -> Bytes:
    """Band of a score without memory; lower edges are inclusive. `edges` is [2] or [rows, 2];
    nan gives NOT_SCORED."""
    score = np.asarray(score, np.float64)
    band = (score[..., None] >= edges).sum(axis=-1)
    return np.asarray(np.where(np.isnan(score), NOT_SCORED, band), np.int8)


def shown(score: float) -> int:
    """The whole number that people see: half-up, so 70.5 shows as 71."""
    whole = int(np.floor(score))
    return whole + (score - whole >= 0.5)


def grade(score: float, grades: dict[str, float]) -> str | None:
    """Name of the highest lower edge that the score reaches; None below them all."""
    reached = [(edge, name) for name, edge in grades.items() if score >= edge]
    return max(reached)[1] if reached else None


def _check(days: Days, ix: Ints, as_of: Ints, state: State) -> None:
    later = (ix[1:] > ix[:-1]) | ((ix[1:] == ix[:-1]) & (as_of[1:] > as_of[:-1]))
    if not later.all():
        raise ValueError("rows must be sorted by (ix, as_of), each pair once")
    if np.isnan(days.computed[days.scored]).any():
        raise ValueError("a scored row has no computed score")
    known = ix < len(state)
    if (as_of[known] <= state.last[ix[known]]).any():
        raise ValueError("rows must come after the days that the state has seen")


def _publish(date: int, who: Ints, rows: Ints, days: Days, out: Folded) -> None:
    """Step the scored accounts `who` of one date and write rows and state."""
    state, rules = out.state, days.rules.of(rows)
    seen = _Seen(
        computed=days.computed[rows],
        drift=np.nan_to_num(days.computed[rows] - days.old_computed[rows], nan=0.0),
        cap=days.cap[rows],
        held=days.held[rows],
        gap=date - state.last[who],
        last_scored=state.last_scored[who],
    )
    before = _Memory(*(getattr(state, field.name)[who] for field in fields(_Memory)))
    started = state.started[who]
    anew = ~started | days.reset[rows] | state.pending_reset[who]

    after, kind, since = _follow(before, seen, rules)
    if anew.any():
        # A formula that changed while the account was not scored has no old way to compare with.
        comparable = days.reset[rows] & started & ~np.isnan(days.old_computed[rows])
        after, kind, since = _restart(
            np.flatnonzero(anew), comparable, days.old_computed[rows], _last_rules(state, who),
            (before, seen, rules), (after, kind, since),
        )  # fmt: skip

    band_before = before.above.sum(axis=1).astype(np.int8)
    band = after.above.sum(axis=1).astype(np.int8)
    kind[~started] = NONE
    moved = kind != NONE
    state.band_since[who] = np.where(moved | ~started, date, state.band_since[who])
    for field in fields(_Memory):
        getattr(state, field.name)[who] = getattr(after, field.name)
    for field in fields(Rules):
        getattr(state, field.name)[who] = getattr(rules, field.name)
    state.started[who] = True
    state.pending_reset[who] = False
    state.last_scored[who] = date

    out.published[rows] = after.published
    out.band[rows] = band
    out.band_since[rows] = state.band_since[who]
    out.kind[rows] = kind
    out.from_band[rows] = np.where(moved, band_before, NOT_SCORED)
    out.to_band[rows] = np.where(moved, band, NOT_SCORED)
    out.since[rows] = np.where(moved, since, NO_DAY)


def _beyond(computed: Floats, above: Bools, rules: Rules) -> Bools:
    """[rows, 2]: is computed far enough on the other side of each edge?"""
    score, margin = computed[:, None], rules.margin[:, None]
    low = np.where(margin > 0, score <= rules.edges - margin, score < rules.edges)
    return np.where(above, low, score >= rules.edges + margin)


def _follow(before: _Memory, seen: _Seen, rules: Rules) -> tuple[_Memory, Bytes, Ints]:
    """One ordinary step: (memory after it, kind of the band change, day its drivers start)."""
    free = ~seen.held
    moves = free & (np.abs(seen.computed - before.published) >= rules.deadband)
    published = np.where(moves, seen.computed, before.published)

    # What a new reference did while the row was held counts on the first day that is not.
    drift = before.pending + seen.drift
    beyond = _beyond(seen.computed, before.above, rules)
    running = before.streak > 0
    counting = free[:, None] & beyond
    streak = np.where(counting, np.where(running, before.streak + seen.gap[:, None], 1.0), 0.0)
    accrued = np.where(counting, np.where(running, before.accrued, 0.0) + drift[:, None], 0.0)
    since = np.where(counting & ~running, seen.last_scored[:, None], before.streak_since)
    need = np.where(before.above, rules.down[:, None], rules.up[:, None])
    flips = counting & (streak >= need)
    by_data = flips
    if drift.any() or before.accrued.any():
        by_data = flips & np.where(
            accrued == 0.0, True, _each_beyond(seen.computed[:, None] - accrued, before.above, rules)
        )
    streak = np.where(seen.held[:, None], before.streak, streak)
    accrued = np.where(seen.held[:, None], before.accrued, accrued)

    pushed = seen.cap[:, None] < rules.edges
    above = (before.above ^ flips) & ~pushed
    clear = flips | pushed
    changed = above != before.above
    cause = np.where(by_data, DATA, np.where(flips, RECALIBRATED, RULE))
    kind = np.where(changed, cause, RECALIBRATED + 1).min(axis=1)
    kind = np.where(changed.any(axis=1), kind, NONE).astype(np.int8)
    from_day = np.where(flips, since, seen.last_scored[:, None])
    from_day = np.where(changed, from_day, np.iinfo(np.int64).max).min(axis=1)
    after = _Memory(
        published=np.fmin(published, seen.cap),
        above=above,
        streak=np.where(clear, 0.0, streak),
        streak_since=since,
        accrued=np.where(clear, 0.0, accrued),
        pending=np.where(seen.held, drift, 0.0),
    )
    return after, kind, from_day


def _each_beyond(scores: Floats, above: Bools, rules: Rules) -> Bools:
    """`_beyond` for a score of its own per edge."""
    return np.stack([_beyond(scores[:, e], above, rules)[:, e] for e in (0, 1)], axis=1)


def _last_rules(state: State, who: Ints) -> Rules:
    return Rules(state.edges[who], state.deadband[who], state.margin[who], state.down[who], state.up[who])


def _restart(
    which: Ints,
    comparable: Bools,
    old_computed: Floats,
    old_rules: Rules,
    given: tuple[_Memory, _Seen, Rules],
    stepped: tuple[_Memory, Bytes, Ints],
) -> tuple[_Memory, Bytes, Ints]:
    """Start the rows `which` from their computed score, and say what that did to the band.

    The old way is stepped first, under the old rules, as if nothing had changed: a change that
    it makes as well is not the work of the new formula.
    """
    before, seen, rules = given[0].of(which), given[1].of(which), given[2].of(which)
    seen = replace(seen, drift=np.zeros(len(which)))
    above = (seen.computed[:, None] >= rules.edges) & ~(seen.cap[:, None] < rules.edges)
    band, band_before = above.sum(axis=1), before.above.sum(axis=1)
    old_seen = replace(seen, computed=np.where(comparable[which], old_computed[which], seen.computed))
    old, old_kind, old_since = _follow(before, old_seen, old_rules.of(which))
    agrees = comparable[which] & (old.above.sum(axis=1) == band)
    kind = np.where(agrees, old_kind, RECALIBRATED)
    since = np.where(agrees, old_since, seen.last_scored)

    after, all_kind, all_since = stepped
    after.published[which] = np.fmin(seen.computed, seen.cap)
    after.above[which] = above
    after.streak[which] = 0.0
    after.accrued[which] = 0.0
    after.pending[which] = 0.0
    all_kind[which] = np.where(band != band_before, kind, NONE)
    all_since[which] = since
    return after, all_kind, all_since
