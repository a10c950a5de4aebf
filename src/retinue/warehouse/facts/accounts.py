"""The accounts: who they are, when they began and ended, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from retinue.errors import Place, Problem, SourceError
from retinue.project.project import Project
from retinue.project.sources import DATE_ATTRIBUTES, Clock, Column, Table
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import clocks, histories, kinds, money, values
from retinue.warehouse.facts.counts import Counts, rejection
from retinue.warehouse.facts.kinds import Kind
from retinue.warehouse.facts.rows import Wanted, as_it_was, chosen, typed
from retinue.warehouse.reading import raw
from retinue.warehouse.reading.raw import ROW, Raw, reading

#: Attributes that are names of things, whatever they look like.
_NAMES = ("name", "owner", "territory", "segment", "parent")
_FIXED = ("ix", "account_id", "started_on", "ended_on", "end_known", "renews_on", "parent")


@dataclass(frozen=True)
class Read:
    """What `facts.Facts` says of accounts."""

    table: ir.Table
    histories: dict[str, ir.Table]
    rejected: list[ir.Table] = field(default_factory=list)
    counts: dict[str, Counts] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@dataclass
class _Staged:
    """Accounts before they are counted: all columns as in `Facts.accounts`, but for `ix`, and
    with `parent` still a key; text attributes are still text."""

    table: ir.Table
    place: Place
    rejected: list[ir.Table]
    counts: Counts
    problems: list[Problem]


def load(engine: Engine, project: Project, rates: money.Rates, observed: pa.Table | None) -> Read:
    """The accounts, and how their attributes changed; raises SourceError."""
    declared = project.settings.accounts
    staged = _declared(engine, project, rates) if declared.table else _derived(engine, project, rates)
    attributes = [name for name in declared.columns if name not in (*DATE_ATTRIBUTES, "parent")]
    found = kinds.of(engine, staged.table, [f"a_{n}" for n in attributes if n not in _NAMES])
    table = staged.table.mutate(
        ix=ibis.row_number().over(ibis.window(order_by=staged.table.account_id)).cast("int32"),
        **{name: kinds.cast_text(staged.table[name], kind) for name, kind in found.items()},
    )
    table, problems = _with_parents(engine, table, staged.place)
    columns = [*_FIXED, *[f"a_{name}" for name in attributes]]
    if "parent" in declared.columns:
        columns.append("a_parent")
    table = engine.store("accounts", table.select(*columns))
    types: dict[str, Kind] = {name: kinds.of_type(table[f"a_{name}"].type()) for name in attributes}
    read, told = histories.load(engine, project, table, types, observed)
    return Read(
        table, read, staged.rejected, {"accounts": staged.counts}, [*staged.problems, *problems, *told]
    )


def _declared(engine: Engine, project: Project, rates: money.Rates) -> _Staged:
    """Accounts from a table of their own."""
    declared = project.settings.accounts
    place = Table.model_validate(
        declared.model_dump(include={"table", "database", "sheet", "encoding", "delimiter"})
    )
    found = raw.read(engine, place, project.root, "accounts")
    # Which lines are not rows, and so the positions of the others, is known after a first pass.
    with reading(found):
        engine.drop(engine.store("accounts_pass", found.table))
    numbered = found.numbered()
    table = Raw(found.what, found.place, numbered, found.numbered)
    key = declared.key or "account_id"
    wrong: dict[str, ir.BooleanValue] = {}
    out: dict[str, ir.Value] = {
        "account_id": values.key(table.column(key, "key")),
        "row": numbered[ROW],
    }
    # Rows as a whole are only looked at where some repeat an id or have none.
    told = out["account_id"]
    alone = told.count().over(ibis.window(group_by=told)) == 1
    out["raw"] = ibis.ifelse(alone, ibis.null("string"), as_it_was(numbered))
    for name in DATE_ATTRIBUTES:
        out[name] = _day(table, project, name, declared.columns.get(name), wrong)
    out["end_known"] = _end_known(table, project, declared.columns.get("ended_on"), out["ended_on"], wrong)
    parent = declared.columns.get("parent")
    out["parent"] = values.key(table.column(parent.column, "parent")) if parent else ibis.null("string")
    for name, column in declared.columns.items():
        if name not in DATE_ATTRIBUTES:
            out[f"a_{name}"] = out["parent"] if name == "parent" else _attribute(table, name, column)
        if column.currency is not None:
            out[f"m_{name}"] = money.currency_of(table, name, column, project)
    flags = {f"wrong {name}": flag for name, flag in wrong.items()}
    read = engine.store("accounts_read", numbered.select(**out, **flags))
    kept = read.filter(read.account_id.notnull())
    order = ibis.window(group_by=kept.account_id, order_by=[kept.raw, kept.row])
    copies = kept.mutate(copy=ibis.row_number().over(order))
    first = copies.filter(copies.copy == 0).drop("copy", "raw", "row")
    rejected, counts, problems = _left_out(engine, read, copies, found, key)
    problems += _wrong_dates(engine, first, list(wrong), found.place)
    home = _in_home_currency(engine, first.drop(*flags), declared.columns, rates, problems, found.place)
    return _Staged(engine.store("accounts_first", home), found.place, rejected, counts, problems)


def _attribute(table: Raw, name: str, column: Column) -> ir.Value:
    found = table.column(column.column, name)
    if name in _NAMES:
        return values.key(found)
    kind = found.type()
    if kind.is_numeric() and not kind.is_boolean():
        return cast(ir.Value, values.plain(found.cast("float64")))
    if kind.is_timestamp():
        return found.cast("date")
    plain = values.plain(found)
    return plain if kind.is_string() or kind.is_boolean() or kind.is_date() else plain.cast("string")


def _day(
    table: Raw, project: Project, name: str, column: Column | None, wrong: dict[str, ir.BooleanValue]
) -> ir.Value:
    if column is None:
        return ibis.null("date")
    time = clocks.read(table, Clock(column=column.column), name, clocks.Zones.of(project.settings))
    wrong[name] = time.wrong
    if column.or_earlier is None:
        return time.day
    other = clocks.read(table, Clock(column=column.or_earlier), name, clocks.Zones.of(project.settings))
    wrong[name] = time.wrong | other.wrong
    # Engines differ in what `least` makes of an empty one.
    return ibis.least(ibis.coalesce(time.day, other.day), ibis.coalesce(other.day, time.day))


def _end_known(
    table: Raw, project: Project, column: Column | None, ended: ir.Value, wrong: dict[str, ir.BooleanValue]
) -> ir.Value:
    """The day on which it was known that an account ended."""
    if column is None or column.known_at is None:
        return ended
    told = clocks.read(table, column.known_at, "known_at of ended_on", clocks.Zones.of(project.settings))
    wrong["known_at of ended_on"] = told.wrong
    return ibis.ifelse(
        ended.isnull() | told.known.isnull(), ibis.null("date"), ibis.greatest(ended, told.known)
    )


def _in_home_currency(
    engine: Engine,
    table: ir.Table,
    declared: dict[str, Column],
    rates: money.Rates,
    problems: list[Problem],
    place: Place,
) -> ir.Table:
    """Amounts of accounts are of today, so they are converted at the last rates."""
    for name, column in declared.items():
        if column.currency is None:
            continue
        amount, currency = f"a_{name}", f"m_{name}"
        number = table[amount].try_cast("decimal(18, 6)")
        last = ibis.date(rates.last.isoformat())
        rated = rates.lookup(table.mutate(**{amount: number}), currency, last, "rate")
        lost = rated.filter(rated[amount].notnull() & rated.rate.isnull())
        count = engine.count(lost)
        if count:
            problems.append(
                Problem(
                    f"accounts: {count} values of `{name}` have no rate and are left out",
                    place,
                    hint="add their currencies to `rates`",
                    severity="warning",
                )
            )
        value = money.converted(rated[amount], rated.rate, 6).cast("float64")
        table = rated.mutate(**{amount: value}).drop("rate", currency)
    return table


def _left_out(
    engine: Engine, read: ir.Table, copies: ir.Table, found: Raw, key: str
) -> tuple[list[ir.Table], Counts, list[Problem]]:
    """Rows without an id, and those that repeat one."""
    none = read.filter(read.account_id.isnull()).select("row", "raw", reason=ibis.literal(f"{key} is empty"))
    again = copies.filter(copies.copy > 0)
    label = ibis.literal(f'duplicate of {key} "') + again.account_id + ibis.literal('"')
    bad = none.union(again.select("row", "raw", reason=label))
    stored = engine.store("rejected", bad.select("row", "reason", "raw", source=ibis.literal("accounts")))
    stored = stored.select("source", "row", "reason", "raw")
    broken = found.broken()
    rejected = [rejection(engine, "accounts", broken)] if broken else []
    sizes = engine.arrow(
        ibis.union(
            read.aggregate(what=ibis.literal("read"), n=read.count()),
            stored.aggregate(what=ibis.literal("rejected"), n=stored.count()),
            again.aggregate(what=ibis.literal("again"), n=again.count()),
        )
    ).to_pylist()
    sized = {row["what"]: row["n"] for row in sizes}
    if sized["rejected"]:
        rejected.append(stored)
    total, lost = sized["read"] + len(broken), sized["rejected"] + len(broken)
    problems = []
    if sized["again"]:
        problems.append(
            Problem(
                f"accounts: {sized['again']} rows repeat the {key} of another",
                found.place,
                hint="the first in the order of all their values is kept; see `rejected`",
                severity="warning",
            )
        )
    return rejected, Counts(total, total - lost, lost), problems


def _wrong_dates(engine: Engine, first: ir.Table, wrong: list[str], place: Place) -> list[Problem]:
    """Dates that are none are left out, not their accounts."""
    if not wrong:
        return []
    flags = {name: first[f"wrong {name}"].cast("int64").sum() for name in wrong}
    told = engine.arrow(first.aggregate(**flags)).to_pylist()[0]
    return [
        Problem(
            f"accounts: {count} values of `{name}` are not dates and are left out",
            place,
            hint="write dates as 2024-01-31",
            severity="warning",
        )
        for name, count in told.items()
        if count
    ]


def _derived(engine: Engine, project: Project, rates: money.Rates) -> _Staged:
    """One account per key of a source: it starts with its first row, its attributes are its latest's."""
    declared = project.settings.accounts
    name = declared.fact or ""
    if name not in project.sources:
        raise SourceError("accounts: neither a table nor a source", hint="declare `table` or `fact`")
    source = project.sources[name].model_copy(update={"via": None, "ends_at": None, "unique": ()})
    if declared.key:
        source = source.model_copy(update={"account": declared.key})
    found = chosen(raw.read(engine, source, project.root, f"source {name}"), project.sources[name])
    attributes = {n: c for n, c in declared.columns.items() if n not in DATE_ATTRIBUTES}
    wanted = {f"attribute {n}": c for n, c in attributes.items()}
    source = source.model_copy(update={"columns": wanted, "user": None, "value": None})
    staged = typed(found, source, Wanted(plain=frozenset(wanted)), project, rates)
    with reading(found):
        rows = engine.store("accounts_rows", staged.filter(staged.sound).drop("sound"))
    shown = {f"c_attribute {n}": rows[f"c_attribute {n}"] for n in attributes}
    # The full key: two latest rows with the same time are told apart by their values.
    order = [rows.visible.desc(), rows.occurred.desc(), *[v.asc(nulls_first=False) for v in shown.values()]]
    ranked = rows.mutate(place=ibis.row_number().over(ibis.window(group_by=rows.key, order_by=order)))
    latest = ranked.filter(ranked.place == 0)
    starts = rows.group_by("key").aggregate(started_on=rows.visible.min()).rename(started_key="key")
    both = latest.join(starts, latest.key == starts.started_key)
    null = ibis.null("date")
    out: dict[str, Any] = {
        "account_id": both.key,
        "started_on": both.started_on,
        "ended_on": null,
        "end_known": null,
        "renews_on": null,
        "parent": ibis.null("string"),
    }
    for attribute in attributes:
        value = both[f"c_attribute {attribute}"]
        if attribute in _NAMES:
            value = values.key(value)
        elif value.type().is_numeric() and not value.type().is_boolean():
            value = value.cast("float64")
        elif value.type().is_timestamp():
            value = value.cast("date")
        out["parent" if attribute == "parent" else f"a_{attribute}"] = value
        if attribute == "parent":
            out["a_parent"] = value
    table = engine.store("accounts_first", both.select(**out))
    count = engine.count(table)
    return _Staged(table, found.place, [], Counts(count, count, 0), [])


