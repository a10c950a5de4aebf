"""The page of one account, and what is loaded from it on demand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import JSONResponse, Response

from retinue.desk import acting
from retinue.desk.account import AccountPage, account, history, seen
from retinue.desk.book import offered
from retinue.desk.metric import metric
from retinue.desk.rows import people, source_rows
from retinue.desk.tasks import took
from retinue.desk.timeline import OWN_KINDS, rarest, timeline
from retinue.errors import StoreError
from retinue.project.scorecards import BANDS
from retinue.report.axes import Axis, Series
from retinue.report.charts import lines
from retinue.report.place import among, meter, on_curve
from retinue.report.trendline import Trending, TrendMark, TrendPoint, trendline, zones_of
from retinue.report.waterfall import End, Step, gathered, waterfall
from retinue.run.explanation import Explanation
from retinue.run.improve import metric_label
from retinue.web.site import Door, Visit
from retinue.words import shown

#: The hyphen of a negative number: nothing that belongs to it stands before.
_MINUS = re.compile(r"(?<![\w.)-])-(?=\d)")
#: Widths of the two drawings of a trend: a page shows the one that fits.
WIDE, NARROW = 860.0, 360.0
#: Dates of the trend that its table has, at most.
LISTED = 60
#: What is said once after something was done; the address has the name of the sentence only.
SAID = {
    "note": "The note is written.",
    "pulse": "The pulse is recorded. It counts in the score of {day}, which the run of the day after makes.",
    "override": "The override is recorded. It counts from the score of {day} on, or from its first day if "
    "that is later; the run of the day after makes that score.",
    "outcome": "The outcome is recorded. It is used to judge the score, and does not enter it.",
    "owner": "The account has another owner from now on.",
    "task": "The task is there.",
    "done": "The task is done.",
    "dropped": "The task is dropped.",
    "given": "The task has another owner.",
    "snoozed": "The task is out of sight until its day.",
    "back": "The task is back.",
    "ticked": "The item is ticked.",
    "unticked": "The item is open again.",
    "intervention": "The intervention is recorded.",
    "ended": "The intervention has ended.",
    "withdrawn": "It is withdrawn. Scores of days before {day} keep it.",
}


def show(visit: Visit) -> Response:
    return page(visit)


def page(
    visit: Visit, *, failed: str | None = None, failure: str | None = None, status: int = 200
) -> Response:
    """The page; `failed` is the form that was not accepted, `failure` why."""
    found = read(visit)
    explanation = found.explanation
    workspace = visit.workspace
    metrics = workspace.project.metrics
    moved: dict[str | None, float] = {}
    measures: dict[tuple[str | None, str | None], float] = {}
    for driver in explanation.change.drivers if explanation.change else ():
        moved[driver.component] = moved.get(driver.component, 0.0) + driver.points
        place = (driver.component, driver.metric)
        measures[place] = measures.get(place, 0.0) + driver.points
    owners = offered(workspace, visit.actor, ("owner",))["owner"] if visit.actor.may("act") else ()
    return visit.page(
        "account.html",
        status=status,
        page=found,
        e=explanation,
        account=found.account,
        here=address(explanation.account_id),
        meter=meter,
        trend=trend(found),
        listed=_listed(found),
        fall=fall(found),
        place=_place(found),
        moved=moved,
        moved_measures=measures,
        labels={name: metric_label(name, metrics) for name in metrics},
        pulses=acting.pulses(workspace),
        owners=[group.value for group in owners if group.value],
        currency=workspace.project.settings.currency,
        counts_from=acting.counts_from(workspace, visit.now),
        said=_said(visit),
        failed=failed,
        failure=failure,
        typed=visit.form if failed else {},
        sources=[name for name, source in workspace.project.sources.items() if not source.timeline],
        has_people=workspace.project.settings.people is not None,
        own_kinds=OWN_KINDS,
        bands=BANDS,
        today=acting.today(workspace, visit.now),
        tomorrow=acting.today(workspace, visit.now) + timedelta(days=1),
        teams=acting.teams(workspace) if visit.actor.may("act") else (),
        account_address=address,
        took=took,
        minus=minus,
        own=own_drivers(explanation),
    )


def read(visit: Visit) -> AccountPage:
    """The account of the address, on the dates that its query asks for."""
    return account(
        visit.workspace,
        visit.actor,
        visit.path["account_id"],
        now=visit.now,
        as_of=asked_day(visit.query, "as_of"),
        since=asked_day(visit.query, "since"),
    )


def address(account_id: str, *rest: str, **query: str | None) -> str:
    """The address of the account's page, or of one below it."""
    told = urlencode({name: value for name, value in query.items() if value})
    path = "/".join(quote(part, safe="") for part in (account_id, *rest))
    return f"/accounts/{path}" + (f"?{told}" if told else "")


