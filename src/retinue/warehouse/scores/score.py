"""From metric values to scores: every account, date and measure at once.

    share    = component weight x measure weight within it x freshness (0 if missing)
    base     = share-weighted mean of the points
    coverage = sum of shares / sum of declared shares
    computed = base, lifted by floors, then limited by caps

Sums over the measures of a score are taken over whole numbers, so that their result does not
depend on the order in which an engine adds them up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from retinue.project.project import Formula
from retinue.project.scorecards import Measure
from retinue.warehouse.conditions import holds
from retinue.warehouse.engine import Engine
from retinue.warehouse.metrics.kinds import MISSING, NOT_APPLICABLE, OK, STALE, Metrics

#: Shares times points are summed as whole numbers of this unit: up to 100 points fit, and the
#: sum does not depend on its order.
_UNIT = 10**15


@dataclass(frozen=True)
class Placed:
    """One measure as it stands on a scorecard; the shares of a scorecard sum to 1."""

    formula: int
    number: int
    component: str
    metric: str
    share: float
    measure: Measure


@dataclass(frozen=True)
class Scored:
    """Results keyed by ix, pos; names of components and metrics are in `Placed`.

    `measures`: formula, number, part, value, state, age_days, points, weight, contribution, curve.
    `components`: part (see `parts`), points, weight, contribution.
    `scores`: formula, reference, dead, status, base, adjustment, computed, coverage, cap,
    cap_level.
    """

    measures: ir.Table
    scores: ir.Table
    components: ir.Table


def placed(formulas: Sequence[Formula]) -> list[Placed]:
    """Every measure of every formula, in declared order."""
    rows = []
    for f, formula in enumerate(formulas):
        number = 0
        whole = sum(component.weight for component in formula.components.values())
        for name, component in formula.components.items():
            total = sum(measure.weight for measure in component.measures.values())
            for metric, measure in component.measures.items():
                # Ratios first: so the scale of weights changes no bit.
                share = (component.weight / whole) * (measure.weight / total)
                rows.append(Placed(f, number, name, metric, share, measure))
                number += 1
    return rows


def measures_table(measures: Sequence[Placed]) -> pa.Table:
    """The scorecards as data: one row per measure."""

    def days(measure: Measure, name: str) -> float | None:
        period = getattr(measure, name)
        return float(period.days) if period else None

    return pa.table(
        {
            "formula": pa.array([p.formula for p in measures], pa.int8()),
            "number": pa.array([p.number for p in measures], pa.int16()),
            "part": pa.array(_parts(measures), pa.int8()),
            "share": pa.array([p.share for p in measures], pa.float64()),
            "half_life": pa.array([days(p.measure, "half_life") for p in measures], pa.float64()),
            "max_age": pa.array([days(p.measure, "max_age") for p in measures], pa.float64()),
            "instead": pa.array(
                [{"reweight": None, "neutral": 50.0, "worst": 0.0}[p.measure.missing] for p in measures],
                pa.float64(),
            ),
        }
    )


def _parts(measures: Sequence[Placed]) -> list[int]:
    """The place of each measure's component among all names of components, in text order."""
    order = {name: n for n, name in enumerate(component_names(measures))}
    return [order[p.component] for p in measures]


def cohort_column(measure: Measure) -> str:
    """Name of the column with the keys of a measure's cohorts."""
    return "cohort: " + ", ".join(str(part) for part in measure.cohort)


def long(
    rows: ir.Table,
    measures: Sequence[Placed],
    ids: Mapping[tuple[int, str], str],
    metrics: Metrics,
    feed_ages: ir.Table,
    fixed: Mapping[tuple[int, int], int],
    relative: Mapping[str, ir.Table],
) -> ir.Table:
    """One row per account, date and measure: ix, pos, formula, number, value, told (its
    state), row_age, age (days, of its row or else of its feed), curve.

    `rows` has ix, pos, formula, reference, the wide metric columns and the keys of cohorts.
    `feed_ages` has n (of the metric), pos, feed_age. `fixed` maps (formula, number) to a
    declared curve, `relative` a cohort column to its table (formula, number, reference, cohort,
    cohort_curve).
    """
    parts = []
    for one in measures:
        n = metrics.number[ids[(one.formula, one.metric)]]
        mine = rows.filter(rows.formula == one.formula)
        curve: ir.Value = ibis.literal(fixed.get((one.formula, one.number)), "int32")
        if one.measure.curve == "cohort":
            column = cohort_column(one.measure)
            own = relative[column].filter(_.formula == one.formula, _.number == one.number)
            own = own.select("reference", "cohort_curve", **{column: own.cohort})
            mine = mine.left_join(own, ["reference", column])
            curve = mine.cohort_curve
        parts.append(
            mine.select(
                "ix",
                "pos",
                formula=mine.formula.cast("int8"),
                number=ibis.literal(one.number, "int16"),
                n=ibis.literal(n, "int32"),
                value=mine[f"v{n}"],
                told=mine[f"s{n}"],
                row_age=mine.as_of.delta(mine[f"d{n}"], unit="day").cast("float64"),
                curve=curve,
            )
        )
    # Ibis cannot join what is a join itself, unless that is a view.
    union = parts[0].view() if len(parts) == 1 else ibis.union(*parts)
    aged = union.left_join(feed_ages, ["n", "pos"]).drop("n_right", "pos_right")
    age = ibis.coalesce(ibis.greatest(aged.row_age, aged.feed_age), aged.row_age, aged.feed_age)
    return aged.mutate(age=age).drop("n", "feed_age")


