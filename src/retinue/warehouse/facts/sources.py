"""Facts: the company's dated rows, typed, on the project's days, with integer accounts.

A row that cannot be used is not among them: it is in `rejected`, with its reason. Tables
are read once; only one with rejected rows is read again, numbered and with reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.errors import Problem
from retinue.project.project import Project
from retinue.project.sources import Source, Table
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import accounts, money, values
from retinue.warehouse.facts.counts import REJECTED, Counts, rejection, rejections
from retinue.warehouse.facts.rows import (
    Wanted,
    as_it_was,
    chosen,
    numbered_copies,
    same_as_day,
    typed,
    unique_key,
)
from retinue.warehouse.reading import raw
from retinue.warehouse.reading.raw import ROW, Raw, own_columns, reading
from retinue.warehouse.reading.steady import steady

#: How far back the timeline goes, in days.
TIMELINE_DAYS = 730

__all__ = ["Counts", "Facts", "Wanted", "load"]


@dataclass(frozen=True)
class Facts:
    """Typed tables of the engine.

    `accounts`: ix (0..n-1 in order of account_id), account_id, started_on, ended_on,
    end_known, renews_on, parent (an ix), and each attribute x as `a_x`.
    `histories`: attribute -> ix, day, known, value.
    `sources`: name -> ix, occurred, day, known, visible; end_day and end_known where rows
    end; `n_x` for numbers, `c_x` for plain columns, `k_x` the day a column became known.
    `rejected`: source, row, reason, raw (JSON).
    """

    accounts: ir.Table
    histories: dict[str, ir.Table]
    sources: dict[str, ir.Table]
    rejected: ir.Table
    counts: dict[str, Counts]
    problems: list[Problem] = field(default_factory=list)


def load(
    engine: Engine,
    project: Project,
    wanted: Mapping[str, Wanted],
    observed: pa.Table | None = None,
    read_source: Callable[[str, Wanted, ir.Table, money.Rates], OfSource] | None = None,
) -> Facts:
    """The accounts of `project` and the sources in `wanted`, typed.

    `observed` holds attributes as they were seen on earlier days (account_id, attribute,
    day, value_text). `read_source` gives the facts of one source, by default `read`. Raises
    SourceError where a table cannot be read as declared.
    """
    engine.trace.stage("reading accounts")
    root = project.root
    rates = steady(engine, root, "rates", lambda: money.load(engine, project))
    people = steady(engine, root, "accounts", lambda: accounts.load(engine, project, rates, observed))
    sources: dict[str, ir.Table] = {}
    counts = dict(people.counts)
    rejected = list(people.rejected)
    problems = [*rates.problems, *people.problems]
    for name in sorted(wanted):
        engine.trace.stage(f"reading {name}")
        given = (name, wanted[name], people.table, rates)
        told = partial(read_source, *given) if read_source else partial(read, engine, project, *given)
        one = steady(engine, root, f"source {name}", told)
        sources[name], counts[name] = one.table, one.counts
        rejected += one.rejected
        problems += one.problems
    return Facts(people.table, people.histories, sources, rejections(engine, rejected), counts, problems)


def read(
    engine: Engine, project: Project, name: str, wanted: Wanted, people: ir.Table, rates: money.Rates
) -> OfSource:
    table = raw.read(engine, project.sources[name], project.root, f"source {name}")
    return source(engine, project, name, table, wanted, people, rates)


@dataclass(frozen=True)
class OfSource:
    """What `Facts` says of one source."""

    table: ir.Table
    counts: Counts
    rejected: list[ir.Table]
    problems: list[Problem]


def source(
    engine: Engine,
    project: Project,
    name: str,
    table: Raw,
    wanted: Wanted,
    people: ir.Table,
    rates: money.Rates,
) -> OfSource:
    """The rows of one source, about the accounts `people`; raises SourceError."""
    declared = project.sources[name]
    leading, problems = keys(engine, project, declared, people, f"source {name}")
    found = Loading(engine, project, name, chosen(table, declared), wanted, leading, rates).load()
    return OfSource(found.facts, found.counts, found.listed, problems)


@dataclass(frozen=True)
class Loaded:
    """One source, with what is kept of it for the next run where that is asked for.

    `typed` has facts and the rows without an account: key, ix (null without one), loaded, and the
    columns of facts. `rejected` has, beside the columns of `listed`, `lost` (the key that is no
    account's) and `loaded`; `unique` the keys `u` of sound rows, with `key` and `visible`; `again`
    the rows that copy one of those that were given as `before`.
    """

    facts: ir.Table
    counts: Counts
    listed: list[ir.Table]
    typed: ir.Table | None = None
    rejected: ir.Table | None = None
    unique: ir.Table | None = None
    again: ir.Table | None = None


@dataclass(frozen=True)
class Loading:
    """One source on its way to facts: its table, what is wanted of it, and whose rows count.

    With `keep` all is told that is to be kept for the next run; `before` has the keys `u` of rows
    that were read earlier.
    """

    engine: Engine
    project: Project
    name: str
    table: Raw
    wanted: Wanted
    keys: ir.Table
    rates: money.Rates
    keep: bool = False
    before: ir.Table | None = None

    @property
    def source(self) -> Source:
        return self.project.sources[self.name]

    def load(self) -> Loaded:
        """Typed facts, how many rows they are, and the rejected rows."""
        table, source, engine = self.table, self.source, self.engine
        staged = typed(table, source, self.wanted, self.project, self.rates)
        joined = staged.left_join(self.keys, staged.key == self.keys.key_of)
        with reading(table):
            usable = joined.sound & joined.ix.notnull()
            same = same_as_day(table, source)
            drop = ["key_of", *same] if self.keep else ["key", "key_of", *same]
            alone = {"alone": joined.sound & joined.ix.isnull()} if self.keep else {}
            whole = engine.store(self.name, joined.mutate(sound=usable, **alone).drop(*drop))
        told = engine.arrow(whole.aggregate(read=whole.count(), sound=whole.sound.cast("int64").sum()))
        read, sound = told["read"][0].as_py(), told["sound"][0].as_py() or 0
        marks = ["sound", *alone]
        facts = whole.drop(*marks)
        bad: list[ir.Table] = []
        if sound < read:
            bad.append(self._wrong())
            facts = whole.filter(whole.sound).drop(*marks)
        unique, again = None, None
        if source.unique:
            unique = self._keys_of(whole) if self.keep else None
            facts, again = self._not_before(facts)
            facts, copies = self._once(facts)
            bad += [] if again is None else [again.drop("visible", "u")]
            bad += [] if copies is None else [copies]
        if bad:
            facts = engine.store(self.name, facts)
        everything = self._with_lost(facts, whole) if self.keep else None
        if bad and not self.keep:
            engine.drop(whole)
        facts = facts.mutate(**{column: facts[of].cast(kind) for column, (of, kind) in same.items()})
        broken = table.broken()
        none = {"lost": ibis.null("string"), "loaded": ibis.null("date")}
        rejected = [rejection(engine, self.name, broken).mutate(**none)] if broken else []
        lost = len(broken)
        if bad:
            kept = engine.store("rejected", self._shown(ibis.union(*bad) if len(bad) > 1 else bad[0]))
            lost += engine.count(kept)
            rejected.append(kept)
        read += len(broken)
        return Loaded(
            facts,
            Counts(read, read - lost, lost),
            [one.select(*REJECTED.names) for one in rejected],
            everything,
            (ibis.union(*rejected) if len(rejected) > 1 else rejected[0]) if rejected else None,
            unique,
            again,
        )

    def _with_lost(self, facts: ir.Table, whole: ir.Table) -> ir.Table:
        """`facts` and the sound rows without an account."""
        alone = whole.filter(whole.alone).select(*(c for c in facts.columns))
        return facts.union(alone)

    def _keys_of(self, whole: ir.Table) -> ir.Table:
        told = whole.filter(whole.u.notnull() & (whole.sound | whole.alone)).select("u", "key", "visible")
        return self.engine.store("unique", told)

    def _not_before(self, sound: ir.Table) -> tuple[ir.Table, ir.Table | None]:
        """`sound` without copies of rows that were read earlier, and those (None without any)."""
        if self.before is None:
            return sound, None
        met = self.engine.store("met", sound.semi_join(self.before, "u").select("u").distinct())
        if not self.engine.count(met):
            return sound, None
        numbered = replace(self.table, table=self.table.numbered())
        keyed = numbered.table.mutate(**{" key": unique_key(numbered, self.source)})
        told = self._explained(keyed.semi_join(met, keyed[" key"] == met.u).drop(" key"))
        copies = told.filter(told.reason.isnull())
        again = self.engine.store(
            "again", _rejection(copies.mutate(reason=self._copied(copies)), "visible", "u")
        )
        return sound.anti_join(met, "u"), again

    def _copied(self, copies: ir.Table) -> ir.Value:
        key = ", ".join(self.source.unique)
        return ibis.literal(f'duplicate of {key} "') + copies.u + ibis.literal('"')

    def _explained(self, numbered: ir.Table) -> ir.Table:
        """Numbered rows typed again, each unsound one with its reason, and with `ix`."""
        table, source = replace(self.table, table=numbered), self.source
        staged = typed(table, source, self.wanted, self.project, self.rates, explain=True)
        joined = staged.left_join(self.keys, staged.key == self.keys.key_of)
        led = "leads to no account" if source.via else "is not an account"
        orphan = ibis.literal(f'{source.account} "') + joined.key + ibis.literal(f'" {led}')
        unknown = ibis.ifelse(joined.ix.isnull(), orphan, ibis.null("string"))
        lost = ibis.ifelse(joined.reason.isnull() & joined.ix.isnull(), joined.key, ibis.null("string"))
        return joined.mutate(reason=ibis.coalesce(joined.reason, unknown), lost=lost)

    def _wrong(self) -> ir.Table:
        """Rows that cannot be used: row, reason, lost, loaded."""
        told = self._explained(self.table.numbered())
        return _rejection(told.filter(told.reason.notnull()))

    def _once(self, sound: ir.Table) -> tuple[ir.Table, ir.Table | None]:
        """Each row of a unique key once, and the further copies (row, reason), None without any.

        Copies are few: only the rows of repeated keys are read again, to tell them apart.
        """
        counted = sound.filter(sound.u.notnull()).group_by("u").aggregate(n=ibis._.count())
        repeated = self.engine.store("repeated", counted.filter(counted.n > 1).select(repeated=counted.u))
        if not self.engine.count(repeated):
            return sound.drop("u"), None
        numbered = replace(self.table, table=self.table.numbered())
        keyed = numbered.table.mutate(**{" key": unique_key(numbered, self.source)})
        again = keyed.semi_join(repeated, keyed[" key"] == repeated.repeated).drop(" key")
        told = self._explained(again)
        copies = self.engine.store("copies", numbered_copies(told.filter(told.reason.isnull())))
        columns = [column for column in sound.columns if column != "u"]
        first = copies.filter(copies.copy == 0).select(*columns)
        alone = sound.anti_join(repeated, sound.u == repeated.repeated).select(*columns)
        further = copies.mutate(reason=self._copied(copies)).filter(copies.copy > 0)
        return ibis.union(alone, first), _rejection(further)

    def _shown(self, bad: ir.Table) -> ir.Table:
        """Rejected rows (row, reason) with what they hold."""
        numbered = self.table.numbered()
        # Names with blanks of their own: the table's columns may have any name.
        told = bad.select(**{f" {name}": bad[name] for name in ("row", "reason", "lost", "loaded")})
        met = numbered.join(told, numbered[ROW] == told[" row"])
        shown = as_it_was(met, own_columns(numbered))
        return met.select(
            source=ibis.literal(self.name),
            row=met[" row"],
            reason=met[" reason"],
            raw=shown,
            lost=met[" lost"],
            loaded=met[" loaded"],
        )


def _rejection(rows: ir.Table, *more: str) -> ir.Table:
    """row and reason, with the key that is no account's and the day of loading where it is kept."""
    loaded = rows.loaded if "loaded" in rows.columns else ibis.null("date")
    return rows.select("row", "reason", "lost", *more, loaded=loaded)


def keys(
    engine: Engine, project: Project, source: Source, people: ir.Table, what: str
) -> tuple[ir.Table, list[Problem]]:
    """What leads to an account: `key_of` (unique) and `ix`."""
    own = people.select(key_of=people.account_id, ix=people.ix)
    if source.via is None:
        return own, []
    via = source.via
    inside = via.database is None and not raw.is_file(via.table)
    database = source.database if inside else via.database
    bridge = raw.read(
        engine, Table(table=source.via.table, database=database), project.root, f"`via` of {what}"
    )
    pairs = bridge.table.select(
        key_of=values.key(bridge.column(source.via.key, "key")),
        account=values.key(bridge.column(source.via.account, "account")),
    )
    found = pairs.join(own.select(account="key_of", ix="ix"), "account")
    grouped = found.filter(found.key_of.notnull()).group_by("key_of")
    keys = engine.store("via", grouped.aggregate(ix=found.ix.min(), most=found.ix.max()))
    several = engine.arrow(
        keys.filter(keys.ix < keys.most).aggregate(n=ibis._.count(), key=ibis._.key_of.min())
    )
    count, example = several["n"][0].as_py(), several["key"][0].as_py()
    problems = []
    if count:
        problems.append(
            Problem(
                f'{what}: {count} keys of `via` lead to several accounts, such as "{example}"',
                bridge.place,
                hint="the first account by id is taken",
                severity="warning",
            )
        )
    return keys.drop("most"), problems
