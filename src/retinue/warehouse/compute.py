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
from retinue.warehouse.facts.sources import Facts, Wanted
from retinue.warehouse.kept.keeping import Keeping, needs
from retinue.warehouse.kept.state import Rebuild
from retinue.warehouse.metrics import feeds, given
from retinue.warehouse.metrics import kinds as metrics
from retinue.warehouse.metrics.feeds import Deaths, Feed
from retinue.warehouse.scores import bridges, context, references
from retinue.warehouse.scores.score import Scored
from retinue.warehouse.scores.scoring import Scoring
from retinue.warehouse.scores.sheets import Placed, cohort_column
from retinue.warehouse.scores.sheets import placed as placed_of
from retinue.warehouse.usage import Counting, tally


@dataclass(frozen=True)
class Asked:
    """What a computation starts from.

    `dates` are the as-of dates to score. `observed_on` is the day whose knowledge today's
    table of accounts is, `observed` what earlier runs saw of it (account_id, attribute, day,
    value_text), `looked` the account_id and as_of at which one looked on that very day.
    `pulses` is what people said. `last` says how accounts were last scored before the first date
    (account_id, fingerprint, reference, as_of); `formulas` holds
    the formulas of `last` that the project no longer has, by fingerprint. `kept` is the folder with
    what earlier runs kept of append-only sources; without one all sources are read whole. `counting` is
    the usage to be counted up to the last date.
    """

    dates: tuple[date, ...]
    observed_on: date | None = None
    observed: pa.Table | None = None
    looked: pa.Table | None = None
    pulses: pa.Table | None = None
    last: pa.Table | None = None
    formulas: Mapping[str, Formula] = field(default_factory=dict)
    kept: Path | None = None
    counting: Counting | None = None


@dataclass(frozen=True)
class Computed:
    """Results by ix and pos; `formulas` are the project's, then those of `Asked`.

    `uncovered` are the rows to which no scorecard applies, `usage` the tallies that were asked for.
    """

    facts: Facts
    spine: spine.Spine
    positions: tuple[int, ...]
    formulas: tuple[Formula, ...]
    values: metrics.Metrics
    scored: Scored
    uncovered: ir.Table | None
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
    usage: tuple[ir.Table, ...] = ()

    @property
    def rows(self) -> ir.Table:
        """Every row: ix, pos, as_of, formula, reference, dead (whether it is held), stage."""
        covered = self.scored.scores.select("ix", "pos", "as_of", "formula", "reference", "dead", "stage")
        return covered if self.uncovered is None else covered.union(self.uncovered)


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
    needed = given.wanted(_with_usage(metrics.wanted(declared, project.sources), asked), declared, project)
    reads = given.reads(declared, project)
    asks = needs(project, declared, needed, reads, asked.counting)
    days = (asked.dates[0], asked.dates[-1])
    keeping = Keeping(engine, project, asked.kept, asks, *days, unused) if asked.kept else None
    loaded = facts.load(engine, project, needed, asked.observed, keeping.read if keeping else None)
    known = feeds.known(engine, loaded.sources, keeping.feeds() if keeping else None)
    placed = tuple(placed_of(formulas))
    compared = _compared(placed, ids, declared)
    quarters = references.quarters(asked.dates, _of_the_living(engine, loaded, asked)) if compared else ()
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
    looked_at = {*sundays, *deaths.looks()}
    past = keeping.past(grid, loaded.accounts, compared, looked_at) if keeping else None
    values = metrics.compute(engine, grid, declared, loaded.sources, known, around, ready, past)
    values = replace(values, feeds={name: feeds_of[name] for name in values.number})
    if keeping is not None:
        keeping.weeks = values.weeks
    values = metrics.with_dead_feeds(engine, grid, values, deaths)
    positions = tuple(grid.pos(day) for day in asked.dates)
    table = _described(project, around, values, formulas, placed, ids)
    engine.trace.stage("computing reference periods")
    history = references.load(engine, grid, table, values, placed, ids, quarters)
    engine.trace.stage("scoring")
    rows = table if len(positions) == len(grid.dates) else table.filter(_.pos.isin(list(positions)))
    rows = _ruled(rows, ids, values, placed, grid, deaths)
    scoring = Scoring(engine, grid, values, ids, placed, history, formulas, known, loaded.accounts)
    scored, curves = scoring.score(rows, range(len(project.formulas)))
    engine.trace.stage("scoring by former scorecards")
    bridged = bridges.find(engine, rows, scored, asked.last, formulas, loaded.accounts)
    used = [curves]
    if bridged is not None:
        old = engine.store("old_rows", _ruled(bridged.rows, ids, values, placed, grid, deaths))
        if numbers := _formulas_of(engine, old):
            rescored, old_curves = scoring.score(old, numbers, again=scored)
            bridged, used = bridged.scored_as(rescored), [curves, old_curves]
    return Computed(
        loaded,
        grid,
        positions,
        formulas,
        values,
        scored,
        _uncovered(engine, project, rows),
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
        _usage(asked, loaded, keeping),
    )


