"""The portfolio: groups of accounts beside one another, what moved, and what they have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, cast
from urllib.parse import quote

from markupsafe import Markup
from starlette.responses import Response

from retinue.desk.losses import start_reading
from retinue.desk.movement import Movement, Weight
from retinue.desk.panel import COHORT
from retinue.desk.portfolio import (
    BIN,
    COMPARED,
    GroupStanding,
    Portfolio,
    PortfolioAsk,
    TrendPoint,
    portfolio,
)
from retinue.desk.steady import steady
from retinue.errors import Forbidden, StoreError
from retinue.report.axes import Axis, Series
from retinue.report.charts import lines
from retinue.report.flows import BandRow, band_bars, mini_bar
from retinue.report.pages import band_word
from retinue.report.shares import matrix
from retinue.report.waterfall import End, Step, waterfall
from retinue.run.planned import STANDINGS
from retinue.store.published.current import FILTERS
from retinue.web.pages.book import Address
from retinue.web.site import Door, Visit

#: Dimensions in words, where their name is not.
NAMED = {COHORT: "start cohort"}
#: The parts of a change of the mean, and what each says.
PARTS = {
    "within": ("Accounts that stayed and moved", "their own scores"),
    "mix": ("Weights that moved", "accounts that stayed count for more or less"),
    "entry": ("Accounts that came", "scored now, not then"),
    "exit": ("Accounts that went", "scored then, not now"),
}
_EPOCH = date(1970, 1, 1)


def show(visit: Visit) -> Response:
    found = portfolio(visit.workspace, visit.actor, asked(visit.query))
    return visit.page(
        "portfolio.html",
        p=found,
        address=Address(visit.query),
        compare=[one.value for one in found.compared],
        most=COMPARED,
        dimensions=[(name, dimension(name)) for name in found.dimensions],
        by_word=dimension(found.by),
        parts=PARTS,
        book_link=lambda value: book_link(found, value),
        charts=_charts(found),
        mini=mini_bar,
        group_parts={one.value: one.parts for one in found.movement.groups},
        red=[one for one in found.starts if one.red],
        read_losses=visit.actor.everything and visit.actor.may("act"),
    )


def asked(query: Mapping[str, str]) -> PortfolioAsk:
    """What an address asks for. Raises StoreError where it cannot be."""
    several = query.getlist("compare") if hasattr(query, "getlist") else []
    return PortfolioAsk(
        by=query.get("by") or None,
        since=_day("from", query.get("from")),
        until=_day("to", query.get("to")),
        compare=tuple(value for value in several if value),
        weight=cast(Weight, query.get("weight") or "arr"),
    )


def dimension(name: str) -> str:
    return NAMED.get(name, name.replace("_", " "))


def book_link(found: Portfolio, value: str | None) -> str | None:
    """The accounts of a group in the book, where the book can be narrowed down to them."""
    if found.by not in FILTERS or value == "others":
        return None
    return f"/?scope=all&{found.by}={quote('-' if value is None else value, safe='')}"


def read_losses(visit: Visit) -> Response:
    """Read what the project's outcomes tell of losses, in the background."""
    if not visit.actor.everything:
        raise Forbidden("only whoever sees all accounts may have losses read")
    steady(visit.workspace, lambda run: start_reading(visit.workspace, run, now=visit.now))
    return visit.to("/portfolio#losses")


def _day(name: str, text: str | None) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise StoreError(f"{name}: {text[:40]!r} is no date", hint="write it as 2026-03-31") from None


# --- pictures --------------------------------------------------------------------------------------


def _charts(found: Portfolio) -> dict[str, Markup]:
    shown = [one for one in found.groups if one.now.scored][:12]
    charts = {
        "trend": _trend(found.trend),
        "bands": over_time(found.trend),
        "groups": band_bars(
            f"Bands by {dimension(found.by)}",
            [BandRow(named(one.value), one.now.bands, f"{one.now.accounts:,}") for one in shown],
        ),
        "movement": moved(found.movement),
        "accounts": _matrix("Accounts", found.movement, found.movement.migration.accounts),
    }
    money = found.movement.migration.arr
    charts["arr"] = _matrix("ARR", found.movement, money) if money.any() else Markup("")
    if found.compared:
        charts["compared"] = _compared(found.compared)
        charts["scores"] = _scores(found.compared)
        charts["compared_bands"] = band_bars(
            "Bands of the groups",
            [BandRow(named(one.value), one.now.bands, f"{one.now.accounts:,}") for one in found.compared],
        )
    return charts


def named(value: str | None) -> str:
    return "none" if value is None else value.replace("_", " ")


def _days(points: Sequence[TrendPoint]) -> list[float]:
    return [float((one.day - _EPOCH).days) for one in points]


def _trend(points: Sequence[TrendPoint]) -> Markup:
    series = [Series("all alike", _days(points), [one.mean for one in points])]
    if any(one.arr_mean is not None for one in points):
        series.insert(0, Series("by ARR", _days(points), [one.arr_mean for one in points]))
    return lines("Mean score", series, x=Axis(days=True), y=Axis("score", digits=1))


def over_time(points: Sequence[TrendPoint]) -> Markup:
    """The share at risk on each date."""
    shares = [one.at_risk / one.scored if one.scored else None for one in points]
    return lines(
        "Accounts at risk",
        [Series("at risk", _days(points), shares)],
        x=Axis(days=True),
        y=Axis("share of scored accounts", percent=True, zero=True),
        height=220.0,
    )


def _compared(groups: Sequence[GroupStanding]) -> Markup:
    series = [Series(named(one.value), _days(one.trend), [p.mean for p in one.trend]) for one in groups]
    return lines("Mean score by group", series, x=Axis(days=True), y=Axis("score", digits=0))


def _scores(groups: Sequence[GroupStanding]) -> Markup:
    """Shares of the accounts of each group by score, as lines: four outlines would hide one another."""
    middles = [BIN * (n + 0.5) for n in range(100 // BIN)]
    series = [
        Series(named(one.value), middles, [n / one.now.scored for n in one.now.histogram])
        for one in groups
        if one.now.scored
    ]
    return lines(
        "Scores by group",
        series,
        x=Axis("score", ends=(0.0, 100.0), digits=0),
        y=Axis("share of the group", percent=True, zero=True),
    )


def moved(found: Movement) -> Markup:
    """The change of the mean as a waterfall."""
    if found.parts is None or found.before is None or found.after is None:
        return Markup("")
    steps = [Step(PARTS[name][0], getattr(found.parts, name)) for name in PARTS]
    return waterfall(
        "What moved the mean score",
        End(f"{found.since}", found.before),
        steps,
        End(f"{found.until}", found.after),
    )


def _matrix(title: str, found: Movement, cells: Any) -> Markup:
    accounts = found.migration.accounts
    there = [n for n in range(len(STANDINGS)) if accounts[n].sum() or accounts[:, n].sum()]
    names = [standing_word(STANDINGS[n]) for n in there]
    rows = [[float(cells[n, m]) for m in there] for n in there]
    return matrix(title, names, names, rows, corner=f"{found.since} ↓ {found.until} →", quiet_diagonal=True)


def standing_word(name: str) -> str:
    return {"not_scored": "○ not scored", "absent": "not there"}.get(name) or band_word(name)


DOORS = (
    Door("/portfolio", "read", show=show),
    Door("/portfolio/losses", "read", act=read_losses, act_right="act"),
)
