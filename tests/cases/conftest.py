"""A small project with cases, written to a folder and run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from retinue.cases import CaseResult, run_cases

FILES = {
    "retinue.yaml": """\
project: small
accounts:
  table: data/accounts.csv
  key: org
  columns: {segment: tier, seats: seats, started_on: start, ended_on: end}
people: {table: data/people.csv, account: org, person: email, role: role, from: since, until: left}
facts:
  usage:
    {table: data/usage.csv, account: org, occurred_at: ts, known_at: loaded, user: who, unique: [event_id],
     columns: {event: event}}
  tickets: {table: data/tickets.csv, account: org, occurred_at: opened, ends_at: closed}
stages:
  - {stage: new, when: tenure < 90}
  - {stage: mature}
""",
    "metrics.yaml": """\
metrics:
  events: {count: usage, window: 28d, where: {event: login}}
  users: {distinct: usage.user, window: 28d}
  open_tickets: {open: tickets}
  champions: {open: people, where: {role: champion}}
  seats: {attribute: seats}
  csm: {pulse: csm}
""",
    "scorecards/all.yaml": """\
scorecard: all
components:
  use:
    weight: 60
    measures:
      events: {curve: [[0, 0], [28, 100]], max_age: 3d}
      users:
        {curve: cohort, cohort: [segment], direction: higher_is_better, points: [[0, 0], [4, 100]],
         max_age: 3d}
  service:
    weight: 40
    measures:
      open_tickets: {curve: {steps: [[0, 100], [1, 50], [3, 0]]}, max_age: 3d}
      csm: {curve: [[0, 0], [10, 100]]}
caps:
  - {when: champions < 1, at_most: 60, because: "nobody speaks for us"}
bands: {at_risk: 0, watch: 50, healthy: 70}
stability: {deadband: 3, margin: 3, confirm: {down: 3d, up: 7d}}
""",
}

Run = Callable[..., list[CaseResult]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Writes cases beside the project, and runs them."""

    def written(cases: str, files: Mapping[str, str] | None = None) -> list[CaseResult]:
        for name, text in {**FILES, "tests/cases.yaml": cases, **(files or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return run_cases(tmp_path, None, {})

    return written
