"""Curves compiled to segments: one stretch of values each.

A segment covers the values in [lo, hi) and gives points on a straight line from `points_lo`
at lo to `points_hi` at hi. The segments of a curve do not overlap and leave no gap, so each
value meets exactly one. A single value with points of its own is the segment [v, next(v)).
Declared curves have few segments and are branches of an expression; those of cohorts have some
hundred, and there is one for each cohort and quarter: they are rows of a table, met by a range
join.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from retinue.project.scorecards import Knots, Points, Steps, Target

INFINITY = math.inf


@dataclass(frozen=True)
class Segment:
    lo: float
    hi: float
    points_lo: float
    points_hi: float


@lru_cache(maxsize=4096)
def compile_curve(curve: Points | Steps | Target) -> tuple[Segment, ...]:
    match curve:
        case Points(points=knots):
            return straight(knots)
        case Steps(steps=steps):
            edges = [-INFINITY, *(x for x, _ in steps), INFINITY]
            levels = [0.0, *(y for _, y in steps)]
            return tuple(
                Segment(lo, hi, y, y) for lo, hi, y in zip(edges[:-1], edges[1:], levels, strict=True)
            )
        case Target(target=(none, low, high, end)):
            return target_band(none, low, high, end)


def straight(knots: Knots) -> tuple[Segment, ...]:
    """Straight lines between knots, flat outside; the last knot's own value belongs to the tail."""
    inner = [Segment(x0, x1, y0, y1) for (x0, y0), (x1, y1) in itertools.pairwise(knots)]
    (first, low), (last, high) = knots[0], knots[-1]
    return (Segment(-INFINITY, first, low, low), *inner, Segment(last, INFINITY, high, high))


def target_band(none: float, low: float, high: float, end: float) -> tuple[Segment, ...]:
    """0 up to `none`, 100 from `low` to `high` inclusive, 0 from `end`; equal edges are jumps."""
    after = math.nextafter(high, INFINITY)
    parts = [
        Segment(-INFINITY, none, 0.0, 0.0),
        Segment(none, low, 0.0, 100.0),
        Segment(low, after, 100.0, 100.0),
        Segment(after, max(end, after), 100.0, 0.0),
        Segment(max(end, after), INFINITY, 0.0, 0.0),
    ]
    return tuple(part for part in parts if part.lo < part.hi)


def evaluate(segments: tuple[Segment, ...], values: np.ndarray) -> np.ndarray:
    """Points at `values` (the same arithmetic as the range join)."""
    lo = np.array([s.lo for s in segments])
    at = np.clip(np.searchsorted(lo, values, side="right") - 1, 0, len(segments) - 1)
    start = np.array([s.points_lo for s in segments])[at]
    rise = np.array([s.points_hi - s.points_lo for s in segments])[at]
    width = np.array([s.hi - s.lo for s in segments])[at]
    sloped = (rise != 0) & np.isfinite(width)
    part = np.divide(values - lo[at], width, out=np.zeros_like(start), where=sloped)
    return np.where(sloped, start + rise * part, start)


def points_at(segments: tuple[Segment, ...], value: float) -> float:
    """`evaluate` for one value, many times as quick."""
    place = max(bisect_right(segments, value, key=_low) - 1, 0)
    s = segments[place]
    rise, width = s.points_hi - s.points_lo, s.hi - s.lo
    if rise == 0 or not math.isfinite(width):
        return s.points_lo
    return s.points_lo + rise * ((value - s.lo) / width)


def _low(segment: Segment) -> float:
    return segment.lo


def segments_table(curves: dict[int, tuple[Segment, ...]]) -> pa.Table:
    """(curve, lo, hi, points_lo, points_hi) for the range join."""
    rows = [(n, s) for n, segments in curves.items() for s in segments]
    return pa.table(
        {
            "curve": pa.array([n for n, _ in rows], pa.int32()),
            "lo": pa.array([s.lo for _, s in rows], pa.float64()),
            "hi": pa.array([s.hi for _, s in rows], pa.float64()),
            "points_lo": pa.array([s.points_lo for _, s in rows], pa.float64()),
            "points_hi": pa.array([s.points_hi for _, s in rows], pa.float64()),
        }
    )
