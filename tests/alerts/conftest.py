"""The company of eight accounts with rules and playbooks, scored in two runs: January, and all after it."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from retinue.run import run
from retinue.run.alerting import Evaluated, evaluate
from retinue.workspace import Workspace, open_workspace
from tests.cli.company import write
from tests.once import made_once

RULES = """\
serve: {address: "https://health.acme.example"}
destinations:
  crm: {webhook: {url: "https://crm.acme.example/hooks", secret: {env: CRM_SECRET}}}
  board: {webhook: {url: "https://board.acme.example/hooks", secret: {env: CRM_SECRET}}}
alerts:
  turned_red: {band: at_risk, severity: high, do: Call the sponsor.}
  fell: {drop: 15, within: 28d}
  adoption_falls: {component: adoption, by: 15, within: 28d, applies_to: "segment = large"}
  billed: {event: invoices, where: "amount > 1000", severity: high}
  renews_low: {renewal_within: 60d, below: 60}
  silent: {no_touch: 60d, touches: [surveys], rest: 90d}
alerting: {to: [crm], portfolio_to: [board], per_account: 10, storm: 1.0}
"""

PLAYBOOKS = """\
playbook: rescue
when: {alert: turned_red}
until: band = healthy
steps:
  - {id: call, task: "Call {name}", due: 1, checklist: [Ask what changed]}
  - {id: tell, message: "{name} is at {score} since {reason}", to: [crm]}
---
playbook: adopt
when: {component: adoption, by: 15}
applies_to: segment = large
steps:
  - {id: show, task: "Show {name} one use", owner: [leader], due: 3}
"""

FIRST, BEFORE, LAST = date(2026, 1, 4), date(2026, 2, 1), date(2026, 3, 31)


def noon(day: date) -> datetime:
    """A time at which `day` is the last complete day in UTC."""
    return (
        datetime(day.year, day.month, day.day + 1, 12, tzinfo=UTC)
        if day.day < 28
        else datetime(day.year + day.month // 12, day.month % 12 + 1, 1, 12, tzinfo=UTC)
    )


@pytest.fixture(scope="session")
def _looked_at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scored to the first of February and evaluated, then scored to the end of March."""
    return made_once(tmp_path_factory, "looked_at", _scored_twice)


def _scored_twice(folder: Path) -> None:
    write(folder)
    with (folder / "retinue.yaml").open("a", encoding="utf-8") as file:
        file.write(RULES)
    (folder / "playbooks.yaml").write_text(PLAYBOOKS, encoding="utf-8")
    workspace = open_workspace(folder, {})
    run(workspace, now=noon(date(2026, 2, 2)), first=FIRST, last=BEFORE, every="week")
    told = evaluate(workspace, now=noon(date(2026, 2, 2)))
    assert told.dates == (BEFORE,)
    assert not told.alerts
    run(workspace, now=noon(LAST), first=date(2026, 2, 8), last=date(2026, 3, 29), every="week")
    run(workspace, now=noon(LAST), first=date(2026, 3, 30), last=LAST, every="day")
    workspace.store.close()


@pytest.fixture
def acme(_looked_at: Path, tmp_path: Path) -> Workspace:
    """The company, with two months to be looked at."""
    return open_workspace(Path(shutil.copytree(_looked_at, tmp_path / "acme")), {})


@pytest.fixture(scope="session")
def _evaluated(_looked_at: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evaluated]:
    folder = tmp_path_factory.mktemp("alerts") / "evaluated"
    workspace = open_workspace(Path(shutil.copytree(_looked_at, folder)), {})
    told = evaluate(workspace, now=noon(LAST))
    workspace.store.close()
    return folder, told


@pytest.fixture
def evaluated(_evaluated: tuple[Path, Evaluated], tmp_path: Path) -> Workspace:
    """The company after both months were looked at."""
    return open_workspace(Path(shutil.copytree(_evaluated[0], tmp_path / "acme")), {})


@pytest.fixture
def told(_evaluated: tuple[Path, Evaluated]) -> Evaluated:
    """What came of looking at them."""
    return _evaluated[1]
