"""Facts: the company's dated rows, typed, on the project's days, with integer accounts.

A row that cannot be used is not among them: it is in `rejected` with its reason. Rows are
read once; only where some are rejected are they read again, numbered and with reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.errors import Problem
from retinue.project.project import Project
from retinue.project.sources import Column, Source
from retinue.warehouse import accounts, clocks, raw, values
from retinue.warehouse.engine import Engine
from retinue.warehouse.functions import row_json
from retinue.warehouse.raw import ROW, Raw

REJECTED = ibis.schema({"source": "string", "row": "int64", "reason": "string", "raw": "string"})


@dataclass(frozen=True)
class Wanted:
    """Columns of a source that metrics use: as `numbers` (sum, mean, latest), or `plain`."""

    numbers: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Counts:
    """Rows of a source: all, those that became facts, and those rejected."""

    read: int
    kept: int
    rejected: int


@dataclass(frozen=True)
class Facts:
    """Typed tables of the engine.

    `accounts`: ix (0..n-1 in order of account_id), account_id, started_on, ended_on,
    end_known, renews_on, parent (an ix), and each attribute x as `a_x`.
    `histories`: attribute -> ix, day, known, value.
    `sources`: name -> ix, occurred, day, known, visible, end_day and end_known where rows
    end, `n_x` for numbers, `c_x` for plain columns, `k_x` the day a column became known.
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
) -> Facts:
    """The accounts of `project` and the sources in `wanted`, typed.

    `observed` holds attributes as they were seen on earlier days (account_id, attribute,
    day, value_text). Raises SourceError where a table cannot be read as declared.
    """
    read = accounts.load(engine, project, observed)
    sources: dict[str, ir.Table] = {}
    counts: dict[str, Counts] = dict(read.counts)
    rejected = list(read.rejected)
    problems = list(read.problems)
    for name in sorted(wanted):
        source = project.sources[name]
        loaded = _source(engine, project, name, source, wanted[name], read.table)
        sources[name] = loaded.table
        counts[name] = loaded.counts
        rejected.extend(loaded.rejected)
        problems.extend(loaded.problems)
    whole = ibis.union(*rejected) if len(rejected) > 1 else rejected[0] if rejected else _none_rejected(engine)
    return Facts(read.table, read.histories, sources, whole, counts, problems)


@dataclass(frozen=True)
class _Loaded:
    table: ir.Table
    counts: Counts
    rejected: list[ir.Table]
    problems: list[Problem]


def _none_rejected(engine: Engine) -> ir.Table:
    return engine.memory(REJECTED.to_pyarrow().empty_table())


def _source(
    engine: Engine, project: Project, name: str, source: Source, wanted: Wanted, people: ir.Table
) -> _Loaded:
    table = raw.read(engine, source, project.root, f"source {name}")
    keys = people.select(key_of=people.account_id, ix=people.ix)
    staged = typed(table, source, wanted, project)
    joined = _with_accounts(staged, keys)
    sound = joined.sound & joined.ix.notnull()
    whole = engine.store(name, joined.mutate(sound=sound).drop("key", "key_of"))
    read, kept = _count(engine, whole)
    if kept == read and not source.unique:
        return _Loaded(whole.drop("sound"), Counts(read, kept, 0), [], [])
    rows = whole.filter(whole.sound).drop("sound")
    if source.unique:
        rows = _first_copies(rows).drop("u", "full")
    facts = engine.store(name, rows)
    engine.drop(whole)
    kept = engine.arrow(facts.aggregate(n=facts.count()))["n"][0].as_py()
    if kept == read:
        return _Loaded(facts, Counts(read, kept, 0), [], [])
    bad = engine.store("rejected", _rejects(table, source, wanted, project, keys, name))
    return _Loaded(facts, Counts(read, kept, read - kept), [bad], [])


def _count(engine: Engine, whole: ir.Table) -> tuple[int, int]:
    got = engine.arrow(whole.aggregate(read=whole.count(), kept=whole.sound.cast("int64").sum())).to_pylist()[0]
    return got["read"], got["kept"] or 0


def _with_accounts(staged: ir.Table, keys: ir.Table) -> ir.Table:
    return staged.left_join(keys, staged.key == keys.key_of)


