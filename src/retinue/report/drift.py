"""The report of a review: whether the score still says what it said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from retinue.report.axes import Axis, Bar, Series
from retinue.report.charts import forest, lines
from retinue.report.pages import rendered

if TYPE_CHECKING:
    from retinue.insight.drift.results import Review
    from retinue.run.drift import Reviewed

ADVICE = {
    "nothing": ("Change nothing", "good"),
    "new_intercept": ("Learn the level of the chances anew", "weak"),
    "new_thresholds": ("Set thresholds anew", "weak"),
    "new_weights": ("Fit the weights anew", "bad"),
    "cannot_tell": ("Cannot tell", "open"),
}


def page(found: Reviewed) -> str:
    """The review as one HTML file."""
    from retinue.insight.drift.results import ASSUMES, iso

    told = found.review
    words, kind = ADVICE.get(told.advice, (told.advice.replace("_", " "), "open"))
    return rendered(
        "drift",
        project=found.project,
        until=found.until,
        r=told,
        words=words,
        kind=kind,
        iso=iso,
        assumes=ASSUMES,
        warnings=(*found.warnings, *told.warnings),
        fingerprints=sorted(found.fingerprints.items()),
        of_versions=sorted(found.versions.items()),
        shifts=sorted(told.shifts, key=lambda one: (not one.alarm, one.q != one.q, one.q, one.name)),
        charts=_charts(told),
    )


def _charts(r: Review) -> dict[str, Markup]:
    days = [float(one.first) for one in r.quarters]
    checks = (
        ("level", "Events over expected", "over_expected", 1.0),
        ("slope", "Slope of the outcome on its chance", "slope", 1.0),
        ("auc", "AUC against the earlier part", "auc_change", 0.0),
    )
    charts = {}
    for key, title, field, target in checks:
        found = [getattr(one, field) for one in r.quarters]
        charts[key] = lines(
            title,
            [
                Series(
                    "",
                    days,
                    [one.value for one in found],
                    [one.low for one in found],
                    [one.high for one in found],
                )
            ],
            x=Axis("quarter", days=True),
            y=Axis(title),
            marks={f"{target:g}": target},
            height=220.0,
        )
    rows = [Bar(one.name, one.auc, one.low, one.high) for one in r.versions]
    charts["versions"] = forest(
        "AUC by version", rows, axis=Axis("AUC"), reference=0.5, reference_name="coin"
    )
    return charts
