"""The spine: which accounts are alive on which as-of dates, and where a day falls on the grid.

A run looks at a sorted list of as-of dates, its grid: the dates that were asked for and the
few others that they rest on (Sundays of cohort references, the last day of a feed that died).
Everything that is computed per account and date is keyed by `ix` (the account) and `pos` (the
place of the date on the grid).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from ibis import _

from retinue.warehouse.engine import Engine


@dataclass(frozen=True)
class Spine:
    """Alive accounts x grid.

    `rows` has ix, pos, as_of; `firsts` has ix, first_pos for every account with a row;
    `calendar` has day, pos: the first grid date on or after each day of the grid's span.
    """

    dates: tuple[date, ...]
    rows: ir.Table
    firsts: ir.Table
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
    firsts = engine.store("firsts", rows.group_by("ix").agg(first_pos=_.pos.min()))
    return Spine(ordered, rows, firsts, engine.memory(_calendar(ordered)))


def _calendar(dates: tuple[date, ...]) -> pa.Table:
    first = dates[0]
    span = [first + timedelta(days=n) for n in range((dates[-1] - first).days + 1)]
    offsets = np.array([(d - first).days for d in dates])
    pos = np.searchsorted(offsets, np.arange(len(span)), side="left")
    return pa.table({"day": pa.array(span, pa.date32()), "pos": pa.array(pos, pa.int32())})


def on_grid(spine: Spine, deltas: ir.Table, day: str = "day") -> ir.Table:
    """`deltas` with `pos` instead of its column `day`: what the grid first sees of that day.

    Days after the grid's last date drop out; days before the account's first row count from
    that row on. Accounts that are never alive drop out.
    """
    first_date = ibis.literal(spine.dates[0])
    placed = deltas.mutate(_day=ibis.greatest(deltas[day], first_date)).drop(day)
    return (
        placed.join(spine.calendar.rename(_day="day", _pos="pos"), "_day")
        .join(spine.firsts, "ix")
        .mutate(pos=ibis.greatest(_._pos, _.first_pos))
        .drop("_day", "_pos", "first_pos")
    )
