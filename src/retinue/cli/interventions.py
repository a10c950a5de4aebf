"""Commands of interventions: what was done for accounts besides what playbooks do."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import click

from retinue.cli.options import DAY, as_json, in_project, now, print_json, settings_and_store
from retinue.cli.people import done, operator


@click.group()
def interventions() -> None:
    """Record what was done for an account, so that its effect can be looked at.

    \b
    Examples:
      retinue interventions add A000627 training --reason "New team"
      retinue interventions list A000627
      retinue interventions end 7 --on 2026-07-03
    """


@interventions.command("list")
@click.argument("account")
@in_project
@as_json
def list_interventions(account: str, root: Path, json_: bool) -> None:
    """List what was done for ACCOUNT, by people and by playbooks, what began last first.

    \b
    Examples:
      retinue interventions list A000627
    """
    from retinue.cli.render import Column, Page, Table
    from retinue.store.work.interventions import interventions_of
    from retinue.store.work.said import known

    _, store = settings_and_store(root)
    known(store, operator(), account)
    found = interventions_of(store, operator(), account)
    if json_:
        print_json([one.to_dict() for one in found])
        return
    page = Page()
    if not found:
        page.line("Nothing is recorded.")
        return
    table = Table(
        [
            Column("id", right=True),
            Column("kind", least=12),
            Column("from"),
            Column("to"),
            Column("owner", least=12),
            Column("recorded by", least=12, rank=1),
            Column("reason", least=16, rank=2),
        ]
    )
    for one in found:
        days = one.started_on.isoformat(), one.ended_on.isoformat() if one.ended_on else "-"
        by = f"playbook {one.playbook}" if one.playbook else one.by
        table.add(str(one.id), one.kind, *days, one.owner, by, one.reason or "-")
    page.table(table)


@interventions.command("add")
@click.argument("account")
@click.argument("kind")
@in_project
@click.option("--from", "started_on", type=DAY, help="The day it began; by default today.")
@click.option("--to", "ended_on", type=DAY, help="The day it ended, if it has.")
@click.option("--owner", help="Who does it; by default whoever records it.")
@click.option("--reason", help="Why.")
@as_json
def add(
    account: str,
    kind: str,
    root: Path,
    started_on: date | None,
    ended_on: date | None,
    owner: str | None,
    reason: str | None,
    json_: bool,
) -> None:
    """Record that something of a KIND, such as training, was begun for ACCOUNT.

    \b
    Examples:
      retinue interventions add A000627 visit --from 2026-06-30 --to 2026-07-01 --owner ann@example.com
    """
    from retinue.desk.acting import add_intervention
    from retinue.workspace import open_workspace

    told = add_intervention(
        open_workspace(root, os.environ),
        operator(),
        account,
        kind,
        now=now(),
        started_on=started_on,
        ended_on=ended_on,
        owner=owner,
        reason=reason,
    )
    done(json_, told.to_dict(), f"Intervention {told.id} for {account}.")


@interventions.command("end")
@click.argument("number", metavar="ID", type=int)
@in_project
@click.option("--on", "ended_on", type=DAY, help="The day it ended; by default today.")
@as_json
def end(number: int, root: Path, ended_on: date | None, json_: bool) -> None:
    """Say on which day the intervention ID ended.

    \b
    Examples:
      retinue interventions end 7 --on 2026-07-03
    """
    from retinue.desk.acting import end_intervention
    from retinue.workspace import open_workspace

    told = end_intervention(
        open_workspace(root, os.environ), operator(), number, now=now(), ended_on=ended_on
    )
    done(json_, told.to_dict(), f"Intervention {number} has ended.")


@interventions.command("withdraw")
@click.argument("number", metavar="ID", type=int)
@in_project
@as_json
def withdraw_one(number: int, root: Path, json_: bool) -> None:
    """Take back the intervention ID; it stays in the audit log.

    \b
    Examples:
      retinue interventions withdraw 7
    """
    from retinue.desk.acting import withdraw
    from retinue.workspace import open_workspace

    told = withdraw(open_workspace(root, os.environ), operator(), "intervention", number, now=now())
    done(json_, told.to_dict(), f"Intervention {number} is withdrawn.")
