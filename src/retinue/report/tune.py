"""The report of a proposal for one scorecard: weights, edges, stability, curves, and what they are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from retinue.report.axes import Axis, Bar, Point, Series
from retinue.report.charts import forest, lines, scatter
from retinue.report.pages import rendered

if TYPE_CHECKING:
    from retinue.insight.tuning.tradeoff import Setting, Tradeoff
    from retinue.insight.tuning.tune import Tuned
    from retinue.run.tune import Proposed

#: Settings of stability on the page; all of them are in the JSON.
MOST = 12


def page(found: Proposed) -> str:
    """The proposal as one HTML file."""
    told = found.tuned
    return rendered(
        "tune",
        project=found.project,
        t=told,
        w=told.weighing,
        e=told.edges,
        p=found.proposal,
        until=_iso(told.until),
        cutoff=_iso(told.held_out.cutoff) if told.held_out else None,
        others=sorted(found.others.items()),
        warnings=(*found.warnings, *told.warnings),
        verdict=_verdict(found),
        settings=_settings(told.stability),
        setting=_setting,
        kappas=list(told.weighing.weights[0].by_kappa) if told.weighing.weights else [],
        charts=_charts(told),
        curves=[(one, _curve(one)) for one in told.curves],
    )


def _iso(day: int) -> str:
    from retinue.insight.validation.report import iso

    return iso(day)


def _verdict(found: Proposed) -> tuple[str, str]:
    if found.proposal is None:
        return "Today's numbers stay", "open"
    what = "Other weights are proposed" if found.tuned.weighing.adopted else "Today's weights stay"
    return what, "good" if found.tuned.weighing.adopted else "weak"


def _setting(one: Setting) -> str:
    return f"{one.deadband:g} / {one.margin:g} / {one.down:g} d / {one.up:g} d"


def _settings(told: Tradeoff) -> list[Any]:
    """Today's, the suggested one, and those that no other beats, calmest first."""
    chosen = [one for one in told.tried if one.current or one.setting == told.suggested or one.front]
    ranked = sorted(chosen, key=lambda one: (not (one.current or one.setting == told.suggested), one.flaps))
    return sorted(ranked[:MOST], key=lambda one: one.flaps)


def _charts(t: Tuned) -> dict[str, Markup]:
    rows = []
    for one in t.weighing.weights:
        rows.append(Bar(one.name, one.fitted, one.low, one.high, kind="chosen"))
        rows.append(Bar("as declared", one.declared, kind="reference"))
    charts = {
        "weights": forest("Weights", rows, axis=Axis("share of the score", percent=True, zero=True)),
        "held_out": Markup(),
    }
    if t.held_out is not None:
        pairs = [
            ("declared", t.held_out.declared, "reference"),
            ("fitted", t.held_out.fitted, "chosen"),
            *([("challenger", t.held_out.challenger, "reference")] if t.held_out.challenger else []),
        ]
        told = [Bar(name, one.value, one.low, one.high, kind=kind) for name, one, kind in pairs]
        charts["held_out"] = forest(
            "AUC on later time", told, axis=Axis("AUC", digits=3), reference=0.5, reference_name="coin"
        )
    parts = [Bar(one.name, one.auc.value, one.auc.low, one.auc.high) for one in t.dropping if one.auc]
    charts["dropping"] = (
        forest(
            "What each adds",
            parts,
            axis=Axis("AUC with it less without it", digits=3),
            reference=0.0,
            reference_name="nothing",
        )
        if parts
        else Markup()
    )
    names = {True: "today", False: "suggested"}
    points = [
        Point(
            one.flaps,
            one.red_14,
            names[one.current] if one.current or one.setting == t.stability.suggested else "",
            chosen=one.current or one.setting == t.stability.suggested,
        )
        for one in t.stability.tried
    ]
    charts["stability"] = scatter(
        "Settings of stability",
        points,
        x=Axis("flaps per account and year", zero=True),
        y=Axis("red 14 days before the loss", percent=True),
    )
    return charts


def _curve(one: Any) -> Markup:
    if not one.knots:
        return Markup()
    x, y = [knot[0] for knot in one.knots], [knot[1] for knot in one.knots]
    return lines(
        f"Curve of {one.name}",
        [Series("", x, y)],
        x=Axis(one.name),
        y=Axis("points", ends=(0.0, 100.0)),
        height=200.0,
    )
