"""Metrics that are not made of series: what people said (pulses), and what SQL says."""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.types as ir
import pyarrow as pa

from retinue.project.metrics import MetricBase, Pulse, Sql
from retinue.project.project import Project
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts.sources import Facts, Wanted
from retinue.warehouse.metrics import running
from retinue.warehouse.metrics import series as s
from retinue.warehouse.metrics.tallies import newest_rows
from retinue.warehouse.spine import Spine


def wanted(
    needed: Mapping[str, Wanted], metrics: Mapping[str, MetricBase], project: Project
) -> Mapping[str, Wanted]:
    """`needed`, and what the SQL among `metrics` reads; raises ProjectError where it is not allowed."""
    if not any(isinstance(metric, Sql) for metric in metrics.values()):
        return needed
    from retinue.warehouse.metrics import sandbox

    return sandbox.wanted(needed, metrics, project)


def reads(metrics: Mapping[str, MetricBase], project: Project) -> dict[str, tuple[str, ...]]:
    """Sources that the SQL of each such metric reads."""
    if not any(isinstance(metric, Sql) for metric in metrics.values()):
        return {}
    from retinue.warehouse.metrics import sandbox

    return {
        name: sandbox.sources(metric, project) for name, metric in metrics.items() if isinstance(metric, Sql)
    }


def tables(
    engine: Engine,
    project: Project,
    grid: Spine,
    facts: Facts,
    metrics: Mapping[str, MetricBase],
    pulses: pa.Table | None,
) -> dict[str, ir.Table]:
    """Ready values (ix, pos, value, day) of the metrics of these kinds.

    `pulses` has account_id, pulse (its name), value, day (the day whose knowledge it is),
    said_at, and expires_on (the first day without it).
    """
    ready: dict[str, ir.Table] = {}
    for name, metric in metrics.items():
        if isinstance(metric, Pulse):
            ready[name] = _pulse(engine, grid, facts, metric.pulse, pulses)
        elif isinstance(metric, Sql):
            from retinue.warehouse.metrics import sandbox

            ready[name] = sandbox.metric(engine, project, grid, facts, metric)
    return ready


def _pulse(engine: Engine, grid: Spine, facts: Facts, name: str, pulses: pa.Table | None) -> ir.Table:
    if pulses is None or not pulses.num_rows:
        nothing = {"ix": pa.int32(), "pos": pa.int32(), "value": pa.float64(), "day": pa.date32()}
        return engine.memory(pa.schema(nothing.items()).empty_table())
    numbered = pulses.append_column("n_row", pa.array(range(pulses.num_rows), pa.int64()))
    said = engine.memory(numbered)
    rows = engine.store(
        "pulses",
        said.filter(said.pulse == name)
        .join(facts.accounts.select("ix", "account_id"), "account_id")
        .select("ix", "day", "value", "expires_on", "n_row", known="day", visible="day", occurred="said_at"),
    )
    newest = s.Newest("pulses", "row", None)
    table, names = running.compute(engine, grid, {"pulses": rows}, [newest])
    column = names[newest]
    ranked = newest_rows(rows, newest)
    found = table.join(
        ranked.select("ix", **{column: ranked["rank"]}, n_row=ranked.value), ["ix", column]
    ).join(rows.select("n_row", "value", "day", "expires_on"), "n_row")
    alive = found.filter(found.expires_on.isnull() | (found.as_of < found.expires_on))
    return engine.store("pulse", alive.select("ix", "pos", value=alive.value.cast("float64"), day=alive.day))
