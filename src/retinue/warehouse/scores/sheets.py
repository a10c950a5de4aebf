"""Scorecards as the engine meets them: each measure in its place, with its share and its curve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import ibis.expr.types as ir
import pyarrow as pa

from retinue.project import metrics as kinds
from retinue.project.project import Formula
from retinue.project.scorecards import Measure
from retinue.warehouse.engine import Engine
from retinue.warehouse.scores.curves import Segment

#: Metrics that are as old as their feed, never as old as a row of their own.
_OF_FEEDS = (
    kinds.Count,
    kinds.Sum,
    kinds.Mean,
    kinds.Distinct,
    kinds.Active,
    kinds.Open,
    kinds.OpenSum,
    kinds.Change,
    kinds.Since,
    kinds.DaysTo,
    kinds.Milestones,
    kinds.Children,
)


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
class Sheet:
    """A formula as columns: its measures in the order of their texts, and where their values are.

    The k-th measure has the value `v{n}`, `s{n}`, `d{n}` of the rows, n being `columns[k]`, and
    the declared curve `curves[k]`, or a cohort curve: then `ranked` has its number `c{k}` and the
    points `r{k}` by ix and pos. `ages` has the age `f{k}` of its feeds by pos; `aged` is the same
    as a table of `engine`, where freshness depends on it.
    """

    number: int
    formula: Formula
    measures: tuple[Placed, ...]
    columns: tuple[int, ...]
    curves: tuple[tuple[Segment, ...] | None, ...]
    ranked: ir.Table | None
    ages: pa.Table
    aged: ir.Table | None
    engine: Engine

    @cached_property
    def components(self) -> dict[str, list[int]]:
        """The places of the measures of each component, in the order of texts."""
        found: dict[str, list[int]] = {}
        for k, one in enumerate(self.measures):
            found.setdefault(one.component, []).append(k)
        return found

    @property
    def needs(self) -> list[str]:
        """The columns of the rows that its measures rest on."""
        pairs = {n: "vsd" if self.dated(k) else "vs" for k, n in enumerate(self.columns)}
        return [f"{kind}{n}" for n, letters in pairs.items() for kind in letters]

    def dated(self, k: int) -> bool:
        """Whether the k-th measure may be as old as a row of its own."""
        return not isinstance(self.formula.metrics[self.measures[k].metric], _OF_FEEDS)

    def relative(self, k: int) -> bool:
        """Whether the k-th measure has a cohort curve."""
        return self.curves[k] is None


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


def cohort_column(measure: Measure) -> str:
    """Name of the column with the keys of a measure's cohorts."""
    return "cohort: " + ", ".join(str(part) for part in measure.cohort)


def component_names(placed: Iterable[Placed]) -> list[str]:
    """All components, in text order."""
    return sorted({p.component for p in placed})
