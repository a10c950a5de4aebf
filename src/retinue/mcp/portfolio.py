"""Tools about all accounts, about dates, and about how far scores can be believed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from retinue.mcp import answers as told
from retinue.mcp import asked, rows
from retinue.mcp.session import Call, of_one_run, source
from retinue.mcp.telling import NAME, quoted, rounded
from retinue.words import WORDS, shown, signed

if TYPE_CHECKING:
    from retinue.desk.causes import Causes
    from retinue.desk.movement import Movement
    from retinue.desk.movers import Mover
    from retinue.desk.portfolio import GroupStanding, Portfolio
    from retinue.insight.validation.sampling import Estimate
    from retinue.store.published.current import RunInfo

#: Moves from band to band, findings and earlier dates that are told.
MOVES, FINDINGS, PAST = 12, 8, 13
#: Groups of a comparison, and accounts that moved in either direction.
GROUPS, MOVERS = 15, 8
_BANDS = {"red": "at_risk", "watch": "watch", "green": "healthy"}


def portfolio_summary(call: Call, ask: asked.PortfolioSummary) -> told.Summary:
    from retinue.desk.portfolio import PortfolioAsk, portfolio

    def made(run: RunInfo) -> told.Summary:
        wanted = PortfolioAsk(by=ask.by, since=ask.since, until=ask.until, weight="accounts")
        found = portfolio(call.workspace, call.actor, wanted)
        now = found.now
        return told.Summary(
            **source(run),
            notes=_whose(found),
            left_out=_fewer(found.groups, ask.groups),
            currency=found.currency,
            accounts=now.accounts,
            scored=now.scored,
            arr=round(now.arr, 2),
            bands=[
                told.BandCount(
                    band=rows.band(name), accounts=count, arr=round(now.arr_bands.get(name, 0.0), 2)
                )
                for name, count in now.bands.items()
            ],
            mean_score=rounded(now.mean),
            mean_score_by_arr=rounded(now.arr_mean),
            at_risk_share=rounded(now.at_risk, 4),
            movement=_movement(found.movement),
            by=found.by,
            dimensions=list(found.dimensions),
            groups=_groups(found.groups[: ask.groups]),
            trend=[
                told.Dated(on=point.day, score=rounded(point.mean))
                for point in found.trend[-PAST:]
                if point.day <= found.until
            ],
            shared=_shared(found.causes),
            losses=found.losses.losses,
            losses_amount=round(found.losses.amount, 2),
        )

    return of_one_run(call, made)


def compare_dates(call: Call, ask: asked.CompareDates) -> told.Compared:
    if ask.account_id is not None:
        return _compared(call, ask, ask.account_id)
    from retinue.desk.movers import movers
    from retinue.desk.portfolio import PortfolioAsk, portfolio

    def made(run: RunInfo) -> told.Compared:
        wanted = PortfolioAsk(by=ask.by, since=ask.since, until=ask.until, weight=ask.weight)
        found = portfolio(call.workspace, call.actor, wanted)
        moved = movers(call.workspace, call.actor, found.since, found.until, MOVERS)
        left = _fewer(found.groups, GROUPS)
        for what, count, some in (("fell", moved.all_fell, moved.fell), ("rose", moved.all_rose, moved.rose)):
            if count > len(some):
                left.append(
                    f"{count - len(some)} more accounts that {what}: compare_dates with their account_id, "
                    "or list_accounts with sort=change_28"
                )
        return told.Compared(
            **source(run),
            notes=[*_whose(found), *_dates(ask, found)],
            left_out=left,
            since=found.since,
            until=found.until,
            movement=_movement(found.movement),
            fell=[_mover(one) for one in moved.fell],
            rose=[_mover(one) for one in moved.rose],
            groups=_groups(found.groups[:GROUPS]),
            shared=_shared(found.causes),
        )

    return of_one_run(call, made)


def _compared(call: Call, ask: asked.CompareDates, account: str) -> told.Compared:
    from retinue.desk.account import account as page_of

    def made(run: RunInfo) -> told.Compared:
        account_id = rows.account(call, account)
        later = page_of(
            call.workspace, call.actor, account_id, now=call.now, as_of=ask.until, since=ask.since
        )
        e = later.explanation
        # Without a score at both ends there is no change; the earlier date is told all the same.
        start = e.change.since if e.change is not None and later.trouble is None else ask.since
        earlier = page_of(call.workspace, call.actor, account_id, now=call.now, as_of=start).explanation
        notes = list(e.notes)
        if later.trouble is not None:
            notes.append(quoted(later.trouble) or "")
        elif e.change is None:
            notes.append("without a score at both dates there is no change to explain")
        if later.asked is not None:
            notes.append(f"{later.asked} has no score of its own: {e.as_of} is the last one before it")
        between = [event for event in later.events if earlier.as_of < event.day <= e.as_of]
        some = rows.events(between, 12)
        more = len(between) - len(some)
        return told.Compared(
            **source(run),
            notes=notes,
            left_out=[f"{more} older events between the dates: narrow the dates"] if more else [],
            since=earlier.as_of,
            until=e.as_of,
            account_id=account_id,
            name=rows.name(e.name),
            change=rows.change(e.change) if later.trouble is None else None,
            components=rows.components(e.components, earlier.components),
            events=some,
        )

    return of_one_run(call, made)


def compared(one: told.Compared) -> Iterator[str]:
    if one.movement is not None:
        yield from _movement_lines(one.movement)
        yield from _mover_lines("Fell most", one.fell)
        yield from _mover_lines("Rose most", one.rose)
        yield from _group_lines(one.groups, "groups")
        yield from _shared_lines(one.shared)
        return
    yield f"{one.name or 'without a name'} ({rows.ident(one.account_id or '')}), {one.since} to {one.until}:"
    if one.change:
        bands = f"{_word(one.change.from_band)} to {_word(one.change.to_band)}"
        yield (
            f"{signed(one.change.points)} points, from {one.change.from_score:g} to {one.change.to_score:g} "
            f"({bands}). Associated with it, not proven causes:"
        )
        yield from rows.driver_lines(one.change)
    for part in one.components:
        before = "cannot tell" if part.points_before is None else f"{part.points_before:g}"
        after = "cannot tell" if part.points is None else f"{part.points:g}"
        yield f"  component {part.label}: {before} to {after} points"
    if one.events:
        yield "What happened between the dates, newest first:"
        yield from (rows.event_line(event) for event in one.events)


def summary(one: told.Summary) -> Iterator[str]:
    mean = "cannot tell" if one.mean_score is None else f"{one.mean_score:g}"
    by_arr = f", {one.mean_score_by_arr:g} weighted by ARR" if one.mean_score_by_arr is not None else ""
    yield (
        f"{one.accounts:,} accounts, {one.scored:,} scored, ARR {rows.money(one.arr, one.currency)}; "
        f"mean score {mean}{by_arr}."
    )
    for count in one.bands:
        yield f"  {_word(count.band)}: {count.accounts:,} accounts, ARR {rows.money(count.arr, one.currency)}"
    yield from _movement_lines(one.movement)
    yield from _group_lines(one.groups, f"by {one.by}")
    if len(one.trend) > 1:
        told_ = ", ".join(f"{point.on}: {shown(point.score, 1)}" for point in one.trend)
        yield f"Mean score on earlier dates: {told_}."
    yield from _shared_lines(one.shared)
    if one.losses:
        amount = rows.money(one.losses_amount, one.currency)
        yield f"Lost or contracted between the dates: {one.losses:,}, {amount} as far as known."
    yield f"It can be grouped by {', '.join(one.dimensions)}."


def trust_summary(call: Call, ask: asked.TrustSummary) -> told.Trust:  # noqa: ARG001 - nothing to ask
    from retinue.desk.trust import trust

    def made(run: RunInfo) -> told.Trust:
        found = trust(call.workspace, call.actor, now=call.now, recorded=False)
        overridden = found.judgement.overridden
        if found.trial is None:
            why = "the score has not been tried against what happened: nobody knows yet how well it foretells"
            how = "`retinue validate`, or the button on the Trust page, tries it"
            return told.Trust(
                **source(run), notes=[why, how], tried=False, stale=False, overridden=overridden
            )
        report = found.trial.report
        notes = [f"the trial is of an earlier run, {found.trial.run_id}"] if found.stale else []
        return told.Trust(
            **source(run),
            notes=notes,
            left_out=["the rest of the trial: the Trust page, or `retinue validate --html FILE`"],
            tried=True,
            stale=found.stale,
            verdict=report.verdict,
            sentence=report.sentence,
            outcome=report.outcome,
            horizon_days=report.horizon_days,
            rows=report.observations,
            events=report.events,
            base_rate=_estimate(report.base_rate),
            auc=_estimate(report.auc),
            rivals=[
                told.Rival(name=one.name, auc=_estimate(one.auc), score_ahead_by=_estimate(one.ahead))
                for one in report.baselines[:10]
            ],
            bands=[
                told.BandOutcome(
                    band=_BANDS.get(one.name, one.name),
                    share_of_rows=_known(one.share),
                    outcome_rate=_estimate(one.rate),
                    times_base_rate=_known(one.lift.value, 2),
                )
                for one in report.bands
            ],
            red_before_loss=_known(report.lead_time.capture.value),
            warned_days=_known(report.lead_time.median_days, 0),
            bars=[
                told.Bar(name=one.name, passed=one.passed, sentence=one.sentence) for one in report.bars[:20]
            ],
            warnings=list(report.warnings[:10]),
            would_change=list(report.would_change[:10]),
            overridden=overridden,
        )

    return of_one_run(call, made)


def trusted(one: told.Trust) -> Iterator[str]:
    if not one.tried or one.auc is None or one.base_rate is None:
        return
    yield f"Verdict: {(one.verdict or '').replace('_', ' ')}. {one.sentence}"
    yield (
        f"Outcome: {one.outcome} within {one.horizon_days} days; {one.events or 0:,} in "
        f"{one.rows or 0:,} rows, a rate of {_span(one.base_rate, percent=True)}."
    )
    yield f"AUC {_span(one.auc)}: the chance that it ranks two accounts rightly; 0.5 is chance, 1 is perfect."
    for rival in one.rivals:
        ahead = _span(rival.score_ahead_by)
        yield f"  beside {rival.name}: AUC {_span(rival.auc)}, the score ahead by {ahead}"
    for part in one.bands:
        times = "" if part.times_base_rate is None else f", {part.times_base_rate:g} times the base rate"
        rate = _span(part.outcome_rate, percent=True)
        yield f"  of those {_word(part.band)}: {rate} had the outcome{times}"
    if one.red_before_loss is not None:
        days = "" if one.warned_days is None else f", for {one.warned_days:g} days (median)"
        yield f"At risk when lost: {one.red_before_loss:.0%} of those lost{days}."
    for bar in one.bars:
        passed = {True: "reached", False: "missed", None: "cannot tell"}[bar.passed]
        yield f"  bar {bar.name}: {passed}. {bar.sentence}"
    yield from (f"Warning: {warning}" for warning in one.warnings)
    yield from (f"What would change the verdict: {what}" for what in one.would_change)
    yield f"People overrode the score of {one.overridden:,} accounts."


# --- parts ---------------------------------------------------------------------------------------


def _whose(found: Portfolio) -> list[str]:
    if found.complete:
        return []
    return ["only accounts that this person sees, and that are still there, are counted"]


def _dates(ask: asked.CompareDates, found: Portfolio) -> list[str]:
    pairs = ((ask.since, found.since), (ask.until, found.until))
    return [
        f"{wanted} has no scores: {there} is the last date before it that could be taken"
        for wanted, there in pairs
        if wanted is not None and wanted != there
    ]


def _fewer(groups: Sequence[GroupStanding], most: int) -> list[str]:
    more = len(groups) - most
    return [f"{more} smaller groups: portfolio_summary with groups={min(len(groups), asked.MOST)}"] * (
        more > 0
    )


def _movement(one: Movement) -> told.Movement:
    from retinue.run.planned import STANDINGS

    moves = [
        told.Moved(
            from_standing=before,
            to_standing=after,
            accounts=int(one.migration.accounts[i, j]),
            arr=round(float(one.migration.arr[i, j]), 2),
        )
        for i, before in enumerate(STANDINGS)
        for j, after in enumerate(STANDINGS)
        if i != j and one.migration.accounts[i, j]
    ]
    moves.sort(key=lambda move: -move.accounts)
    parts = one.parts
    return told.Movement(
        since=one.since,
        until=one.until,
        weighted_by=one.weight,
        mean_before=rounded(one.before, 2),
        mean_after=rounded(one.after, 2),
        parts=None
        if parts is None
        else told.Parts(
            within=round(parts.within, 3),
            mix=round(parts.mix, 3),
            entry=round(parts.entry, 3),
            exit=round(parts.exit, 3),
        ),
        moves=moves[:MOVES],
    )


def _movement_lines(one: told.Movement) -> Iterator[str]:
    before, after = shown(one.mean_before, 1), shown(one.mean_after, 1)
    yield f"{one.since} to {one.until}: the mean score (by {one.weighted_by}) went from {before} to {after}."
    if one.parts is not None:
        yield (
            f"  of that: accounts that moved {signed(one.parts.within, 2)}, "
            f"weights {signed(one.parts.mix, 2)}, accounts that came {signed(one.parts.entry, 2)}, "
            f"that went {signed(one.parts.exit, 2)}"
        )
    for move in one.moves:
        way = f"from {_word(move.from_standing)} to {_word(move.to_standing)}"
        yield f"  {move.accounts:,} account{'' if move.accounts == 1 else 's'} went {way}"


def _mover(one: Mover) -> told.Mover:
    return told.Mover(
        account_id=one.account_id,
        name=rows.name(one.name),
        owner=rows.name(one.owner),
        from_score=round(one.before, 1),
        to_score=round(one.after, 1),
        points=round(one.points, 1),
        from_band=one.from_band,
        to_band=one.to_band,
    )


def _mover_lines(heading: str, found: Sequence[told.Mover]) -> Iterator[str]:
    if found:
        yield f"{heading}:"
    for one in found:
        way = f"{one.from_score:g} to {one.to_score:g}"
        if one.from_band != one.to_band:
            way += f", from {_word(one.from_band)} to {_word(one.to_band)}"
        who = f"{one.name or 'without a name'} ({rows.ident(one.account_id)})"
        yield f"  {who}: {signed(one.points)} points, {way}, owner {one.owner or 'nobody'}"


def _groups(found: Sequence[GroupStanding]) -> list[told.GroupRow]:
    return [
        told.GroupRow(
            group=quoted(one.value, NAME),
            accounts=one.now.accounts,
            scored=one.now.scored,
            arr=round(one.now.arr, 2),
            mean_score=rounded(one.now.mean),
            mean_score_before=rounded(one.before.mean),
            at_risk=one.now.bands.get("at_risk", 0),
            at_risk_share=rounded(one.now.at_risk, 4),
        )
        for one in found
    ]


def _group_lines(groups: Sequence[told.GroupRow], heading: str) -> Iterator[str]:
    if groups:
        yield f"{heading[:1].upper()}{heading[1:]}:"
    for one in groups:
        mean = "cannot tell" if one.mean_score is None else f"{one.mean_score:g}"
        before = "" if one.mean_score_before is None else f" (was {one.mean_score_before:g})"
        share = "" if one.at_risk_share is None else f" ({one.at_risk_share:.1%})"
        yield (
            f"  {one.group or 'without a value'}: {one.accounts:,} accounts, mean {mean}{before}, "
            f"{one.at_risk:,} at risk{share}"
        )


def _shared(found: Causes) -> list[told.Shared]:
    told_ = [
        told.Shared(
            what=quoted(
                f"{one.component} of {one.by} {one.value} changed by {one.change:+.1f} points, "
                f"{one.elsewhere:+.1f} elsewhere",
                240,
            ),
            accounts=one.accounts,
            false_discovery_rate=round(one.q, 4),
        )
        for one in found.falling[:FINDINGS]
    ]
    return told_ + [
        told.Shared(
            what=quoted(
                f"{one.source} with {one.column} {one.value}: usual are {one.usual:.1f} accounts in 28 days",
                240,
            ),
            accounts=one.accounts,
            false_discovery_rate=round(one.q, 4),
        )
        for one in found.rising[:FINDINGS]
    ]


def _shared_lines(found: Sequence[told.Shared]) -> Iterator[str]:
    if found:
        yield "What many accounts have in common (associations, chance held down):"
    for one in found:
        yield f"  {one.accounts:,} accounts: {one.what}"


def _word(name: str) -> str:
    return WORDS.get(name) or {"not_scored": "not scored", "absent": "not there"}.get(name, name)


def _known(value: float, digits: int = 4) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def _estimate(one: Estimate) -> told.Estimated:
    return told.Estimated(value=_known(one.value), low=_known(one.low), high=_known(one.high))


def _span(one: told.Estimated, *, percent: bool = False) -> str:
    if one.value is None:
        return "cannot tell"
    form = ".1%" if percent else ".3f"
    if one.low is None or one.high is None:
        return format(one.value, form)
    return f"{one.value:{form}} ({one.low:{form}} to {one.high:{form}})"
