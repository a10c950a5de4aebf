"""Commands of tasks: what people are to do for accounts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from retinue.cli.options import DAY, as_json, in_project, now, print_json, settings_and_store
from retinue.cli.people import done, operator


@click.group()
def tasks() -> None:
    """List, add and close tasks.

    \b
    Examples:
      retinue tasks list --overdue
      retinue tasks add A000627 "Call the sponsor" --owner ann@example.com --due 2026-07-03
      retinue tasks close 12 --result "Agreed on a plan"
    """


@tasks.command("list")
@in_project
@click.option("--account", help="Of this account only.")
@click.option("--owner", help="Of this person only.")
@click.option("--overdue", is_flag=True, help="Due before today.")
@click.option("--all", "every", is_flag=True, help="Closed ones too.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most."
)
@as_json
def list_tasks(
    root: Path, account: str | None, owner: str | None, overdue: bool, every: bool, limit: int, json_: bool
) -> None:
    """List tasks, the earliest due first.

    \b
    Examples:
      retinue tasks list --owner ann@example.com
    """
    from retinue.cli.render import Column, Page, Table
    from retinue.store.people.access import OPERATOR
    from retinue.store.work.tasks import tasks_of

    _, store = settings_and_store(root)
    found = tasks_of(
        store,
        OPERATOR,
        account_id=account,
        owners=frozenset([owner]) if owner else None,
        status=None if every else "open",
        due_before=now().date() if overdue else None,
        limit=limit,
    )
    if json_:
        print_json([one.to_dict() for one in found])
        return
    page = Page()
    if not found:
        page.line("No task.")
        return
    table = Table(
        [
            Column("id", right=True),
            Column("due"),
            Column("account", least=10),
            Column("task", least=24),
            Column("owner", least=12, rank=1),
            Column("status", rank=2),
            Column("from", rank=3),
        ]
    )
    for one in found:
        due = one.due_on.isoformat() if one.due_on else "-"
        table.add(str(one.id), due, one.name or one.account_id, one.title, one.owner, one.status, one.origin)
    page.table(table)


@tasks.command("add")
@click.argument("account")
@click.argument("title")
@in_project
@click.option("--owner", help="Who is to do it; you by default.")
@click.option("--due", type=DAY, help="The day by which it is due.")
@click.option("--detail", help="More about it.")
@as_json
def add(
    account: str,
    title: str,
    root: Path,
    owner: str | None,
    due: date | None,
    detail: str | None,
    json_: bool,
) -> None:
    """Give somebody something to do for an account.

    \b
    Examples:
      retinue tasks add A000627 "Call the sponsor" --due 2026-07-03
    """
    from retinue.store.work.tasks import add_task

    _, store = settings_and_store(root)
    number = add_task(store, operator(), account, title, now=now(), owner=owner, due_on=due, detail=detail)
    done(json_, {"id": number, "account_id": account}, f"Task {number} for {account}.")


@tasks.command("close")
@click.argument("task", type=int)
@in_project
@click.option("--result", help="What was done.")
@click.option("--said", help="What the customer said.")
@click.option("--drop", is_flag=True, help="It is not to be done any more.")
@as_json
def close(task: int, root: Path, result: str | None, said: str | None, drop: bool, json_: bool) -> None:
    """Say that a task is done, with what came of it.

    \b
    Examples:
      retinue tasks close 12 --result "Agreed on a plan" --said "We missed the export"
    """
    from retinue.store.work.task_changes import close_task

    _, store = settings_and_store(root)
    close_task(store, operator(), task, now=now(), done=not drop, result=result, said=said)
    done(json_, {"id": task}, f"Task {task} is {'dropped' if drop else 'done'}.")
