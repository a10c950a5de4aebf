"""The commands discover and drift, over the files of a company with one planted indicator."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from retinue.cli import main
from tests.discovery.company import NOW, SCORECARD, write


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discover") / "small"
    write(folder)
    return folder


def ran(*arguments: object, status: int = 0) -> Result:
    done = CliRunner(env={"RETINUE_NOW": NOW}).invoke(main, [str(one) for one in arguments])
    assert done.exit_code == status, done.output
    return done


@pytest.fixture(scope="module")
def discovered(company: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ran("discover", "-C", company, "-q", "--json").stdout)
    return told


def test_the_planted_indicator_is_found_and_confirmed_and_nothing_else(discovered: dict[str, Any]) -> None:
    confirmed = [one["feature"] for one in discovered["findings"] if one["confirmed"]]
    assert "usage.event=meeting" in confirmed
    rejected = {one["feature"] for one in discovered["rejected"]}
    assert {"usage.event=login", "usage.event=click"} <= rejected


def test_its_numbers_are_those_of_the_files(company: Path, discovered: dict[str, Any]) -> None:
    """Accounts that could be followed, counted from the files: there on day N, with a whole follow-up."""
    rows = [line.split(",") for line in (company / "data" / "accounts.csv").read_text().splitlines()[1:]]
    last, followed = date(2025, 12, 31).toordinal(), {14: 0, 30: 0, 60: 0, 90: 0}
    first = min(
        date.fromisoformat(line.split(",")[1]).toordinal()
        for name in ("usage", "ratings")
        for line in (company / "data" / f"{name}.csv").read_text().splitlines()[1:]
    )
    for _key, _segment, started, ended in rows:
        start = date.fromisoformat(started).toordinal()
        end = date.fromisoformat(ended).toordinal() if ended else last + 1
        for n in followed:
            followed[n] += start >= first and end > start + n and start + n + 180 <= last
    assert discovered["follow_up"] == 180
    assert discovered["accounts"] == max(followed.values())
    one = discovered["findings"][0]
    halves = [
        one[side][kind]["accounts"] for side in ("discovered", "held_out") for kind in ("having", "lacking")
    ]
    assert sum(halves) == followed[one["days"]]


def test_what_is_looked_at_by_default_is_what_metrics_read(discovered: dict[str, Any]) -> None:
    assert discovered["looked_at"] == {"ratings": [], "usage": ["event"]}
    assert any("ratings.stars" in one for one in discovered["warnings"])


def test_people_are_told_in_words_with_a_picture(company: Path) -> None:
    text = ran("discover", "-C", company, "--events", "usage.event", "-q").stdout
    assert "leading indicator" in text
    assert "Associated with churn, not proof that it is a cause" in text
    assert "█" in text
    assert "looked at and rejected" in text


def test_metrics_on_any_date_may_be_looked_at(company: Path) -> None:
    told = json.loads(ran("discover", "-C", company, "--metrics", "-q", "--json").stdout)
    assert not told["first_days"]
    assert told["follow_up"] == 90
    assert set(told["looked_at"]["metrics"]) >= {"events", "logins", "stars"}
    done = ran("discover", "-C", company, "--metrics", "--days", 30, "-q", status=2)
    assert "--metrics goes without" in done.stderr


@pytest.mark.parametrize("command", ["discover", "discover --metrics", "drift"])
def test_it_may_be_written_as_one_page(company: Path, tmp_path: Path, command: str) -> None:
    page = tmp_path / "page.html"
    done = ran(*command.split(), "-C", company, "-q", "--html", page)
    assert f"Written: {page}" in done.stdout
    text = page.read_text("utf-8")
    assert text.lower().startswith("<!doctype html>")
    assert ("<svg" in text) == ("--metrics" not in command)  # of these metrics, none is found


def test_days_and_follow_up_may_be_chosen(company: Path) -> None:
    told = json.loads(
        ran(
            "discover", "-C", company, "--events", "usage.event", "--days", 30, "--within", 90, "-q", "--json"
        ).stdout
    )
    assert told["follow_up"] == 90
    assert {one["days"] for one in told["findings"]} == {30}
    assert told["tests"] <= 16


def test_what_cannot_be_looked_at_is_said_in_one_line(company: Path) -> None:
    unknown = ran("discover", "-C", company, "--events", "logs.event", "-q", status=1)
    assert 'there is no source "logs"' in unknown.stderr
    assert "declared: usage, ratings" in unknown.stderr
    short = ran("discover", "-C", company, "--within", 3000, "-q", status=1)
    assert "no account can be followed" in short.stderr


def test_the_outcome_does_not_foretell_itself(company: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(company, tmp_path / "small"))
    settings = (folder / "retinue.yaml").read_text("utf-8")
    rule = "{rated: {fact: ratings, within: 60d}}"
    (folder / "retinue.yaml").write_text(
        settings.replace("{churn: {ended: true, within: 90d}}", rule), "utf-8"
    )
    done = ran("discover", "-C", folder, "--events", "ratings.mood", "-q", status=1)
    assert 'the outcome "rated" is told from "ratings"' in done.stderr


def test_silence_may_follow_from_less_of_the_same(company: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(company, tmp_path / "small"))
    settings = (folder / "retinue.yaml").read_text("utf-8")
    rule = "{lapse: {silence: usage, within: 60d}}"
    (folder / "retinue.yaml").write_text(
        settings.replace("{churn: {ended: true, within: 90d}}", rule), "utf-8"
    )
    told = json.loads(ran("discover", "-C", folder, "--events", "usage.event", "-q", "--json").stdout)
    assert told["outcome"] == "lapse"
    assert told["looked_at"] == {"usage": ["event"]}


@pytest.fixture(scope="module")
def reviewed(company: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ran("drift", "-C", company, "-q", "--json").stdout)
    return told


def test_the_review_has_its_contract(reviewed: dict[str, Any]) -> None:
    assert reviewed["advice"] in ("nothing", "new_intercept", "new_thresholds", "new_weights", "cannot_tell")
    assert reviewed["assumes"] == "assumes that nothing changed but the mix of accounts"
    assert list(reviewed["fingerprints"]) == ["all"]
    assert [one["name"] for one in reviewed["versions"]] == ["today"]
    quarters = reviewed["quarters"]
    assert [one["first"] for one in quarters] == sorted(one["first"] for one in quarters)
    assert reviewed["reference"][1] < quarters[0]["first"]
    assert quarters[-1]["last"] <= "2025-10-02"  # a horizon before the last day of the data


def test_the_review_is_one_screen_for_people(company: Path) -> None:
    text = ran("drift", "-C", company, "-q").stdout
    for heading in (
        "Quarter by quarter",
        "Before outcomes are known",
        "Every version on the same later history",
    ):
        assert heading in text
    assert "assumes that nothing changed but the mix of accounts" in text


@pytest.fixture
def other(company: Path, tmp_path: Path) -> Path:
    """The same project with a scorecard that is upside down."""
    folder = Path(shutil.copytree(company, tmp_path / "other"))
    card = SCORECARD.replace("[[0, 0], [4, 100]]", "[[0, 100], [4, 0]]")
    (folder / "scorecards" / "all.yaml").write_text(card, "utf-8")
    return folder


def test_another_version_is_held_against_the_same_history(company: Path, other: Path) -> None:
    told = json.loads(ran("drift", "-C", company, "--version", f"reversed={other}", "-q", "--json").stdout)
    today, reversed_ = told["versions"]
    assert (today["rows"], today["events"]) == (reversed_["rows"], reversed_["events"])
    assert today["auc"] + reversed_["auc"] == pytest.approx(1)
    assert told["fingerprints_of_versions"]["reversed"] != told["fingerprints"]


def test_the_published_version_is_held_beside_the_changed_one(company: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(company, tmp_path / "published"))
    ran("run", "-C", folder, "--from", "2025-01-05", "--to", "2025-12-28", "--every", "week", "-q")
    card = folder / "scorecards" / "all.yaml"
    card.write_text(card.read_text("utf-8").replace("[[0, 0], [4, 100]]", "[[0, 100], [4, 0]]"), "utf-8")
    told = json.loads(ran("drift", "-C", folder, "-q", "--json").stdout)
    assert [one["name"] for one in told["versions"]] == ["today", "published"]
    assert told["versions"][0]["auc"] + told["versions"][1]["auc"] == pytest.approx(1)


def test_a_version_that_cannot_be_read_stops_the_review(company: Path, tmp_path: Path) -> None:
    done = ran("drift", "-C", company, "--version", f"gone={tmp_path / 'gone'}", "-q", status=1)
    assert done.stderr.startswith("error: ")
    usage = ran("drift", "-C", company, "--version", "nameless", "-q", status=2)
    assert "write a name and a folder" in usage.stderr


def test_the_learned_part_may_be_named(company: Path) -> None:
    told = json.loads(ran("drift", "-C", company, "--learned-until", "2025-03-31", "-q", "--json").stdout)
    assert told["reference"][1] <= "2025-03-31"
    late = ran("drift", "-C", company, "--learned-until", "2030-01-01", "-q", status=1)
    assert "leaves no quarter" in late.stderr


def test_the_same_question_has_the_same_answer(company: Path, discovered: dict[str, Any]) -> None:
    assert json.loads(ran("discover", "-C", company, "-q", "--json").stdout) == discovered