def typed(
    table: Raw, source: Source, wanted: Wanted, project: Project, *, explain: bool = False
) -> ir.Table:
    """The rows of a source with account keys in place of accounts; `sound` tells usable rows.

    With `explain`, also `row`, `reason` (null for usable rows) and `raw`.
    """
    rows = table.numbered() if explain else table.table
    table = Raw(table.what, rows, table.place, table.numbered)
    zones = clocks.Zones(
        source.timezone or project.settings.timezone, project.settings.timezone, project.settings.day_closes
    )
    faults: list[tuple[ir.BooleanValue, ir.StringValue | str]] = []
    out: dict[str, ir.Value] = {}

    out["key"] = values.key(table.column(source.via.key if source.via else source.account, "account"))
    account_shown = source.via.key if source.via else source.account
    faults.append((out["key"].isnull(), f"{account_shown} is empty"))

    occurred = _occurred(table, source, zones, faults)
    out["occurred"], day = occurred.at, occurred.day
    out["day"] = day
    known: ir.Value = day
    if source.known_at is not None:
        loaded = clocks.read(table, source.known_at, "known_at", zones)
        faults.append((loaded.wrong, loaded.reason))
        known = _trusted(loaded.known, day, source)
        if source.trusted_from is None:
            faults.append((loaded.empty, f"known_at ({source.known_at.column}) is empty"))
        else:
            known = ibis.ifelse(loaded.empty, day, known)
    out["known"] = known
    out["visible"] = visible = ibis.greatest(day, known) if source.known_at else day
    if source.ends_at is not None:
        end = clocks.read(table, source.ends_at, "ends_at", zones)
        faults.append((end.wrong, end.reason))
        end_day: ir.Value = end.day
        end_known: ir.Value = end.day
        if source.ends_known_at is not None:
            told = clocks.read(table, source.ends_known_at, "ends_known_at", zones)
            faults.append((told.wrong, told.reason))
            end_day = ibis.ifelse(told.empty, ibis.null("date"), end.day)
            later = ibis.greatest(end.day, _trusted(told.known, end.day, source))
            end_known = ibis.ifelse(end_day.isnull(), ibis.null("date"), later)
        out["end_day"], out["end_known"] = end_day, end_known

    columns = source.named_columns()
    for name in sorted(wanted.numbers | wanted.plain):
        column = columns.get(name, Column(column=name))
        late: ir.Value | None = None
        if column.known_at is not None:
            own = clocks.read(table, column.known_at, f"known_at of {name}", zones)
            faults.append((own.wrong, own.reason))
            late = own.empty
            out[f"k_{name}"] = ibis.ifelse(own.empty, ibis.null("date"), ibis.greatest(visible, own.known))
        if name in wanted.plain:
            value = values.plain(table.column(column.column, name))
            out[f"c_{name}"] = value if late is None else ibis.ifelse(late, ibis.null(value.type()), value)
        if name in wanted.numbers:
            number = values.number(table, name, column)
            faults.append((number.wrong, number.reason))
            value = number.value
            out[f"n_{name}"] = value if late is None else ibis.ifelse(late, ibis.null(value.type()), value)
    if source.unique:
        parts = [values.key(table.column(part, "unique")) for part in source.unique]
        shown = parts[0]
        for part in parts[1:]:
            shown = shown + ibis.literal(", ") + part
        out["u"] = shown
        out["full"] = row_json(table.table.drop(ROW) if explain else table.table)
    wrong: ir.BooleanValue = ibis.literal(False)
    for fault, _ in faults:
        wrong = cast(ir.BooleanValue, wrong | fault)
    out["sound"] = ~wrong
    if explain:
        out["row"] = rows[ROW]
        out["reason"] = ibis.cases(*faults, else_=ibis.null("string"))
        out["raw"] = row_json(rows.drop(ROW))
    return table.table.select(**out)


def _occurred(
    table: Raw, source: Source, zones: clocks.Zones, faults: list[tuple[ir.BooleanValue, ir.StringValue | str]]
) -> clocks.Time:
    clock = source.occurred_at
    time = clocks.read(table, clock, "occurred_at", zones)
    faults.append((time.wrong, time.reason))
    shown = "occurred_at" if clock.column == "occurred_at" else f"occurred_at ({clock.column})"
    faults.append((time.empty, f"{shown} is empty"))
    return time


def _trusted(known: ir.Value, occurred: ir.Value, source: Source) -> ir.Value:
    """`known`, but for rows loaded before `trusted_from` the day of what they tell."""
    if source.trusted_from is None:
        return known
    return ibis.ifelse(known < ibis.date(source.trusted_from.isoformat()), occurred, known)


def _first_copies(rows: ir.Table) -> ir.Table:
    """One row per unique key: the first that could be seen, so that later copies change nothing."""
    order = [rows[c] for c in ("visible", "known", "occurred", "full")]
    if "row" in rows.columns:
        order.append(rows.row)
    copy = ibis.row_number().over(ibis.window(group_by=rows.u, order_by=order))
    ranked = rows.mutate(copy=ibis.ifelse(rows.u.isnull(), 0, copy))
    return ranked.filter(ranked.copy == 0).drop("copy")


def _rejects(
    table: Raw, source: Source, wanted: Wanted, project: Project, keys: ir.Table, name: str
) -> ir.Table:
    staged = typed(table, source, wanted, project, explain=True)
    joined = _with_accounts(staged, keys)
    account = source.via.key if source.via else source.account
    unknown = ibis.literal(f'{account} "') + joined.key + ibis.literal('" is not an account')
    joined = joined.mutate(
        reason=ibis.coalesce(joined.reason, ibis.ifelse(joined.ix.isnull(), unknown, ibis.null("string")))
    )
    bad = joined.filter(joined.reason.notnull()).select("row", "reason", "raw")
    if source.unique:
        good = joined.filter(joined.reason.isnull())
        order = [good[c] for c in ("visible", "known", "occurred", "full", "row")]
        window = ibis.window(group_by=good.u, order_by=order)
        ranked = good.mutate(copy=ibis.row_number().over(window)).filter(good.u.notnull())
        again = ranked.filter(ranked.copy > 0)
        label = ibis.literal(f"duplicate of {', '.join(source.unique)} \"") + again.u + ibis.literal('"')
        bad = bad.union(again.select("row", "raw", reason=label).select("row", "reason", "raw"))
    return bad.select(source=ibis.literal(name), row=bad.row, reason=bad.reason, raw=bad.raw)
