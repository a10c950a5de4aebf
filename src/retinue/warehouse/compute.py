"""All dates of a run in one pass: facts -> metrics -> scores, as tables of the engine.

Nothing here asks what day it is or what was published; what is needed of either is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from retinue.errors import RunError
from retinue.period import quarter_start
from retinue.project import metrics as kinds
from retinue.project.metrics import MetricBase, closure
from retinue.project.project import Formula, Project
from retinue.project.references import attributes_of, condition_names, stage_names
from retinue.warehouse import spine
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import sources as facts
from retinue.warehouse.facts.sources import Facts
from retinue.warehouse.kept.keeping import Keeping, needs
from retinue.warehouse.kept.state import Rebuild
from retinue.warehouse.metrics import feeds, given
from retinue.warehouse.metrics import kinds as metrics
from retinue.warehouse.metrics.feeds import Deaths, Feed
from retinue.warehouse.scores import bridges, context, references
from retinue.warehouse.scores import score as scores
from retinue.warehouse.scores.references import Curves, References
from retinue.warehouse.scores.score import Placed, Scored


@dataclass(frozen=True)
class Asked:
    """What a computation starts from.

    `dates` are the as-of dates to score. `observed_on` is the day whose knowledge today's
    table of accounts is, `observed` what earlier runs saw of it (account_id, attribute, day,
    value_text), `looked` the account_id and as_of at which one looked on that very day.
    `pulses` is what people said. `last` says how accounts were last scored before the first date
    (account_id, fingerprint, reference, as_of); `formulas` holds
    the formulas of `last` that the project no longer has, by fingerprint. `kept` is the folder with
    what earlier runs kept of append-only sources; without one all sources are read whole.
    """

    dates: tuple[date, ...]
    observed_on: date | None = None
    observed: pa.Table | None = None
    looked: pa.Table | None = None
    pulses: pa.Table | None = None
    last: pa.Table | None = None
    formulas: Mapping[str, Formula] = field(default_factory=dict)
    kept: Path | None = None


@dataclass(frozen=True)
class Computed:
    """Results by ix and pos; `formulas` are the project's, then those of `Asked`."""

    facts: Facts
    spine: spine.Spine
    positions: tuple[int, ...]
    formulas: tuple[Formula, ...]
    values: metrics.Metrics
    rows: ir.Table
    scored: Scored
    bridged: bridges.Bridged | None
    around: ir.Table
    observed_on: date | None
    looked: ir.Table | None
    curves: pa.Table
    cohorts: dict[int, tuple[str, date]]
    feeds: Mapping[str, Feed]
    deaths: Deaths
    measures: tuple[Placed, ...]
    keeping: Keeping | None = None


def compute(engine: Engine, project: Project, asked: Asked) -> Computed:
    """Metrics and scores of every account alive on each date of `asked`."""
    try:
        return _compute(engine, project, asked, None)
    except Rebuild as why:
        return _compute(engine, project, asked, str(why))


def _compute(engine: Engine, project: Project, asked: Asked, unused: str | None) -> Computed:
    """`unused` is why what was kept does not serve. Raises Rebuild where that shows only now."""
    if not project.formulas:
        raise RunError("there is no scorecard: nothing is scored", hint="write one in the folder scorecards")
    formulas = (*project.formulas, *asked.formulas.values())
    ids, declared = identities(project, formulas)
    needed = given.wanted(metrics.wanted(declared, project.sources), declared, project)
    reads = given.reads(declared, project)
    asks = needs(project, declared, needed, reads)
    days = (asked.dates[0], asked.dates[-1])
    keeping = Keeping(engine, project, asked.kept, asks, *days, unused) if asked.kept else None
    loaded = facts.load(engine, project, needed, asked.observed, keeping.read if keeping else None)
    known = feeds.known(engine, loaded.sources, keeping.feeds() if keeping else None)
    placed = tuple(scores.placed(formulas))
    relative = bool(_compared(placed, ids, declared))
    quarters = references.quarters(asked.dates, _of_the_living(engine, loaded, asked)) if relative else ()
    sundays = [day for quarter in quarters for day in references.reference_days(quarter)]
    feeds_of = {name: metrics.feeds_of(name, declared, reads) for name in declared}
    limits = feed_limits(placed, ids, feeds_of)
    deaths = Deaths.find(sorted({*asked.dates, *sundays}), known, limits, set(feeds_of.values()))
    engine.trace.stage("computing metrics")
    if keeping is not None:
        keeping.look_back(known, limits, set(feeds_of.values()), deaths)
        sundays += keeping.coming(sundays)
    grid = spine.build(engine, loaded.accounts, [*asked.dates, *sundays, *deaths.looks()])
    around = context.attributes(engine, grid, loaded, project, asked.observed_on)
    ready = given.tables(engine, project, grid, loaded, declared, asked.pulses)
    past = (
        keeping.past(grid, loaded.accounts, _compared(placed, ids, declared), {*sundays, *deaths.looks()})
        if keeping
        else None
    )
    values = metrics.compute(engine, grid, declared, loaded.sources, known, around, ready, past)
    values = replace(values, feeds={name: feeds_of[name] for name in values.number})
    if keeping is not None:
        keeping.weeks = values.weeks
    values = metrics.with_dead_feeds(engine, grid, values, deaths)
    positions = tuple(grid.pos(day) for day in asked.dates)
    table = _described(engine, project, around, values, formulas, placed)
    engine.trace.stage("computing reference periods")
    history = references.load(engine, grid, table, values, placed, ids, quarters)
    engine.trace.stage("scoring")
    rows = table.filter(_.pos.isin(list(positions)))
    rows = engine.store("rows", _ruled(rows, formulas, ids, values, placed, grid, deaths))
    scoring = Scoring(engine, grid, values, ids, placed, history, formulas, known, loaded.accounts)
    scored, curves = scoring.score(rows.filter(_.formula.notnull()))
    engine.drop(table)
    engine.trace.stage("scoring by former scorecards")
    bridged = bridges.find(engine, rows, scored, asked.last, formulas, loaded.accounts)
    used = [curves]
    if bridged is not None:
        old = engine.store("old_rows", _ruled(bridged.rows, formulas, ids, values, placed, grid, deaths))
        rescored, old_curves = scoring.score(old, again=scored)
        bridged = bridged.scored_as(rescored)
        used.append(old_curves)
    return Computed(
        loaded,
        grid,
        positions,
        formulas,
        values,
        rows,
        scored,
        bridged,
        around,
        asked.observed_on,
        engine.memory(asked.looked) if asked.looked is not None and asked.looked.num_rows else None,
        references.published(used, formulas, placed),
        {curve: (key[3], key[2]) for key, curve in curves.compiled.items()},
        known,
        deaths,
        placed,
        keeping,
    )


