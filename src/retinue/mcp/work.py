"""Tools about work: what is to be done, what was raised, what an account would score; and two that write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from retinue.errors import StoreError
from retinue.mcp import answers as told
from retinue.mcp import asked, rows
from retinue.mcp.session import Call, of_one_run, source, today_of
from retinue.mcp.telling import NAME, fitting, quoted, rounded
from retinue.words import shown, signed

if TYPE_CHECKING:
    from retinue.run.what_if import ScoreIf
    from retinue.store.published.current import RunInfo
    from retinue.store.work.alerts import Alert


def what_if(call: Call, ask: asked.WhatIf) -> told.Supposed:
    from retinue.desk.account import account
    from retinue.desk.what_if import what_if as suppose

    metrics, components = (_set(one) for one in (ask.metrics, ask.components))

    def made(run: RunInfo) -> told.Supposed:
        account_id = rows.account(call, ask.account_id)
        e = account(call.workspace, call.actor, account_id, now=call.now).explanation
        found = suppose(call.workspace, call.actor, account_id, metrics=metrics, components=components)
        supposed = bool(metrics or components)
        notes = [
            *found.notes,
            "this is the computed score; the one that people see also waits for confirmation (stability), "
            "and an override may stand above it",
        ]
        if components:
            notes.append("caps and floors are conditions on metrics: components do not move them")
        return told.Supposed(
            **source(run),
            notes=notes,
            account_id=account_id,
            name=rows.name(e.name),
            effective_score=rounded(e.score),
            now=_scored(found.before),
            then=_scored(found.after) if supposed else None,
            gain=rounded(found.gain, 2) if supposed else None,
            metrics=[
                told.MetricSet(
                    metric=one.metric,
                    label=one.label,
                    unit=one.unit,
                    from_value=rounded(one.before, 4),
                    to_value=one.after,
                )
                for one in found.metrics
            ],
            components=[
                rows.component(now, was.points)
                for was, now in zip(found.before.parts, found.after.parts, strict=True)
            ],
            improvements=[] if supposed else rows.improvements(e.improvements),
        )

    return of_one_run(call, made)


def _set(settings: Sequence[asked.Setting]) -> dict[str, float]:
    found = {one.name: one.value for one in settings}
    if len(found) < len(settings):
        raise StoreError("one name stands there twice", hint="name each metric and component once")
    return found


def _scored(one: ScoreIf) -> told.Scored:
    return told.Scored(
        computed_score=rounded(one.computed),
        band=rows.band(one.band),
        base=rounded(one.base),
        coverage=round(one.coverage, 2),
        limited_by=quoted(one.cap, 200),
        raised_by=quoted(one.floor, 200),
    )


def supposed(one: told.Supposed) -> Iterator[str]:
    yield f"{one.name or 'without a name'} ({rows.ident(one.account_id)}): computed score {_if(one.now)} now."
    if one.then is not None:
        gain = "cannot tell" if one.gain is None else f"{signed(one.gain)} points"
        yield f"Supposed: {_if(one.then)} ({gain})."
    for metric in one.metrics:
        unit = f" {metric.unit}" if metric.unit else ""
        before = "nothing known" if metric.from_value is None else f"{metric.from_value:g}"
        yield f"  {metric.label} ({metric.metric}): from {before} to {metric.to_value:g}{unit}"
    if one.then is not None:
        for part in one.components:
            if part.points != part.points_before:
                points = (
                    "cannot tell" if value is None else f"{value:g}"
                    for value in (part.points_before, part.points)
                )
                yield f"  {part.label}: {' to '.join(points)} points"
    if one.improvements:
        yield "What would raise the computed score most, each alone:"
    for lift in one.improvements:
        gain = "" if lift.gain is None else f" ({signed(lift.gain)} points)"
        yield f"  {lift.what}{gain}" + (f". {lift.advice}" if lift.advice else "")


def _if(one: told.Scored) -> str:
    limits = [f"held down by {one.limited_by}"] * bool(one.limited_by)
    limits += [f"held up by {one.raised_by}"] * bool(one.raised_by)
    if limits and one.base is not None:
        limits.append(f"without that {one.base:g}")
    return ", ".join([rows.scored(one.computed_score, one.band), *limits])


# --- tasks and alerts ----------------------------------------------------------------------------


def my_tasks(call: Call, ask: asked.MyTasks) -> told.TaskList:
    from retinue.desk.tasks import TaskAsk, tasks

    today = today_of(call)

    def made(run: RunInfo) -> told.TaskList:
        account_id = rows.account(call, ask.account_id) if ask.account_id else None
        wanted = TaskAsk(
            whose=ask.whose,
            status=ask.status,
            overdue=ask.overdue,
            account_id=account_id,
            after=ask.after,
            limit=ask.limit,
        )
        found = tasks(call.workspace, call.actor, wanted, today=today)
        listed = [rows.task(one, today) for one in found.tasks]
        kept = fitting(listed, rows.task_line)
        after = kept[-1].task if len(kept) < len(listed) else found.after
        notes = []
        if not kept and ask.whose == "mine" and call.actor.everything:
            notes.append("none of their own: whose=all has those for every account that they may see")
        return told.TaskList(
            **source(run),
            notes=notes,
            left_out=[f"the tasks after these: ask with after={after}"] if after else [],
            today=today,
            counts=dict(found.counts),
            tasks=kept,
            next_after=after,
        )

    return of_one_run(call, made)


def task_list(one: told.TaskList) -> Iterator[str]:
    count = len(one.tasks)
    more = " on this page" if one.next_after else ""
    tasks = f"{count or 'No'} task{'' if count == 1 else 's'}"
    counts = ", ".join(f"{count:,} {name}" for name, count in one.counts.items())
    yield f"{tasks}{more}, the earliest due first; today is {one.today}."
    if counts:
        yield f"On all pages: {counts}."
    yield from ("- " + rows.task_line(task) for task in one.tasks)


def alerts(call: Call, ask: asked.Alerts) -> told.AlertList:
    from retinue.desk.alerts import AlertAsk
    from retinue.desk.alerts import alerts as raised

    def made(run: RunInfo) -> told.AlertList:
        account_id = rows.account(call, ask.account_id) if ask.account_id else None
        wanted = AlertAsk(
            whose=ask.whose,
            state="any" if ask.include_closed else "open",
            rule=ask.rule,
            severity=ask.severity,
            since=ask.since,
            account_id=account_id,
            after=ask.after,
            limit=ask.limit,
        )
        found = raised(call.workspace, call.actor, wanted)
        listed = [_alert(one) for one in found.alerts]
        kept = fitting(listed, _alert_line)
        after = kept[-1].alert if len(kept) < len(listed) else found.after
        notes = []
        if not listed:
            rules = ", ".join(found.rules)
            notes.append(f"rules are {rules}" if rules else "no alerts are declared, so none is ever raised")
        return told.AlertList(
            **source(run),
            notes=notes,
            left_out=[f"older alerts: ask with after={after}"] if after else [],
            alerts=kept,
            next_after=after,
        )

    return of_one_run(call, made)


def _alert(one: Alert) -> told.AlertRow:
    evidence: Any = one.evidence if isinstance(one.evidence, dict) else {}
    score = evidence.get("score")
    return told.AlertRow(
        alert=one.id,
        account_id=one.account_id,
        name=rows.name(one.name),
        severity=one.severity,
        rule=one.rule,
        on=one.as_of,
        what=quoted(one.summary, 300),
        do=quoted(evidence.get("do"), 300),
        score=rounded(score) if isinstance(score, int | float) else None,
        owner=quoted(one.owner, NAME),
        at_stake=rounded(one.stake, 2),
        closed=one.closed_at is not None,
    )


def alert_list(one: told.AlertList) -> Iterator[str]:
    count = len(one.alerts)
    more = " on this page" if one.next_after else ""
    yield f"{count or 'No'} alert{'' if count == 1 else 's'}{more}, the newest first."
    yield from ("- " + _alert_line(alert) for alert in one.alerts)


def _alert_line(one: told.AlertRow) -> str:
    whom = f" ({rows.ident(one.account_id)})" if one.account_id else " (portfolio)"
    owner = f", owner {one.owner}" if one.owner else ""
    do = f". To do: {one.do}" if one.do else ""
    score = f", score then {shown(one.score)}" if one.score is not None else ""
    closed = ", closed" if one.closed else ""
    what = f"{one.severity} {one.rule}: {one.what}"
    return f"alert {one.alert} of {one.on}, {what}{whom}{score}{owner}{closed}{do}"


# --- writing -------------------------------------------------------------------------------------


def add_note(call: Call, ask: asked.AddNote) -> told.Written:
    from retinue.desk.acting import note

    account_id = rows.account(call, ask.account_id)
    done = note(call.workspace, call.writer, account_id, ask.text, now=call.now)
    return _written(call, "the note stands in the timeline of the account, and enters no score", done)


def complete_task(call: Call, ask: asked.CompleteTask) -> told.Written:
    from retinue.desk.acting import close_task

    done = close_task(
        call.workspace,
        call.writer,
        ask.task,
        now=call.now,
        done=not ask.dropped,
        result=ask.result,
        said=ask.customer_said,
    )
    return _written(call, f"the task is {'dropped' if ask.dropped else 'done'}", done)


def _written(call: Call, what: str, done: Any) -> told.Written:
    return of_one_run(
        call,
        lambda run: told.Written(
            **source(run), what=what, number=done.id, account_id=done.account_id, by=call.writer.name
        ),
    )


def written(one: told.Written) -> Iterator[str]:
    account = f" for {rows.ident(one.account_id)}" if one.account_id else ""
    yield f"Written{account}: {one.what} (number {one.number}), as {one.by}."
