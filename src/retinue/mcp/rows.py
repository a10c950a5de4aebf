"""Parts of answers that several tools have: what the desk gives, with everything that others wrote quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from retinue.errors import NotFound
from retinue.mcp import answers as told
from retinue.mcp.telling import NAME, quoted, rounded
from retinue.words import WORDS, shown, signed

if TYPE_CHECKING:
    from retinue.desk.book import BookRow
    from retinue.desk.tasks import TaskCard
    from retinue.desk.timeline import Event
    from retinue.mcp.session import Call
    from retinue.run import explanation as parts
    from retinue.run.what_if import PartIf
    from retinue.store.published.current import Group
    from retinue.store.work.reasons import Reason

#: Drivers, improvements and measures that are told.
DRIVERS, IMPROVEMENTS, MEASURES = 12, 6, 40
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/+-]{0,63}")
#: Points of a driver that is worth a line of its own.
LEAST = 0.05


def name(text: object) -> str | None:
    return quoted(text, NAME)


def ident(account_id: str) -> str:
    """An id as texts have it: one that could be read as anything else is quoted."""
    return account_id if _PLAIN.fullmatch(account_id) else quoted(account_id, 500) or ""


def band(value: str | None) -> str:
    return value or "not_scored"


def account(call: Call, asked: str) -> str:
    """The id of the account that is meant: by its id, or by the name of one account only.

    Raises NotFound, naming those that look alike.
    """
    from retinue.desk.account import history, seen
    from retinue.desk.book import Ask, book

    try:
        if seen(call.workspace, call.actor, asked) is not None:
            return asked
    except NotFound:
        pass
    alike = book(call.workspace, call.actor, Ask(search=asked[:200], sort="name", limit=20)).rows
    same = [row.account for row in alike if (row.account.name or "").casefold() == asked.casefold()]
    if len(same) == 1:
        return same[0].account_id
    if call.actor.everything and not same:
        try:
            history(call.workspace, call.actor, asked)  # one that is gone may still have it
        except NotFound:
            pass
        else:
            return asked
    some = ", ".join(f"{name(row.account.name)} ({ident(row.account.account_id)})" for row in alike[:5])
    raise missing(asked, f"did you mean {some}?" if some else None)


def missing(asked: str, hint: str | None = None) -> NotFound:
    return NotFound(
        f"there is no account {asked!r} among those that this person may see",
        hint=hint or "find its account_id with search_accounts",
    )


def listed(row: BookRow) -> told.AccountRow:
    one = row.account
    return told.AccountRow(
        account_id=one.account_id,
        name=name(one.name),
        owner=name(one.owner),
        segment=name(one.segment),
        territory=name(one.territory),
        stage=name(one.stage),
        band=band(one.band),
        band_since=one.band_since,
        score=rounded(one.effective),
        change_7=rounded(one.delta_7),
        change_28=rounded(one.delta_28),
        change_90=rounded(one.delta_90),
        coverage=rounded(one.coverage, 2),
        arr=rounded(one.arr, 2),
        renews_on=one.renews_on,
        renews_in_days=row.renews_in,
        why=quoted(one.reason, 200),
        weakest_component=one.weakest_component,
        limited_by=quoted(one.cap, 200),
        held=bool(one.held),
        open_tasks=row.tasks,
    )


def line(one: told.AccountRow, currency: str | None) -> str:
    """An account in one line of text."""
    facts = [f"{one.name or 'without a name'} ({ident(one.account_id)}): {scored(one.score, one.band)}"]
    if one.band_since and one.score is not None:
        facts[0] += f" since {one.band_since}"
    moves = ((one.change_7, 7), (one.change_28, 28))
    moved = [f"{signed(points)} in {days} days" for points, days in moves if points]
    if moved:
        facts.append(" and ".join(moved))
    if one.arr is not None:
        facts.append(f"ARR {money(one.arr, currency)}")
    if one.renews_in_days is not None and one.renews_in_days >= 0:
        facts.append(f"renews in {one.renews_in_days} days")
    if one.owner:
        facts.append(f"owner {one.owner}")
    if one.why:
        facts.append(f"why {one.why}")
    if one.limited_by:
        facts.append(f"limited by {one.limited_by}")
    if one.held:
        facts.append("held: a source has stopped")
    if one.open_tasks:
        facts.append(f"{one.open_tasks} open task{'s' if one.open_tasks > 1 else ''}")
    return ", ".join(facts)


def scored(score: float | None, name_of_band: str) -> str:
    """A score with its band in words."""
    if score is None:
        return "not scored (cannot tell)"
    return f"{shown(score)}, {WORDS.get(name_of_band, name_of_band)}"


def money(amount: float, currency: str | None) -> str:
    return f"{amount:,.0f}" + (f" {currency}" if currency else "")


def counted(groups: Iterable[Group]) -> list[told.BandCount]:
    order = ("at_risk", "watch", "healthy", None)
    found = {group.value: group for group in groups}
    return [
        told.BandCount(band=band(value), accounts=found[value].accounts, arr=round(found[value].arr, 2))
        for value in order
        if value in found
    ]


def bands(counts: Sequence[told.BandCount]) -> str:
    words = {"not_scored": "not scored"}
    return ", ".join(
        f"{one.accounts:,} {words.get(one.band) or WORDS.get(one.band, one.band)}" for one in counts
    )


def change(one: parts.Change | None) -> told.Change | None:
    if one is None:
        return None
    some = [driver for driver in one.drivers if abs(driver.points) >= LEAST][:DRIVERS]
    return told.Change(
        since=one.since,
        until=one.until,
        from_score=round(one.from_score, 1),
        to_score=round(one.to_score, 1),
        points=round(one.points, 1),
        from_band=band(one.from_band),
        to_band=band(one.to_band),
        drivers=[
            told.Driver(
                kind=driver.kind,
                component=driver.component,
                metric=driver.metric,
                points=round(driver.points, 2),
                what=quoted(driver.text, 240),
            )
            for driver in some
        ],
        rest=round(one.points - sum(driver.points for driver in some), 2) + 0.0,
    )


def components(
    now: Sequence[parts.ExplainedComponent], before: Sequence[parts.ExplainedComponent] = ()
) -> list[told.Component]:
    earlier = {one.component: one.points for one in before}
    return [component(one, earlier.get(one.component), one.advice) for one in now]


def component(
    one: parts.ExplainedComponent | PartIf, before: float | None, advice: str | None = None
) -> told.Component:
    """`before`: its points, where it is told beside another state."""
    return told.Component(
        component=one.component,
        label=one.label,
        points=rounded(one.points),
        weight=rounded(one.weight, 3),
        adds=rounded(one.contribution, 2),
        points_before=rounded(before),
        advice=advice,
    )


def measures(found: Sequence[parts.ExplainedMeasure]) -> list[told.Measure]:
    return [
        told.Measure(
            component=one.component,
            metric=one.metric,
            label=one.label,
            value=rounded(one.value, 4),
            unit=one.unit,
            state=one.state,
            age_days=rounded(one.age_days),
            points=rounded(one.points),
            weight=rounded(one.weight, 3),
            adds=rounded(one.contribution, 2),
        )
        for one in found[:MEASURES]
    ]


def improvements(found: Sequence[parts.Improvement]) -> list[told.Improvement]:
    return [
        told.Improvement(
            what=quoted(one.text, 240),
            component=one.component,
            metric=one.metric,
            from_value=rounded(one.from_value, 4),
            to_value=rounded(one.to_value, 4),
            computed_score=rounded(one.score),
            gain=rounded(one.gain),
            advice=one.advice,
        )
        for one in found[:IMPROVEMENTS]
    ]


def events(found: Iterable[Event], most: int) -> list[told.Event]:
    some = [event for event, _ in zip(found, range(most), strict=False)]
    return [
        told.Event(
            on=event.day,
            kind=event.kind,
            # Of a row of a source the title is its kind.
            what=quoted(event.title, 160) if event.title != event.kind.replace("_", " ") else None,
            text=quoted(event.text, 240),
            by=name(event.by),
        )
        for event in some
    ]


def task(one: TaskCard, today: date) -> told.TaskRow:
    return told.TaskRow(
        task=one.id,
        account_id=one.account_id,
        name=name(one.name),
        title=quoted(one.title, 200),
        detail=quoted(one.detail),
        why=quoted(_why(one.reason), 300),
        moved=quoted("; ".join(one.drivers), 300) if one.drivers else None,
        checklist=[told.Check(text=quoted(item.text, 120), done=item.done) for item in one.checklist[:20]],
        owner=name(one.owner),
        due_on=one.due_on,
        overdue=one.status == "open" and one.due_on is not None and one.due_on < today,
        snoozed_until=one.snoozed_until,
        status=one.status,
        result=quoted(one.result),
        customer_said=quoted(one.said),
    )


def _why(one: Reason | None) -> str | None:
    if one is None:
        return None
    play = f"playbook {one.playbook}, since {one.day}: " if one.playbook is not None else ""
    alert = f"alert of {one.day}: " if one.alert is not None else ""
    return f"{play}{alert}{one.summary}"


def task_line(one: told.TaskRow) -> str:
    due = f", due {one.due_on}" if one.due_on else ", no due date"
    late = " (overdue)" if one.overdue else ""
    status = "" if one.status == "open" else f", {one.status}"
    who = f"{one.name or ''} ({ident(one.account_id)})".strip()
    more = [f"owner {one.owner}"]
    more += [f"snoozed until {one.snoozed_until}"] * (one.snoozed_until is not None and one.status == "open")
    more += [f"detail {one.detail}"] * (one.detail is not None)
    more += [f"why {one.why}"] * (one.why is not None)
    more += [f"moved {one.moved}"] * (one.moved is not None)
    if one.checklist:
        more.append("checklist " + " ".join(f"[{'x' if c.done else ' '}] {c.text}" for c in one.checklist))
    more += [f"result {one.result}"] * (one.result is not None)
    more += [f"the customer said {one.customer_said}"] * (one.customer_said is not None)
    return f"task {one.task}: {one.title} for {who}{due}{late}{status}, " + ", ".join(more)


def event_line(one: told.Event) -> str:
    return f"  {one.on} {one.kind}: " + " ".join(part for part in (one.what, one.text) if part)


def driver_lines(one: told.Change) -> list[str]:
    lines = [f"  {signed(driver.points)} {driver.what} ({driver.kind})" for driver in one.drivers]
    return [*lines, f"  {signed(one.rest)} smaller ones"] if abs(one.rest) >= LEAST else lines
