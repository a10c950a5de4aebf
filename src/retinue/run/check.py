"""Everything that is wrong with a project, told at once: its declarations and its data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from retinue.errors import Problem, ProjectError, RetinueError
from retinue.period import last_complete_day
from retinue.project.load import load_with_problems
from retinue.project.project import Project


def check(root: Path, environ: Mapping[str, str], now: datetime, *, data: bool = True) -> list[Problem]:
    """Every problem of the project in `root`, those of its tables after those of its files.

    Tables are read where the declarations have no error, and `data` is asked for; `now` is an
    aware datetime. Raises nothing for what it can name.
    """
    try:
        project, problems = load_with_problems(root, environ)
    except ProjectError as error:
        return error.problems
    if project is not None and data:
        problems = [*problems, *check_data(project, now)]
    return list(dict.fromkeys(problems))


def check_data(project: Project, now: datetime) -> list[Problem]:
    """Every problem of the tables of `project`; it can be loaded without an error."""
    from retinue.warehouse.engine import connect
    from retinue.warehouse.quality import checks as quality

    settings = project.settings
    today = last_complete_day(now, settings.timezone, settings.day_closes)
    try:
        with connect(project) as engine:
            return quality.problems(engine, project, today)
    except RetinueError as error:
        return [Problem(error.message, error.place, error.hint)]
