"""Cohort curves: points relative to a frozen history of like accounts.

The reference of a quarter is the metric's values on the Sundays of the year before it, with
membership as of each Sunday; an account weighs 1 in each cohort, however many Sundays it was
there. Points are mid-ranks (Hazen), shrunk to the parent cohort by n / (n + k) where n counts
accounts (METHODS 1):

    s(x) = sum over levels of w_level * 100 * (n * (F(<x) + F(<=x)) / 2 + 1/2) / (n + 1)

The engine reduces each reference to its distribution at no more than some 200 values; the
mixture of a cohort with its parents is then compiled here, per cohort, into segments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from ibis import _

from retinue.project.scorecards import Knots
from retinue.warehouse.curves import INFINITY, Segment, evaluate, straight
from retinue.warehouse.engine import Engine

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


def _segments(
    mixture: list[tuple[Ranks, float]], left: float, fallback: Knots | None, lower_is_better: bool
) -> tuple[Segment, ...]:
    behind = straight(fallback) if fallback is not None and left > 0 else None
    share = sum(weight for _, weight in mixture)
    values = np.unique(np.concatenate([r.values for r, _ in mixture]))
    below, upto = np.zeros(len(values)), np.zeros(len(values))
    left_of, at, right_of = (np.zeros(len(values)) for _ in range(3))
    for level, weight in mixture:
        f0, f1 = level.at(values)
        below, upto = below + weight / share * f0, upto + weight / share * f1
        n = level.accounts
        left_of += weight * _rank(f0, n, lower_is_better)
        at += weight * _rank((f0 + f1) / 2, n, lower_is_better)
        right_of += weight * _rank(f1, n, lower_is_better)
    keep = _kept(below, upto)
    knots = sorted(x for x, _ in fallback) if behind is not None and fallback else []
    values, below, upto, left_of, at, right_of, atom = (
        a[keep] for a in (values, below, upto, left_of, at, right_of, upto - below >= _ATOM)
    )
    ends = [sum(w * _rank(np.array([f]), r.accounts, lower_is_better)[0] for r, w in mixture) for f in (0, 1)]

    def plus_behind(x: float, points: float) -> float:
        extra = left * float(evaluate(behind, np.array([x]))[0]) if behind is not None else 0.0
        return min(max(points + extra, 0.0), 100.0)

    stops: list[tuple[float, float, float, float]] = []  # value, from the left, at, to the right
    for n in range(len(values)):
        into, onto, out = (left_of[n], at[n], right_of[n]) if atom[n] else (at[n], at[n], at[n])
        stops.append((float(values[n]), float(into), float(onto), float(out)))
    for x in knots:
        if not any(stop[0] == x for stop in stops):
            points = _between(stops, x, ends)
            stops.append((x, points, points, points))
    stops.sort()
    return _joined(stops, ends, plus_behind)


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


def _between(stops: list[tuple[float, float, float, float]], x: float, ends: list[float]) -> float:
    """Points at x on the line between the stops around it."""
    lower = [s for s in stops if s[0] < x]
    upper = [s for s in stops if s[0] > x]
    if not lower or not upper:
        return ends[1] if lower else ends[0]
    (x0, _, _, y0), (x1, y1, _, _) = max(lower), min(upper)
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def _joined(
    stops: list[tuple[float, float, float, float]],
    ends: list[float],
    behind: Callable[[float, float], float],
) -> tuple[Segment, ...]:
    first = stops[0][0]
    parts = [Segment(-INFINITY, first, behind(first, ends[0]), behind(first, ends[0]))]
    for here, then in zip(stops, [*stops[1:], None], strict=True):
        x, into, onto, out = here
        start = x
        if not into == onto == out:
            start = math.nextafter(x, INFINITY)
            parts.append(Segment(x, start, behind(x, onto), behind(x, onto)))
        if then is None:
            parts.append(Segment(start, INFINITY, behind(x, ends[1]), behind(x, ends[1])))
        else:
            parts.append(Segment(start, then[0], behind(x, out), behind(then[0], then[1])))
    return tuple(part for part in parts if part.lo < part.hi)
