"""One metric of one account: its history, what it counts, and what it is made of."""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.compute as pc

from retinue.desk.account import seen
from retinue.desk.rows import SourceRows, behind, source_rows
from retinue.desk.steady import steady
from retinue.errors import NotFound
from retinue.project.metrics import AnyMetric, needs
from retinue.project.project import Formula
from retinue.run.improve import metric_label
from retinue.store.people.access import Actor
from retinue.store.published.snapshots import Published
from retinue.warehouse.scores.curves import compile_curve
from retinue.words import declared_value
from retinue.workspace import Workspace

#: A straight piece of a curve: values from lo to hi, points at both ends; ends without one are infinite.
Piece = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Counted:
    """Where the metric counts in the score of the day: as a measure of a component, through a curve.

    `weight` is its share of the score (0 to 1), `contribution` = weight x points. `reference` is the
    quarter of a cohort's curve.
    """

    component: str
    points: float | None
    weight: float | None
    contribution: float | None
    state: str
    age_days: float | None
    cohort: str | None
    reference: date | None
    curve: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class MetricPage:
    """A metric of an account as of a day. `history` has every published date: value (None without), state.

    `parts` are the metrics that it is made of, with their values; `rows` are filled on demand.
    """

    account_id: str
    name: str | None
    metric: str
    label: str
    description: str | None
    unit: str | None
    kind: str
    declared: tuple[tuple[str, str], ...]
    as_of: date
    value: float | None
    state: str
    history: tuple[tuple[date, float | None, str], ...]
    counted: tuple[Counted, ...]
    parts: tuple[tuple[str, str, float | None], ...]
    sources: tuple[str, ...]
    rows: tuple[SourceRows, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)},
            "as_of": self.as_of.isoformat(),
            "declared": dict(self.declared),
            "history": [
                {"as_of": day.isoformat(), "value": value, "state": state}
                for day, value, state in self.history
            ],
            "counted": [
                {
                    **dataclasses.asdict(one),
                    "reference": one.reference.isoformat() if one.reference else None,
                    "curve": [[_finite(end) for end in piece] for piece in one.curve],
                }
                for one in self.counted
            ],
            "parts": [{"metric": name, "label": label, "value": value} for name, label, value in self.parts],
            "sources": list(self.sources),
            "rows": [rows.to_dict() for rows in self.rows],
        }


def metric(
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    name: str,
    *,
    as_of: date | None = None,
    rows: bool = False,
) -> MetricPage:
    """The metric as of a published date, by default the account's last one; its rows if asked for.

    Raises NotFound for an account that the actor may not see, or a metric that was never published of it.
    """
    found = steady(workspace, lambda _run: _metric(workspace, actor, account_id, name, as_of))
    if not rows:
        return found
    declared = workspace.project.metrics.get(name)
    read = [
        source_rows(workspace, actor, account_id, source, as_of=found.as_of, looked=looked)
        for source, looked in (behind(declared, found.as_of) if declared is not None else ())
    ]
    return dataclasses.replace(found, rows=tuple(read))


def _metric(workspace: Workspace, actor: Actor, account_id: str, name: str, as_of: date | None) -> MetricPage:
    row = seen(workspace, actor, account_id)
    published = workspace.published()
    table = published.table("metrics", account=account_id)
    values = table.filter(pc.equal(table["metric"], name)).to_pylist()
    if not values:
        known = sorted(set(table["metric"].unique().to_pylist()))
        hint = "one of " + ", ".join(known[:12]) if known else None
        raise NotFound(f"no metric {name!r} is published of {account_id}", hint=hint)
    days = [one["as_of"] for one in values]
    at = max(0, bisect_right(days, as_of) - 1) if as_of is not None else -1
    here = values[at]
    day = here["as_of"]
    formula = _formula(published, account_id, day)
    metrics = {**(formula.metrics if formula else {}), **workspace.project.metrics}
    declared = metrics.get(name)
    same_day = table.filter(pc.equal(table["as_of"], day))
    on_day = dict(zip(same_day["metric"].to_pylist(), same_day["value"].to_pylist(), strict=True))
    parts = needs(declared) if declared is not None else ()
    return MetricPage(
        account_id=account_id,
        name=row.name if row is not None else None,
        metric=name,
        label=metric_label(name, metrics),
        description=declared.description if declared is not None else None,
        unit=declared.unit if declared is not None else None,
        kind=declared.kind if declared is not None else "not declared any more",
        declared=_declared(declared),
        as_of=day,
        value=here["value"],
        state=here["state"],
        history=tuple((one["as_of"], one["value"], one["state"]) for one in values),
        counted=_counted(published, account_id, name, day, formula),
        parts=tuple((part, metric_label(part, metrics), on_day.get(part)) for part in parts),
        sources=tuple(dict.fromkeys(source for source, _ in behind(declared, day))) if declared else (),
    )


def _declared(metric: AnyMetric | None) -> tuple[tuple[str, str], ...]:
    """What is declared of it, as it is written; without what is shown elsewhere."""
    if metric is None:
        return ()
    told = metric.model_dump(mode="json", exclude_none=True, exclude={"label", "description", "unit"})
    return tuple((key, declared_value(value)) for key, value in told.items() if value not in ({}, [], ""))


def _formula(published: Published, account_id: str, day: date) -> Formula | None:
    rows = published.table("snapshots", account=account_id, first=day, last=day).to_pylist()
    told = published.manifest.formulas.get(rows[0]["fingerprint"] or "") if rows else None
    return Formula.from_dict(told) if told else None


def _counted(
    published: Published, account_id: str, name: str, day: date, formula: Formula | None
) -> tuple[Counted, ...]:
    rows = published.table("measures", account=account_id, first=day, last=day).to_pylist()
    found = []
    for row in rows:
        if row["metric"] != name:
            continue
        found.append(
            Counted(
                row["component"],
                row["points"],
                row["weight"],
                row["contribution"],
                row["state"],
                row["age_days"],
                row["cohort"],
                row["reference"],
                _curve(published, row, formula),
            )
        )
    return tuple(found)


def _curve(published: Published, row: dict[str, Any], formula: Formula | None) -> tuple[Piece, ...]:
    component = formula.components.get(row["component"]) if formula else None
    measure = component.measures.get(row["metric"]) if component else None
    if measure is None or formula is None:
        return ()
    if measure.curve != "cohort":
        segments = compile_curve(measure.curve)
        return tuple((s.lo, s.hi, s.points_lo, s.points_hi) for s in segments)
    if row["cohort"] is None:
        return ()
    table = published.table("curves")
    own = [("fingerprint", formula.fingerprint), ("metric", row["metric"]), ("cohort", row["cohort"])]
    for column, value in own:
        table = table.filter(pc.equal(table[column], value))
    if row["reference"] is not None:
        table = table.filter(pc.equal(table["reference"], row["reference"]))
    pieces = [
        (
            -math.inf if one["lo"] is None else one["lo"],
            math.inf if one["hi"] is None else one["hi"],
            one["points_lo"],
            one["points_hi"],
        )
        for one in table.to_pylist()
    ]
    return tuple(sorted(pieces))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