def _with_usage(needed: Mapping[str, Wanted], asked: Asked) -> Mapping[str, Wanted]:
    counting = asked.counting
    if counting is None:
        return needed
    return {**needed, counting.source: needed.get(counting.source, Wanted()) | counting.wanted}


def _usage(asked: Asked, loaded: Facts, keeping: Keeping | None) -> tuple[ir.Table, ...]:
    if asked.counting is None:
        return ()
    facts = loaded.sources[asked.counting.source]
    if keeping is not None:
        return tuple(keeping.counts(asked.counting, facts))
    return (tally(facts, asked.counting, "ix", asked.dates[-1]),)


def _formulas_of(engine: Engine, rows: ir.Table) -> list[int]:
    """The formulas that some rows are scored with."""
    found: list[int] = engine.arrow(rows.select("formula").distinct())["formula"].to_pylist()
    return sorted(found)


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
    project: Project,
    around: ir.Table,
    values: metrics.Metrics,
    formulas: Sequence[Formula],
    placed: Sequence[Placed],
    ids: Mapping[tuple[int, str], str],
) -> ir.Table:
    """Context and metrics side by side, with stage, scorecard and cohort keys, on all rows.

    Not stored: to work it out again is cheaper than to write it down and read it.
    """
    rules = {name for f in formulas for name in condition_names(f.scorecard)}
    rules |= stage_names(project.settings.stages)
    applied = {name for card in project.scorecards for name in attributes_of(card)}
    cohorts = {part for one in placed for part in one.measure.cohort}
    of_accounts = rules | applied | {part for part in cohorts if isinstance(part, str)}
    wanted = []
    if "tenure" in rules | cohorts or any(not isinstance(part, str) for part in cohorts):
        wanted.append("tenure")
    if "days_to_renewal" in rules:
        of_accounts.add("renews_on")
    if any(isinstance(metric, kinds.Children) for f in formulas for metric in f.metrics.values()):
        wanted.append("parent")
        of_accounts.add("arr")
    wanted += [c for c in around.columns if c.startswith("a_") and c[2:] in of_accounts]
    # Ibis pays for every column of every step, and the engine for every join.
    looked_at = rules & set(project.metrics) | set(ids.values())
    used = [n for name, n in values.number.items() if name in looked_at]
    missing = [column for column in wanted if column not in values.table.columns]
    table = values.table.select(
        "ix",
        "pos",
        "as_of",
        *(f"{kind}{n}" for n in used for kind in "vsd"),
        *(column for column in wanted if column not in missing),
    )
    if missing:
        table = table.join(around.select("ix", "pos", *missing), ["ix", "pos"])
    plain = {name: name for name in project.metrics if name in looked_at}
    names = context.names_of(table, values, plain)
    table = table.mutate(stage=context.stage(project.settings.stages, names))
    # Scorecards and cohorts are about attributes, whatever metrics are called.
    names = context.names_of(table, values, plain) | context.attributes_of(table)
    formula = context.formula_number(project.formulas, names)
    keys: dict[str, ir.Value] = {}
    for one in placed:
        if one.measure.curve == "cohort":
            levels = context.cohort_levels(one.measure.cohort, project.settings.tenure_buckets, names)
            column = cohort_column(one.measure)
            keys |= {f"{column} {n}": level for n, level in enumerate(levels)}
            keys[column] = levels[-1]
    return table.mutate(formula=formula, **keys)


def _ruled(
    table: ir.Table,
    ids: Mapping[tuple[int, str], str],
    values: metrics.Metrics,
    placed: Sequence[Placed],
    grid: spine.Spine,
    deaths: Deaths,
) -> ir.Table:
    """`table` with the reference of its formula, and whether it is held."""
    columns: dict[str, ir.Value] = {"dead": deaths.held(table, _feeds_by_formula(placed, ids, values))}
    if "reference" not in table.columns:
        relative = sorted({one.formula for one in placed if one.measure.curve == "cohort"})
        starts = sorted({quarter_start(day) for day in grid.dates}, reverse=True) if relative else ()
        quarters = ((table.as_of >= start, ibis.literal(start)) for start in starts)
        columns["reference"] = (
            ibis.ifelse(
                table.formula.isin(relative),
                ibis.cases(*quarters, else_=ibis.null("date")),
                ibis.null("date"),
            )
            if relative
            else ibis.null("date")
        )
    return table.mutate(**columns)


def _uncovered(engine: Engine, project: Project, rows: ir.Table) -> ir.Table | None:
    """The rows to which no scorecard applies, where there can be any."""
    if not all(formula.scorecard.applies_to for formula in project.formulas):
        return None
    return engine.store(
        "uncovered",
        rows.filter(rows.formula.isnull()).select(
            "ix", "pos", "as_of", "formula", "reference", "dead", "stage"
        ),
    )


def _feeds_by_formula(
    placed: Sequence[Placed], ids: Mapping[tuple[int, str], str], values: metrics.Metrics
) -> dict[int, set[str]]:
    feeds: dict[int, set[str]] = {}
    for one in placed:
        own = values.feeds.get(ids[(one.formula, one.metric)], ())
        feeds.setdefault(one.formula, set()).update(own)
    return feeds
