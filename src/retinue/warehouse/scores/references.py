"""The curves of a run: declared ones, and those of cohorts, compiled where rows need them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from retinue.period import quarter_start, sundays
from retinue.project.project import Formula
from retinue.warehouse.engine import Engine
from retinue.warehouse.metrics.kinds import OK, Metrics
from retinue.warehouse.scores.cohorts import Ranks, compile_cohort, ranks
from retinue.warehouse.scores.curves import Segment, compile_curve, segments_table
from retinue.warehouse.scores.sheets import Placed, cohort_column
from retinue.warehouse.spine import Spine

#: (formula, number of the measure) of a cohort curve, its quarter and its cohort.
Key = tuple[int, int, date, str]


@dataclass(frozen=True)
class Curves:
    """The curves of some rows.

    `fixed` maps (formula, number) to a declared curve. `relative` maps a formula and a cohort
    column to a table of reference, cohort, and the curve `c{number}` of each measure; `segments`
    has those curves as rows, `compiled` says which cohort has which, and `shapes` what it is.
    """

    fixed: dict[tuple[int, int], tuple[Segment, ...]]
    relative: dict[tuple[int, str], ir.Table]
    segments: ir.Table
    compiled: dict[Key, int]
    shapes: dict[int, tuple[Segment, ...]]

    def ranked(
        self, engine: Engine, rows: ir.Table, measures: Sequence[Placed], columns: Sequence[int]
    ) -> ir.Table | None:
        """The curves `c{k}` and points `r{k}` of the cohort measures of one formula, by ix and pos.

        The k-th measure has the value `v{n}` of `rows`, n being `columns[k]`. Each different value
        of a curve meets its segments once.
        """
        mine = {k: one for k, one in enumerate(measures) if one.measure.curve == "cohort"}
        if not mine:
            return None
        formula = measures[0].formula
        found = rows.filter(rows.formula == formula)
        for column in sorted({cohort_column(one.measure) for one in mine.values()}):
            lookup = self.relative[(formula, column)].rename({column: "cohort"})
            found = found.left_join(lookup, ["reference", column]).drop("reference_right", f"{column}_right")
        placed = engine.store(
            "placed",
            found.select(
                "ix",
                "pos",
                **{f"v{k}": found[f"v{columns[k]}"] for k in mine},
                **{f"c{k}": found[f"c{one.number}"] for k, one in mine.items()},
            ),
        )
        pairs = [placed.select(curve=placed[f"c{k}"], value=placed[f"v{k}"]) for k in mine]
        union = pairs[0].view() if len(pairs) == 1 else ibis.union(*pairs)
        different = engine.store(
            "different", union.filter(union.curve.notnull() & union.value.notnull()).distinct()
        )
        points = engine.store("points", _met(different, self.segments))
        told = placed
        for k in mine:
            own = points.rename({f"c{k}": "curve", f"v{k}": "value", f"r{k}": "points"})
            told = told.left_join(own, [f"c{k}", f"v{k}"]).drop(f"c{k}_right", f"v{k}_right")
        ranked = engine.store("ranked", told.drop(*(f"v{k}" for k in mine)))
        engine.drop(placed, different, points)
        return ranked


def _met(different: ir.Table, segments: ir.Table) -> ir.Table:
    """The points of different values: curve, value, points."""
    met = different.join(
        segments,
        [
            different.curve == segments.curve,
            different.value >= segments.lo,
            different.value < segments.hi,
        ],
    )
    rise = met.points_hi - met.points_lo
    points = met.points_lo + rise * ((met.value - met.lo) / (met.hi - met.lo))
    return met.select("curve", "value", points=ibis.ifelse(rise == 0, met.points_lo, points))


@dataclass(frozen=True)
class References:
    """Frozen histories of all quarters of a run, ready to be compiled into curves.

    `levels` has, per (metric number, cohort column), the distributions from all accounts to
    the finest cohort.
    """

    placed: tuple[Placed, ...]
    numbers: Mapping[tuple[int, int], int]
    levels: Mapping[tuple[int, str], list[dict[tuple[date, str], Ranks]]]

    def curves(self, engine: Engine, rows: ir.Table, formulas: Collection[int]) -> Curves:
        """The curves that `rows` (formula, reference, cohort columns) of `formulas` are scored with."""
        fixed: dict[tuple[int, int], tuple[Segment, ...]] = {}
        shapes: dict[int, tuple[Segment, ...]] = {}
        compiled: dict[Key, int] = {}
        together: dict[tuple[int, str], list[Placed]] = {}
        for one in (one for one in self.placed if one.formula in formulas):
            if one.measure.curve == "cohort":
                together.setdefault((one.formula, cohort_column(one.measure)), []).append(one)
            else:
                fixed[(one.formula, one.number)] = compile_curve(one.measure.curve)
        relative: dict[tuple[int, str], ir.Table] = {}
        for where, measures in together.items():
            met = _cohorts_of(engine, rows, measures[0])
            for one in measures:
                for reference, path in met:
                    segments = self._compile(one, reference, path)
                    if segments is not None:
                        compiled[(one.formula, one.number, reference, path[-1])] = len(shapes)
                        shapes[len(shapes)] = segments
            relative[where] = engine.memory(_lookup(measures, met, compiled))
        return Curves(fixed, relative, engine.memory(segments_table(shapes)), compiled, shapes)

    def _compile(self, one: Placed, reference: date, path: Sequence[str]) -> tuple[Segment, ...] | None:
        number = self.numbers[(one.formula, one.number)]
        found = self.levels[(number, cohort_column(one.measure))]
        return compile_cohort(
            [level.get((reference, key)) for level, key in zip(found, path, strict=True)],
            shrink=one.measure.shrink,
            lower_is_better=one.measure.direction == "lower_is_better",
            fallback=one.measure.points,
        )


def _lookup(
    measures: Sequence[Placed], met: Sequence[tuple[date, Sequence[str]]], compiled: Mapping[Key, int]
) -> pa.Table:
    numbers = {
        f"c{one.number}": pa.array(
            [compiled.get((one.formula, one.number, quarter, path[-1])) for quarter, path in met], pa.int32()
        )
        for one in measures
    }
    return pa.table(
        {
            "reference": pa.array([quarter for quarter, _ in met], pa.date32()),
            "cohort": pa.array([path[-1] for _, path in met], pa.string()),
            **numbers,
        }
    )


def _cohorts_of(engine: Engine, rows: ir.Table, one: Placed) -> list[tuple[date, list[str]]]:
    """The quarters and cohorts (coarse to fine) that occur among the rows of a measure."""
    column = cohort_column(one.measure)
    levels = [f"{column} {n}" for n in range(len(one.measure.cohort) + 1)]
    met = rows.filter((rows.formula == one.formula) & rows.reference.notnull())
    table = engine.arrow(met.select("reference", *levels).distinct().order_by("reference", *levels))
    return [(row["reference"], [row[level] for level in levels]) for row in table.to_pylist()]


def quarters(dates: Sequence[date], last: pa.Table | None) -> tuple[date, ...]:
    """Quarters whose references scores of `dates` rest on, those of the scores before included."""
    before = set(last["reference"].to_pylist()) - {None} if last is not None else set()
    return tuple(sorted({quarter_start(day) for day in dates} | before))


def reference_days(quarter: date) -> list[date]:
    """The Sundays of the year before the quarter that starts on `quarter`."""
    return sundays(quarter.replace(year=quarter.year - 1), quarter)


def load(
    engine: Engine,
    grid: Spine,
    described: ir.Table,
    metrics: Metrics,
    placed: tuple[Placed, ...],
    ids: Mapping[tuple[int, str], str],
    of_quarters: Sequence[date],
) -> References:
    """The references of `of_quarters`; `described` has the metrics and cohort keys of all rows."""
    pairs = [(quarter, grid.pos(day)) for quarter in of_quarters for day in reference_days(quarter)]
    when = engine.memory(
        pa.table(
            {
                "quarter": pa.array([quarter for quarter, _ in pairs], pa.date32()),
                "pos": pa.array([pos for _, pos in pairs], pa.int32()),
            }
        )
    )
    numbers: dict[tuple[int, int], int] = {}
    levels: dict[tuple[int, str], list[dict[tuple[date, str], Ranks]]] = {}
    for one in placed:
        if one.measure.curve != "cohort":
            continue
        n = metrics.number[ids[(one.formula, one.metric)]]
        numbers[(one.formula, one.number)] = n
        column = cohort_column(one.measure)
        if (n, column) in levels:
            continue
        names = [f"{column} {depth}" for depth in range(len(one.measure.cohort) + 1)]
        seen = described.filter((described[f"s{n}"] == OK) & described[f"v{n}"].notnull())
        seen = seen.select(
            "ix", "pos", value=seen[f"v{n}"], **{f"level{d}": seen[name] for d, name in enumerate(names)}
        )
        observed = engine.store("observed", seen.join(when, "pos").drop(_.pos))
        levels[(n, column)] = ranks(engine, observed, [f"level{d}" for d in range(len(names))])
        engine.drop(observed)
    return References(placed, numbers, levels)


def published(curves: Sequence[Curves], formulas: Sequence[Formula], placed: Sequence[Placed]) -> pa.Table:
    """Curves in the columns of the table contract."""
    named = {(one.formula, one.number): one for one in placed}
    rows: dict[tuple[str, str, str, date | None], tuple[Segment, ...]] = {}
    for part in curves:
        for (f, number), declared in part.fixed.items():
            rows[(formulas[f].fingerprint, named[(f, number)].metric, "", None)] = declared
        for (f, number, reference, cohort), curve in part.compiled.items():
            metric = named[(f, number)].metric
            rows[(formulas[f].fingerprint, metric, cohort, reference)] = part.shapes[curve]
    flat = [(key, segment) for key, segments in rows.items() for segment in segments]
    return pa.table(
        {
            "fingerprint": pa.array([key[0] for key, _ in flat], pa.string()),
            "metric": pa.array([key[1] for key, _ in flat], pa.string()),
            "cohort": pa.array([key[2] for key, _ in flat], pa.string()),
            "reference": pa.array([key[3] for key, _ in flat], pa.date32()),
            "lo": pa.array([s.lo for _, s in flat], pa.float64()),
            "hi": pa.array([s.hi for _, s in flat], pa.float64()),
            "points_lo": pa.array([s.points_lo for _, s in flat], pa.float64()),
            "points_hi": pa.array([s.points_hi for _, s in flat], pa.float64()),
        }
    )
