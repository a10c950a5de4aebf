"""How attributes of accounts changed: from declared tables, or as observed run by run."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.errors import Problem
from retinue.project.project import Project
from retinue.project.sources import AttributeHistory, Column, Table
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import clocks, kinds, values
from retinue.warehouse.facts.kinds import Kind
from retinue.warehouse.reading import raw


def load(
    engine: Engine, project: Project, accounts: ir.Table, types: dict[str, Kind], observed: pa.Table | None
) -> tuple[dict[str, ir.Table], list[Problem]]:
    """attribute -> ix, day, known, value; declared tables win over what was observed."""
    found: dict[str, ir.Table] = {}
    problems: list[Problem] = []
    for name, history in project.settings.accounts.history.items():
        if isinstance(history, AttributeHistory):
            found[name], told = _declared(engine, project, accounts, name, history, types.get(name))
            problems += told
    if observed is not None and observed.num_rows:
        seen = engine.memory(observed)
        names = engine.arrow(seen.select("attribute").distinct().order_by("attribute"))
        for name in names["attribute"].to_pylist():
            if name not in found and project.settings.accounts.history.get(name) != "fixed":
                found[name] = _observed(engine, accounts, seen, name, types.get(name, "text"))
    return found, problems


def _declared(
    engine: Engine,
    project: Project,
    accounts: ir.Table,
    name: str,
    history: AttributeHistory,
    kind: Kind | None,
) -> tuple[ir.Table, list[Problem]]:
    declared = project.settings.accounts
    what = f"history of {name}"
    table = raw.read(engine, Table(table=history.table, database=history.database), project.root, what)
    zones = clocks.Zones.of(project.settings)
    start = clocks.read(table, history.valid_from, "valid_from", zones)
    known: ir.Value = start.day
    if history.known_at is not None:
        known = clocks.read(table, history.known_at, "known_at", zones).known
    key = history.account or declared.key or "account_id"
    column = history.column or declared.columns.get(name, Column(column=name)).column
    read = table.table.select(
        key=values.key(table.column(key, "account")),
        day=start.day,
        known=known,
        value=values.plain(table.column(column, name)),
    )
    joined = read.join(accounts.select("ix", key="account_id"), "key")
    usable = joined.filter(joined.day.notnull() & joined.known.notnull())
    with raw.reading(table):
        stored = engine.store("history", usable.select("ix", "day", "known", "value"))
    sizes = engine.arrow(
        ibis.union(
            read.aggregate(what=ibis.literal("read"), n=read.count()),
            stored.aggregate(what=ibis.literal("kept"), n=stored.count()),
        )
    ).to_pylist()
    sized = {row["what"]: row["n"] for row in sizes}
    lost = sized["read"] - sized["kept"]
    problems = []
    if lost:
        problems.append(
            Problem(
                f"{what}: {lost} of {sized['read']} rows have no known account or no date and are left out",
                table.place,
                hint="check the account ids and dates",
                severity="warning",
            )
        )
    return _of_kind(engine, stored, kind), problems


def _of_kind(engine: Engine, stored: ir.Table, kind: Kind | None) -> ir.Table:
    """Values in the type that the attribute has on the accounts, or in their own."""
    value = stored.value
    if value.type().is_string():
        wanted = kind or kinds.of(engine, stored, ["value"])["value"]
        return stored.mutate(value=kinds.cast_text(value, wanted))
    if value.type().is_numeric() and not value.type().is_boolean():
        value = value.cast("float64")
    if value.type().is_timestamp():
        value = value.cast("date")
    if kind is not None and kinds.of_type(value.type()) != kind:
        value = kinds.cast_text(value.cast("string"), kind)
    return stored.mutate(value=value)


def _observed(engine: Engine, accounts: ir.Table, seen: ir.Table, name: str, kind: Kind) -> ir.Table:
    rows = seen.filter(seen.attribute == name)
    joined = rows.join(accounts.select("ix", "account_id"), "account_id")
    return engine.store(
        "observed",
        joined.select("ix", day=joined.day, known=joined.day, value=kinds.cast_text(joined.value_text, kind)),
    )
