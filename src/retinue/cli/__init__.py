"""The command line: parse, one call, render. Everything heavy is imported inside the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from retinue import __version__
from retinue.cli import author, operate, read
from retinue.cli.alerts import alerts
from retinue.cli.backup import COMMANDS as BACKUP
from retinue.cli.deliveries import deliveries
from retinue.cli.discover import discover
from retinue.cli.drift import drift
from retinue.cli.interventions import interventions
from retinue.cli.keys import audit, keys
from retinue.cli.mcp import mcp
from retinue.cli.options import STOPPED
from retinue.cli.people import people
from retinue.cli.plan import plan
from retinue.cli.playbooks import play
from retinue.cli.report import report
from retinue.cli.serve import serve
from retinue.cli.stopping import Stop, stoppable
from retinue.cli.tasks import tasks
from retinue.cli.tune import tune
from retinue.cli.validate import validate
from retinue.cli.work import work
from retinue.errors import ProjectError, RetinueError

EPILOG = """\b
Start here:
  retinue demo                            a simulated company with its history, scored
  retinue init my-project --template saas --from data/*.csv
  retinue accounts                        who needs attention, and why
  retinue explain ACCOUNT                 one score, taken apart

\b
Environment:
  RETINUE_PROJECT     the folder of the project, where -C is not given
  RETINUE_NOW         the time it is taken to be, such as 2026-07-01T09:00:00Z
  RETINUE_TRACEBACK   1: where in the code an error came from
  NO_COLOR            no colours; FORCE_COLOR: colours in a pipe too
"""


class Retinue(click.Group):
    """The group of commands; what goes wrong in one is told in lines, never as a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - in the order of use
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        with stoppable() as stop:
            try:
                return self._invoked(ctx, stop)
            except BaseException:
                if stop.signal is None:
                    raise
                click.echo(after_stop(ctx), err=True)
                raise click.exceptions.Exit(stop.status) from None

    def _invoked(self, ctx: click.Context, stop: Stop) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            usage = error.ctx.command_path if error.ctx else ctx.command_path
            click.echo(f"error: {_one_line(error.format_message())} (see `{usage} --help`)", err=True)
            raise click.exceptions.Exit(error.exit_code) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("RETINUE_TRACEBACK") == "1" or stop.signal is not None:
                raise
            for line in told(error):
                click.echo(line, err=True)
            raise click.exceptions.Exit(1) from None


def after_stop(ctx: click.Context) -> str:
    """The line that a command which was stopped leaves."""
    try:
        return str(ctx.meta[STOPPED]()) if STOPPED in ctx.meta else "stopped"
    except RetinueError as error:
        return f"stopped ({_one_line(str(error))})"


def told(error: Exception) -> list[str]:
    """What a person is told about an error: a line each for every problem."""
    if isinstance(error, ProjectError):
        # What only is a warning is for `retinue check`.
        errors = [problem for problem in error.problems if problem.severity == "error"]
        return [f"error: {_one_line(str(problem))}" for problem in errors or error.problems]
    if isinstance(error, RetinueError):
        return [f"error: {_one_line(str(error))}"]
    if isinstance(error, MemoryError):
        return ["error: out of memory (give the engine less with `memory_limit` in retinue.yaml)"]
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return [f"error: {place}{error.strerror}"]
    what = _one_line(f"{type(error).__name__}: {error}")
    return [f"error: {what} (this is a bug in Retinue; RETINUE_TRACEBACK=1 shows where)"]


def _one_line(text: str) -> str:
    return " ".join(text.split())


@click.group(cls=Retinue, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-C", "--project", type=click.Path(path_type=Path), help="Folder of the project.")
@click.version_option(__version__, "-V", "--version", prog_name="retinue", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, project: Path | None) -> None:
    """Customer health scores from the tables that you already have, each one explained.

    0 is the worst health, 100 the best. Every command that prints for people also prints --json.
    """
    ctx.obj = project
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a sign shows another one in its place.
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


for _command in (
    *operate.START,
    *read.COMMANDS,
    validate,
    tune,
    plan,
    discover,
    drift,
    report,
    *author.COMMANDS,
    *operate.COMMANDS,
    people,
    keys,
    audit,
    alerts,
    tasks,
    interventions,
    play,
    deliveries,
    work,
    serve,
    mcp,
    *BACKUP,
):
    main.add_command(_command)