def asked_day(query: Mapping[str, str], name: str) -> date | None:
    """A date in an address. Raises StoreError."""
    text = query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise StoreError(f"{name} is a date such as 2026-03-31, not {text[:40]!r}") from None


def minus(text: str) -> str:
    """Text with true minuses before its numbers."""
    return _MINUS.sub("\u2212", text)


def own_drivers(explanation: Explanation) -> int:
    """Drivers that have a row of their own at once: as many as have a bar in the waterfall."""
    if explanation.change is None:
        return 0
    steps = [Step(str(n), driver.points) for n, driver in enumerate(explanation.change.drivers)]
    return sum(step.kind != "rest" for step in gathered(steps))


def _said(visit: Visit) -> str | None:
    told = SAID.get(visit.query.get("said", ""))
    return told.format(day=acting.counts_from(visit.workspace, visit.now)) if told else None


# --- the trend -----------------------------------------------------------------------------------


def trend(found: AccountPage) -> dict[str, Any]:
    """The drawing for a wide and for a narrow page."""
    told = trending(found)
    name = f"Score of {found.explanation.name or found.explanation.account_id}"
    return {"wide": trendline(name, told, width=WIDE), "narrow": trendline(name, told, width=NARROW)}


def trending(found: AccountPage) -> Trending:
    past, change = found.history, found.explanation.change
    points = [
        TrendPoint(one.day, one.score, one.band, one.computed if _differs(one.computed, one.score) else None)
        for one in past
    ]
    formulas = [
        TrendMark(now.day, "formula", _formula_words(before.scorecard, now.scorecard))
        for before, now in pairwise(past)
        if now.fingerprint != before.fingerprint and now.fingerprint and before.fingerprint
    ]
    moves = {
        event.day: event.band
        for event in found.events
        if event.kind == "band" and event.band is not None and event.title.startswith("went")
    }
    lanes = rarest(found.events)
    said = [event for event in found.events if event.kind in ("note", "override", "pulse", "outcome")]
    marks = [
        TrendMark(event.day, event.kind, event.text or event.title)
        for event in found.events
        if event.kind in lanes
    ]
    marks += [TrendMark(event.day, "said by people", f"{event.title}: {event.text or ''}") for event in said]
    return Trending(
        points,
        zones_of([(one.day, one.fingerprint) for one in past], found.edges),
        [*formulas, *marks],
        [*lanes, "said by people"],
        moves,
        (change.since, change.until) if change is not None else None,
    )


