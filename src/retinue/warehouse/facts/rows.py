"""The rows of a source, typed: clocks as days, keys as text, numbers as decimals.

Every row comes out, with `sound` telling whether it can be used, so that a table is read
in one pass. With reasons asked for, each row that is not sound says why.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from typing import cast

import ibis
import ibis.expr.types as ir

from retinue.project import conditions
from retinue.project.project import Project
from retinue.project.sources import Column, Source
from retinue.warehouse.conditions import flag, holds
from retinue.warehouse.facts import clocks, money, values
from retinue.warehouse.functions import is_json_object, json_text, row_json
from retinue.warehouse.reading.raw import LINE, ROW, Raw, own_columns

#: The day from which a person without a start date is known.
ALWAYS = date(1900, 1, 1)


@dataclass(frozen=True)
class Wanted:
    """Columns of a source that metrics use: as `numbers` (sum, mean, latest), or `plain`.

    Of `conditions` only whether they hold is kept, not what they look at.
    """

    numbers: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()
    conditions: frozenset[conditions.Condition] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """Every column that is looked at."""
        looked_at = (name for one in self.conditions for name in conditions.names(one))
        return self.numbers | self.plain | frozenset(looked_at)

    def __or__(self, other: Wanted) -> Wanted:
        return Wanted(
            self.numbers | other.numbers, self.plain | other.plain, self.conditions | other.conditions
        )

    def without(self, names: set[str]) -> Wanted:
        """What is left where the columns `names` are not to be had."""
        kept = (one for one in self.conditions if not names & set(conditions.names(one)))
        return Wanted(self.numbers - names, self.plain - names, frozenset(kept))


@dataclass
class _Typing:
    """The columns of one source so far, and what can be wrong with a row, first fault first."""

    table: Raw
    source: Source
    project: Project
    out: dict[str, ir.Value] = field(default_factory=dict)
    faults: list[tuple[ir.BooleanValue, ir.StringValue | str]] = field(default_factory=list)

    @property
    def zones(self) -> clocks.Zones:
        return clocks.Zones.of(self.project.settings, self.source.timezone)


def typed(
    table: Raw, source: Source, wanted: Wanted, project: Project, rates: money.Rates, *, explain: bool = False
) -> ir.Table:
    """`key`, occurred, day, known, visible, end_day, end_known, `c_`, `n_`, `k_` columns and `sound`.

    For a source with `unique`, also `u` (its key as text). With `explain`, `table` is numbered,
    and there are also `row`, `reason` (null for sound rows) and, with `u`, `full` (the row).
    """
    work = _Typing(table, source, project)
    _line(work)
    _account(work)
    _clocks(work)
    converted = _columns(work, wanted)
    _unique(work)
    if explain:
        work.out["row"] = table.table[ROW]
        if source.unique:
            work.out["full"] = row_json(table.table, own_columns(table.table))
        work.out["reason"] = ibis.cases(*work.faults, else_=ibis.null("string"))
    wrong: ir.BooleanValue = ibis.literal(False)
    for fault, _ in work.faults:
        wrong = cast(ir.BooleanValue, wrong | fault)
    staged = table.table.select(**work.out, sound=~wrong)
    for name, column in converted.items():
        staged = _convert(staged, name, column, rates, explain)
    return staged


def chosen(table: Raw, source: Source) -> Raw:
    """`table` without the rows for which the source's `where` does not hold.

    Lines with nothing in them stay, to be rejected. Raises SourceError for unknown columns.
    """
    where = source.where
    if where is None:
        return table
    declared = source.named_columns()
    told = {name: declared[name].column if name in declared else name for name in conditions.names(where)}
    for column in told.values():
        table.column(column, "where")

    def only(rows: ir.Table) -> ir.Table:
        holding = holds(where, {name: values.plain(rows[column]) for name, column in told.items()})
        # Lines that are no rows have nothing in them.
        empty = reduce(operator.and_, (rows[column].isnull() for column in own_columns(rows)))
        return rows.filter(holding | empty)

    return replace(table, table=only(table.table), numbered=lambda: only(table.numbered()))


def same_as_day(table: Raw, source: Source) -> dict[str, tuple[str, str]]:
    """Columns that need not be kept: each is another one, cast to a type."""
    same: dict[str, tuple[str, str]] = {}
    if source.unique or source.append_only:
        return same  # copies are told apart by them; and what is kept has them all
    if not source.occurred_at.column or table.table[source.occurred_at.column].type().is_date():
        same["occurred"] = ("day", "timestamp")
    if source.known_at is None:
        same["known"] = same["visible"] = ("day", "date")
    if source.ends_at is not None and source.ends_known_at is None:
        same["end_known"] = ("end_day", "date")
    return same


def _line(work: _Typing) -> None:
    if LINE in work.table.table.columns:
        work.faults.append((~is_json_object(work.table.table[LINE]), "the line is not a JSON object"))


def _account(work: _Typing) -> None:
    name = work.source.account
    work.out["key"] = values.key(work.table.column(name, "account"))
    work.faults.append((work.out["key"].isnull(), f"{name} is empty"))


def _clocks(work: _Typing) -> None:
    source, out = work.source, work.out
    if source.occurred_at.column:
        occurred = clocks.read(work.table, source.occurred_at, "occurred_at", work.zones)
        work.faults += [(occurred.wrong, occurred.reason), (occurred.empty, f"{occurred.shown} is empty")]
        out["occurred"], day = occurred.at, cast(ir.DateValue, occurred.day)
    else:
        day = ibis.date(ALWAYS.isoformat())
        out["occurred"] = day.cast("timestamp")
    known: ir.Value = day
    if source.known_at is not None:
        loaded = clocks.read(work.table, source.known_at, "known_at", work.zones)
        if source.append_only:
            out["loaded"] = loaded.known
        work.faults.append((loaded.wrong, loaded.reason))
        known = _trusted(loaded.known, day, source)
        if source.trusted_from is None:
            work.faults.append((loaded.empty, f"{loaded.shown} is empty"))
        else:
            known = ibis.ifelse(loaded.empty, day, known)
    out["day"], out["known"] = day, known
    out["visible"] = day if source.known_at is None else ibis.greatest(day, known)
    if source.ends_at is not None:
        end = clocks.read(work.table, source.ends_at, "ends_at", work.zones)
        work.faults.append((end.wrong, end.reason))
        out["end_day"] = out["end_known"] = end.day
        if source.ends_known_at is not None:
            told = clocks.read(work.table, source.ends_known_at, "ends_known_at", work.zones)
            work.faults.append((told.wrong, told.reason))
            # An end that nobody is known to have learnt of has not been learnt of.
            none, hidden = ibis.null("date"), told.empty | end.empty
            out["end_day"] = ibis.ifelse(hidden, none, end.day)
            later = ibis.greatest(end.day, _trusted(told.known, end.day, source))
            out["end_known"] = ibis.ifelse(hidden, none, later)


def _trusted(known: ir.Value, happened: ir.Value, source: Source) -> ir.Value:
    """`known`, but what was loaded before `trusted_from` was known when it happened."""
    if source.trusted_from is None:
        return known
    return ibis.ifelse(known < ibis.date(source.trusted_from.isoformat()), happened, known)


def _columns(work: _Typing, wanted: Wanted) -> dict[str, Column]:
    """Adds the wanted columns; returns those whose amounts are still to be converted."""
    declared = work.source.named_columns()
    converted: dict[str, Column] = {}
    told: dict[str, ir.Value] = {}
    looked_at = wanted.plain | {name for one in wanted.conditions for name in conditions.names(one)}
    for name in sorted(wanted.names):
        column = declared.get(name, Column(column=name))
        late: ir.BooleanValue | None = None
        if column.known_at is not None:
            own = clocks.read(work.table, column.known_at, f"known_at of {name}", work.zones)
            work.faults.append((own.wrong, own.reason))
            late = own.empty
            when = ibis.greatest(work.out["visible"], own.known)
            work.out[f"k_{name}"] = ibis.ifelse(late, ibis.null("date"), when)
        if name in looked_at:
            told[name] = _known(values.plain_value(work.table, name, column), late)
        if name in wanted.plain:
            work.out[f"c_{name}"] = told[name]
        if name in wanted.numbers:
            number = values.number(work.table, name, column)
            work.faults.append((number.wrong, number.reason))
            work.out[f"n_{name}"] = _known(number.value, late)
            if column.currency is not None:
                converted[name] = column
                currency = money.currency_of(work.table, name, column, work.project)
                work.out[f"m_{name}"] = currency
                lacking = number.value.notnull() & currency.isnull()
                work.faults.append((lacking, f"currency of {name} ({column.currency}) is empty"))
    for condition in sorted(wanted.conditions, key=flag):
        work.out[flag(condition)] = holds(condition, told)
    return converted


def _known(value: ir.Value, late: ir.BooleanValue | None) -> ir.Value:
    """A value with a clock of its own is not there while its clock is empty."""
    return value if late is None else ibis.ifelse(late, ibis.null(value.type()), value)


def _convert(staged: ir.Table, name: str, column: Column, rates: money.Rates, explain: bool) -> ir.Table:
    """`n_<name>` in the project's currency; without a rate the row is not sound."""
    amount, currency = f"n_{name}", f"m_{name}"
    found = rates.lookup(staged, currency, staged.day, "rate")
    there = found[amount].notnull()
    value = money.converted(found[amount], found.rate, column.scale)
    lacking = there & found[currency].notnull() & found.rate.isnull()
    too_large = there & found.rate.notnull() & value.isnull()
    told: dict[str, ir.Value] = {}
    if explain:
        reason = ibis.cases(
            (lacking, ibis.literal('no rate for "') + found[currency] + '" on ' + found.day.cast("string")),
            (too_large, ibis.literal(f'{name} "') + found[amount].cast("string") + '" is too large'),
            else_=ibis.null("string"),
        )
        told["reason"] = ibis.coalesce(found.reason, reason)
    sound = found.sound & ~lacking & ~too_large
    return found.mutate(**{amount: value, "sound": sound}, **told).drop("rate", currency)