def score(
    engine: Engine,
    rows: ir.Table,
    long_rows: ir.Table,
    placed: Sequence[Placed],
    segments: ir.Table,
    formulas: Sequence[Formula],
) -> Scored:
    """Scores of `rows` (ix, pos, as_of, formula, reference, dead, parent, a_arr, and the levels
    and reasons of caps and floors); `long_rows` as made by `long`, `segments` by `curves.segments_table`."""
    known = engine.store("known", long_rows)
    detail = engine.store(
        "detail", _weighed(_with_points(engine, known, segments), ibis.memtable(measures_table(placed)))
    )
    sums = engine.store(
        "sums",
        detail.group_by("ix", "pos").agg(
            total=units(detail.effective),
            points=units(detail.effective * detail.points),
            used=units(detail.used),
            declared=units(ibis.ifelse(detail.state == NOT_APPLICABLE, 0.0, detail.share)),
        ),
    )
    scores = engine.store("scores", _adjusted(rows, sums, formulas))
    joined = detail.join(
        scores.select(
            "ix", "pos", "status", whole=ibis.ifelse(scores.total > 0, scores.total, ibis.null("float64"))
        ),
        ["ix", "pos"],
    )
    weight = ibis.coalesce(joined.effective / joined.whole, 0.0)
    contribution = ibis.coalesce(weight * joined.points, 0.0)
    out = joined.select(
        "ix",
        "pos",
        "formula",
        "number",
        "value",
        "state",
        "points",
        "curve",
        "part",
        age_days=joined.age,
        weight=weight,
        contribution=ibis.ifelse(joined.status == "scored", contribution, ibis.null("float64")),
    )
    kept = engine.store("measures", out)
    engine.drop(known, detail, sums)
    return Scored(kept, scores, engine.store("components", _components(kept)))


def _components(measures: ir.Table) -> ir.Table:
    sums = measures.group_by("ix", "pos", "part").agg(
        weight=units(measures.weight), contribution=units(measures.contribution)
    )
    weight = ibis.ifelse(sums.weight > 0, sums.weight, ibis.null("float64"))
    return sums.mutate(points=sums.contribution / weight)


def measure_names(placed: Sequence[Placed]) -> list[tuple[str, str]]:
    """All (component, metric), in text order."""
    return sorted({(p.component, p.metric) for p in placed})


def component_names(placed: Sequence[Placed]) -> list[str]:
    """All components, in text order; `part` is a place among them."""
    return sorted({p.component for p in placed})


def named(placed: Sequence[Placed]) -> ir.Table:
    """Names by formula and number: component, metric, and `rank`, their place in text order."""
    rank = {pair: n for n, pair in enumerate(measure_names(placed))}
    return ibis.memtable(
        pa.table(
            {
                "formula": pa.array([p.formula for p in placed], pa.int8()),
                "number": pa.array([p.number for p in placed], pa.int16()),
                "component": pa.array([p.component for p in placed], pa.string()),
                "metric": pa.array([p.metric for p in placed], pa.string()),
                "rank": pa.array([rank[(p.component, p.metric)] for p in placed], pa.int16()),
            }
        )
    )


def parts(placed: Sequence[Placed]) -> ir.Table:
    """Names of components by `part`."""
    names = component_names(placed)
    return ibis.memtable(
        pa.table({"part": pa.array(range(len(names)), pa.int8()), "component": pa.array(names, pa.string())})
    )


def units(value: ir.FloatingValue) -> ir.FloatingValue:
    """The sum of `value`, taken exactly."""
    return (value * _UNIT).round().cast("int64").sum().cast("float64") / _UNIT


def _weighed(pointed: ir.Table, measures: ir.Table) -> ir.Table:
    """`pointed` with its state, freshness, points and effective share."""
    table = pointed.join(measures, ["formula", "number"])
    fresh = _freshness(table)
    told, points = table.told, table.points
    usable = told.isin([OK, STALE]) & points.notnull()
    state = ibis.cases(
        (told == NOT_APPLICABLE, NOT_APPLICABLE),
        (~usable, MISSING),
        ((fresh == 0) | (told == STALE), STALE),
        else_=OK,
    )
    table = table.mutate(state=state.cast("int8"), used=ibis.ifelse(usable, table.share * fresh, 0.0))
    # Only what is missing has a stand-in; what is too old drops out.
    substitute = (table.state == MISSING) & table.instead.notnull()
    return table.select(
        "ix",
        "pos",
        "formula",
        "number",
        "value",
        "state",
        "age",
        "curve",
        "share",
        "used",
        "part",
        points=ibis.cases((substitute, table.instead), (table.used > 0, table.points)),
        effective=ibis.ifelse(substitute, table.share, table.used),
    )


