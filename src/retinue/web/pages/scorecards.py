"""Scorecards in words and curves, their versions, and what a change of them would do."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from retinue.desk.scorecards import (
    ScorecardPage,
    ShownMeasure,
    may_plan,
    planned,
    scorecard,
    scorecards,
    start_plan,
)
from retinue.report import plan as plan_report
from retinue.report.flows import Knots, point_curves
from retinue.web.site import Door, Visit
from retinue.words import declared_value, number

SIGNS = {"added": "new", "removed": "gone", "changed": "changed"}
#: How a roll-up is told.
ROLLED = {
    "arr": "the mean of its children's scores, weighted by their ARR",
    "mean": "the mean of its children's scores",
    "worst": "the worst of its children's scores",
}


def every(visit: Visit) -> Response:
    found = scorecards(visit.workspace, visit.actor)
    return visit.page(
        "scorecards.html",
        found=found,
        currency=visit.workspace.project.settings.currency,
        may_plan=may_plan(visit.actor),
        applies=applies,
    )


def one(visit: Visit) -> Response:
    found = scorecard(visit.workspace, visit.actor, visit.path["name"])
    return visit.page(
        "scorecard.html",
        s=found,
        currency=visit.workspace.project.settings.currency,
        applies=applies(found.summary.applies_to),
        rolled=ROLLED.get(found.roll_up or "", ""),
        curves=_curves(found),
        words=curve_words,
        value=declared_value,
        signs=SIGNS,
        differs=_differs,
        may_plan=may_plan(visit.actor),
    )


def plan(visit: Visit) -> Response:
    found = planned(visit.workspace, visit.actor)
    body = plan_report.body(found.plan) if found.plan is not None else None
    return visit.page("plan.html", found=found, body=body)


def begin(visit: Visit) -> Response:
    start_plan(visit.workspace, visit.actor, now=visit.now)
    return visit.to("/plan")


def applies(told: Any) -> str:
    """Who a scorecard is for, in words."""
    if not told:
        return "every account that no other scorecard before it takes"
    parts = [
        f"{name.replace('_', ' ')} is {' or '.join(str(value).replace('_', ' ') for value in values)}"
        for name, values in told.items()
    ]
    return "accounts whose " + " and ".join(parts)


def curve_words(measure: ShownMeasure) -> str:
    """A curve as a sentence."""
    if measure.kind == "cohort":
        better = "fewer" if measure.direction == "lower_is_better" else "more"
        return (
            "Points are the place of the value among like accounts of the year before the quarter: "
            f"{better} than half of them is 50."
        )
    if not measure.curves:
        return ""
    curve, unit = measure.curves[0], f" {measure.unit}" if measure.unit else ""
    told = [f"{number(value)}{unit} gives {number(points)}" for value, points in curve.knots]
    how = "from each value on" if curve.steps else "straight lines between"
    return f"{'; '.join(told)}; {how}."


def _curves(found: ScorecardPage) -> dict[str, Markup]:
    drawn = {}
    for part in found.components:
        for measure in part.measures:
            curves = [Knots(curve.cohort or "points", curve.knots, curve.steps) for curve in measure.curves]
            drawn[f"{part.component}.{measure.metric}"] = point_curves(
                f"Points of {measure.label}", curves, unit=measure.unit or ""
            )
    return drawn


def _differs(version: Any) -> bool:
    return version.change is not None and (
        version.change.differences or version.metrics or version.change.stages
    )


DOORS = (
    Door("/scorecards", "read", show=every),
    Door("/plan", "read", show=plan, act=begin, act_right="act"),
    Door("/scorecards/{name}", "read", show=one),
)
