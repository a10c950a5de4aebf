"""The command prints the plan for people, as JSON and as a page, and tells a CI whether it matters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from retinue.cli import main
from retinue.cli.plan import show
from retinue.cli.render import Page as Screen
from retinue.run.planned import Plan
from tests.plan.half import HALF, weighted
from tests.report.reading import Page, outward

NOW = "2024-05-08T12:00:00+00:00"
HOSTILE = "<script>alert(1)</script>"


def retinue(root: Path, *arguments: str) -> Result:
    runner = CliRunner(env={"RETINUE_NOW": NOW, "RETINUE_TRACEBACK": "1"})
    return runner.invoke(main, ["plan", "-C", str(root), "-q", *arguments], catch_exceptions=False)


def test_without_a_change_the_command_says_so(half: Path) -> None:
    done = retinue(half, "--no-backtest", "--detailed-exitcode")
    assert done.exit_code == 0, done.output
    assert "Nothing would change" in done.output
    assert "Nothing was published." in done.output


def test_json_page_and_back_test(half: Path, tmp_path: Path) -> None:
    """Names are those of others; nothing has happened yet, which the back-test says."""
    company = weighted(3)
    people = [{**one, "name": HOSTILE} for one in company.accounts]
    type(company)(**{**vars(company), "accounts": people}).write(half)
    file = tmp_path / "plan.html"
    done = retinue(half, "--json", "--html", str(file), "--detailed-exitcode")
    assert done.exit_code == 2, done.output
    told = json.loads(done.stdout)
    assert set(told) == {
        "project", "as_of", "compared_with_run", "changes", "counts", "declared", "migration", "switched",
        "transitions", "accounts", "told_apart", "back_test", "notes",
    }  # fmt: skip
    assert told["changes"] is True
    assert told["migration"]["standings"] == ["at_risk", "watch", "healthy", "not_scored", "absent"]
    first = told["accounts"][0]
    assert (first["account_id"], first["by_change"], first["after"]["band"]) == ("c", -17.5, "at_risk")
    assert first["parts"][1] == {"part": "mood", "before": 5.0, "after": 7.5}
    back = told["back_test"]
    assert back["before"] is not None or any("no back-test" in note for note in back["notes"])
    text = file.read_text("utf-8")
    page = Page(text)
    assert (page.wrong, page.open, page.styled, outward(text)) == ([], [], [], [])
    assert "2 of 3 accounts would be scored otherwise" in page.text
    assert page.text.count(HOSTILE) == 2
    assert "-17.5" in page.text
    assert "components.mood.weight" in page.text


def test_a_change_is_told_to_people(heavier: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    show(Screen(), heavier, 10)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "components.mood.weight: 1 -> 3" in lines
    assert "share of the score, mood.mood: 50.0 % -> 75.0 %" in lines
    assert "2 would be scored otherwise, 2 in another band; 0 newly scored, 0 no longer scored." in lines
    assert "c Company c 45 ◆ 28 ▲ -17.5 level -20.0, mood +2.5 800" in lines
    assert "ARR that moves to a worse band: 1.7k, to a better one: 0." in lines
    assert "Transitions: 2 recalibrated, which raise no alert." in lines
    assert "Nothing was published. `retinue run` publishes the next date by these declarations." in lines


@pytest.mark.parametrize("limit", [0, 1])
def test_the_list_is_as_long_as_asked_for(
    heavier: Plan, limit: int, capsys: pytest.CaptureFixture[str]
) -> None:
    show(Screen(), heavier, limit)
    told = capsys.readouterr().out
    assert ("Largest moves" in told) == (limit > 0)
    assert ("1 more: `retinue plan --json` has them all." in told) == (limit == 1)


def test_before_the_first_run_there_is_nothing_to_plan(tmp_path: Path) -> None:
    HALF.write(tmp_path)
    runner = CliRunner(env={"RETINUE_NOW": NOW})
    done = runner.invoke(main, ["plan", "-C", str(tmp_path)])
    assert done.exit_code == 1
    assert "nothing is published" in done.output