def _with_parents(engine: Engine, table: ir.Table, place: Place) -> tuple[ir.Table, list[Problem]]:
    """`parent` as the ix of the parent; unknown ones and those of a circle are cut."""
    keyed = engine.count(table.filter(table.parent.notnull()))
    if not keyed:
        return table.drop("parent").mutate(parent=ibis.null("int32")), []
    known = table.select(parent_key="account_id", parent_ix="ix")
    pairs = engine.arrow(
        table.select("ix", "parent").left_join(known, ibis._.parent == known.parent_key).order_by("ix")
    )
    parent = pairs["parent_ix"].fill_null(-1).to_numpy().astype(np.int64)
    unknown = int(((parent < 0) & pairs["parent"].is_valid().to_numpy(zero_copy_only=False)).sum())
    circle = in_circles(parent)
    parent[circle] = -1
    cut = pa.table(
        {
            "cut_ix": pairs["ix"],
            "cut_parent": pa.array(parent.astype(np.int32), mask=parent < 0),
        }
    )
    memory = engine.memory(cut)
    joined = table.drop("parent").left_join(memory, ibis._.ix == memory.cut_ix)
    problems = []
    if unknown:
        problems.append(
            Problem(
                f"accounts: {unknown} parents are not accounts",
                place,
                hint="those accounts have no parent now",
                severity="warning",
            )
        )
    if circle.size:
        first = engine.arrow(table.filter(table.ix == int(circle[0])).select("account_id"))["account_id"][0]
        problems.append(
            Problem(
                f'accounts: {circle.size} accounts are their own ancestors, such as "{first}"',
                place,
                hint="those accounts have no parent now",
                severity="warning",
            )
        )
    return joined.rename(parent="cut_parent").drop("cut_ix"), problems


def in_circles(parent: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Positions that are their own ancestors, ascending; -1 stands for no parent.

    Pointer jumping: after as many steps as there are accounts, only those that are on a
    circle, or lead to one, still point at something, and what they point at is on it.
    """
    jump = parent
    for _ in range(max(len(parent) - 1, 1).bit_length() + 1):
        jump = np.where(jump >= 0, jump[np.maximum(jump, 0)], -1)
    return cast("np.ndarray[Any, np.dtype[np.int64]]", np.unique(jump[jump >= 0]))