def _differs(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and shown(one, 1) != shown(other, 1)


def _formula_words(before: str | None, now: str | None) -> str:
    return f"scorecard {now} instead of {before}" if before != now else f"the scorecard {now} was changed"


def _listed(found: AccountPage) -> list[Any]:
    """Dates for the table: changes of band, the last one, and others evenly apart, newest first."""
    past = found.history
    apart = max(1, -(-len(past) // LISTED))
    kept = [
        one
        for n, one in enumerate(past)
        if (len(past) - 1 - n) % apart == 0 or (n and past[n - 1].band != one.band)
    ]
    return kept[::-1]


def series(visit: Visit) -> Response:
    """Every published date, for whoever explores the trend."""
    past = history(visit.workspace, visit.actor, visit.path["account_id"])
    return JSONResponse(
        {
            "dates": [one.day.isoformat() for one in past],
            "effective": [_short(one.score) for one in past],
            "published": [_short(one.published) for one in past],
            "computed": [_short(one.computed) for one in past],
            "band": [one.band for one in past],
        }
    )


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


# --- the change, and the peers -------------------------------------------------------------------


def fall(found: AccountPage) -> Any:
    change = found.explanation.change
    if change is None:
        return None
    labels = {(m.component, m.metric): m.label for m in found.explanation.measures}
    words = {"rule": "caps and floors", "configuration": "another formula", "smoothing": "stability"}
    steps = []
    for driver in change.drivers:
        name = labels.get((driver.component or "", driver.metric or "")) or (
            driver.metric or "the whole"
        ).replace("_", " ")
        if driver.metric is None:
            name = words.get(driver.kind, driver.component or driver.kind)
        elif driver.kind == "availability":
            name = f"{name} (weight)"
        steps.append(Step(name[:1].upper() + name[1:], driver.points, driver.kind))
    start, end = End(str(change.since), change.from_score), End(str(change.until), change.to_score)
    return waterfall("What changed the score", start, steps, end)


def _place(found: AccountPage) -> Any:
    peers = found.peers
    if peers is None or peers.too_few or found.explanation.score is None:
        return None
    return among(
        "Scores of similar accounts", peers.counts, found.explanation.score, median=peers.quantiles[2]
    )


# --- on demand -----------------------------------------------------------------------------------


def show_timeline(visit: Visit) -> Response:
    """A page of the timeline; a fragment if that is what was asked for."""
    account_id = visit.path["account_id"]
    row = seen(visit.workspace, visit.actor, account_id)
    kind = visit.query.get("kind") or None
    found = timeline(
        visit.workspace, visit.actor, account_id, kind=kind, before=visit.query.get("before") or None
    )
    if row is None and not found.kinds:
        history(visit.workspace, visit.actor, account_id)
    return visit.page(
        "account/timeline_page.html",
        timeline=found,
        account_id=account_id,
        name=row.name if row is not None else None,
        here=address(account_id),
        own_kinds=OWN_KINDS,
    )


def show_metric(visit: Visit) -> Response:
    """The page of a metric; with `rows` in the address also what it was counted from."""
    found = metric(
        visit.workspace,
        visit.actor,
        visit.path["account_id"],
        visit.path["metric"],
        as_of=asked_day(visit.query, "as_of"),
        rows=visit.query.get("rows") == "yes",
    )
    epoch = date(1970, 1, 1)
    days = [float((day - epoch).days) for day, _, _ in found.history]
    drawn = lines(
        found.label,
        [Series(found.label, days, [value for _, value, _ in found.history])],
        x=Axis(days=True),
        y=Axis(found.unit or ""),
    )
    curves = [
        on_curve(f"Points of {found.label}", one.curve, found.value, one.points, unit=found.unit or "value")
        if one.curve
        else None
        for one in found.counted
    ]
    return visit.page(
        "account/metric.html",
        m=found,
        here=address(found.account_id),
        drawn=drawn,
        curves=curves,
        minus=minus,
        older=found.as_of != found.history[-1][0],
    )


def show_rows(visit: Visit) -> Response:
    """The newest rows of one source about the account."""
    account_id = visit.path["account_id"]
    found = source_rows(
        visit.workspace, visit.actor, account_id, visit.path["source"], as_of=asked_day(visit.query, "as_of")
    )
    return visit.page("account/rows_page.html", rows=found, account_id=account_id, here=address(account_id))


def show_people(visit: Visit) -> Response:
    """Who is there at the customer, read from the source when somebody asks."""
    account_id = visit.path["account_id"]
    told, found = people(visit.workspace, visit.actor, account_id)
    return visit.page(
        "account/people.html", people=told, rows=found, account_id=account_id, here=address(account_id)
    )


DOORS = (
    Door("/accounts/{account_id:path}/metrics/{metric}", "read", show=show_metric),
    Door("/accounts/{account_id:path}/rows/{source}", "read", show=show_rows),
    Door("/accounts/{account_id:path}/people", "read", show=show_people),
    Door("/accounts/{account_id:path}/series.json", "read", show=series),
    Door("/accounts/{account_id:path}/timeline", "read", show=show_timeline),
)
#: It matches whatever stands below /accounts/, so it comes after everything that does.
LAST = (Door("/accounts/{account_id:path}", "read", show=show),)