def _compared(
    placed: Sequence[Placed], ids: Mapping[tuple[int, str], str], declared: Mapping[str, MetricBase]
) -> list[MetricBase]:
    """The metrics that cohort curves compare, and those that they are made of."""
    names = {ids[(one.formula, one.metric)] for one in placed if one.measure.curve == "cohort"}
    return [declared[name] for name in closure(names, declared)]


def _of_the_living(engine: Engine, loaded: Facts, asked: Asked) -> pa.Table | None:
    """How accounts were last scored of which something is scored now: others would bring back
    every quarter in which one of them has ended."""
    if asked.last is None:
        return None
    there = spine.living(engine, loaded.accounts, min(asked.dates), max(asked.dates))
    return asked.last.filter(pc.is_in(asked.last["account_id"], value_set=there))


def identities(
    project: Project, formulas: Sequence[Formula]
) -> tuple[dict[tuple[int, str], str], dict[str, MetricBase]]:
    """Names for metrics that tell today's apart from those of an old formula.

    The first maps (place of the formula, name there) to the unique name, the second has what
    each of those declares. Metrics of equal declaration share a name.
    """
    ids: dict[tuple[int, str], str] = {}
    declared: dict[str, MetricBase] = dict(project.metrics)
    for f, formula in enumerate(formulas):
        clash = any(declared.get(name, metric) != metric for name, metric in formula.metrics.items())
        for name, metric in formula.metrics.items():
            one = f"{name}@{formula.fingerprint}" if clash else name
            ids[(f, name)] = one
            if clash and isinstance(metric, kinds.Ratio):
                parts = tuple(
                    f"{part}@{formula.fingerprint}" if part in formula.metrics else part
                    for part in metric.ratio
                )
                metric = metric.model_copy(update={"ratio": parts})
            declared[one] = metric
    return ids, declared


def feed_limits(
    placed: Sequence[Placed],
    ids: Mapping[tuple[int, str], str],
    feeds_of: Mapping[str, tuple[str, ...]],
) -> dict[str, int]:
    """Days after which a source counts as dead: the smallest `max_age` that any measure sets."""
    limits: dict[str, int] = {}
    for one in placed:
        if one.measure.max_age is not None:
            for feed in feeds_of[ids[(one.formula, one.metric)]]:
                limits[feed] = min(one.measure.max_age.days, limits.get(feed, one.measure.max_age.days))
    return limits


def _described(
    engine: Engine,
    project: Project,
    around: ir.Table,
    values: metrics.Metrics,
    formulas: Sequence[Formula],
    placed: Sequence[Placed],
) -> ir.Table:
    """Context and metrics side by side, with stage, scorecard and cohort keys, on all rows."""
    rules = {name for f in formulas for name in condition_names(f.scorecard)}
    applied = {name for card in project.scorecards for name in attributes_of(card)}
    keep = {
        f"a_{name}"
        for name in (rules | applied | stage_names(project.settings.stages) | {"arr", "renews_on"})
    }
    around = around.select(
        "ix", "pos", "as_of", "tenure", "parent", *(c for c in around.columns if c in keep)
    )
    table = around.join(values.table.drop("as_of"), ["ix", "pos"])
    plain = {name: name for name in project.metrics}
    names = context.names_of(table, values, plain)
    table = table.mutate(stage=context.stage(project.settings.stages, names))
    # Scorecards and cohorts are about attributes, whatever metrics are called.
    names = context.names_of(table, values, plain) | context.attributes_of(table)
    formula = context.formula_number(project.formulas, names)
    keys: dict[str, ir.Value] = {}
    for one in placed:
        if one.measure.curve == "cohort":
            levels = context.cohort_levels(one.measure.cohort, project.settings.tenure_buckets, names)
            column = scores.cohort_column(one.measure)
            keys |= {f"{column} {n}": level for n, level in enumerate(levels)}
            keys[column] = levels[-1]
    return engine.store("described", table.mutate(formula=formula, **keys))


