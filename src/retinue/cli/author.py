"""Commands for whoever declares the project: init, check, test, schema."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from retinue.cli.options import as_json, in_project, now, print_json

if TYPE_CHECKING:
    from retinue.errors import Problem


TEMPLATES = ("saas", "b2b_services", "ecommerce", "financial_services", "insurance", "retail")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--template", type=click.Choice(TEMPLATES), default="saas", show_default=True, help="Kind of company."
)
@click.option(
    "--from",
    "tables",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    metavar="FILE",
    help="A table of yours; may be repeated, and followed by more files.",
)
@click.argument("more", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[FILE]...")
@as_json
def init(
    directory: Path, template: str, tables: tuple[Path, ...], more: tuple[Path, ...], json_: bool
) -> None:
    """Make the project DIRECTORY from a template, commented, ready to check and run.

    With --from it looks at your tables and proposes how their columns map; without, it comes with
    small invented tables to try it on.

    \b
    Examples:
      retinue init my-project --template retail
      retinue init my-project --template saas --from data/*.csv
    """
    from retinue.cli.render import Page, counted
    from retinue.templates import create

    if more and not tables:
        raise click.UsageError(f"what is {more[0]}? Tables are given with --from")
    yesterday = now().date() - timedelta(days=1)
    created = create(directory, template, [*tables, *more], last_day=yesterday)
    if json_:
        print_json(created.to_dict())
        return
    page = Page()
    files = counted(len(created.files), "file")
    page.line(f"Made {directory} from the template {template}: {files}.", "bold")
    for guess in created.guesses:
        page.line(f"  {guess}")
    for left in created.left_out:
        page.line(f"  left out: {left}", "yellow")
    page.line()
    until = f" --to {created.last_day}" if created.last_day else ""
    page.line("Next:")
    for command in (f"cd {directory}", "retinue check", f"retinue run{until}", "retinue accounts"):
        page.line(f"  {command}")


@click.command()
@in_project
@click.option("--no-data", is_flag=True, help="Check the declarations only, without reading any table.")
@as_json
def check(root: Path, no_data: bool, json_: bool) -> None:
    """Report every problem of the declarations and of the data, each with its place and a hint.

    The status is 1 if there is an error; warnings alone leave it 0.

    \b
    Example:
      retinue check -C my-project
    """
    from retinue.cli.render import Page, counted, styled
    from retinue.run.check import check as every_problem

    problems = every_problem(root, os.environ, now(), data=not no_data)
    errors = [problem for problem in problems if problem.severity == "error"]
    if json_:
        print_json([_problem(problem) for problem in problems])
    else:
        page = Page()
        for problem in problems:
            style = "bold red" if problem.severity == "error" else "yellow"
            page.line(styled(f"{problem.severity}: ", style) + str(problem))
        if problems:
            page.line()
        warned = counted(len(problems) - len(errors), "warning")
        page.line(f"{counted(len(errors), 'error')}, {warned}." if problems else "No problems.")
    if errors:
        raise click.exceptions.Exit(1)


def _problem(problem: Problem) -> dict[str, object]:
    place = problem.place
    return {
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
        "file": place.file if place else None,
        "line": place.line if place else None,
    }


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@in_project
@as_json
def test(files: tuple[Path, ...], root: Path, json_: bool) -> None:
    """Run the project's own cases: input rows, and the values that must come out.

    FILES are files of cases; without them all of the project's folder tests/. The status is 1 if
    one fails. No table of the company is read, and nothing is published.

    \b
    Examples:
      retinue test
      retinue test tests/renewals.yaml
    """
    from retinue.cases import run_cases
    from retinue.cli.render import Page, counted, styled

    results = run_cases(root, list(files) or None, os.environ)
    failed = [result for result in results if not result.passed]
    if json_:
        print_json([result.to_dict() for result in results])
    else:
        page = Page()
        for result in results:
            sign = styled("ok    ", "green") if result.passed else styled("FAILED", "bold red")
            page.line(sign + f"  {result.name}")
            if result.error is not None:
                page.line(f"        {result.place}: {result.error}")
            for failure in result.failures:
                page.line(f"        {failure}")
        page.line()
        page.line(f"{counted(len(results), 'case')}, {len(failed)} failed." if results else "No cases.")
    if failed:
        raise click.exceptions.Exit(1)


@click.command()
def schema() -> None:
    """Print the JSON Schema of a project's files, for editors.

    \b
    Example:
      retinue schema > retinue.schema.json
    """
    from retinue.project.schema import json_schema

    print_json(json_schema())


COMMANDS = (init, check, test, schema)
