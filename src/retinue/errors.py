"""Everything that Retinue raises on purpose.

    RetinueError                 what is wrong, where, and what to do
    ├── ProjectError             the declarations have problems (carries all of them)
    ├── SourceError              a table cannot be read
    ├── RunError                 a run cannot go on; the published run stays current
    ├── TrialError               a score cannot be tried on these data, or the trial would deceive
    ├── StoreError               the store cannot be opened, locked or migrated
    ├── NotFound                 an account, date or run that is not there
    ├── Forbidden                whoever asks may not do this
    └── SignInError              signing in elsewhere did not come to an end

Any other exception that reaches a surface is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file of the project; `line` counts from 1."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a project or in its data.

    An `error` keeps the project from running, a `warning` does not.
    """

    message: str
    place: Place | None = None
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{hint}"


class RetinueError(Exception):
    """An error that a person can act on; `str()` of it is one line."""

    def __init__(self, message: str, *, place: Place | None = None, hint: str | None = None):
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        return str(Problem(self.message, self.place, self.hint))


class ProjectError(RetinueError):
    """The project cannot be used; `problems` holds every reason, not only the first."""

    def __init__(self, problems: list[Problem]):
        errors = [p for p in problems if p.severity == "error"]
        first = errors[0] if errors else problems[0]
        more = f" (and {len(errors) - 1} more: see `retinue check`)" if len(errors) > 1 else ""
        super().__init__(first.message + more, place=first.place, hint=first.hint)
        self.problems = problems


class SourceError(RetinueError):
    """A table of the company cannot be read, or not as declared."""


class RunError(RetinueError):
    """A run stopped; what was published before is still current."""


class TrialError(RetinueError):
    """A score cannot be tried on these data, or the trial would deceive."""


class StoreError(RetinueError):
    """The store cannot be opened, is locked by another process, or is too new."""


class NotFound(RetinueError):
    """Asked for something that is not there."""


class Forbidden(RetinueError):
    """Whoever asks has no right to do this."""


class SignInError(RetinueError):
    """Signing in at a provider failed: it cannot be reached, or what it says does not hold."""
