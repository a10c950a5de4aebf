"""One account scored again with something about it changed: what its computed score would be.

Metrics at other values are followed through curves, ratios, caps and floors, as in the scoring of a
run. A component set to some points has them in all its measures; caps and floors, which are
conditions on metrics, then stay as they are. Nothing is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from retinue.errors import StoreError
from retinue.insight.gains import Account, score
from retinue.run.explain import standing
from retinue.run.improve import Standing, changed, metric_label
from retinue.store.people.access import OPERATOR, Actor
from retinue.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PartIf:
    """A component: points 0 (worst) to 100, None where nothing of it counts; weight 0 to 1."""

    component: str
    label: str
    points: float | None
    weight: float
    contribution: float


@dataclass(frozen=True, slots=True)
class ScoreIf:
    """A computed score; None where coverage is too low for one. `cap` and `floor` say which one binds,
    `band` where the score lies, without the waiting that stability asks for."""

    computed: float | None
    base: float | None
    band: str | None
    coverage: float
    cap: str | None
    floor: str | None
    parts: tuple[PartIf, ...]


@dataclass(frozen=True, slots=True)
class ChangedMetric:
    """A metric that was set: what it is now (None: nothing is known), and what it was taken to be."""

    metric: str
    label: str
    unit: str | None
    before: float | None
    after: float


@dataclass(frozen=True, slots=True)
class WhatIf:
    """`notes` are what must be known of the score as it is, such as that it is held."""

    account_id: str
    as_of: date
    before: ScoreIf
    after: ScoreIf
    metrics: tuple[ChangedMetric, ...]
    notes: tuple[str, ...]

    @property
    def gain(self) -> float | None:
        """Points of the computed score; None where one of the two is not scored."""
        if self.before.computed is None or self.after.computed is None:
            return None
        return self.after.computed - self.before.computed


def what_if(
    workspace: Workspace,
    account_id: str,
    *,
    metrics: Mapping[str, float] | None = None,
    components: Mapping[str, float] | None = None,
    actor: Actor = OPERATOR,
) -> WhatIf:
    """The account's computed score on its last date, as it is and with these metrics and components.

    Raises NotFound for an account that the actor may not see, StoreError for a metric or component
    that its score does not have, and for a score that is not made of measures.
    """
    metrics, components = metrics or {}, components or {}
    day, found, notes = standing(workspace, account_id, actor=actor)
    if found is None:
        raise StoreError(
            f"the score of {account_id} is not made of its own measures",
            hint="its scorecard takes it from other accounts, or none applies to it",
        )
    _known(found, metrics, components)
    now = found.account()
    then = changed(found, now, metrics) if metrics else now
    return WhatIf(
        account_id,
        day,
        _scored(found, now),
        _scored(found, _with(then, components)),
        tuple(_told(found, name, value) for name, value in metrics.items()),
        notes,
    )


def _known(found: Standing, metrics: Mapping[str, float], components: Mapping[str, float]) -> None:
    read = {metric for _, metric in found.measures} | set(found.metrics)
    for name, value in metrics.items():
        if name not in read:
            measured = sorted({metric for _, metric in found.measures})
            raise StoreError(f"its score has no metric {name!r}", hint="one of " + ", ".join(measured))
        if not math.isfinite(value):
            raise StoreError(f"{name} must be a number")
    for name, value in components.items():
        if name not in found.formula.components:
            hint = "one of " + ", ".join(found.formula.components)
            raise StoreError(f"its score has no component {name!r}", hint=hint)
        if not 0 <= value <= 100:
            raise StoreError(f"{name} has 0 (worst) to 100 points, not {value:g}")


def _with(account: Account, components: Mapping[str, float]) -> Account:
    measures = tuple(
        replace(one, points=components[one.component], freshness=1.0, present="present")
        if one.component in components and one.present != "not_applicable"
        else one
        for one in account.measures
    )
    return replace(account, measures=measures)


def _scored(found: Standing, account: Account) -> ScoreIf:
    told = score(account)
    parts = []
    for name, component in found.formula.components.items():
        own = [n for n, one in enumerate(account.measures) if one.component == name]
        weight = float(sum(told.weights[own]))
        contribution = float(sum(told.contributions[own]))
        label = component.label or name.replace("_", " ")
        parts.append(PartIf(name, label, contribution / weight if weight else None, weight, contribution))
    edges = found.formula.scorecard.bands
    reached = [band for band, edge in edges.items() if told.scored and told.computed >= edge]
    return ScoreIf(
        computed=told.computed if told.scored else None,
        base=told.base if told.scored else None,
        band=max(reached, key=lambda band: edges[band]) if reached else None,
        coverage=told.coverage,
        cap=None if told.cap is None else account.caps[told.cap].because,
        floor=None if told.floor is None else account.floors[told.floor].because,
        parts=tuple(parts),
    )


def _told(found: Standing, name: str, value: float) -> ChangedMetric:
    declared = found.formula.metrics.get(name)
    before, state = found.metrics.get(name, (None, "missing"))
    label = metric_label(name, found.formula.metrics)
    known = before if state in ("ok", "stale") else None
    return ChangedMetric(name, label, getattr(declared, "unit", None), known, value)
