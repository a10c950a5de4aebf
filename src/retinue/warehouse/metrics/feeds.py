"""Feeds: how far each source reaches, when one counts as dead, and what stands in for it.

A source is dead at D when its watermark is older than the smallest `max_age` that any measure
sets for it. Its metrics then keep their value of the watermark's date, in state `stale`, and
the accounts that rest on it are held. One account's silence is never a dead feed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir

from retinue.warehouse.engine import Engine


@dataclass(frozen=True)
class Feed:
    """What was known of a source: day by day, the last day that any of its rows is from."""

    seen: tuple[date, ...]
    reach: tuple[date, ...]

    def watermark(self, as_of: date) -> date | None:
        """Day of the last row of any account known by `as_of`; None before the first."""
        at = bisect_right(self.seen, as_of)
        return self.reach[at - 1] if at else None


def known(
    engine: Engine, sources: Mapping[str, ir.Table], earlier: Mapping[str, ir.Table] | None = None
) -> dict[str, Feed]:
    """The feeds of all `sources` (typed facts). `earlier` has those of rows that are facts no longer:
    seen, reach."""
    found = {}
    for name, facts in sources.items():
        daily = facts.group_by(seen=facts.visible).agg(reach=facts.day.max())
        if earlier and name in earlier:
            both = daily.union(earlier[name].select("seen", "reach"))
            daily = both.group_by("seen").agg(reach=both.reach.max())
        table = engine.arrow(daily.order_by("seen"))
        reach: list[date] = []
        for day in table["reach"].to_pylist():
            reach.append(max(day, reach[-1]) if reach else day)
        found[name] = Feed(tuple(table["seen"].to_pylist()), tuple(reach))
    return found


@dataclass(frozen=True)
class Deaths:
    """When which feeds are dead.

    `by_feed` has the as-of dates on which a source is dead; `instead` has, per set of sources
    that a metric rests on, the date whose value stands in for that of an as-of date.
    """

    by_feed: dict[str, tuple[date, ...]]
    instead: dict[tuple[str, ...], dict[date, date]]

    @classmethod
    def find(
        cls,
        days: Sequence[date],
        feeds: Mapping[str, Feed],
        limits: Mapping[str, int],
        together: Iterable[tuple[str, ...]],
    ) -> Deaths:
        """`limits` has the days after which a source is dead; sources without one never die."""
        marks: dict[str, dict[date, date]] = {}
        for feed, limit in limits.items():
            known_marks = {day: feeds[feed].watermark(day) for day in days}
            marks[feed] = {
                day: mark for day, mark in known_marks.items() if mark and (day - mark).days > limit
            }
        instead: dict[tuple[str, ...], dict[date, date]] = {}
        for names in together:
            dead = [marks[name] for name in names if name in marks]
            found = {day: min(m[day] for m in dead if day in m) for m_ in dead for day in m_}
            if found:
                instead[names] = found
        return cls({feed: tuple(sorted(found)) for feed, found in marks.items() if found}, instead)

    def looks(self) -> set[date]:
        """Dates whose values stand in for others; they must be on the grid."""
        return {look for found in self.instead.values() for look in found.values()}

    def held(self, rows: ir.Table, feeds_of: Mapping[int, set[str]]) -> ir.BooleanValue:
        """Whether a row (with formula, as_of) rests on a dead feed."""
        result: ir.BooleanValue = ibis.literal(False)
        for formula, feeds in feeds_of.items():
            days = sorted({day for feed in feeds for day in self.by_feed.get(feed, ())})
            if days:
                result = result | ((rows.formula == formula) & rows.as_of.isin(days))
        return ibis.coalesce(result, False)
