"""Rows of sources as they came to light: for each account when they happened and from when they count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from retinue.project.project import Project
from retinue.warehouse.conditions import flag
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import money, sources
from retinue.warehouse.facts.sources import Wanted

SCHEMA = pa.schema(
    [("ix", pa.int64()), ("day", pa.date32()), ("visible", pa.date32()), ("value", pa.string())]
)


@dataclass(frozen=True)
class Reader:
    """The accounts of a project in an engine, for questions about its sources. `ids` are by ix."""

    engine: Engine
    project: Project
    accounts: ir.Table
    rates: money.Rates
    ids: pa.Array

    @classmethod
    def of(cls, engine: Engine, project: Project) -> Reader:
        people = sources.load(engine, project, {}).accounts
        ids = engine.arrow(people.order_by("ix").select("account_id"))["account_id"]
        return cls(engine, project, people, money.load(engine, project), ids.combine_chunks())

    def rows(
        self, source: str, where: Any = None, column: str | None = None, since: date | None = None
    ) -> pa.Table:
        """Rows in SCHEMA, visible on `since` or later, for which `where` holds; `value` is of `column`."""
        wanted = Wanted(
            numbers=frozenset(),
            plain=frozenset([column] if column else []),
            conditions=frozenset([where] if where is not None else []),
        )
        found = sources.read(self.engine, self.project, source, wanted, self.accounts, self.rates).table
        if where is not None:
            found = found.filter(found[flag(where)])
        if since is not None:
            found = found.filter(found.visible >= since)
        value = _[f"c_{column}"].cast("string") if column else ibis.null("string")
        told = found.select("ix", "day", "visible", value=value)
        return self.engine.arrow(told).cast(SCHEMA)