def _ruled(
    table: ir.Table,
    formulas: Sequence[Formula],
    ids: Mapping[tuple[int, str], str],
    values: metrics.Metrics,
    placed: Sequence[Placed],
    grid: spine.Spine,
    deaths: Deaths,
) -> ir.Table:
    """`table` with what its formula's caps and floors say, its reference, and whether it is held."""
    levels = []
    for f, formula in enumerate(formulas):
        own = {name: one for (number, name), one in ids.items() if number == f}
        levels.append(scores.rule_levels(formula, context.names_of(table, values, own)))
    columns = {
        name: ibis.cases(
            *((table.formula == f, level[name]) for f, level in enumerate(levels)), else_=ibis.null(kind)
        )
        for name, kind in (
            ("cap_level", "float64"),
            ("cap_because", "string"),
            ("floor_level", "float64"),
            ("floor_because", "string"),
        )
    }
    relative = sorted({one.formula for one in placed if one.measure.curve == "cohort"})
    if "reference" not in table.columns:
        starts = {quarter_start(day) for day in grid.dates}
        quarter = ibis.cases(
            *((table.as_of >= start, ibis.literal(start)) for start in sorted(starts, reverse=True)),
            else_=ibis.null("date"),
        )
        columns["reference"] = ibis.ifelse(
            table.formula.isin(relative) if relative else ibis.literal(False), quarter, ibis.null("date")
        )
    columns["dead"] = deaths.held(table, _feeds_by_formula(placed, ids, values))
    return table.mutate(**columns)


def _feeds_by_formula(
    placed: Sequence[Placed], ids: Mapping[tuple[int, str], str], values: metrics.Metrics
) -> dict[int, set[str]]:
    feeds: dict[int, set[str]] = {}
    for one in placed:
        own = values.feeds.get(ids[(one.formula, one.metric)], ())
        feeds.setdefault(one.formula, set()).update(own)
    return feeds


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

    def score(self, rows: ir.Table, again: Scored | None = None) -> tuple[Scored, Curves]:
        """Scores of `rows`; where they score dates `again`, children count as first scored."""
        curves = self.references.curves(self.engine, rows)
        return self._score(rows, curves, again), curves

    def _score(self, rows: ir.Table, curves: Curves, again: Scored | None) -> Scored:
        children = self._children_metrics()
        if not children:
            return self._one_pass(rows, self.values, curves)
        if again is not None:
            with_children, wide = self._with_children(rows, children, [again])
            return self._one_pass(with_children, wide, curves)
        parts: list[Scored] = []
        for level in heights(self.engine, self.accounts):
            here = rows.semi_join(level, "ix")
            with_children, wide = self._with_children(here, children, parts)
            parts.append(self._one_pass(with_children, wide, curves))
        return Scored(
            *(
                self.engine.store(name, ibis.union(*(getattr(part, name) for part in parts)))
                if len(parts) > 1
                else getattr(parts[0], name)
                for name in ("measures", "scores", "components")
            )
        )

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

    def _one_pass(self, rows: ir.Table, values: metrics.Metrics, curves: Curves) -> Scored:
        rows = self.engine.store("scored_rows", rows)
        used = [one for one in self.placed if self.ids[(one.formula, one.metric)] in values.number]
        ages = self.engine.memory(self._feed_ages(values))
        told = scores.long(rows, used, self.ids, values, ages, curves.fixed, curves.relative)
        lean = rows.select(
            "ix",
            "pos",
            "as_of",
            "formula",
            "reference",
            "dead",
            "parent",
            "a_arr" if "a_arr" in rows.columns else _.tenure.name("a_arr"),
            "cap_level",
            "cap_because",
            "floor_level",
            "floor_because",
        )
        scored = scores.score(self.engine, lean, told, used, curves.segments, self.formulas)
        self.engine.drop(rows)
        return scored

    def _feed_ages(self, values: metrics.Metrics) -> pa.Table:
        """(n, pos, feed_age) for the metrics whose age is that of their feeds."""
        rows: list[tuple[int, int, float]] = []
        for name, n in values.number.items():
            for pos, day in enumerate(self.grid.dates):
                marks = [self.feeds[feed].watermark(day) for feed in values.feeds[name]]
                ages = [float((day - mark).days) for mark in marks if mark is not None]
                if ages:
                    rows.append((n, pos, max(ages)))
        return pa.table(
            {
                "n": pa.array([r[0] for r in rows], pa.int32()),
                "pos": pa.array([r[1] for r in rows], pa.int32()),
                "feed_age": pa.array([r[2] for r in rows], pa.float64()),
            }
        )


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
