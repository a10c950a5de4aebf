"""What several commands share: the project's folder, the clock, dates, JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from retinue.project.project import Project
    from retinue.store.database import Store

F = TypeVar("F", bound=Callable[..., Any])

#: In a command's `meta`: what says, in a line, how things stand after it was stopped.
STOPPED = "retinue.stopped"


def _folder(ctx: click.Context, _option: click.Parameter, value: Path | None) -> Path:
    return value or ctx.find_root().obj or Path(os.environ.get("RETINUE_PROJECT") or ".")


def in_project(command: F) -> F:
    """The option -C/--project, passed on as `root`."""
    return click.option(
        "-C",
        "--project",
        "root",
        type=click.Path(path_type=Path),
        callback=_folder,
        metavar="DIR",
        help="Folder of the project; this one by default.",
    )(command)


def as_json(command: F) -> F:
    """The option --json, passed on as `json_`."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON.")(command)


def quietly(command: F) -> F:
    """The option -q/--quiet of long work."""
    return click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")(command)


def as_html(what: str) -> Callable[[F], F]:
    """The option --html, with which `what` is written."""
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option("--html", type=path, help=f"Write {what} as one HTML file.")


class Day(click.ParamType[date]):
    """A date such as 2026-03-31."""

    name = "date"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002
        return "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date; write one such as 2026-03-31", param, ctx)


DAY = Day()


def on_the_grid(command: F) -> F:
    """The option --every of what is tried on past dates."""
    grid = click.Choice(["day", "week"])
    return click.option("--every", type=grid, help="The grid; by default that of `validation`.")(command)


def on_past_dates(command: F) -> F:
    """The options of what is tried: --outcome, --from, --to, --every."""
    options = (
        click.option(
            "--outcome", metavar="NAME", help="Which outcome; by default that of `validation`, or the first."
        ),
        click.option("--from", "first", type=DAY, help="First as-of date; by default the first published."),
        click.option("--to", "last", type=DAY, help="Last as-of date; by default the last published."),
        on_the_grid,
    )
    # Decorators apply from the last to the first, and are listed from the first.
    for option in reversed(options):
        command = option(command)
    return command


def now() -> datetime:
    """The time; RETINUE_NOW stands in for the clock where output must repeat (tests, tutorials)."""
    stated = os.environ.get("RETINUE_NOW")
    if not stated:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(stated)
    except ValueError:
        raise click.UsageError(
            f"RETINUE_NOW is {stated!r}; write a time such as 2026-07-01T09:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def knowledge_day(project: Project, moment: datetime) -> date:
    """The first day whose score can rest on what is said at `moment`: the one that is going on."""
    from retinue.period import last_complete_day

    settings = project.settings
    return last_complete_day(moment, settings.timezone, settings.day_closes) + timedelta(days=1)


def person() -> str:
    """Who says so: the name of the operating system's user."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a user of that number
        return "operator"


def settings_and_store(root: Path) -> tuple[Project, Store]:
    """What reading needs: not the metrics, not the scorecards, not the sources."""
    from retinue.project.load import load_settings
    from retinue.store.database import open_store

    project = load_settings(root, os.environ)
    return project, open_store(project.store_url)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str, allow_nan=False))
