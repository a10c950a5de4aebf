"""Cohort curves: points relative to a frozen history of like accounts.

The reference of a quarter is the metric's values on the Sundays of the year before it, with
membership as of each Sunday; an account weighs 1 in each cohort, however many Sundays it was
there. Points are mid-ranks (Hazen), shrunk to the parent cohort by n / (n + k) where n counts
accounts:

    s(x) = sum over levels of w_level * 100 * (n * (F(<x) + F(<=x)) / 2 + 1/2) / (n + 1)

The engine reduces each reference to its distribution at no more than some 200 values; the
mixture of a cohort with its parents is then compiled here, per cohort, into segments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from ibis import _

from retinue.project.scorecards import Knots
from retinue.warehouse.engine import Engine
from retinue.warehouse.scores.curves import INFINITY, Segment, evaluate, straight

#: Weight of one account, as a whole number so that sums do not depend on their order.
_ONE = 10**12
#: A value with at least this share of the reference is an exact step.
_ATOM = 0.01


@dataclass(frozen=True)
class Ranks:
    """Distribution of one reference at some of its values.

    `below` and `upto` are the shares of weight under and up to each value; `accounts` is n.
    """

    values: np.ndarray
    below: np.ndarray
    upto: np.ndarray
    accounts: int

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F(<x) and F(<=x); between kept values the distribution is taken as even."""
        after = np.searchsorted(self.values, x, side="left")
        found = (after < len(self.values)) & (self.values[np.minimum(after, len(self.values) - 1)] == x)
        left_v = np.concatenate([[-np.inf], self.values])[after]
        right_v = np.concatenate([self.values, [np.inf]])[after]
        left = np.concatenate([[0.0], self.upto])[after]
        right = np.concatenate([self.below, [1.0]])[after]
        width = right_v - left_v
        inside = np.isfinite(width) & (width > 0)
        part = np.divide(x - left_v, width, out=np.zeros(len(x)), where=inside)
        between = left + (right - left) * part
        exact = np.minimum(after, len(self.values) - 1)
        return (
            np.where(found, self.below[exact], between),
            np.where(found, self.upto[exact], between),
        )


def ranks(engine: Engine, observed: ir.Table, levels: Sequence[str]) -> list[dict[tuple[date, str], Ranks]]:
    """Reduced distributions per level: (quarter, cohort) -> Ranks.

    `observed` has quarter, ix, value (not null) and one text column per level, coarse to fine.
    """
    return [_ranks_of_level(engine, observed, level) for level in levels]


