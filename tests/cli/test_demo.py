from __future__ import annotations

from datetime import date, timedelta

from retinue.project.load import load


def test_the_demo_shows_bands_accounts_an_explanation_and_what_comes_next(retinue, told, tmp_path):
    folder = tmp_path / "demo"
    out = retinue("demo", folder, "--accounts", 60, "--months", 4).stdout
    for part in (
        "Who needs attention, and why",
        "What it is made of",
        "What there is to do",
        "Where it is",
        "Next",
    ):
        assert part in out
    assert "to 2026-06-30." in out.splitlines()[0]
    listed = told("accounts", "-C", folder)
    assert listed["as_of"] == "2026-06-30" and listed["total"] > 30
    raised, tasks = told("alerts", "-C", folder, "--all"), told("tasks", "list", "-C", folder, "--all")
    assert {one["as_of"] for one in raised} <= {str(date(2026, 6, 9) + timedelta(days=n)) for n in range(22)}
    assert {"done", "open"} <= {one["status"] for one in tasks}
    assert all(
        one["result"] and one["closed_at"] > one["said_at"] for one in tasks if one["status"] == "done"
    )
    mornings = {one["said_at"][:10] for one in tasks}
    assert len(mornings) > 3 and max(mornings) <= "2026-07-01"
    done = retinue("demo", folder, status=1)
    assert "there is a scored demo in" in done.stderr and done.stderr.count("\n") == 1


def test_the_demo_can_be_made_without_scoring_it(told, tmp_path):
    made = told("demo", tmp_path / "demo", "--accounts", 10, "--months", 1, "--no-run")
    assert made["accounts"] == 10 and made["rows"] > 0
    assert load(tmp_path / "demo", {}).settings.project == "meridian"
    assert not (tmp_path / "demo/.retinue").exists()


def test_the_demo_takes_no_folder_that_holds_something_else(retinue, tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    done = retinue("demo", tmp_path, status=1)
    assert "is not empty" in done.stderr and (tmp_path / "mine.txt").read_text() == "keep me"
