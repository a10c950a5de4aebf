"""Commands that do something: demo, run, pulse, override."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from retinue.cli.options import (
    DAY,
    STOPPED,
    as_json,
    in_project,
    knowledge_day,
    now,
    person,
    print_json,
    quietly,
    settings_and_store,
)
from retinue.errors import RetinueError

if TYPE_CHECKING:
    from retinue.cli.render import Page
    from retinue.run import RunResult
    from retinue.run.following import Followed
    from retinue.workspace import Workspace

#: The status of a run that was published and whose alerts could not be looked for.
UNFOLLOWED = 3


@click.command()
@in_project
@click.option(
    "--from", "first", type=DAY, help="First date to score; by default the one after the last published."
)
@click.option("--to", "last", type=DAY, help="Last date to score; by default the last complete day.")
@click.option(
    "--every",
    type=click.Choice(["day", "week"]),
    default="day",
    show_default=True,
    help="With --from: every day, or every Sunday.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="Wait so long for another run to end.",
)
@click.option("--no-alerts", is_flag=True, help="Leave alerts and playbooks to a worker, or to the next run.")
@click.option(
    "--explain-plan",
    is_flag=True,
    help="Show the SQL and what each step costs. Everything is computed, nothing is published.",
)
@quietly
@as_json
def run(
    root: Path,
    first: date | None,
    last: date | None,
    every: Literal["day", "week"],
    wait: float,
    no_alerts: bool,
    explain_plan: bool,
    quiet: bool,
    json_: bool,
) -> None:
    """Score the accounts and publish, up to the last complete day.

    Then alerts of the new dates are raised, and playbooks go on; `retinue work` sends their messages.

    What was published before stays current until the new run is whole, and if the run fails or is
    stopped (Ctrl-C, SIGTERM). The status is 3 if the run was published and its alerts could not be
    looked for: the next run, or a worker, makes up for it.

    \b
    Examples:
      retinue run                                    the days since the last run
      retinue run --from 2025-01-05 --every week     a history, every Sunday
      retinue run --explain-plan                     why it takes so long
    """
    from retinue.cli.render import Page
    from retinue.cli.waiting import progress
    from retinue.run import rehearse
    from retinue.run import run as score
    from retinue.workspace import open_workspace

    workspace = open_workspace(root)
    says_when_stopped(workspace)
    if explain_plan:
        from retinue.cli import costs

        with progress("starting", quiet=quiet) as tell:
            trace = rehearse(workspace, now=now(), first=first, last=last, every=every, progress=tell)
        if json_:
            print_json(costs.to_dict(trace))
        else:
            costs.show(Page(), trace)
        return
    with progress("starting", quiet=quiet) as tell:
        result = score(workspace, now=now(), first=first, last=last, every=every, wait=wait, progress=tell)
    followed, failed = None, None
    if not no_alerts:
        followed, failed = _followed(workspace, quiet=quiet)
    if json_:
        print_json({**result.to_dict(), **({"followed": followed.to_dict()} if followed else {})})
    else:
        summary(Page(), result, workspace.project.home, followed)
    if failed is not None:
        click.echo(
            f"error: the run was published, but its alerts could not be looked for: {failed}", err=True
        )
        click.echo("The next run, a worker or `retinue alerts --evaluate` makes up for it.", err=True)
        raise click.exceptions.Exit(UNFOLLOWED)


def _followed(workspace: Workspace, *, quiet: bool) -> tuple[Followed | None, str | None]:
    """What follows from the run that was published, or why that could not be found out. None without
    either where the project declares nothing that could follow."""
    from retinue.cli.waiting import progress
    from retinue.run.following import follow

    settings = workspace.project.settings
    declared = bool(settings.alerts or workspace.project.playbooks)
    click.get_current_context().meta[STOPPED] = lambda: (
        "stopped after the new run was made current; a worker or the next run looks for its alerts"
        if declared
        else "stopped after the new run was made current; nothing is left to do"
    )
    try:
        with progress("looking for alerts", quiet=quiet or not declared) as tell:
            found = follow(workspace, now=now(), progress=tell)
    except Exception as error:
        if os.environ.get("RETINUE_TRACEBACK") == "1":
            raise
        return None, " ".join(str(error).split()) or type(error).__name__
    return (found if declared else None), None


def says_when_stopped(workspace: Workspace) -> None:
    """If this command is stopped, it says what is current then."""
    from retinue.cli.stopping import stopped

    before = workspace.manifest()
    click.get_current_context().meta[STOPPED] = lambda: stopped(workspace, before)


def summary(page: Page, result: RunResult, home: Path, followed: Followed | None = None) -> None:
    """What a run did, as text."""
    from retinue.cli.render import Column, Table, counted, styled
    from retinue.words import SHAPES, WORDS

    dates = result.dates
    span = f"{dates[0]} to {dates[-1]}" if len(dates) > 1 else str(dates[0])
    page.line(f"Scored {counted(len(dates), 'date')}, {span}.", "bold")
    table = Table([Column(""), Column("", least=30)])
    bands = ", ".join(
        f"{SHAPES[name]} {result.bands.get(name, 0):,} {WORDS[name]}"
        for name in ("at_risk", "watch", "healthy")
    )
    unscored = result.accounts - sum(result.bands.values())
    bands += f", {SHAPES[None]} {unscored:,} not scored" if unscored else ""
    table.add(styled("accounts", "dim"), f"{result.accounts:,} on {dates[-1]}: {bands}")
    moved = counted(result.transitions, "change")
    snapshots = f"{result.snapshots:,}, of which {result.scored:,} scored; {moved} of band"
    table.add(styled("snapshots", "dim"), snapshots)
    read = sum(counts.get("read", 0) for counts in result.sources.values())
    left = sum(counts.get("rejected", 0) for counts in result.sources.values())
    table.add(styled("rows", "dim"), f"{read:,} read, {left:,} rejected")
    for source, reasons in sorted(result.rejected.items()):
        for reason, count in reasons.items():
            table.add("", f"{source}: {count:,} x {reason}")
    for problem in result.problems:
        table.add(styled(problem.severity, "yellow"), str(problem))
    if followed is not None:
        began, tasks = followed.evaluated.enrolments, followed.played.tasks
        more = f", {counted(began, 'account')} into playbooks, {counted(tasks, 'task')}"
        table.add(styled("alerts", "dim"), f"{followed.alerts:,} raised{more}")
    table.add(styled("files", "dim"), str(home / "runs" / result.run_id))
    page.table(table)
    page.line()
    page.line("Next: `retinue accounts` shows who needs attention, `retinue explain ACCOUNT` why.")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default="retinue-demo")
@click.option(
    "--accounts", type=click.IntRange(1), default=2000, show_default=True, help="Accounts to simulate."
)
@click.option("--months", type=click.IntRange(1), default=18, show_default=True, help="Months of history.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Same seed, same company.")
@click.option("--no-run", is_flag=True, help="Write the project and its tables only.")
@click.option(
    "--open/--no-open",
    "open_",
    default=None,
    help="End by serving it and opening the browser; by default on a terminal.",
)
@quietly
@as_json
def demo(
    directory: Path,
    accounts: int,
    months: int,
    seed: int,
    no_run: bool,
    open_: bool | None,
    quiet: bool,
    json_: bool,
) -> None:
    """Make a project of a simulated company in DIRECTORY, and score its history.

    The company sells software to other companies; the truth that its tables are drawn from is
    written beside them, in truth/.

    \b
    Examples:
      retinue demo
      retinue demo small --accounts 200 --months 6
    """
    from retinue.cli import demonstrate

    demonstrate.demo(
        directory, accounts=accounts, months=months, seed=seed, score=not no_run, quiet=quiet, json_=json_
    )
    if not no_run and not json_:
        demonstrate.opened(directory, open_)


@click.command()
@click.argument("account")
@click.argument("metric")
@click.argument("value", type=click.FloatRange(0, 10))
@in_project
@click.option("--note", help="Why you think so.")
@click.option("--expires", type=DAY, help="Last day on which it counts.")
@as_json
def pulse(
    account: str, metric: str, value: float, root: Path, note: str | None, expires: date | None, json_: bool
) -> None:
    """Say how ACCOUNT is doing, from 0 (worst) to 10 (best).

    METRIC is a metric of the project of the kind `pulse`, or the name of the pulse that it reads.
    It counts from today on.

    \b
    Example:
      retinue pulse A-0042 csm_pulse 3 --note "new sponsor is sceptical" --expires 2026-09-30
    """
    from retinue.project.load import load
    from retinue.project.metrics import Pulse
    from retinue.store.database import open_store
    from retinue.store.people.access import Actor
    from retinue.store.work.said import add_pulse

    project = load(root, os.environ)
    pulses = {name: m.pulse for name, m in project.metrics.items() if isinstance(m, Pulse)}
    said = pulses.get(metric, metric)
    if said not in pulses.values():
        names = ", ".join(sorted(pulses))
        raise RetinueError(
            f"{metric!r} is no metric of the kind `pulse`",
            hint=f"one of {names}" if names else "declare one, such as `csm_pulse: {pulse: csm_pulse}`",
        )
    moment = now()
    number = add_pulse(
        open_store(project.store_url),
        account,
        said,
        value,
        by=Actor(person()),
        now=moment,
        note=note,
        expires_on=expires,
    )
    text = f"{said} {value:g} for {account}" + (f" until {expires}" if expires else "")
    _said(json_, "pulse", number, text, knowledge_day(project, moment))


@click.command()
@click.argument("account")
@click.argument("kind", type=click.Choice(["set", "cap", "floor"]))
@click.argument("value", type=click.FloatRange(0, 100))
@in_project
@click.option("--reason", required=True, help="Why; it is shown beside the score.")
@click.option("--owner", help="Who answers for it; by default you.")
@click.option("--starts", type=DAY, help="First day on which it counts; by default today.")
@click.option("--expires", type=DAY, help="Last day on which it counts.")
@as_json
def override(
    account: str,
    kind: Literal["set", "cap", "floor"],
    value: float,
    root: Path,
    reason: str,
    owner: str | None,
    starts: date | None,
    expires: date | None,
    json_: bool,
) -> None:
    """Set, cap or floor the effective score of ACCOUNT at VALUE.

    The computed and published scores stay as they are, beside it. It counts from today on, or from
    --starts.

    \b
    Example:
      retinue override A-0042 cap 40 --reason "sponsor told us they leave" --expires 2026-09-30
    """
    from retinue.store.people.access import Actor
    from retinue.store.work.said import add_override

    project, store = settings_and_store(root)
    moment = now()
    first = max(starts or date.min, knowledge_day(project, moment))
    number = add_override(
        store,
        account,
        kind,
        value,
        reason=reason,
        owner=owner or person(),
        starts_on=first,
        by=Actor(person()),
        now=moment,
        expires_on=expires,
    )
    text = f"{kind} {value:g} for {account}" + (f" until {expires}" if expires else "")
    _said(json_, "override", number, text, first)


@click.command()
@click.argument("what", type=click.Choice(["pulse", "override"]))
@click.argument("number", type=click.IntRange(1))
@in_project
@as_json
def withdraw(what: Literal["pulse", "override"], number: int, root: Path, json_: bool) -> None:
    """Take a pulse or an override back. It stays on record, and in the scores of the days before.

    \b
    Example:
      retinue withdraw override 3
    """
    from retinue.store.people.access import Actor
    from retinue.store.work.said import withdraw_override, withdraw_pulse

    project, store = settings_and_store(root)
    moment = now()
    take_back = withdraw_pulse if what == "pulse" else withdraw_override
    take_back(store, number, by=Actor(person()), now=moment)
    day = knowledge_day(project, moment)
    if json_:
        print_json({"id": number, what: "withdrawn", "from": day})
    else:
        click.echo(f"Withdrawn: {what} {number}. Scores from {day} on are without it.")


def _said(json_: bool, what: str, number: int, text: str, first: date) -> None:
    if json_:
        print_json({"id": number, what: text, "counts_from": first})
        return
    click.echo(f"Recorded as {what} {number}: {text}.")
    click.echo(f"It counts from {first} on: the run that scores that day shows it (`retinue run`).")


START = (demo, run)
COMMANDS = (pulse, override, withdraw)
