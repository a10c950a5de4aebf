"""Commands of playbooks: what they do, who is in them, what one would do."""

from __future__ import annotations

from pathlib import Path

import click

from retinue.cli.options import as_json, in_project, now, print_json, quietly
from retinue.cli.people import done, operator


@click.group()
def play() -> None:
    """Look at playbooks and who is in them, and see what one would do.

    \b
    Examples:
      retinue play list
      retinue play test rescue
      retinue play test rescue --account A000627
      retinue play enrolments rescue
    """


@play.command("list")
@in_project
@as_json
def list_(root: Path, json_: bool) -> None:
    """List the playbooks, and how many accounts are in each.

    \b
    Examples:
      retinue play list
    """
    from retinue.cli.render import Column, Page, Table
    from retinue.desk.playbooks import playbooks
    from retinue.workspace import open_workspace

    found = playbooks(open_workspace(root), operator()).playbooks
    if json_:
        print_json([one.to_dict() for one in found])
        return
    page = Page()
    if not found:
        page.line("No playbook is declared: add a file to playbooks/.")
        return
    table = Table(
        [
            Column("playbook"),
            Column("starts when", least=20),
            Column("steps", right=True, rank=1),
            Column("hold-out", right=True, rank=2),
            Column("active", right=True),
            Column("completed", right=True),
            Column("stopped", right=True, rank=1),
            Column("held out", right=True, rank=2),
        ]
    )
    for one in found:
        table.add(
            one.playbook,
            one.trigger if one.declared else "(not declared any more)",
            str(len(one.steps)),
            f"{one.hold_out or 0:.0%}",
            str(one.active),
            str(one.completed),
            str(one.stopped),
            str(one.held_out),
        )
    page.table(table)


@play.command()
@click.argument("playbook")
@in_project
@as_json
def show(playbook: str, root: Path, json_: bool) -> None:
    """Show what a playbook does, and its effect beside accounts that are held out.

    \b
    Examples:
      retinue play show rescue
    """
    from retinue.cli.render import Page
    from retinue.desk.playbooks import playbook as one_playbook
    from retinue.workspace import open_workspace

    found = one_playbook(open_workspace(root), operator(), playbook)
    if json_:
        print_json(found.to_dict())
        return
    page, told = Page(), found.summary
    page.line(told.label, "bold")
    if told.declared:
        page.line(f"Starts when {told.trigger}.")
    if told.until:
        page.line(f"Ends early when {told.until}.")
    for number, step in enumerate(told.steps, 1):
        how = f" ({step.how})" if step.how else ""
        page.line(f"  {number}. {step.what}{how}")
    counts = f"{told.active} going on, {told.completed} completed, {told.stopped} stopped"
    page.line(f"{counts}, {told.held_out} held out.")
    if found.effect is not None:
        page.heading("Effect so far")
        page.line(found.effect.words)


@play.command("test")
@click.argument("playbook")
@in_project
@click.option("--account", help="For this account, whether its trigger holds or not.")
@quietly
@as_json
def test_play(playbook: str, root: Path, account: str | None, quiet: bool, json_: bool) -> None:
    """Show what a playbook would do for the accounts that its trigger holds for, and do nothing.

    \b
    Examples:
      retinue play test rescue
      retinue play test rescue --account A000627
    """
    from retinue.cli.render import Column, Page, Table, counted
    from retinue.cli.waiting import progress
    from retinue.run.rehearsing import rehearse_playbook
    from retinue.workspace import open_workspace

    workspace = open_workspace(root)
    with progress("rehearsing", quiet=quiet) as tell:
        found = rehearse_playbook(workspace, playbook, now=now(), account_id=account, progress=tell)
    if json_:
        print_json(found.to_dict())
        return
    page = Page()
    page.line(
        f"As of {found.as_of} its trigger holds for {counted(found.holds, 'account')}. "
        f"{counted(len(found.begin), 'account')} would begin now, {len(found.held_out)} held out, "
        f"{found.busy} in it or another one already.",
        "bold",
    )
    if account is not None:
        table = Table([Column("day"), Column("step"), Column("what", least=24), Column("who"), Column("due")])
        for act in found.acts:
            who = act.owner or ", ".join(act.to)
            table.add(act.day.isoformat(), act.step, act.text, who, str(act.due_on or "-"))
    else:
        table = Table([Column("owner", least=14), Column("tasks", right=True)])
        for owner, count in list(found.tasks_by_owner.items())[:20]:
            table.add(owner, str(count))
    if found.acts:
        page.table(table)
    page.line("Nothing was done. Tasks are taken to be done on the day on which they are due.", "dim")


@play.command()
@click.argument("playbook", required=False)
@in_project
@click.option("--account", help="Of this account only.")
@click.option(
    "--status", type=click.Choice(["active", "completed", "stopped", "held_out"]), help="Of this one only."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most."
)
@click.option("--after", type=int, help="Those before this number.")
@as_json
def enrolments(
    playbook: str | None,
    root: Path,
    account: str | None,
    status: str | None,
    limit: int,
    after: int | None,
    json_: bool,
) -> None:
    """List accounts that are or were in playbooks, the newest first.

    \b
    Examples:
      retinue play enrolments rescue --status active
      retinue play enrolments --account A000627
    """
    from typing import Any

    from retinue.cli.render import Column, Page, Table
    from retinue.desk.playbooks import enrolled
    from retinue.workspace import open_workspace

    wanted: Any = status
    found = enrolled(
        open_workspace(root),
        operator(),
        playbook=playbook,
        account_id=account,
        status=wanted,
        limit=limit,
        after=after,
    )
    if json_:
        print_json(found.to_dict()["enrolments"])
        return
    page = Page()
    if not found.enrolments:
        page.line("No account.")
        return
    table = Table(
        [
            Column("id", right=True),
            Column("since"),
            Column("playbook"),
            Column("account", least=12),
            Column("status"),
            Column("steps", right=True, rank=1),
            Column("because", least=12, rank=2),
        ]
    )
    for row in found.enrolments:
        one = row.enrolment
        told = one.ended_because or one.reason
        steps = f"{row.done}/{row.steps}"
        name = row.name or one.account_id
        table.add(str(one.id), one.started_on.isoformat(), one.playbook, name, one.status, steps, told)
    page.table(table)


@play.command()
@click.argument("enrolment", type=int)
@in_project
@click.option("--reason", required=True, help="Why.")
@as_json
def stop(enrolment: int, root: Path, reason: str, json_: bool) -> None:
    """Take an account out of a playbook: its open tasks are dropped, nothing more is done.

    ENROLMENT is the number that `retinue play enrolments` lists.

    \b
    Examples:
      retinue play stop 17 --reason "They asked us to wait"
    """
    from retinue.desk.playbooks import stop as stop_one
    from retinue.workspace import open_workspace

    told = stop_one(open_workspace(root), operator(), enrolment, reason, now=now())
    done(json_, told.to_dict(), f"{told.account_id} is out of it.")
