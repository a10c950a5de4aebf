"""The report of leading indicators: what accounts did early, beside what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from retinue.insight.discovery.findings import when
from retinue.report.axes import Axis, Bar
from retinue.report.charts import bars, forest
from retinue.report.pages import rendered

if TYPE_CHECKING:
    from retinue.insight.discovery.findings import Finding
    from retinue.run.discover import Discovered

#: Features that were looked at and not found, on the page; all of them are in the JSON.
MOST = 60


def page(found: Discovered) -> str:
    """What was found as one HTML file."""
    told = found.discovery
    confirmed = sum(one.confirmed for one in told.findings)
    return rendered(
        "discover",
        project=found.project,
        until=found.until,
        looked_at=sorted(found.looked_at.items()),
        when=when,
        d=told,
        confirmed=confirmed,
        kind="good" if confirmed else "open",
        warnings=(*found.warnings, *told.warnings),
        rejected=told.rejected[:MOST],
        overview=_overview(told.findings),
        pictures=[_picture(one, told.outcome, told.follow_up) for one in told.findings],
    )


def _overview(findings: tuple[Finding, ...]) -> Markup:
    if not findings:
        return Markup()
    rows = [
        Bar(
            f"{one.feature}, {one.days} d" if one.days else one.feature,
            one.held_out.difference,
            one.held_out.low,
            one.held_out.high,
            kind="" if one.confirmed else "reference",
        )
        for one in findings
    ]
    axis = Axis("difference of the outcome rate, held-out accounts", percent=True)
    return forest("Held-out differences", rows, axis=axis, reference=0.0, reference_name="no difference")


def _picture(one: Finding, outcome: str, follow_up: int) -> Markup:
    rows = [
        Bar(
            f"{part.least:g}" if part.least == part.most else f"{part.least:g} to {part.most:g}",
            part.outcome.rate,
            part.outcome.low,
            part.outcome.high,
            part.outcome.accounts,
        )
        for part in one.bins
    ]
    axis = Axis(f"{outcome} within the next {follow_up} days", percent=True, zero=True)
    return bars(f"{one.feature}{when(one.days)}", rows, axis=axis)
