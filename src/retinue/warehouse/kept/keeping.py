"""Reading only what is new of append-only sources, and keeping what the next run needs of them.

A source that is declared `append_only` is read whole once. What still matters of its rows is kept,
by code of whose rows they are (`matter`); the next run reads the files that it has not seen or,
of a single table, the rows that were loaded since. Where anything does not fit (a file changed, a
new metric asks for more, an account is gone, a date before the kept ones is asked for) the source
is read whole again: what is kept saves time and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import ibis.expr.types as ir

from retinue.errors import SourceError
from retinue.period import grid
from retinue.project.metrics import MetricBase
from retinue.project.project import Project
from retinue.project.sources import Source
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import money
from retinue.warehouse.facts import sources as facts
from retinue.warehouse.facts.rows import Wanted
from retinue.warehouse.facts.sources import TIMELINE_DAYS, OfSource
from retinue.warehouse.kept import weeks
from retinue.warehouse.kept.matter import Need
from retinue.warehouse.kept.source import Earlier, KeptSource, Taken
from retinue.warehouse.kept.state import Rebuild
from retinue.warehouse.kept.weeks import Weeks
from retinue.warehouse.metrics.feeds import Deaths, Feed
from retinue.warehouse.metrics.kinds import Past, series_of
from retinue.warehouse.spine import Spine
from retinue.warehouse.usage import Counting, tally

#: References rest on a year before a quarter; with the quarter, and a month to spare.
KEPT_DAYS = 366 + 92 + 31


@dataclass
class Keeping:
    """What is kept for one run of a project, and what it will keep.

    `folder` is where; the run is of dates from `first` to `through`, and no row that is kept is known
    later. `unused` is why what was kept does not serve at all. `said` tells of each source how it was
    read. From `exact` on (None: always) facts tell all values; before it, `weeks` do.
    """

    engine: Engine
    project: Project
    folder: Path
    needs: Mapping[str, Need | str]
    first: date
    through: date
    unused: str | None = None
    said: dict[str, str] = field(default_factory=dict)
    earlier: dict[str, Earlier] = field(default_factory=dict)
    taken: dict[str, Taken] = field(default_factory=dict)
    exact: date | None = None
    looks: dict[str, date] = field(default_factory=dict)
    weeks: ir.Table | None = None
    accounts: ir.Table | None = None

    def read(self, name: str, wanted: Wanted, people: ir.Table, rates: money.Rates) -> OfSource:
        """The facts of a source, from what is kept and what is new where that serves."""
        need = self.needs.get(name, "nothing is asked of it")
        if isinstance(need, str):
            self.said[name] = f"read whole: {need}"
            return facts.read(self.engine, self.project, name, wanted, people, rates)
        one = KeptSource(
            self.engine,
            self.project,
            self.folder,
            self.first,
            self.through,
            name,
            need,
            wanted,
            people,
            rates,
        )
        try:
            if self.unused is not None:
                raise Rebuild(self.unused)
            found, self.taken[name], self.earlier[name] = one.continued()
            loaded, state = self.taken[name].loaded, self.taken[name].state
            assert state is not None
            self.said[name] = f"read what is new: {loaded.counts.read if loaded else 0:,} rows"
            self.exact = max(self.exact or state.exact, state.exact)
            return found
        except Rebuild as why:
            self.said[name] = f"read whole: {why}"
        except SourceError:
            self.said[name] = "read whole: what is new does not fit what was kept"
        found, self.taken[name] = one.whole()
        return found

    def feeds(self) -> dict[str, ir.Table]:
        return {name: earlier.feed for name, earlier in self.earlier.items()}

    def counts(self, counting: Counting, facts: ir.Table) -> list[ir.Table]:
        """The tallies of usage: of the rows in `facts`, or of what was kept and what is new of them."""
        earlier = self.earlier.get(counting.source)
        if earlier is None or earlier.counts is None:
            return [tally(facts, counting, "ix", self.through)]
        fresh = [tally(earlier.fresh, counting, "ix", self.through)] if earlier.fresh is not None else []
        return [earlier.counts, *fresh]

    def look_back(
        self,
        feeds: Mapping[str, Feed],
        limits: Mapping[str, int],
        together: set[tuple[str, ...]],
        deaths: Deaths,
    ) -> None:
        """Remember how far back values of each source may be asked for while a feed is dead.

        Raises Rebuild where they are asked for now, and facts no longer tell them.
        """
        asked = (
            day for found in deaths.instead.values() for when, day in found.items() if when >= self.first
        )
        if self.exact is not None and min(asked, default=self.exact) < self.exact:
            raise Rebuild("a source that stopped asks for values of a day before those that are kept")
        for names in together:
            marks = [feeds[name].watermark(self.through) for name in names if name in limits]
            back = min((mark for mark in marks if mark is not None), default=self.through)
            for name in names:
                self.looks[name] = min(back, self.looks.get(name, back))

    def coming(self, sundays: Sequence[date]) -> list[date]:
        """Sundays that references of quarters to come will rest on."""
        if not sundays or not self.taken:
            return []
        start = max(min(sundays), self.exact or date.min)
        return [day for day in grid(start, self.through, "week") if day not in sundays]

    def past(self, spine: Spine, accounts: ir.Table, compared: Sequence[MetricBase], kept: set[date]) -> Past:
        """What stands in for rows that are facts no longer; raises Rebuild where that is not to be had.

        `compared` are the metrics of cohort curves, `kept` the dates whose values they rest on.
        """
        self.accounts = accounts
        carried = {name: one.carried for name, one in self.earlier.items() if one.carried is not None}
        names = {
            one: weeks.name(one, self.taken[one.source].of.made_for)
            for metric in compared
            for one in series_of(metric)
            if one.source in self.taken
        }
        before = frozenset(n for n, day in enumerate(spine.dates) if self.exact and day < self.exact)
        record = frozenset(n for n, day in enumerate(spine.dates) if day in kept and n not in before)
        old = {one: name for one, name in names.items() if one.source in self.earlier}
        known = None
        if before and old:
            assert self.exact is not None
            known = weeks.load(self.engine, self._references, spine, accounts, old, self.exact)
        return Past(carried, Weeks(names, old, known, before, record))

    @property
    def _references(self) -> Path:
        return self.folder.parent / "references"

    def save(self) -> None:
        """Keep what was taken. Raises StoreError if the disk does not take it."""
        for name, taken in self.taken.items():
            taken.of.keep(taken, min(self.through, self.looks.get(name, self.through)))
        if self.weeks is not None and self.accounts is not None:
            oldest = self.through.replace(day=1) - timedelta(days=KEPT_DAYS)
            weeks.save(self.engine, self._references, self.weeks, self.accounts, bool(self.earlier), oldest)


def needs(
    project: Project,
    declared: Mapping[str, MetricBase],
    wanted: Mapping[str, Wanted],
    reads: Mapping[str, tuple[str, ...]],
    counting: Counting | None = None,
) -> dict[str, Need | str]:
    """What is asked of each source in `wanted`, or why it is read whole."""
    found: dict[str, Need | str] = {}
    by_sql = {name for names in reads.values() for name in names}
    for name in wanted:
        source = project.sources[name]
        series = dict.fromkeys(
            s for metric in declared.values() for s in series_of(metric) if s.source == name
        )
        why = _whole(project, source, name in by_sql)
        days = TIMELINE_DAYS if source.timeline else 0
        counted = counting if counting is not None and counting.source == name else None
        found[name] = why or Need(tuple(series), days, counted)
    return found


def _whole(project: Project, source: Source, by_sql: bool) -> str | None:
    """Why a source is always read whole; None where it is not."""
    if not source.append_only:
        return "it is not declared append_only"
    if project.settings.engine != "duckdb":
        return "the engine reads it where it is"
    if by_sql:
        return "a metric in SQL reads it"
    if any(column.currency is not None for column in source.named_columns().values()):
        return "its amounts are converted by rates that may change"
    if source.database is not None and "://" in source.database:
        return "it is a table of a server"
    return None
