from __future__ import annotations

from retinue.project.load import load


def test_the_demo_shows_bands_accounts_an_explanation_and_what_comes_next(retinue, told, tmp_path):
    folder = tmp_path / "demo"
    out = retinue("demo", folder, "--accounts", 60, "--months", 4).stdout
    for part in ("Who needs attention, and why", "What it is made of", "Where it is", "Next"):
        assert part in out
    assert "to 2026-06-30." in out.splitlines()[0]
    listed = told("accounts", "-C", folder)
    assert listed["as_of"] == "2026-06-30" and listed["total"] > 30
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