def _unique(work: _Typing) -> None:
    if work.source.unique:
        work.out["u"] = unique_key(work.table, work.source)


def unique_key(table: Raw, source: Source) -> ir.StringValue:
    """The key that `unique` declares as text, null where a part of it is empty."""
    parts = [values.key(table.column(name, "unique")) for name in source.unique]
    shown: ir.Value = parts[0]
    for part in parts[1:]:
        shown = shown + ibis.literal(", ") + part
    return cast(ir.StringValue, shown)


def as_it_was(table: ir.Table, columns: list[str] | None = None) -> ir.StringValue:
    """A row as JSON, for people: its own columns, or those that are named."""
    if LINE not in table.columns:
        return row_json(table, own_columns(table) if columns is None else columns)
    line = table[LINE]
    return cast(ir.StringValue, ibis.ifelse(is_json_object(line), line, json_text(line)))


def numbered_copies(rows: ir.Table) -> ir.Table:
    """`rows` with `copy`: 0 for the first row of a unique key, then 1, 2, ...

    First is who could be seen first, so that copies which arrive later change nothing; then
    the lowest of the whole row, so that their order does not matter. A row with an empty
    part in its key is no copy of any other.
    """
    order = [rows[c] for c in ("visible", "known", "occurred", "full", "row") if c in rows.columns]
    copy = ibis.row_number().over(ibis.window(group_by="u", order_by=order))
    return rows.mutate(copy=ibis.ifelse(rows.u.isnull(), 0, copy))