def _ranks_of_level(engine: Engine, observed: ir.Table, level: str) -> dict[tuple[date, str], Ranks]:
    rows = observed.select("quarter", "ix", "value", cohort=observed[level])
    each = ibis.window(group_by=["quarter", "cohort", "ix"])
    weighed = rows.mutate(weight=ibis.literal(_ONE, "int64") // rows.count().over(each))
    values = weighed.group_by("quarter", "cohort", "value").agg(weight=_.weight.sum().cast("int64"))
    sizes = rows.group_by("quarter", "cohort").agg(accounts=_.ix.nunique())
    so_far = ibis.cumulative_window(group_by=["quarter", "cohort"], order_by="value")
    everything = ibis.window(group_by=["quarter", "cohort"])
    shares = (
        values.mutate(upto=_.weight.sum().over(so_far), total=_.weight.sum().over(everything))
        .mutate(below=_.upto - _.weight)
        .mutate(
            above_bin=(_.upto.cast("float64") * 100 / _.total.cast("float64")).floor(),
            below_bin=(_.below.cast("float64") * 100 / _.total.cast("float64")).floor(),
            atom=_.weight.cast("float64") >= _ATOM * _.total.cast("float64"),
        )
        .filter((_.above_bin != _.below_bin) | (_.below == 0) | _.atom)
        .select(
            "quarter",
            "cohort",
            "value",
            below=_.below.cast("float64"),
            upto=_.upto.cast("float64"),
            total=_.total.cast("float64"),
        )
        .join(sizes, ["quarter", "cohort"])
        .order_by("quarter", "cohort", "value")
    )
    table = engine.arrow(shares)
    return _split(table)


def _split(table: pa.Table) -> dict[tuple[date, str], Ranks]:
    quarters, cohorts = table["quarter"].to_pylist(), table["cohort"].to_pylist()
    value, accounts = table["value"].to_numpy(), table["accounts"].to_numpy()
    total = table["total"].to_numpy()
    below, upto = table["below"].to_numpy() / total, table["upto"].to_numpy() / total
    found: dict[tuple[date, str], Ranks] = {}
    start = 0
    for end in range(1, len(quarters) + 1):
        if end == len(quarters) or (quarters[end], cohorts[end]) != (quarters[start], cohorts[start]):
            key = (quarters[start], cohorts[start])
            part = slice(start, end)
            found[key] = Ranks(value[part], below[part], upto[part], int(accounts[start]))
            start = end
    return found


def compile_cohort(
    levels: Sequence[Ranks | None], *, shrink: float, lower_is_better: bool, fallback: Knots | None
) -> tuple[Segment, ...] | None:
    """Segments of a cohort curve; `levels` run from all accounts to the finest cohort.

    The coarsest level takes what is left, unless declared points stand behind it. None where
    there is neither history nor a fallback.
    """
    found = [level for level in levels if level is not None and level.accounts > 0]
    weights: list[float] = []
    left = 1.0
    for number, level in enumerate(reversed(found)):
        last = number == len(found) - 1 and fallback is None
        part = 1.0 if last else level.accounts / (level.accounts + shrink)
        weights.append(left * part)
        left *= 1 - part
    if not found:
        return straight(fallback) if fallback is not None else None
    mixture = list(zip(reversed(found), weights, strict=True))
    return _segments(mixture, left, fallback, lower_is_better)


@dataclass(frozen=True)
class _Stops:
    """Values at which a curve bends or jumps: points coming from the left, at it, to the right."""

    values: np.ndarray
    into: np.ndarray
    onto: np.ndarray
    out: np.ndarray

    def with_knots(self, knots: np.ndarray, low: float, high: float) -> _Stops:
        """The same curve with stops at `knots` too; `low` and `high` are its points outside."""
        new = np.setdiff1d(knots, self.values)
        after = np.searchsorted(self.values, new)
        x0, x1 = self.values[np.maximum(after - 1, 0)], self.values[np.minimum(after, len(self.values) - 1)]
        y0, y1 = self.out[np.maximum(after - 1, 0)], self.into[np.minimum(after, len(self.values) - 1)]
        inside = (after > 0) & (after < len(self.values))
        part = np.divide(new - x0, x1 - x0, out=np.zeros(len(new)), where=inside)
        points = np.where(inside, y0 + (y1 - y0) * part, np.where(after == 0, low, high))
        values = np.concatenate([self.values, new])
        order = np.argsort(values)
        return _Stops(
            values[order],
            *(np.concatenate([side, points])[order] for side in (self.into, self.onto, self.out)),
        )


def _segments(
    mixture: list[tuple[Ranks, float]], left: float, fallback: Knots | None, lower_is_better: bool
) -> tuple[Segment, ...]:
    """The mixture as segments; the declared points stand behind it with the weight `left`."""
    share = sum(weight for _, weight in mixture)
    values = np.unique(np.concatenate([r.values for r, _ in mixture]))
    below, upto = np.zeros(len(values)), np.zeros(len(values))
    into, onto, out = (np.zeros(len(values)) for _ in range(3))
    for level, weight in mixture:
        f0, f1 = level.at(values)
        below, upto = below + weight / share * f0, upto + weight / share * f1
        n = level.accounts
        into += weight * _rank(f0, n, lower_is_better)
        onto += weight * _rank((f0 + f1) / 2, n, lower_is_better)
        out += weight * _rank(f1, n, lower_is_better)
    atom = upto - below >= _ATOM
    into, out = np.where(atom, into, onto), np.where(atom, out, onto)
    low, high = (
        sum(w * float(_rank(np.array(end), r.accounts, lower_is_better)) for r, w in mixture)
        for end in (0.0, 1.0)
    )
    keep = _kept(below, upto)
    stops = _Stops(values[keep], into[keep], onto[keep], out[keep])
    if fallback is None or left <= 0:
        return _joined(stops, low, high)
    stops = stops.with_knots(np.array([x for x, _ in fallback]), low, high)
    extra = left * evaluate(straight(fallback), stops.values)
    lifted = _Stops(stops.values, stops.into + extra, stops.onto + extra, stops.out + extra)
    return _joined(lifted, low + float(extra[0]), high + float(extra[-1]))


def _rank(share: np.ndarray, accounts: int, lower_is_better: bool) -> np.ndarray:
    points = 100 * (accounts * share + 0.5) / (accounts + 1)
    return 100 - points if lower_is_better else points


def _kept(below: np.ndarray, upto: np.ndarray) -> np.ndarray:
    """At most 101 quantile knots and every value that holds a percent or more."""
    mid = (below + upto) / 2
    quantiles = np.unique(np.clip(np.searchsorted(mid, np.linspace(0, 1, 101)), 0, len(mid) - 1))
    keep = upto - below >= _ATOM
    keep[quantiles] = True
    return keep


def _joined(stops: _Stops, low: float, high: float) -> tuple[Segment, ...]:
    """Straight lines between stops, a single value where a stop has points of its own."""
    sides = (np.clip(side, 0.0, 100.0).tolist() for side in (stops.into, stops.onto, stops.out))
    rows = list(zip(stops.values.tolist(), *sides, strict=True))
    low, high = min(max(low, 0.0), 100.0), min(max(high, 0.0), 100.0)
    parts = [Segment(-INFINITY, rows[0][0], low, low)]
    for (x, into, onto, out), then in zip(rows, [*rows[1:], None], strict=True):
        start = x
        if not into == onto == out:
            start = math.nextafter(x, INFINITY)
            parts.append(Segment(x, start, onto, onto))
        if then is None:
            parts.append(Segment(start, INFINITY, high, high))
        else:
            parts.append(Segment(start, then[0], out, then[1]))
    return tuple(part for part in parts if part.lo < part.hi)
