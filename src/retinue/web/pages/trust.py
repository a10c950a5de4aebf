"""Trust: the trial of the score, what people's judgement adds, and whether scores are used."""

from __future__ import annotations

from starlette.responses import Response

from retinue.desk.trust import USED, start_trial, trust
from retinue.report import validation
from retinue.report.axes import Axis, Bar
from retinue.report.charts import bars
from retinue.store.people.uses import FROM_SCORE, Adoption
from retinue.web.site import Door, Visit


def show(visit: Visit) -> Response:
    found = trust(visit.workspace, visit.actor, now=visit.now, recorded=visit.site.records_use)
    told = found.trial
    body = (
        validation.body(told.report, told.project, told.fingerprints, told.with_pulses)
        if told is not None
        else None
    )
    return visit.page(
        "trust.html",
        t=found,
        body=body,
        days=USED,
        from_score=int(FROM_SCORE.total_seconds() // 60),
        weeks=_weeks(found.adoption) if found.adoption is not None else None,
    )


def begin(visit: Visit) -> Response:
    start_trial(visit.workspace, visit.actor, now=visit.now)
    return visit.to("/trust")


def _weeks(told: Adoption) -> object:
    return bars(
        "People who came, by week",
        [Bar(f"week of {one.start}", float(one.people)) for one in told.weeks],
        axis=Axis("people", digits=0, zero=True),
    )


DOORS = (Door("/trust", "read", show=show, act=begin, act_right="act"),)
