"""The accounts: who they are, when they began and ended, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.errors import Problem, SourceError
from retinue.project.project import Project
from retinue.project.sources import DATE_ATTRIBUTES, Clock, Table
from retinue.warehouse import clocks, raw, values
from retinue.warehouse.engine import Engine

if TYPE_CHECKING:
    from retinue.warehouse.facts import Counts


@dataclass(frozen=True)
class Read:
    table: ir.Table
    histories: dict[str, ir.Table]
    rejected: list[ir.Table] = field(default_factory=list)
    counts: dict[str, Counts] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def load(engine: Engine, project: Project, observed: pa.Table | None) -> Read:
    declared = project.settings.accounts
    if declared.table is None:
        raise SourceError("accounts: no table", hint="give `table` or `fact`")
    place = Table.model_validate(
        {k: getattr(declared, k) for k in ("table", "database", "sheet", "encoding", "delimiter")}
    )
    found = raw.read(engine, place, project.root, "accounts")
    zone = project.settings.timezone
    zones = clocks.Zones(zone, zone, project.settings.day_closes)
    out: dict[str, ir.Value] = {"account_id": values.key(found.column(declared.key or "account_id", "key"))}
    columns = declared.columns
    for name in DATE_ATTRIBUTES:
        if name in columns:
            out[name] = clocks.read(found, Clock(column=columns[name].column), name, zones).day
        else:
            out[name] = ibis.null("date")
    out["end_known"] = out["ended_on"]
    for name, column in columns.items():
        if name not in DATE_ATTRIBUTES:
            out[f"a_{name}"] = values.plain(found.column(column.column, name))
    staged = found.table.select(**out)
    staged = staged.filter(staged.account_id.notnull())
    ranked = staged.mutate(ix=ibis.row_number().over(ibis.window(order_by=staged.account_id)).cast("int32"))
    ranked = ranked.mutate(parent=ibis.null("int32"))
    order = ["ix", "account_id", "started_on", "ended_on", "end_known", "renews_on", "parent"]
    rest = [c for c in ranked.columns if c not in order]
    return Read(engine.store("accounts", ranked.select(*order, *rest)), {})
