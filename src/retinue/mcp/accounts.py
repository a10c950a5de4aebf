"""Tools about accounts: list, search, explain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from retinue.mcp import answers as told
from retinue.mcp import asked, rows
from retinue.mcp.session import Call, of_one_run, source, today_of
from retinue.mcp.telling import NAME, fitting, quoted, rounded
from retinue.words import signed

if TYPE_CHECKING:
    from retinue.desk.account import AccountPage
    from retinue.desk.book import Ask, Book
    from retinue.store.published.current import RunInfo

#: Scores of the past that are told.
PAST = 14

_SORTS = {"score": "effective", "change_7": "delta_7", "change_28": "delta_28", "change_90": "delta_90"}
_FILTERS = ("segment", "territory", "owner", "tier", "stage", "scorecard", "weakest_component")


def list_accounts(call: Call, ask: asked.ListAccounts) -> told.AccountList:
    from retinue.desk.book import Ask

    filters: dict[str, Any] = {
        key: [None if value == "-" else value for value in getattr(ask, key)]
        for key in _FILTERS
        if getattr(ask, key)
    }
    if ask.band:
        filters["band"] = [None if value == "not_scored" else value for value in ask.band]
    ranges: dict[str, Any] = {}
    if ask.min_score is not None or ask.max_score is not None:
        ranges["effective"] = (ask.min_score, ask.max_score)
    if ask.min_arr is not None:
        ranges["arr"] = (ask.min_arr, None)
    return _page(
        call,
        Ask(
            scope=ask.whose,
            filters=filters,
            ranges=ranges,
            renews_within=ask.renews_within_days,
            fell=ask.fell_at_least,
            sort=_SORTS.get(ask.sort, ask.sort),
            descending=ask.descending,
            after=ask.after,
            limit=ask.limit,
        ),
        ask.sort,
    )


def search_accounts(call: Call, ask: asked.SearchAccounts) -> told.AccountList:
    from retinue.desk.book import Ask

    wanted = Ask(search=ask.text, sort="name", after=ask.after, limit=ask.limit)
    return _page(call, wanted, "name")


def _page(call: Call, ask: Ask, order: str) -> told.AccountList:
    from retinue.desk.book import ORDER, book

    def made(run: RunInfo) -> told.AccountList:
        found = book(call.workspace, call.actor, ask, today=today_of(call))
        listed = [rows.listed(row) for row in found.rows]
        kept = fitting(listed, lambda row: rows.line(row, call.currency))
        shorter = len(kept) < len(listed)
        after = kept[-1].account_id if shorter else found.after
        left = [f"the accounts beyond these {len(kept)}: ask with after={rows.ident(after)}"] if after else []
        return told.AccountList(
            **source(run),
            notes=_nothing(call, found) if not found.accounts else _gaps(found),
            left_out=left,
            total=found.accounts,
            total_arr=round(found.arr, 2),
            currency=call.currency,
            bands=rows.counted(found.bands),
            order=ORDER if order == "attention" else order,
            accounts=kept,
            next_after=after,
        )

    return of_one_run(call, made)


def _gaps(found: Book) -> list[str]:
    if any(group.value is None and group.accounts for group in found.bands):
        return ["accounts that are not scored have too little data for a score: that is neither good nor bad"]
    return []


def _nothing(call: Call, found: Book) -> list[str]:
    """Why the list may be empty, and what there is instead."""
    there = ["no account matches"]
    if found.ask.scope != "all":
        names = ", ".join(str(quoted(name, NAME)) for name in sorted(call.actor.own)[:5])
        there.append(
            f"accounts count as their own by owner, as {names or 'nobody'}: try whose=all for those they see"
        )
    for name, groups in found.choices.items():
        if name in found.ask.filters and name != "band":
            values = ", ".join(str(quoted(group.value, NAME)) for group in groups[:12] if group.value)
            there.append(f"{name} can be {values or 'nothing: no account that they may see has one'}")
    if found.ask.search:
        there.append("search looks for the text within names and ids: try a shorter part")
    return there


def account_list(one: told.AccountList) -> Iterator[str]:
    match_ = f"{one.total:,} account{'' if one.total == 1 else 's'} match"
    yield f"{match_}, ARR {rows.money(one.total_arr, one.currency)}: {rows.bands(one.bands) or 'none'}."
    if one.accounts:
        yield f"{len(one.accounts)} of them, ordered by {one.order}:"
    for row in one.accounts:
        yield "- " + rows.line(row, one.currency)


# --- one account ---------------------------------------------------------------------------------


def explain_account(call: Call, ask: asked.ExplainAccount) -> told.Explained:
    from retinue.desk.account import account

    def made(run: RunInfo) -> told.Explained:
        account_id = rows.account(call, ask.account_id)
        page = account(call.workspace, call.actor, account_id, now=call.now, as_of=ask.as_of, since=ask.since)
        return _explained(call, page, run, ask.events)

    return of_one_run(call, made)


def _explained(call: Call, page: AccountPage, run: RunInfo, events: int) -> told.Explained:
    e = page.explanation
    attributes = e.attributes
    today = today_of(call)
    happened = [event for event in page.events if page.latest or event.day <= e.as_of]
    notes = [*e.notes]
    if not page.latest:
        notes.append(
            "a past date, as it was known then; open tasks, and what colleagues said and counts, are today's"
        )
    if page.asked is not None:
        notes.append(f"{page.asked} has no score of its own: the last one before it is told")
    if page.trouble is not None:
        notes.append(quoted(page.trouble) or "")
    if e.status != "scored":
        notes.append(_unscored(e))
    left = []
    if (more := len(happened) - events) > 0:
        left.append(f"{more} older events: ask with events=30, or see the account's page")
    trend = None
    if e.trend.change is not None:
        way = {1: "rising", 0: "none beyond its usual noise", -1: "falling"}[e.trend.arrow]
        trend = f"{way}: {signed(e.trend.change)} points of the computed score in {e.trend.window} days"
    return told.Explained(
        **source(run),
        notes=notes,
        left_out=left,
        account_id=e.account_id,
        name=rows.name(e.name),
        on=e.as_of,
        status=e.status,
        score=rounded(e.score),
        band=rows.band(e.band),
        band_since=e.band_since,
        grade=e.grade,
        rank=list(e.rank) if e.rank else None,
        peers=_peers(page),
        scorecard=e.scorecard,
        owner=rows.name(_owner(page)),
        segment=rows.name(attributes.get("segment")),
        territory=rows.name(attributes.get("territory")),
        stage=rows.name(e.stage),
        arr=rounded(attributes.get("arr"), 2),
        currency=call.currency,
        renews_on=attributes.get("renews_on"),
        coverage=rounded(e.coverage, 2),
        gaps=list(e.gaps),
        limited_by=quoted(e.cap, 200),
        base=rounded(e.base),
        layers=[
            told.Layer(layer=one.name, score=rounded(one.score), why=quoted(one.why)) for one in e.layers
        ],
        components=rows.components(e.components),
        measures=rows.measures(e.measures),
        change=rows.change(e.change),
        trend=trend,
        history=_past(page),
        improvements=rows.improvements(e.improvements),
        in_force=[
            told.Event(
                on=one.since,
                kind=one.kind,
                what=quoted(
                    f"{one.label}: {one.value:g}" + (f" until {one.expires_on}" if one.expires_on else "")
                ),
                text=quoted(one.text),
                by=rows.name(one.by),
            )
            for one in page.in_force[:10]
        ],
        tasks=[rows.task(one, today) for one in page.tasks[:10]],
        events=rows.events(happened, events),
        link=page.link,
    )


def _owner(page: AccountPage) -> Any:
    """Who looks after it now, or did on a past date."""
    now = page.account is not None and page.latest
    return page.account.owner if now and page.account else page.explanation.attributes.get("owner")


def _unscored(e: Any) -> str:
    if e.coverage is not None and e.min_coverage is not None:
        return (
            f"not scored: its data cover {e.coverage:.0%} of what a score rests on, and "
            f"{e.min_coverage:.0%} are needed. That is neither good nor bad: nobody can tell"
        )
    return "not scored: nobody can tell how it is doing"


def _peers(page: AccountPage) -> str | None:
    one = page.peers
    if one is None:
        return None
    among = f"{one.others} accounts of the same segment and age"
    if one.below is None:
        return f"too few alike to compare ({among})"
    return f"better than {one.below:.0%} of {among}"


def _past(page: AccountPage) -> list[told.Dated]:
    """Some dates up to the one that is told, evenly apart, the last one among them."""
    past = [one for one in page.history if one.day <= page.explanation.as_of]
    step = max(1, -(-len(past) // PAST))
    return [told.Dated(on=one.day, score=rounded(one.score)) for one in past[::-1][::step]][::-1]


def explained(one: told.Explained) -> Iterator[str]:
    grade = f", grade {one.grade}" if one.grade else ""
    since = f" since {one.band_since}" if one.band_since and one.score is not None else ""
    who = f"{one.name or 'without a name'} ({rows.ident(one.account_id)})"
    yield f"{who} on {one.on}: {rows.scored(one.score, one.band)}{since}{grade}."
    facts = [
        f"owner {one.owner}" if one.owner else "nobody looks after it",
        f"segment {one.segment}" if one.segment else "",
        f"stage {one.stage}" if one.stage else "",
        f"ARR {rows.money(one.arr, one.currency)}" if one.arr is not None else "",
        f"renews on {one.renews_on}" if one.renews_on else "",
        f"rank {one.rank[0]:,} of {one.rank[1]:,}" if one.rank else "",
        one.peers or "",
        f"coverage {one.coverage:.0%}" if one.coverage is not None else "",
    ]
    yield "; ".join(part for part in facts if part) + "."
    if one.trend:
        yield f"Trend {one.trend}."
    if one.limited_by:
        yield f"Limited by {one.limited_by}; without caps it would be {one.base}."
    for layer in one.layers:
        if layer.why:
            yield f"{layer.layer} score {layer.score}: {layer.why}"
    if one.gaps:
        yield "Missing or old: " + "; ".join(one.gaps) + "."
    if one.components:
        yield "Made of (points 0 worst to 100 best, x weight):"
    for part in one.components:
        weight = f"{part.weight:.0%}" if part.weight is not None else "-"
        points = "cannot tell" if part.points is None else f"{part.points:g} points"
        also = "" if part.label == part.component else f" ({part.component})"
        yield f"  {part.label}{also}: {points} x {weight}"
        for measure in one.measures:
            if measure.component == part.component:
                yield "    " + _measure(measure)
    if one.change:
        yield (
            f"Change since {one.change.since}: {signed(one.change.points)} points, from "
            f"{one.change.from_score:g} to {one.change.to_score:g}. Associated with it, not proven causes:"
        )
        yield from rows.driver_lines(one.change)
    if one.improvements:
        yield "What would raise the computed score, each alone:"
    for lift in one.improvements:
        gain = "" if lift.gain is None else f" ({signed(lift.gain)} points)"
        yield f"  {lift.what}{gain}" + (f". {lift.advice}" if lift.advice else "")
    if one.in_force:
        yield "Said by colleagues and counting now:"
        yield from (rows.event_line(event) for event in one.in_force)
    if one.tasks:
        yield "Open tasks:"
        yield from ("  " + rows.task_line(task) for task in one.tasks)
    if one.events:
        yield "Newest events:"
        yield from (rows.event_line(event) for event in one.events)
    if one.link:
        yield f"In the company's own system: {one.link}"


def _measure(one: told.Measure) -> str:
    unit = f" {one.unit}" if one.unit else ""
    value = "nothing is known" if one.value is None else f"{one.value:g}{unit}"
    state = "" if one.state == "ok" else f" ({one.state.replace('_', ' ')})"
    points = "" if one.points is None else f", {one.points:g} points"
    return f"{one.label} ({one.metric}): {value}{state}{points}"
