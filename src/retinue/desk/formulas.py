"""The formulas that published scores rest on, with the dates on which they were in force."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path

import pyarrow.compute as pc

from retinue.desk.panel import grid
from retinue.project.project import Formula
from retinue.store.published.manifest import read_manifest
from retinue.store.published.snapshots import Published


@lru_cache(maxsize=4)
def used(home: Path, run_id: str) -> dict[str, tuple[date, date, Formula]]:
    """Every formula that published dates rest on: first date, last date, itself.

    Only some dates are looked at, and those between where one of them begins or ends.
    """
    manifest = read_manifest(home, run_id)
    source = Published(home, manifest)
    dates = source.dates()
    seen: dict[int, set[str | None]] = {}

    def on(n: int) -> set[str | None]:
        if n not in seen:
            column = source.table("snapshots", dates=[dates[n]], columns=["fingerprint"])["fingerprint"]
            seen[n] = set(pc.unique(column).to_pylist())
        return seen[n]

    steps = sorted({dates.index(day) for day in grid(dates)})
    names = {name for n in steps for name in on(n)}
    found = {}
    for name in sorted(set(manifest.formulas) & names):
        with_it = [n for n in steps if name in on(n)]
        before = max((n for n in steps if n < with_it[0]), default=-1)
        after = min((n for n in steps if n > with_it[-1]), default=len(dates))
        first, last = (
            _edge(there, absent, lambda n, name=name: name in on(n))  # type: ignore[misc]
            for there, absent in ((with_it[0], before), (with_it[-1], after))
        )
        found[name] = (dates[first], dates[last], Formula.from_dict(manifest.formulas[name]))
    return found


def _edge(there: int, absent: int, holds: Callable[[int], bool]) -> int:
    """The place nearest to `absent` at which it holds, on a stretch from `there`."""
    while abs(there - absent) > 1:
        middle = (there + absent) // 2
        if holds(middle):
            there = middle
        else:
            absent = middle
    return there
