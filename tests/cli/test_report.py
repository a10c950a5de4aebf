"""`retinue report leadership`: on the screen, as a file, as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from retinue.cli import main
from tests.desk.trading import FIRST, LAST, trading
from tests.run.company import score


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = trading().write(tmp_path_factory.mktemp("report") / "acme")
    score(folder, LAST, FIRST, every="week")
    return folder


def report(*asked: str) -> str:
    found = CliRunner().invoke(
        main, ["report", "leadership", *asked], env={"RETINUE_NOW": f"{LAST}T20:00:00Z"}
    )
    assert found.exit_code == 0, found.output
    return found.stdout


def test_the_report_is_one_file_and_a_screen(project: Path, tmp_path: Path) -> None:
    html = tmp_path / "week.html"
    told = report("-C", str(project), "--html", str(html))
    assert "ARR at risk" in told and "Renewals ahead" in told and str(html) in told
    page = html.read_text("utf-8")
    assert page.startswith("<!doctype html>") and "Came up for renewal" in page and "<script" not in page


def test_its_json_has_the_losses_of_the_project_in_it(project: Path) -> None:
    told = json.loads(report("-C", str(project), "--json"))
    assert told["losses_read"] and {one["outcome"] for one in told["losses"]} == {"churn", "shrinking"}
    assert told["now"]["accounts"] == sum(group for group in told["now"]["bands"].values())


def test_nothing_published_is_said_in_a_line(tmp_path: Path) -> None:
    folder = trading().write(tmp_path / "acme")
    found = CliRunner().invoke(main, ["report", "leadership", "-C", str(folder)])
    assert found.exit_code == 1
    assert found.output.startswith("error: nothing is published yet")
