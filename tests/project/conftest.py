"""Projects written to a folder, and what loading says about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from retinue.errors import Problem
from retinue.project.load import load_with_problems
from retinue.project.project import Project

ACME = Path(__file__).parent / "acme"

SETTINGS = """\
project: small
accounts:
  table: accounts.csv
  key: id
  columns: {segment: tier, seats: seats, started_on: start}
facts:
  usage: {table: usage.csv, account: id, occurred_at: ts, known_at: loaded, user: user_id}
"""
METRICS = """\
metrics:
  events: {count: usage, window: 28d}
  users: {distinct: usage.user, window: 28d}
"""
SCORECARD = """\
scorecard: all
components:
  use:
    measures:
      events: {curve: [[0, 0], [10, 100]], max_age: 3d}
  reach:
    measures:
      users: {curve: [[0, 0], [10, 100]], max_age: 3d}
"""


@dataclass(frozen=True)
class Loaded:
    project: Project | None
    problems: list[Problem]

    def about(self, words: str) -> Problem:
        """The one problem whose sentence contains `words`."""
        found = [problem for problem in self.problems if words in problem.message]
        assert len(found) == 1, [str(problem) for problem in self.problems]
        return found[0]

    @property
    def errors(self) -> list[str]:
        return [str(problem) for problem in self.problems if problem.severity == "error"]


Write = Callable[..., Loaded]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a small project that is right, with some files replaced, and loads it."""

    def written(files: Mapping[str, str | bytes] | None = None, **environ: str) -> Loaded:
        right = {"retinue.yaml": SETTINGS, "metrics.yaml": METRICS, "scorecards/all.yaml": SCORECARD}
        for name, text in {**right, **(files or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Loaded(*load_with_problems(tmp_path, environ))

    return written
