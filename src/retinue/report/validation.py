"""The report of a trial: what the score predicted beside what happened, in one page."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from retinue.report.axes import Axis, Bar, Point, Series
from retinue.report.charts import bars, forest, lines, reliability
from retinue.report.pages import COLOURS, band_word, days_of, rendered
from retinue.report.shares import histogram, stacked

if TYPE_CHECKING:
    from retinue.insight.validation.report import Report
    from retinue.insight.validation.sampling import Estimate

VERDICTS = {
    "predicts_well": ("Predicts well", "good"),
    "predicts_weakly": ("Predicts weakly", "weak"),
    "no_evidence": ("No evidence that it predicts", "bad"),
    "not_enough_churn": ("Not enough churn to tell", "open"),
}
MARKS = {
    True: ("✓ passed", "passed"),
    False: ("✗ missed", "failed"),
    None: ("? cannot tell", "unknown"),
}
_SPELLS = ("up to 7 days", "up to 30 days", "up to 60 days", "up to 90 days", "longer")
_SECTIONS = (
    ("bars", "What it has to reach"),
    ("rivals", "Against simpler ways"),
    ("bands", "Bands"),
    ("chances", "Chances"),
    ("warning", "Warning in time"),
    ("time", "Over time"),
    ("parts", "By part"),
    ("lost", "What was lost"),
    ("missing", "Missing data"),
    ("how", "How it was done"),
)


def page(
    report: Report, project: str, fingerprints: Mapping[str, str], with_pulses: Estimate | None = None
) -> str:
    """The trial as one HTML file; `fingerprints` are by scorecard."""
    return rendered("validation", **_told(report, project, fingerprints, with_pulses))


def body(
    report: Report, project: str, fingerprints: Mapping[str, str], with_pulses: Estimate | None = None
) -> Markup:
    """The same as a piece of another page, which has our style sheets."""
    told = _told(report, project, fingerprints, with_pulses)
    return Markup(rendered("validation_body", **told))  # noqa: S704 - the template escapes what it is told


def _told(
    report: Report, project: str, fingerprints: Mapping[str, str], with_pulses: Estimate | None
) -> dict[str, Any]:
    verdict, kind = VERDICTS.get(report.verdict, (report.verdict.replace("_", " "), "open"))
    there = {"bars": report.bars, "lost": report.reasons or report.amounts, "warning": not report.good}
    rivals = [one for one in report.baselines if one.auc.known and one.name != "constant"]
    return {
        "r": report,
        "project": project,
        "verdict": verdict,
        "kind": kind,
        "best": max(rivals, key=lambda one: one.auc.value, default=None),
        "red": report.band("red"),
        "green": report.band("green"),
        "week": next((one for one in report.before if one.days == 7), None),
        "marks": MARKS,
        "bars_told": _bars_told(report),
        "slices": [(by, list(parts)) for by, parts in groupby(report.slices, key=lambda one: one.by)],
        "sections": [one for one in _SECTIONS if there.get(one[0], True)],
        "fingerprints": sorted(fingerprints.items()),
        "with_pulses": with_pulses,
        "charts": _charts(report),
    }


def _bars_told(report: Report) -> str:
    missed = [bar.name for bar in report.bars if bar.passed is False]
    untold = sum(bar.passed is None for bar in report.bars)
    text = f"Missed: {', '.join(missed)}." if missed else f"None of the {len(report.bars)} bars was missed."
    return f"{text} {untold} cannot be told." if untold else text


def _bar(name: str, one: Estimate, kind: str = "", count: int | None = None) -> Bar:
    return Bar(name, one.value, one.low, one.high, count, kind)


def _charts(r: Report) -> dict[str, Markup]:
    rate = Axis(f"{r.outcome} within {r.horizon_days} days", percent=True, zero=True)
    auc = Axis("AUC")
    rivals = [_bar("the score", r.auc)]
    rivals += [_bar(one.name, one.auc, "reference") for one in r.baselines if one.name != "constant"]
    if r.challenger.auc.known:
        rivals.append(_bar("score, on later rows", r.challenger.score_auc))
        rivals.append(_bar("challenger, on later rows", r.challenger.auc, "chosen"))
    base = f"all rows {rate.text(r.base_rate.value)}" if r.base_rate.known else ""
    charts = {
        "rivals": forest(
            "AUC of the score and its rivals", rivals, axis=auc, reference=0.5, reference_name="coin"
        ),
        "bands": bars(
            "Outcome rate by band",
            [_bar(band_word(one.name), one.rate, COLOURS.get(one.name, ""), one.rows) for one in r.bands],
            axis=rate,
            reference=r.base_rate.value,
            reference_name=base,
        ),
        "deciles": bars(
            "Outcome rate by tenth of the score",
            [_bar(_range(one.low, one.high), one.rate, "", one.rows) for one in r.deciles],
            axis=rate,
            reference=r.base_rate.value,
            reference_name=base,
        ),
        "histogram": histogram(
            "Scores of rows with and without the outcome",
            r.histogram.edges,
            {"without": r.histogram.without, "with the outcome": r.histogram.having},
            x=Axis("score"),
            y_name="share of rows",
        ),
        "reliability": reliability(
            "Chances predicted and observed",
            [
                Point(one.foretold, one.happened.value, "", one.happened.low, one.happened.high, one.rows)
                for one in r.calibration.bins
            ],
            x_name="predicted",
            y_name="observed",
        ),
        "before": _before(r),
        "spells": _spells(r),
        "over_time": stacked(
            "Bands over time",
            [days_of(one.date) for one in r.over_time],
            {
                band_word("red"): [one.red for one in r.over_time],
                band_word("watch"): [one.watch for one in r.over_time],
                band_word("green"): [one.green for one in r.over_time],
            },
            {band_word(name): kind for name, kind in COLOURS.items()},
            y_name="share of scored accounts",
        ),
    }
    segments = [one for one in r.slices if one.by == "segment" and one.auc.known]
    told = [_bar("all", r.auc), *(_bar(one.name, one.auc, "reference") for one in segments)]
    charts["segments"] = (
        forest("AUC by segment", told, axis=auc, reference=0.5, reference_name="coin")
        if len(segments) > 1
        else Markup()
    )
    return charts


def _range(low: float, high: float) -> str:
    ends = [f"{one:.1f}".removesuffix(".0") for one in (low, high)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _before(r: Report) -> Markup:
    """Days before to the left of the loss, so that time runs to the right."""
    seen = sorted(r.before, key=lambda one: -one.days)
    x = [-float(one.days) for one in seen]
    lost: dict[str, Any] = {
        "low": [one.green.low for one in seen],
        "high": [one.green.high for one in seen],
    }
    return lines(
        "Share of green accounts before the loss",
        [
            Series("lost", x, [one.green.value for one in seen], **lost),
            Series("stayed", x, [one.stayed_green for one in seen]),
        ],
        x=Axis("days from the loss"),
        y=Axis("share that was green", percent=True, zero=True),
    )


def _spells(r: Report) -> Markup:
    """Lost accounts by how long they had been red, and the same by chance."""
    rows = []
    for name, count, null in zip(_SPELLS, r.lead_time.spells, r.lead_time.null_spells, strict=False):
        rows.append(Bar(f"red {name}", float(count), kind="at_risk"))
        rows.append(Bar("by chance", null, kind="reference"))
    return bars("Lost accounts by length of their red spell", rows, axis=Axis("lost accounts", digits=0))
