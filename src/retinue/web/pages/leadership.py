"""The week of a leader on one page, for the screen and for paper."""

from __future__ import annotations

from starlette.responses import Response

from retinue.desk.leadership import leadership
from retinue.report import leadership as report
from retinue.web.site import Door, Visit


def show(visit: Visit) -> Response:
    found = leadership(visit.workspace, visit.actor, now=visit.now, recorded=visit.site.records_use)
    return visit.page("leadership.html", l=found, body=report.body(found))


DOORS = (Door("/leadership", "read", show=show),)
