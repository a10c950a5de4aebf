"""How often each account used the product, day by day, as it was known at the end of a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.project import conditions
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts.rows import Wanted
from retinue.warehouse.metrics import tallies


@dataclass(frozen=True)
class Counting:
    """The rows of `source` for which `where` holds, of the last `days` days."""

    source: str
    where: conditions.Condition | None
    days: int

    @property
    def wanted(self) -> Wanted:
        return Wanted(conditions=frozenset() if self.where is None else frozenset({self.where}))

    @property
    def digest(self) -> str:
        """Names what is counted; it does not change while the declaration does not."""
        where = "" if self.where is None else conditions.show(self.where)
        return f"counts of {self.days} days {where}".strip()

    def since(self, last: date) -> ir.DateScalar:
        """The day before the first that counts for `last`."""
        return ibis.literal(last - timedelta(days=self.days))


def tally(rows: ir.Table, counting: Counting, key: str, last: date) -> ir.Table:
    """`key`, day, seen, n: rows of typed facts that happened on `day` and were known on `seen`."""
    if counting.where is not None:
        rows = rows.filter(tallies.where_holds(rows, counting.where))
    told = rows.select(key, "day", seen=tallies.visible(rows, counting.where))
    told = told.filter((told.day > counting.since(last)) & told.seen.notnull())
    return told.group_by(key, "day", "seen").agg(n=told.count().cast("int64"))


def counts(engine: Engine, parts: Sequence[ir.Table], counting: Counting, last: date) -> pa.Table:
    """ix, day, seen, n of the days up to `last`, of what was known by the end of `last`.

    `parts` are tallies; one account, day and seen may stand in several.
    """
    union = ibis.union(*parts) if len(parts) > 1 else parts[0]
    day = ibis.literal(last)
    known = union.filter((union.seen <= day) & (union.day <= day) & (union.day > counting.since(last)))
    return engine.arrow(known.group_by("ix", "day", "seen").agg(n=known.n.sum().cast("int64")))
