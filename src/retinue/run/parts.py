"""The parts of one explained score, from rows as they are published: components, measures, gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from retinue.project.metrics import AnyMetric
from retinue.project.project import Formula
from retinue.run.explanation import ExplainedComponent, ExplainedMeasure
from retinue.run.improve import Standing, freshness, metric_label
from retinue.words import share, shown

Row = Mapping[str, Any]


def components_of(rows: Sequence[Row], formula: Formula | None) -> tuple[ExplainedComponent, ...]:
    declared = formula.components if formula else {}
    order = {name: n for n, name in enumerate(declared)}
    found = []
    for row in sorted(rows, key=lambda r: (order.get(r["component"], len(order)), r["component"])):
        one = declared.get(row["component"])
        found.append(
            ExplainedComponent(
                row["component"],
                (one.label if one else None) or row["component"].replace("_", " "),
                row["points"],
                row["weight"],
                row["contribution"],
                one.advice if one else None,
            )
        )
    return tuple(found)


def measures_of(
    rows: Sequence[Row], standing: Standing | None, metrics: Mapping[str, AnyMetric]
) -> tuple[ExplainedMeasure, ...]:
    declared = standing.declared() if standing else {}
    order = {place: n for n, place in enumerate(declared)}
    found = []
    for row in sorted(rows, key=lambda r: order.get((r["component"], r["metric"]), len(order))):
        metric, place = metrics.get(row["metric"]), (row["component"], row["metric"])
        found.append(
            ExplainedMeasure(
                row["component"],
                row["metric"],
                metric_label(row["metric"], metrics),
                metric.unit if metric else None,
                row["value"],
                row["state"],
                row["age_days"],
                row["points"],
                row["weight"],
                row["contribution"],
                declared[place][0] if declared else 0.0,
                freshness(row, declared[place][1]) if declared else 1.0,
                row["cohort"],
            )
        )
    return tuple(found)


def gaps_of(measures: Sequence[ExplainedMeasure]) -> tuple[str, ...]:
    """What coverage lacks, in words, the heaviest first."""
    found = []
    for m in sorted(measures, key=lambda m: -m.declared):
        part = f"({share(m.declared)} of the weight)"
        if m.state == "missing":
            found.append(f"{m.label}: missing {part}")
        elif m.state == "stale":
            age = f", {shown(m.age_days)} days old" if m.age_days is not None else ""
            found.append(f"{m.label}: stale{age} {part}")
        elif m.state == "ok" and m.freshness < 1:
            found.append(f"{m.label}: {shown(m.age_days)} days old, counts {share(m.freshness)} {part}")
    return tuple(found)
