"""Commands of tasks: what people are to do for accounts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retinue.cli.options import DAY, as_json, in_project, now, print_json, settings_and_store
from retinue.cli.people import done, operator, told_of_each

if TYPE_CHECKING:
    from retinue.project.project import Project

BALANCES = ("fewest_tasks", "least_revenue", "round_robin")


def _shared(command: Any) -> Any:
    """Among whom something is shared out."""
    balance = click.option(
        "--balance", type=click.Choice(BALANCES), default="fewest_tasks", show_default=True, help="By what."
    )
    among = click.option(
        "--among", metavar="TEAM|NAMES", help="Share it out among a team, or names with commas between them."
    )
    return among(balance(command))


@click.group()
def tasks() -> None:
    """List and add tasks, close, snooze and give them, tick their items.

    \b
    Examples:
      retinue tasks list --overdue
      retinue tasks add A000627 "Call the sponsor" --owner ann@example.com --due 2026-07-03
      retinue tasks close 12 --result "Agreed on a plan" --said "We missed the export"
      retinue tasks snooze 12 13 --until 2026-08-01
      retinue tasks give 12 13 14 --among north --balance least_revenue
      retinue tasks tick 12 1
    """


@tasks.command("list")
@in_project
@click.option("--account", help="Of this account only.")
@click.option("--owner", help="Of this person only.")
@click.option("--team", help="Of the people of this team only.")
@click.option("--alert", type=int, metavar="ID", help="Those that answer this alert.")
@click.option("--overdue", is_flag=True, help="Due before today.")
@click.option("--snoozed", is_flag=True, help="Those that are out of sight until a day.")
@click.option("--all", "every", is_flag=True, help="Closed and snoozed ones too.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most."
)
@as_json
def list_tasks(
    root: Path,
    account: str | None,
    owner: str | None,
    team: str | None,
    alert: int | None,
    overdue: bool,
    snoozed: bool,
    every: bool,
    limit: int,
    json_: bool,
) -> None:
    """List tasks, the earliest due first. Those that are snoozed are left out.

    \b
    Examples:
      retinue tasks list --owner ann@example.com
      retinue tasks list --team north --overdue
    """
    from retinue.cli.render import Column, Page, Table
    from retinue.store.people.access import OPERATOR
    from retinue.store.work.balancing import names_of_team
    from retinue.store.work.tasks import tasks_of

    project, store = settings_and_store(root)
    today = _today(project)
    owners = frozenset([owner]) if owner else None
    if team:
        named = names_of_team(store, team)
        owners = named if owners is None else owners & named
    found = tasks_of(
        store,
        OPERATOR,
        account_id=account,
        owners=owners,
        status=None if every else "snoozed" if snoozed else "open",
        due_before=today if overdue else None,
        alert=alert,
        limit=limit,
        today=today,
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
            Column("items", right=True, rank=4),
            Column("from", rank=3),
        ]
    )
    for one in found:
        due = one.due_on.isoformat() if one.due_on else "-"
        away = one.status == "open" and one.snoozed_until is not None and one.snoozed_until > today
        status = f"until {one.snoozed_until}" if away else one.status
        items = f"{sum(item.done for item in one.checklist)}/{len(one.checklist)}" if one.checklist else "-"
        who = one.name or one.account_id
        table.add(str(one.id), due, who, one.title, one.owner, status, items, one.origin)
    page.table(table)


@tasks.command("add")
@click.argument("account")
@click.argument("title")
@in_project
@click.option("--owner", help="Who is to do it; you by default.")
@_shared
@click.option("--due", type=DAY, help="The day by which it is due.")
@click.option("--detail", help="More about it.")
@click.option("--item", "items", multiple=True, help="An item of its checklist; may be repeated.")
@click.option("--alert", type=int, metavar="ID", help="The alert that it answers.")
@as_json
def add(
    account: str,
    title: str,
    root: Path,
    owner: str | None,
    among: str | None,
    balance: Any,
    due: date | None,
    detail: str | None,
    items: tuple[str, ...],
    alert: int | None,
    json_: bool,
) -> None:
    """Give somebody something to do for an account.

    \b
    Examples:
      retinue tasks add A000627 "Call the sponsor" --due 2026-07-03
      retinue tasks add A000627 "Review the plan" --among north --item "Ask who decides"
    """
    from retinue.store.work.tasks import add_task, task_of

    _, store = settings_and_store(root)
    number = add_task(
        store,
        operator(),
        account,
        title,
        now=now(),
        owner=owner,
        due_on=due,
        detail=detail,
        checklist=items,
        alert=alert,
        among=_among(among),
        balance=balance,
    )
    who = task_of(store, operator(), number).owner
    told = {"id": number, "account_id": account, "owner": who}
    done(json_, told, f"Task {number} for {account}, owner {who}.")


@tasks.command("close")
@click.argument("numbers", metavar="TASK...", type=int, nargs=-1, required=True)
@in_project
@click.option("--result", help="What was done.")
@click.option("--said", help="What the customer said.")
@click.option("--drop", is_flag=True, help="They are not to be done any more.")
@as_json
def close(
    numbers: tuple[int, ...], root: Path, result: str | None, said: str | None, drop: bool, json_: bool
) -> None:
    """Say that tasks are done, with what came of them.

    Each is changed by itself: what cannot be changed is told, and the command then ends with status 1.

    \b
    Examples:
      retinue tasks close 12 --result "Agreed on a plan" --said "We missed the export"
      retinue tasks close 12 13 --drop
    """
    from retinue.store.work.task_changes import close_tasks

    _, store = settings_and_store(root)
    found = close_tasks(store, operator(), numbers, now=now(), done=not drop, result=result, said=said)
    told_of_each(json_, found, "Task", "dropped" if drop else "done")


@tasks.command("snooze")
@click.argument("numbers", metavar="TASK...", type=int, nargs=-1, required=True)
@in_project
@click.option("--until", type=DAY, help="The day on which they are back.")
@click.option("--wake", is_flag=True, help="They are back at once.")
@as_json
def snooze(numbers: tuple[int, ...], root: Path, until: date | None, wake: bool, json_: bool) -> None:
    """Keep open tasks out of sight until a day.

    \b
    Examples:
      retinue tasks snooze 12 13 --until 2026-08-01
      retinue tasks snooze 12 --wake
    """
    from retinue.store.work.task_changes import snooze_tasks

    if (until is None) != wake:
        raise click.UsageError("say --until a day, or --wake")
    project, store = settings_and_store(root)
    found = snooze_tasks(store, operator(), numbers, until, now=now(), today=_today(project))
    told_of_each(json_, found, "Task", f"out of sight until {until}" if until else "back")


@tasks.command("give")
@click.argument("numbers", metavar="TASK...", type=int, nargs=-1, required=True)
@in_project
@click.option("--owner", help="Who is to do them.")
@_shared
@as_json
def give(
    numbers: tuple[int, ...], root: Path, owner: str | None, among: str | None, balance: Any, json_: bool
) -> None:
    """Make somebody else the owner of open tasks, or share them out.

    \b
    Examples:
      retinue tasks give 12 --owner bob@example.com
      retinue tasks give 12 13 14 --among north --balance least_revenue
    """
    from retinue.store.work.task_changes import give_tasks

    _, store = settings_and_store(root)
    found = give_tasks(store, operator(), numbers, owner, now=now(), among=_among(among), balance=balance)
    told_of_each(json_, found, "Task", f"given to {owner}" if owner else f"shared out among {among}")


@tasks.command("tick")
@click.argument("task", type=int)
@click.argument("item", type=int)
@in_project
@click.option("--undo", is_flag=True, help="It is not done after all.")
@as_json
def tick(task: int, item: int, root: Path, undo: bool, json_: bool) -> None:
    """Tick ITEM, counted from 1, of the checklist of TASK.

    \b
    Examples:
      retinue tasks tick 12 1
    """
    from retinue.store.work.task_changes import tick_task
    from retinue.store.work.tasks import task_of

    _, store = settings_and_store(root)
    tick_task(store, operator(), task, item, now=now(), done=not undo)
    items = task_of(store, operator(), task).checklist
    ticked = sum(one.done for one in items)
    told = {"id": task, "item": item, "done": not undo, "ticked": ticked, "items": len(items)}
    done(json_, told, f"Task {task}: {ticked} of {len(items)} done.")


@tasks.command("responses")
@in_project
@click.option("--days", type=click.IntRange(1, 3660), default=90, show_default=True, help="Back from now.")
@as_json
def responses(root: Path, days: int, json_: bool) -> None:
    """Tell how soon people respond to what tasks answer, by team and owner.

    \b
    Examples:
      retinue tasks responses --days 30
    """
    from retinue.cli.render import Column, Page, Table
    from retinue.desk.tasks import responded, took
    from retinue.store.people.access import OPERATOR
    from retinue.store.work.responses import ENOUGH
    from retinue.workspace import open_workspace

    found = responded(open_workspace(root, os.environ), OPERATOR, now=now(), days=days)
    if json_:
        print_json(found.to_dict())
        return
    page = Page()
    if not found.responses:
        page.line(f"No task has begun in the last {days} days.")
        return
    table = Table(
        [
            Column("of", least=12),
            Column("tasks", right=True),
            Column("touched", right=True),
            Column("median", right=True),
            Column("9 of 10", right=True),
            Column("closed", right=True, rank=1),
            Column("median", right=True, rank=1),
        ]
    )
    for one in found.responses:
        spans = [
            "not enough" if spread.too_few else "not yet" if value is None else took(value)
            for spread, value in (
                (one.touch, one.touch.median),
                (one.touch, one.touch.p90),
                (one.close, one.close.median),
            )
        ]
        name = {"all": "all", "team": f"team {one.name}", "owner": one.name or "-"}[one.of]
        counts = str(one.touch.count), str(one.touch.finished)
        table.add(name, *counts, *spans[:2], str(one.close.finished), spans[2])
    page.table(table)
    page.line(f"From what it answers to the first touch; with fewer than {ENOUGH} nothing is said.", "dim")


def _among(told: str | None) -> str | Sequence[str] | None:
    """A team, or names if there is a comma or an address."""
    if told is None or ("," not in told and "@" not in told):
        return told
    return [name.strip() for name in told.split(",") if name.strip()]


def _today(project: Project) -> date:
    from zoneinfo import ZoneInfo

    return now().astimezone(ZoneInfo(project.settings.timezone)).date()
