"""What to do for an account: the advice of its scorecard for what fell most, and what that was, in words.

`advice` is declared in one place, on a component or on a measure of a scorecard. It is told by `retinue
explain`, on the page of the account, in messages of alerts, and in texts of playbooks as {advice}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from retinue.project.project import Project
from retinue.run.improve import metric_label
from retinue.words import signed

#: What `retinue.store.published.current.explanations` gives for an account.
Standing = Mapping[str, Any]
#: Drivers that are told.
DRIVERS = 3
#: Those that are about the whole score.
_KINDS = {
    "rule": "a cap or floor",
    "smoothing": "stability",
    "configuration": "a changed scorecard",
    "override": "an override",
}


def advice(project: Project, standing: Standing | None) -> str | None:
    """What is declared for what fell most in four weeks; if nothing fell, for what holds the score down most.

    None where the scorecards advise nothing for it.
    """
    standing = standing or {}
    fell = [d for d in standing.get("drivers_28", ()) if d["points"] < 0 and d.get("component")]
    places = [(d["component"], d.get("metric")) for d in sorted(fell, key=lambda d: d["points"])]
    parts = [p for p in standing.get("components", ()) if p["points"] is not None and p["weight"]]
    lacks = sorted(parts, key=lambda p: -p["weight"] * (100 - p["points"]))
    for component, metric in [*places, *((part["component"], None) for part in lacks)]:
        found = _declared(project, standing.get("scorecard"), component, metric)
        if found is not None:
            return found
    return None


def drivers(project: Project, standing: Standing | None, most: int = DRIVERS) -> list[str]:
    """What moved the score in four weeks, the most first: "-8 Active days"."""
    told: Sequence[Mapping[str, Any]] = (standing or {}).get("drivers_28", ())[:most]
    return [f"{signed(one['points'])} {_label(project, one)}" for one in told]


def _declared(project: Project, scorecard: str | None, component: str, metric: str | None) -> str | None:
    """The advice of the account's scorecard, else of any with such a component."""
    for card in sorted(project.scorecards, key=lambda card: card.scorecard != scorecard):
        part = card.components.get(component)
        measure = part.measures.get(metric or "") if part is not None else None
        if part is not None and ((measure is not None and measure.advice) or part.advice):
            return (measure.advice if measure is not None else None) or part.advice
    return None


def _label(project: Project, driver: Mapping[str, Any]) -> str:
    metric, component = driver.get("metric"), driver.get("component")
    if metric:
        return metric_label(metric, project.metrics).replace("_", " ")
    return str(component or _KINDS.get(driver["kind"], driver["kind"])).replace("_", " ")
