"""What checks of data found so far, and how it is told: with a place, numbers and a hint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, cast

import duckdb
import ibis.expr.types as ir

from retinue.errors import Problem, ProjectError, RetinueError
from retinue.project.project import Project
from retinue.warehouse.engine import Engine
from retinue.warehouse.reading.hints import nearest
from retinue.warehouse.reading.raw import first_line

Path = tuple[str | int, ...]


@dataclass
class Findings:
    """Problems of a project's data; `today` is the last complete day."""

    engine: Engine
    project: Project
    today: date
    told: list[Problem] = field(default_factory=list)

    def error(self, path: Path, message: str, hint: str | None = None) -> None:
        self.told.append(Problem(message, self.project.place(*path), hint))

    def warning(self, path: Path, message: str, hint: str | None = None) -> None:
        self.told.append(Problem(message, self.project.place(*path), hint, "warning"))

    def lacks(self, path: Path, message: str, column: str, columns: Iterable[str]) -> None:
        self.error(path, message, nearest(column, columns))

    def of_source(self, name: str) -> Path:
        """The path of a source's declaration."""
        people = name == "people" and self.project.settings.people is not None
        return ("settings", "people") if people else ("settings", "facts", name)

    def at_home(self, problem: Problem, path: Path) -> Problem:
        """A problem of a table at its declaration, unless it is about a line of a file."""
        place = problem.place
        if place is not None and (place.line is not None or self.project.place(*path) is None):
            return problem
        message = problem.message
        if place is not None and place.file not in message:
            message = f"{message} (in {place.file})"
        return replace(problem, message=message, place=self.project.place(*path))

    def telling(self, what: str, path: Path) -> AbstractContextManager[None, bool]:
        """Whatever cannot be read in here is told, and keeps nothing else from being checked."""
        return cast(AbstractContextManager[None, bool], self._telling(what, path))

    @contextmanager
    def _telling(self, what: str, path: Path) -> Iterator[None]:
        failures: tuple[type[Exception], ...] = (duckdb.Error, *self.engine.errors)
        try:
            yield
        except ProjectError as error:
            self.told += error.problems
        except RetinueError as error:
            self.told.append(self.at_home(Problem(error.message, error.place, error.hint), path))
        except failures as error:
            self.error(path, f"{what}: cannot be read: {first_line(error)}", "look at its file and its types")

    def one(self, table: ir.Table, **columns: Any) -> dict[str, Any]:
        """One row of aggregates."""
        return self.engine.arrow(table.aggregate(**columns)).to_pylist()[0]


def share(part: int, whole: int, what: str) -> str:
    """`34 of 1,200 accounts (2.8 %)`"""
    percent = 100 * part / whole if whole else 0.0
    shown = f"{percent:.1f}" if 0.05 <= percent < 99.95 else f"{percent:.0f}"
    if part and percent < 0.05:
        shown = "under 0.1"
    return f"{part:,} of {whole:,} {what} ({shown} %)"


def such(examples: Iterable[Any]) -> str:
    """`, such as "a" and "b"`, or nothing."""
    named = [f'"{one}"' for one in dict.fromkeys(examples) if one is not None]
    return f", such as {' and '.join(named)}" if named else ""
