"""What names what: which metrics, attributes and sources a declaration refers to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from retinue.project import conditions
from retinue.project.metrics import MetricBase, closure
from retinue.project.scorecards import Cap, Floor, Scorecard, Stage, TenureStep

#: Names in conditions that are neither metrics nor attributes.
BUILT_IN = ("tenure", "days_to_renewal", "stage")

#: The metric that a `roll_up` scorecard measures.
ROLL_UP = "children_score"


def condition_names(scorecard: Scorecard) -> set[str]:
    """Names used by the caps and floors of a scorecard."""
    rules: list[Cap | Floor] = [*scorecard.caps, *scorecard.floors]
    return {name for rule in rules for name in conditions.names(rule.when)}


def stage_names(stages: Iterable[Stage]) -> set[str]:
    """Names used by the rules of the lifecycle stages."""
    return {name for stage in stages if stage.when is not None for name in conditions.names(stage.when)}


def metrics_of(scorecard: Scorecard, metrics: Mapping[str, MetricBase], stages: Iterable[Stage]) -> list[str]:
    """Metrics that a scorecard's numbers depend on, parts before wholes."""
    measured = {name for c in scorecard.components.values() for name in c.measures}
    named = measured | condition_names(scorecard) | stage_names(stages)
    return closure(named & set(metrics), metrics)


def attributes_of(scorecard: Scorecard) -> set[str]:
    """Attributes that select the scorecard or form its cohorts (`stage` and `tenure` excluded)."""
    cohorts = {
        part
        for component in scorecard.components.values()
        for measure in component.measures.values()
        for part in measure.cohort
        if not isinstance(part, TenureStep)
    }
    return (set(scorecard.applies_to) | cohorts) - {"stage", "tenure"}