def _freshness(row: ir.Table) -> ir.FloatingValue:
    """2^(-age / half-life), cut to 0 beyond three half-lives; past max_age a row's own age
    makes it useless, while a feed's age does not (its value is kept, DESIGN section 6)."""
    faded = ibis.cases(
        (row.half_life.isnull() | row.age.isnull(), 1.0),
        (row.age > 3 * row.half_life, 0.0),
        else_=ibis.literal(2.0) ** (-ibis.greatest(row.age, 0.0) / row.half_life),
    )
    too_old = ibis.coalesce(row.row_age > row.max_age, False)
    return ibis.ifelse(too_old, 0.0, faded)


def _with_points(engine: Engine, known: ir.Table, segments: ir.Table) -> ir.Table:
    """`known` with `points`; each different value of a curve meets the segments once."""
    different = engine.store(
        "different",
        known.filter(known.value.notnull() & known.curve.notnull()).select("curve", "value").distinct(),
    )
    met = different.join(
        segments,
        [
            different.curve == segments.curve,
            different.value >= segments.lo,
            different.value < segments.hi,
        ],
    )
    rise = met.points_hi - met.points_lo
    met = met.mutate(
        points=ibis.ifelse(
            rise == 0, met.points_lo, met.points_lo + rise * ((met.value - met.lo) / (met.hi - met.lo))
        )
    ).select("curve", "value", "points")
    points = engine.store("points", met)
    return known.left_join(points, ["curve", "value"]).drop("curve_right", "value_right")


def _adjusted(rows: ir.Table, sums: ir.Table, formulas: Sequence[Formula]) -> ir.Table:
    """Base, coverage, caps and floors (a cap beats a floor)."""
    floors = {f: formula.scorecard.min_coverage for f, formula in enumerate(formulas)}
    table = rows.join(sums, ["ix", "pos"])
    least = ibis.cases(*((table.formula == f, minimum) for f, minimum in floors.items()), else_=1.0)
    coverage = table.used / ibis.ifelse(table.declared > 0, table.declared, ibis.null("float64"))
    told = table.mutate(
        coverage=ibis.coalesce(coverage, 0.0),
        raw=table.points / ibis.ifelse(table.total > 0, table.total, ibis.null("float64")),
        least=least,
    )
    told = told.mutate(
        # A share of exactly the minimum counts, in spite of the last bit of the division.
        status=ibis.ifelse(told.raw.notnull() & (told.coverage >= told.least - 1e-9), "scored", "not_scored")
    )
    # Ten decimals: the last bits differ between engines, and edges are compared exactly.
    base = ibis.ifelse(told.status == "scored", told.raw.round(10), ibis.null("float64"))
    told = told.mutate(base=base)
    # `greatest` and `least` pass over nulls, and rules give no score to who has none.
    none = ibis.null("float64")
    lifted = ibis.greatest(told.base, ibis.coalesce(told.floor_level, told.base))
    told = told.mutate(lifted=ibis.ifelse(told.base.notnull(), lifted, none))
    limited = ibis.least(told.lifted, ibis.coalesce(told.cap_level, told.lifted))
    told = told.mutate(computed=ibis.ifelse(told.lifted.notnull(), limited, none))
    return told.mutate(
        adjustment=told.computed - told.base,
        cap=ibis.cases(
            (told.computed < told.lifted, told.cap_because),
            (told.lifted > told.base, told.floor_because),
            else_=ibis.null("string"),
        ),
    ).drop("raw", "least", "lifted", "points", "used", "declared")


def rule_levels(formula: Formula, names: Mapping[str, ir.Value]) -> dict[str, ir.Value]:
    """The lowest cap and the highest floor that hold, and why, as expressions of one formula."""
    caps = sorted(formula.scorecard.caps, key=lambda cap: cap.at_most)
    floors = sorted(formula.scorecard.floors, key=lambda floor: -floor.at_least)
    return {
        "cap_level": _first([(holds(c.when, names), c.at_most) for c in caps], "float64"),
        "cap_because": _first([(holds(c.when, names), c.because) for c in caps], "string"),
        "floor_level": _first([(holds(f.when, names), f.at_least) for f in floors], "float64"),
        "floor_because": _first([(holds(f.when, names), f.because) for f in floors], "string"),
    }


def _first(branches: Sequence[tuple[ir.BooleanValue, float | str]], kind: str) -> ir.Value:
    if not branches:
        return ibis.null(kind)
    return ibis.cases(*branches, else_=ibis.null(kind)).cast(kind)
