"""The week of a leader: one page for the screen, for paper, or as one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from retinue.report.axes import Axis, Series
from retinue.report.charts import lines
from retinue.report.flows import BandRow, band_bars
from retinue.report.pages import days_of, rendered
from retinue.report.validation import VERDICTS

if TYPE_CHECKING:
    from retinue.desk.leadership import Leadership


def page(found: Leadership) -> str:
    """The report as one HTML file."""
    return rendered("leadership", **_told(found))


def body(found: Leadership) -> Markup:
    """The same as a piece of another page, which has our style sheets."""
    return Markup(rendered("leadership_body", **_told(found)))  # noqa: S704 - the template escapes what it is told


def _told(found: Leadership) -> dict[str, Any]:
    verdict = found.verdict
    word, kind = (
        VERDICTS.get(verdict.name, (verdict.name.replace("_", " "), "open")) if verdict else ("", "open")
    )
    return {
        "l": found,
        "bands": ("at_risk", "watch", "healthy", None),
        "verdict": word,
        "kind": kind,
        "charts": {"risk": _risk(found), "due": _due(found)},
        "unit": f" {found.currency}" if found.currency else "",
    }


def _risk(found: Leadership) -> Markup:
    days = [days_of(day.isoformat()) for day, _ in found.arr_at_risk]
    series = [Series("at risk", days, [arr for _, arr in found.arr_at_risk])]
    name = f"ARR at risk{f', {found.currency}' if found.currency else ''}"
    return lines("ARR at risk", series, x=Axis(days=True), y=Axis(name, zero=True, digits=0), height=190.0)


def _due(found: Leadership) -> Markup:
    rows = [
        BandRow(
            f"within {one.days} days", one.arr_bands if one.arr else one.bands, f"{one.accounts:,} accounts"
        )
        for one in found.due
    ]
    return band_bars("Renewals by band", rows)
