"""Rows to scores: formula by formula, and children before their parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from ibis import _

from retinue.project import metrics as kinds
from retinue.project.project import Formula
from retinue.warehouse import spine
from retinue.warehouse.engine import Engine
from retinue.warehouse.metrics import kinds as metrics
from retinue.warehouse.metrics.feeds import Feed
from retinue.warehouse.scores import context
from retinue.warehouse.scores.references import Curves, References
from retinue.warehouse.scores.score import Part, Scored, score, together, told
from retinue.warehouse.scores.sheets import Placed, Sheet, component_names


@dataclass(frozen=True)
class Scoring:
    """Everything that scoring a set of rows needs; children are scored before their parents."""

    engine: Engine
    grid: spine.Spine
    values: metrics.Metrics
    ids: Mapping[tuple[int, str], str]
    placed: tuple[Placed, ...]
    references: References
    formulas: tuple[Formula, ...]
    feeds: Mapping[str, Feed]
    accounts: ir.Table

    def score(
        self, rows: ir.Table, numbers: Sequence[int], again: Scored | None = None
    ) -> tuple[Scored, Curves]:
        """Scores of those of `rows` that have a formula, which is one of `numbers`; where they score
        dates `again`, children count as first scored."""
        curves = self.references.curves(self.engine, rows, numbers)
        return self._score(rows, numbers, curves, again), curves

    def _score(self, rows: ir.Table, numbers: Sequence[int], curves: Curves, again: Scored | None) -> Scored:
        children = self._children_metrics()
        if not children:
            return self._one_pass(rows, numbers, self.values, curves)
        if again is not None:
            with_children, wide = self._with_children(rows, children, [again])
            return self._one_pass(with_children, numbers, wide, curves)
        done: list[Scored] = []
        for level in heights(self.engine, self.accounts):
            here = rows.semi_join(level, "ix")
            with_children, wide = self._with_children(here, children, done)
            done.append(self._one_pass(with_children, numbers, wide, curves))
        return together(done)

    def _children_metrics(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for (f, name), one in self.ids.items():
            metric = self.formulas[f].metrics[name]
            if isinstance(metric, kinds.Children):
                found[one] = metric.children
        return found

    def _with_children(
        self, rows: ir.Table, children: Mapping[str, str], done: Sequence[Scored]
    ) -> tuple[ir.Table, metrics.Metrics]:
        number = dict(self.values.number)
        for name in children:
            number.setdefault(name, len(number))
        wide = metrics.Metrics(
            self.values.table, number, {**self.values.feeds, **dict.fromkeys(children, ())}
        )
        if done:
            rolled = roll_up(self.engine, [part.scores for part in done])
            rows = rows.left_join(rolled, ["ix", "pos"]).drop("ix_right", "pos_right")
        else:
            empty = ibis.null("float64")
            rows = rows.mutate(children_mean=empty, children_worst=empty, children_arr=empty)
        columns: dict[str, ir.Value] = {}
        for name, how in children.items():
            value = rows[f"children_{how}"]
            columns |= {
                f"v{number[name]}": value,
                f"s{number[name]}": ibis.ifelse(value.notnull(), metrics.OK, metrics.MISSING),
                f"d{number[name]}": ibis.null("date"),
            }
        return rows.mutate(**columns).drop("children_mean", "children_worst", "children_arr"), wide

    def _one_pass(
        self, rows: ir.Table, numbers: Sequence[int], values: metrics.Metrics, curves: Curves
    ) -> Scored:
        names = component_names(self.placed)
        keep = ["ix", "pos", "as_of", "reference", "dead", "stage"]
        if self._children_metrics():
            rows = rows if "a_arr" in rows.columns else rows.mutate(a_arr=ibis.null("float64"))
            keep += ["parent", "a_arr"]
        sheets, kept = [], []
        for number in numbers:
            sheet = self._sheet(number, rows, values, curves)
            own = {name: one for (f, name), one in self.ids.items() if f == number}
            looked_at = context.names_of(rows, values, own)
            table = score(rows, sheet, looked_at, names, keep)
            kept.append(self.engine.store("scores", table))
            sheets.append(sheet)
        table = kept[0] if len(kept) == 1 else ibis.union(*kept)
        return Scored(told(table, sheets), (Part(rows, tuple(sheets)),))

    def _sheet(self, number: int, rows: ir.Table, values: metrics.Metrics, curves: Curves) -> Sheet:
        mine = sorted(
            (one for one in self.placed if one.formula == number),
            key=lambda one: (one.component, one.metric),
        )
        columns = [values.number[self.ids[(number, one.metric)]] for one in mine]
        ages = self._feed_ages([values.feeds[self.ids[(number, one.metric)]] for one in mine])
        fading = any(one.measure.half_life is not None for one in mine)
        return Sheet(
            number,
            self.formulas[number],
            tuple(mine),
            tuple(columns),
            tuple(curves.fixed.get((number, one.number)) for one in mine),
            curves.ranked(self.engine, rows, mine, columns),
            ages,
            self.engine.memory(ages) if fading else None,
            self.engine,
        )

    def _feed_ages(self, feeds: Sequence[tuple[str, ...]]) -> pa.Table:
        """By pos, how old the oldest of the feeds of each measure is: `f{k}`."""
        ages: dict[tuple[str, ...], pa.Array] = {}
        for names in feeds:
            if names not in ages:
                told: list[float | None] = []
                for day in self.grid.dates:
                    marks = [self.feeds[feed].watermark(day) for feed in names]
                    told.append(max((float((day - mark).days) for mark in marks if mark), default=None))
                ages[names] = pa.array(told, pa.float64())
        columns = {f"f{k}": ages[names] for k, names in enumerate(feeds)}
        return pa.table({"pos": pa.array(range(len(self.grid.dates)), pa.int32()), **columns})


def roll_up(engine: Engine, scored: Sequence[ir.Table]) -> ir.Table:
    """Children's computed scores by parent (ix) and pos: their mean, worst, and ARR-weighted mean."""
    union = scored[0] if len(scored) == 1 else ibis.union(*scored)
    children = union.filter((union.status == "scored") & union.parent.notnull())
    exact = "decimal(38, 15)"
    weight = ibis.greatest(ibis.coalesce(children.a_arr.cast("float64"), 0.0), 0.0)
    table = (
        children.mutate(arr=weight)
        .group_by(ix=_.parent, pos=_.pos)
        .agg(
            number=_.count(),
            total=_.computed.cast(exact).sum().cast("float64"),
            children_worst=_.computed.min(),
            weighed=(_.computed * _.arr).cast(exact).sum().cast("float64"),
            weights=_.arr.cast(exact).sum().cast("float64"),
        )
    )
    return engine.store(
        "rolled",
        table.select(
            "ix",
            "pos",
            "children_worst",
            children_mean=table.total / table.number,
            children_arr=table.weighed / ibis.ifelse(table.weights > 0, table.weights, ibis.null("float64")),
        ),
    )


def heights(engine: Engine, accounts: ir.Table) -> list[ir.Table]:
    """Accounts by their height above the lowest child, children first: tables of ix."""
    table = engine.arrow(accounts.select("ix", "parent").order_by("ix"))
    parent = table["parent"].to_numpy(zero_copy_only=False).astype("float64")
    child = ~np.isnan(parent)
    above = parent[child].astype("int64")
    height = np.zeros(len(parent), dtype="int64")
    # At most as many rounds as the hierarchy is deep; facts have cut its cycles.
    while True:
        raised = height.copy()
        np.maximum.at(raised, above, height[child] + 1)
        if np.array_equal(raised, height):
            break
        height = raised
    ix = table["ix"].to_numpy()
    return [
        engine.memory(pa.table({"ix": pa.array(ix[height == h], pa.int32())}))
        for h in range(int(height.max(initial=0)) + 1)
    ]
