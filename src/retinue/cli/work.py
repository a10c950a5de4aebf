"""Commands of work that follows from scores: work, alerts, play."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any, Literal

import click

from retinue.cli.options import DAY, as_json, in_project, now, print_json, quietly, settings_and_store


@click.command()
@in_project
@click.option("--once", is_flag=True, help="Do what is due, and end.")
@click.option(
    "--log-format", type=click.Choice(["json", "text"]), help="Say what is done as a log, as the server does."
)
@quietly
@as_json
def work(
    root: Path, once: bool, log_format: Literal["json", "text"] | None, quiet: bool, json_: bool
) -> None:
    """Do what is due: scheduled runs, alerts, playbooks, messages; until Ctrl-C or SIGTERM.

    `retinue serve` does this beside the pages. When accounts are scored stands under `work` in
    retinue.yaml; without it they are not, and `retinue run` is yours to call. Any number of workers may
    run: none does what another one does. SIGHUP reads the project again, as a new run does.

    \b
    Examples:
      retinue work                 until it is stopped
      retinue work --once          one look around, from a scheduler of your own
    """
    import signal

    from retinue.deliver import Outside
    from retinue.worker.working import Ticked, Worker
    from retinue.worker.working import work as loop
    from retinue.workspace import open_workspace

    if log_format is not None:
        from retinue.serve.logs import set_up

        set_up(log_format)

    workspace = open_workspace(root)
    worker = Worker(workspace, now, Outside(workspace.project.root, os.environ))
    if once:
        try:
            done = worker.tick()
        finally:
            worker.leave()
        _told(done, quiet=quiet, json_=json_)
        return
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: worker.stop.set())
    signal.signal(signal.SIGHUP, lambda *_: worker.again.set())

    def told(done: Ticked) -> None:
        if log_format is None:
            _told(done, quiet=quiet, json_=json_)
        else:
            _logged(done)

    loop(worker, told=told)


def _logged(done: Any) -> None:
    import logging

    from retinue.serve.logs import told

    facts = {name: value for name, value in done.to_dict().items() if name != "delivered" and value}
    sent = {name: value for name, value in done.delivered.to_dict().items() if value}
    told(logging.getLogger("retinue.worker"), "worked", **facts, **sent)


def _told(done: Any, *, quiet: bool, json_: bool) -> None:
    if json_:
        print_json(done.to_dict())
    elif not quiet:
        sent = done.delivered
        parts = [
            f"ran: {done.ran}" if done.ran else "",
            f"{done.alerts} alerts" if done.alerts else "",
            f"{done.enrolments} accounts into playbooks" if done.enrolments else "",
            f"{done.tasks} tasks" if done.tasks else "",
            f"{sent.sent} messages sent" if sent.sent else "",
            f"{sent.retried} to be tried again" if sent.retried else "",
            f"{sent.dead} given up" if sent.dead else "",
        ]
        click.echo(", ".join(part for part in parts if part) or "nothing was due")


@click.command()
@in_project
@click.option("--account", help="Of this account only.")
@click.option("--rule", help="Of this rule only.")
@click.option("--since", type=DAY, help="As of days after this one.")
@click.option("--all", "every", is_flag=True, help="Closed ones too.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most."
)
@click.option("--evaluate", is_flag=True, help="First raise what the dates published since then call for.")
@quietly
@as_json
def alerts(
    root: Path,
    account: str | None,
    rule: str | None,
    since: date | None,
    every: bool,
    limit: int,
    evaluate: bool,
    quiet: bool,
    json_: bool,
) -> None:
    """List what was raised, the newest first.

    Rules stand under `alerts` in retinue.yaml. They are looked at after every run, by a worker or with
    --evaluate; each date once.

    \b
    Examples:
      retinue alerts --evaluate
      retinue alerts --account A000627 --all
      retinue alerts --rule turned_red --since 2026-06-01 --json
    """
    from retinue.cli.render import Column, Page, Table
    from retinue.store.people.access import OPERATOR
    from retinue.store.work.alerts import alerts_of

    if evaluate:
        _evaluate(root, quiet=quiet)
    _, store = settings_and_store(root)
    found = alerts_of(
        store,
        OPERATOR,
        account_id=account,
        rule=rule,
        since=since,
        is_open=None if every else True,
        limit=limit,
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
            Column("id", right=True, rank=4),
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


@click.group()
def play() -> None:
    """Look at playbooks, and see what one would do.

    \b
    Examples:
      retinue play list
      retinue play test rescue
      retinue play test rescue --account A000627
    """


@play.command("list")
@in_project
@as_json
def list_plays(root: Path, json_: bool) -> None:
    """List the playbooks, and how many accounts are in each.

    \b
    Examples:
      retinue play list
    """
    from retinue.cli.render import Column, Page, Table
    from retinue.store.database import open_store
    from retinue.store.work.plays import active

    project = _project(root)
    store = open_store(project.store_url)
    going: dict[str, int] = {}
    for one in active(store):
        going[one.playbook] = going.get(one.playbook, 0) + 1
    told = [
        {
            "playbook": book.playbook,
            "label": book.label,
            "trigger": book.when.kind,
            "steps": len(book.steps),
            "hold_out": book.hold_out,
            "active": going.get(book.playbook, 0),
        }
        for book in project.playbooks
    ]
    if json_:
        print_json(told)
        return
    page = Page()
    if not told:
        page.line("No playbook is declared: add a file to playbooks/.")
        return
    table = Table(
        [
            Column("playbook"),
            Column("what", least=20),
            Column("trigger"),
            Column("steps", right=True),
            Column("held out", right=True),
            Column("accounts", right=True),
        ]
    )
    for row in told:
        table.add(
            str(row["playbook"]),
            str(row["label"] or "-"),
            str(row["trigger"]),
            str(row["steps"]),
            f"{row['hold_out']:.0%}",
            str(row["active"]),
        )
    page.table(table)


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


def _project(root: Path) -> Any:
    from retinue.project.load import load

    return load(root, os.environ)


COMMANDS = (alerts, play, work)
