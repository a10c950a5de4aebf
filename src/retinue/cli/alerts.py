"""Commands of alerts: what was raised, on what evidence, and what nobody wants to hear."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from retinue.cli.options import DAY, as_json, in_project, now, print_json, quietly, settings_and_store
from retinue.cli.people import done, operator, told_of_each

F = TypeVar("F", bound=Callable[..., Any])


def _listing(command: F) -> F:
    """What a list of alerts can be narrowed down by."""
    options = (
        click.option("--account", help="Of this account only."),
        click.option("--owner", help="Of accounts of this owner only."),
        click.option("--rule", help="Of this rule only."),
        click.option("--severity", type=click.Choice(["high", "normal", "low"]), help="Of this one only."),
        click.option("--since", type=DAY, help="As of days after this one."),
        click.option("--all", "every", is_flag=True, help="Closed ones too."),
        click.option(
            "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most."
        ),
        click.option("--after", type=int, help="Those before the alert of this number."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@in_project
@_listing
@click.option("--evaluate", is_flag=True, help="First raise what the dates published since then call for.")
@quietly
@as_json
@click.pass_context
def alerts(
    ctx: click.Context, /, root: Path, *, evaluate: bool, quiet: bool, json_: bool, **told: Any
) -> None:
    """List what was raised, the newest first; see one, close it, mute what nobody wants to hear.

    Rules stand under `alerts` in retinue.yaml. They are looked at after every run, by a worker or with
    --evaluate; each date once.

    \b
    Examples:
      retinue alerts --evaluate
      retinue alerts --account A000627 --all
      retinue alerts --rule turned_red --since 2026-06-01 --json
      retinue alerts show 1158
    """
    if ctx.invoked_subcommand is not None:
        given = [name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if given:
            raise click.UsageError(f"options of `alerts {ctx.invoked_subcommand}` stand behind it")
        return
    if evaluate:
        _evaluate(root, quiet=quiet)
    _list(root, json_=json_, **told)


@alerts.command("list")
@in_project
@_listing
@as_json
def list_(root: Path, *, json_: bool, **told: Any) -> None:
    """List what was raised, the newest first.

    \b
    Examples:
      retinue alerts list --severity high
    """
    _list(root, json_=json_, **told)


def _list(
    root: Path,
    *,
    account: str | None,
    owner: str | None,
    rule: str | None,
    severity: str | None,
    since: date | None,
    every: bool,
    limit: int,
    after: int | None,
    json_: bool,
) -> None:
    from retinue.cli.render import Column, Page, Table
    from retinue.store.work.alerts import alerts_of

    _, store = settings_and_store(root)
    found = alerts_of(
        store,
        operator(),
        account_id=account,
        owners=frozenset([owner]) if owner else None,
        rule=rule,
        severity=severity,
        since=since,
        is_open=None if every else True,
        limit=limit,
        after=after,
    )
    if json_:
        print_json([one.to_dict() for one in found])
        return
    page = Page()
    if not found:
        page.line("No alert." if every else "No open alert.")
        return
    table = Table(
        [
            Column("as of"),
            Column("severity", rank=2),
            Column("rule", rank=1),
            Column("what", least=30),
            Column("owner", least=12, rank=3),
            Column("id", right=True),
        ]
    )
    for one in found:
        table.add(one.as_of.isoformat(), one.severity, one.rule, one.summary, one.owner or "-", str(one.id))
    page.table(table)


def _evaluate(root: Path, *, quiet: bool) -> None:
    from retinue.cli.waiting import progress
    from retinue.run.alerting import evaluate
    from retinue.run.playing import advance
    from retinue.workspace import open_workspace

    workspace = open_workspace(root)
    with progress("looking for alerts", quiet=quiet) as tell:
        evaluate(workspace, now=now(), progress=tell)
        advance(workspace, now=now())


@alerts.command()
@click.argument("alert", type=int)
@in_project
@click.option("--rows", is_flag=True, help="Read the rows behind it from their source, too.")
@as_json
def show(alert: int, root: Path, rows: bool, json_: bool) -> None:
    """Show one alert: why, what moved the score, who was told, what followed.

    \b
    Examples:
      retinue alerts show 1158
      retinue alerts show 928 --rows --json
    """
    from retinue.cli.render import Page
    from retinue.desk import alerts as desk
    from retinue.workspace import open_workspace

    workspace = open_workspace(root)
    found = desk.alert(workspace, operator(), alert, now=now())
    behind = desk.behind(workspace, operator(), alert) if rows else desk.Behind()
    if json_:
        print_json({**found.to_dict(), **({"behind": behind.to_dict()} if rows else {})})
        return
    _shown(Page(), found)
    if behind.count is not None:
        page = Page()
        page.heading(f"{behind.count} accounts")
        for account in behind.accounts:
            page.line(f"  {account.account_id}  {account.name or ''}")
    for one in behind.rows:
        page = Page()
        page.heading(f"Rows of {one.source.replace('_', ' ')}")
        if one.trouble:
            page.line(one.trouble)
        for row in one.rows:
            values = ", ".join(value for value in row.values if value)
            page.line(f"  {row.occurred:%Y-%m-%d}  {values}")


def _shown(page: Any, found: Any) -> None:
    from retinue.words import signed

    alert = found.alert
    page.line(alert.summary, "bold")
    state = f"closed {alert.closed_at:%Y-%m-%d} by {alert.closed_by}" if alert.closed_at else "open"
    about = alert.account_id or "the portfolio"
    page.line(f"{alert.severity}, {about}, as of {alert.as_of}, for {alert.owner or 'nobody'}, {state}")
    if alert.result:
        page.line(f"Result: {alert.result}")
    if found.rule is not None:
        page.line(f"The rule {alert.rule} tells when {found.rule.words}.")
    if found.held_since is not None:
        page.line(f"Its condition has held since {found.held_since}.")
    if alert.evidence.get("do"):
        page.line(f"To do: {alert.evidence['do']}")
    if found.change is not None:
        page.heading(f"{signed(found.change.points)} points since {found.change.since}, associated with")
        for driver in found.change.drivers:
            page.line(f"  {signed(driver.points):>6}  {driver.text}")
    if found.accounts:
        page.heading("Its accounts")
        for row in found.accounts:
            page.line(f"  {row.account_id}  {row.name or ''}")
    followed = [
        *(f"task {task.id} for {task.owner}: {task.title} ({task.status})" for task in found.tasks),
        *(f"playbook {one.playbook}: {one.status}" for one in found.enrolments),
        *(f"mute {one.id}: {one.reason}" for one in found.mutes),
        *(f"message to {one.destination}: {one.state}" for one in found.messages),
    ]
    if followed:
        page.heading("What followed")
        for text in followed:
            page.line(f"  {text}")


@alerts.command()
@click.argument("numbers", metavar="ALERT...", type=int, nargs=-1, required=True)
@in_project
@click.option("--result", help="What was done.")
@as_json
def close(numbers: tuple[int, ...], root: Path, result: str | None, json_: bool) -> None:
    """Say that alerts have been dealt with, and how.

    What cannot be closed is told with its reason, and the command then ends with status 1.

    \b
    Examples:
      retinue alerts close 1158 --result "Talked to the sponsor: they stay"
      retinue alerts close 1158 1160 1161 --result "The feed was late"
    """
    from retinue.store.work.alert_changes import close_alerts

    _, store = settings_and_store(root)
    found = close_alerts(store, operator(), numbers, now=now(), result=result)
    told_of_each(json_, found, "Alert", "closed")


@alerts.command()
@in_project
@click.option("--account", help="Alerts of this account.")
@click.option("--rule", help="Alerts of this rule; with --account those of both.")
@click.option("--until", type=DAY, help="The last day; without it for good.")
@click.option("--reason", required=True, help="Why.")
@as_json
def mute(
    root: Path, account: str | None, rule: str | None, until: date | None, reason: str, json_: bool
) -> None:
    """Keep alerts from being raised: of an account, of a rule, or of both.

    What still holds when the mute ends is told then.

    \b
    Examples:
      retinue alerts mute --account A000627 --until 2026-09-30 --reason "known: they are moving"
      retinue alerts mute --rule grows --reason "sales looks at these itself"
    """
    from retinue.desk import alerts as desk
    from retinue.workspace import open_workspace

    told = desk.mute(
        open_workspace(root), operator(), account_id=account, rule=rule, until=until, reason=reason, now=now()
    )
    what = " and ".join(f"{kind} {name}" for kind, name in (("account", account), ("rule", rule)) if name)
    end = f"until {until}" if until else "for good"
    done(json_, {"id": told.id}, f"Mute {told.id}: {what}, {end}.")


@alerts.command()
@in_project
@as_json
def mutes(root: Path, json_: bool) -> None:
    """List the mutes that were not withdrawn, the newest first.

    \b
    Examples:
      retinue alerts mutes
    """
    import dataclasses

    from retinue.cli.render import Column, Page, Table
    from retinue.store.work.alerts import mutes_of

    _, store = settings_and_store(root)
    found = mutes_of(store, operator(), limit=1000)
    if json_:
        print_json([dataclasses.asdict(one) for one in found])
        return
    page = Page()
    if not found:
        page.line("Nothing is muted.")
        return
    table = Table(
        [
            Column("id", right=True),
            Column("account"),
            Column("rule"),
            Column("until"),
            Column("why", least=20),
            Column("by", rank=1),
        ]
    )
    for one in found:
        until = one.until.isoformat() if one.until else "for good"
        table.add(str(one.id), one.account_id or "all", one.rule or "all", until, one.reason, one.by)
    page.table(table)


@alerts.command()
@click.argument("mute", type=int)
@in_project
@as_json
def unmute(mute: int, root: Path, json_: bool) -> None:
    """Withdraw a mute: what still holds is told with the next date.

    \b
    Examples:
      retinue alerts unmute 3
    """
    from retinue.store.work.alerts import unmute as withdraw

    _, store = settings_and_store(root)
    withdraw(store, operator(), mute, now=now())
    done(json_, {"id": mute}, f"Mute {mute} is withdrawn.")
