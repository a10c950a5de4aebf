"""The demo: simulate a company, score its history, show what comes out."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from retinue.cli.explained import show
from retinue.cli.operate import says_when_stopped
from retinue.cli.options import print_json
from retinue.cli.render import Page, counted
from retinue.cli.tables import account_table, totals
from retinue.cli.waiting import progress
from retinue.cli.worked import Worked, work
from retinue.demo import simulate
from retinue.errors import RetinueError
from retinue.period import grid
from retinue.project.load import SETTINGS_FILE
from retinue.run import run
from retinue.run.explain import explain
from retinue.store.people.access import OPERATOR
from retinue.store.published.current import accounts as listed
from retinue.store.published.current import counts
from retinue.store.work.tasks import tasks_of
from retinue.workspace import Workspace, open_workspace

#: Before the first scored date, so that 90-day metrics have what they count.
WARM_DAYS = 91
#: The last weeks are scored day by day.
DAILY_WEEKS = 8
#: Accounts that are listed.
LISTED = 8


def demo(
    directory: Path, *, accounts: int, months: int, seed: int, score: bool, quiet: bool, json_: bool
) -> None:
    """Raises RetinueError where `directory` holds something else than a demo."""
    ours = (directory / "truth" / "truth.json").exists()
    if directory.exists() and any(directory.iterdir()) and not ours:
        raise RetinueError(f"{directory} is not empty", hint="name a new folder: `retinue demo DIR`")
    if (directory / SETTINGS_FILE).exists() and any(directory.glob(".retinue/runs/*/manifest.json")):
        raise RetinueError(
            f"there is a scored demo in {directory}",
            hint=f"look at it with `retinue accounts -C {directory}`, or name another folder",
        )
    try:
        with progress("simulating", quiet=quiet) as tell:
            company = simulate(directory, accounts=accounts, months=months, seed=seed, progress=tell)
    except BaseException:
        if not ours:  # so that it can be made again
            shutil.rmtree(directory, ignore_errors=True)
        raise
    rows = sum(company.rows.values())
    if not score:
        if json_:
            print_json({"directory": str(directory), "accounts": accounts, "rows": rows})
        else:
            page = Page()
            page.line(f"Wrote {counted(accounts, 'account')} and {rows:,} rows to {directory}.")
            page.line(f"Next: retinue run -C {directory} --to {company.last_day}")
        return
    workspace = open_workspace(directory)
    says_when_stopped(workspace)
    last = company.last_day
    # The morning after the last simulated day, whatever the clock on the wall says.
    moment = datetime.combine(last + timedelta(days=1), time(9), UTC)
    daily = last - timedelta(days=7 * DAILY_WEEKS - 1)
    first = min(company.first_day + timedelta(days=WARM_DAYS), daily)
    dates = [*grid(first, daily - timedelta(days=1), "week"), *grid(daily, last, "day")]
    with progress("scoring", quiet=quiet) as tell:
        result = run(workspace, now=moment, dates=dates, progress=tell)
    with progress("three weeks of alerts and tasks", quiet=quiet) as tell:
        worked = work(workspace, last, progress=tell)
    if json_:
        print_json(
            {"directory": str(directory), "rows": rows, "run": result.to_dict(), "work": asdict(worked)}
        )
        return
    _tell(Page(), workspace, directory, rows, worked)


def opened(directory: Path, wanted: bool | None) -> None:
    """Serve the demo to whoever sits at this machine, and open it in the browser, until Ctrl-C.

    `wanted` None: where somebody sits at it, which they do not in a pipe or in continuous integration.
    """
    if wanted is None:
        wanted = sys.stdout.isatty() and not os.environ.get("CI")
    if not wanted:
        return
    from retinue.cli.serve import run as serve
    from retinue.project.serving import serve_settings
    from retinue.store.people.access import Actor

    workspace = open_workspace(directory)
    # Another one may have the usual port.
    settings = serve_settings(workspace.project.settings.serve, {}, {"host": "127.0.0.1", "port": 0})
    serve(workspace, settings, open_as=Actor("demo"), browser=True)


def _tell(page: Page, workspace: Workspace, directory: Path, rows: int, worked: Worked) -> None:
    published = workspace.published()
    dates = published.dates()
    settings = workspace.project.settings
    store = workspace.store
    found = listed(store, OPERATOR, filters={"band": ["at_risk", "watch"]}, limit=LISTED)
    groups = counts(store, OPERATOR)
    page.line(
        f"{settings.project}: {rows:,} rows in; {counted(len(dates), 'date')} scored, "
        f"{dates[0]} to {dates[-1]}.",
        "bold",
    )
    page.line(f"{totals(groups)}.")
    page.heading("Who needs attention, and why")
    page.table(account_table(page, found, settings.grades, 28, settings.currency))
    if found:
        page.line()
        page.line("-" * min(page.width, 79), "dim")
        fallen = [row for row in found if row.delta_28 is not None]
        one = min(fallen, key=lambda row: row.delta_28 or 0.0) if fallen else found[0]
        show(page, explain(workspace, one.account_id))
        page.line("-" * min(page.width, 79), "dim")
        example = one.account_id
    page.heading("What there is to do")
    page.line(
        f"  In three weeks {counted(worked.alerts, 'alert')} came up, and "
        f"{counted(worked.enrolments, 'account')} came into playbooks; "
        f"of {counted(worked.tasks, 'task')} people did {worked.done}."
    )
    open_tasks = tasks_of(store, OPERATOR, limit=3)
    for task in open_tasks:
        page.line(f"  due {task.due_on}: {task.title} ({task.owner})")
    page.heading("Where it is")
    page.line(f"  {directory}/retinue.yaml, metrics.yaml, scorecards/, playbooks/   what is declared")
    page.line(f"  {directory}/data, {directory}/truth   the tables, and the truth they are drawn from")
    page.line(f"  {workspace.project.home}   what is published")
    page.heading("Next")
    page.line(f"  cd {directory}")
    page.line("  retinue serve --demo --open            the pages, in the browser")
    page.line("  retinue accounts --movers 28           whose score moved most")
    if found:
        page.line(f"  {f'retinue explain {example}':<37}  this explanation again, or another account's")
    page.line("  retinue tasks list --overdue           what should have been done by now")
    page.line("  retinue alerts                         what came up, the newest first")
    page.line("  retinue play test rescue               what a playbook would do, without doing it")
    page.line("  retinue validate --html report.html    whether the score tells who leaves")
    page.line("  retinue export out --format csv        every number as tables")
    page.line("  retinue --help                         everything else")
