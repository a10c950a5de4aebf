"""The spine: which accounts are alive on which as-of dates, and where a day falls on the grid.

A run looks at a sorted list of as-of dates, its grid: the dates that were asked for and the
few others that they rest on (Sundays of cohort references, the last day of a feed that died).
Everything that is computed per account and date is keyed by `ix` (the account) and `pos` (the
place of the date on the grid).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from ibis import _

from retinue.warehouse.engine import Engine


@dataclass(frozen=True)
class Spine:
    """Alive accounts x grid.

    `rows` has ix, pos, as_of; `spans` has ix, first_pos, last_pos for every account with a row,
    which is alive on all dates between them; `calendar` has offset, begin: for each day of the
    grid's span, counted from its first date, the first date of the grid on or after it.
    """

    dates: tuple[date, ...]
    rows: ir.Table
    spans: ir.Table
    calendar: ir.Table

    def pos(self, day: date) -> int:
        return self.dates.index(day)


def build(engine: Engine, accounts: ir.Table, dates: list[date]) -> Spine:
    """The spine of `accounts` (DESIGN: from the day an account starts to the day it ends).

    An end is only an end once it is known: until then the account is still alive. An account
    without `started_on` is alive from the beginning.
    """
    ordered = tuple(sorted(set(dates)))
    days = pa.array(ordered, pa.date32())
    grid = engine.memory(pa.table({"pos": pa.array(range(len(ordered)), pa.int32()), "as_of": days}))
    alive = (
        accounts.select("ix", "started_on", "ended_on", "end_known")
        .join(
            grid,
            [
                (accounts.started_on.isnull()) | (accounts.started_on <= grid.as_of),
            ],
        )
        .filter(
            _.ended_on.isnull() | (_.as_of <= _.ended_on) | (_.as_of < ibis.coalesce(_.end_known, _.ended_on))
        )
        .select("ix", "pos", "as_of")
    )
    rows = engine.store("spine", alive)
    spans = engine.store("spans", rows.group_by("ix").agg(first_pos=_.pos.min(), last_pos=_.pos.max()))
    return Spine(ordered, rows, spans, engine.memory(_calendar(ordered)))


def living(engine: Engine, accounts: ir.Table, first: date, last: date) -> pa.ChunkedArray:
    """The account_id of those that are alive on any day from `first` to `last`."""
    begun = accounts.started_on.isnull() | (accounts.started_on <= ibis.literal(last))
    ended, told = accounts.ended_on, ibis.coalesce(accounts.end_known, accounts.ended_on)
    there = ended.isnull() | (ended >= ibis.literal(first)) | (told > ibis.literal(first))
    return engine.arrow(accounts.filter(begun & there).select("account_id"))["account_id"]


def _calendar(dates: tuple[date, ...]) -> pa.Table:
    offsets = np.array([(day - dates[0]).days for day in dates])
    days = np.arange(offsets[-1] + 1)
    begin = offsets[np.searchsorted(offsets, days)]
    return pa.table({"offset": pa.array(days, pa.int32()), "begin": pa.array(begin, pa.int32())})
