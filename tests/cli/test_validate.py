"""`retinue validate`: what it prints, its JSON, and its status."""

from __future__ import annotations

import csv
import json
import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sklearn.metrics import roc_auc_score

from retinue.cli import main
from retinue.run.layers import day_number
from retinue.run.replay import tried
from retinue.run.validate import _counted
from retinue.store.people.access import Actor
from retinue.store.work.said import add_pulse
from tests.run.company import Company, noon, opened, score

START, LAST = date(2024, 1, 1), date(2024, 9, 29)
NOW = "2024-10-10T12:00:00Z"


def subscribers(noisy: bool = True, **settings: Any) -> Company:
    """160 accounts; those that leave use less and less for two months before. Without noise, only those."""
    chance = random.Random(4)
    accounts, usage = [], []
    for n in range(160):
        leaves = START + timedelta(days=chance.randint(60, 270)) if n % 4 == 0 else None
        accounts.append(
            {
                "id": f"a{n:03}",
                "segment": ["smb", "mid"][n % 2],
                "arr": 100 * n,
                "started": START - timedelta(days=chance.randint(30, 400)),
                "ended": leaves,
            }
        )
        for day in range(-28, 273, 2):
            when = START + timedelta(days=day)
            left = (leaves - when).days / 60 if leaves else 1.0
            keen = 0.5 + n % 5 / 10 if noisy else 0.95
            if left > 0 and chance.random() < keen * min(1.0, left + 0.3 * noisy):
                usage.append({"id": f"a{n:03}", "at": when, "user": f"u{chance.randint(1, 5)}"})
    told = {
        "accounts": {
            "table": "data/accounts.csv",
            "key": "id",
            "columns": {"segment": "segment", "arr": "arr", "started_on": "started", "ended_on": "ended"},
            "history": {"segment": "fixed", "arr": "fixed"},
        },
        "facts": {"usage": {"table": "data/usage.csv", "account": "id", "occurred_at": "at", "user": "user"}},
        "outcomes": {"churn": {"ended": True, "within": "28d"}},
        **settings,
    }
    metrics = {
        "uses_28d": {"count": "usage", "window": "28d"},
        "change": {"change": {"count": "usage"}, "window": "14d", "baseline": "28d"},
    }
    measures = {
        "uses_28d": {"weight": 2, "curve": [[4, 0], [8, 40], [14, 100]]},
        "change": {"curve": [[-0.6, 0], [0, 100]]},
    }
    card = {"scorecard": "all", "components": {"use": {"measures": measures}}}
    return Company(accounts, {"usage": usage}, told, metrics, [card])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return subscribers().write(tmp_path_factory.mktemp("subscribers"))


def validated(root: Path, *arguments: str) -> Result:
    asked = ["-C", str(root), "validate", "--from", "2024-02-04", "--to", str(LAST), "-q", *arguments]
    return CliRunner(env={"RETINUE_NOW": NOW}).invoke(main, asked)


def test_the_verdict_comes_first_and_then_what_it_rests_on(root: Path) -> None:
    result = validated(root)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "The score predicts well."
    for heading in ("Does it rank?", "What becomes of each band", "In time?", "Bars"):
        assert any(line.startswith(heading) for line in lines)
    assert any(line.split()[:2] == ["this", "score"] for line in lines)
    assert "A random account that stayed:" in result.output  # never a lead time without its null


def test_json_holds_at_least_what_is_promised(root: Path) -> None:
    told = json.loads(validated(root, "--json").output)
    assert told["verdict"] == "predicts_well" and told["horizon_days"] == 28
    assert told["observations"] > 500 and 20 <= told["events"] <= 40
    assert told["auc"]["low"] < told["auc"]["value"] < told["auc"]["high"]
    assert {"days since last activity", "tenure", "usage", "best single metric"} <= set(told["baselines"])
    assert all(value is None or 0 <= value <= 1 for value in told["baselines"].values())
    assert {"share", "churn_rate", "lift"} <= set(told["red"])
    assert {"share", "churned_while_green"} <= set(told["green"])
    assert {"capture", "median_days", "null_capture", "null_median_days"} <= set(told["lead_time"])
    assert isinstance(told["flaps_per_account_year"], float) and "challenger" in told
    assert isinstance(told["average_precision"], float)
    assert list(told["fingerprints"]) == ["all"]


def test_the_same_question_gives_the_same_bytes(root: Path) -> None:
    assert validated(root, "--json").output == validated(root, "--json").output


def test_nothing_is_published(root: Path) -> None:
    validated(root)
    result = CliRunner(env={"RETINUE_NOW": NOW}).invoke(main, ["-C", str(root), "accounts"])
    assert result.exit_code == 1 and "nothing is published" in result.output


def test_a_missed_bar_fails_only_where_that_is_asked_for(tmp_path: Path) -> None:
    bars = {"red_lift": 50, "early_warning": 0, "early_warning_lift": 0, "green_share": 1}
    root = subscribers(validation={"bars": bars}).write(tmp_path)
    assert validated(root).exit_code == 0
    enforced = validated(root, "--enforce")
    assert enforced.exit_code == 1
    assert any(line.startswith("MISSED") and "lift of red" in line for line in enforced.output.splitlines())
    lower = (root / "retinue.yaml").read_text().replace("red_lift: 50", "red_lift: 1")
    (root / "retinue.yaml").write_text(lower)
    assert validated(root, "--enforce").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--outcome", "chrun"], 'there is no outcome "chrun" (declared: churn)'),
        (["--from", "2025-01-01"], "no Sunday between 2025-01-01 and 2024-09-29"),
    ],
)
def test_what_cannot_be_tried_is_told_in_a_line(root: Path, arguments: list[str], said: str) -> None:
    result = validated(root, *arguments)
    assert result.exit_code == 1 and said in result.output and len(result.output.splitlines()) == 1


def test_what_is_too_good_is_refused_until_somebody_has_explained_it(tmp_path: Path) -> None:
    root = subscribers(noisy=False).write(tmp_path)
    result = validated(root)
    assert result.exit_code == 1 and len(result.output.splitlines()) == 1
    assert "tells the outcome with AUC 1.000" in result.output and "name it as explained" in result.output
    names = [
        "score",
        "uses_28d",
        "change",
        "use.uses_28d",
        "use.change",
        "usage in 28 days",
        "days since usage",
    ]
    with (root / "retinue.yaml").open("a") as settings:
        settings.write(f"validation: {{explained: {json.dumps(names)}}}\n")
    assert validated(root).exit_code == 0


def test_weights_learned_from_the_period_are_only_tried_after_it(root: Path, tmp_path: Path) -> None:
    company = subscribers()
    fitted = {**company.scorecards[0], "fitted": {"until": date(2024, 6, 30), "events": 30}}
    path = company.with_card(0, fitted=fitted["fitted"]).write(tmp_path)
    told = json.loads(validated(path, "--json").output)
    assert min(told["dates"]) > "2024-06-30"
    assert any("2024-06-30" in warning for warning in told["warnings"])
    assert told["fingerprints"] == json.loads(validated(root, "--json").output)["fingerprints"]


def test_the_report_is_one_file_that_needs_nothing_else(root: Path, tmp_path: Path) -> None:
    result = validated(root, "--html", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert result.exit_code == 0 and str(tmp_path / "report.html") in result.output.splitlines()[-1]
    assert "Predicts well" in page and page.count("<svg") >= 6
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "") and "<script" not in page


def test_the_observations_give_the_figures_again(root: Path, tmp_path: Path) -> None:
    """Anybody may work them out from the file, by other means."""
    told = json.loads(validated(root, "--json", "--observations", str(tmp_path / "o.csv")).output)
    rows = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    label = [row["label"] == "true" for row in rows]
    assert (len(rows), sum(label)) == (told["observations"], told["events"])
    auc = roc_auc_score(label, [-float(row["computed"]) for row in rows])
    assert told["auc"]["value"] == pytest.approx(auc, abs=1e-9)
    red = [one for one, row in zip(label, rows, strict=True) if row["band"] == "at_risk"]
    assert told["red"]["churn_rate"] == pytest.approx(sum(red) / len(red))
    ended = {
        row["id"]: row["ended"]
        for row in csv.DictReader((root / "data/accounts.csv").read_text().splitlines())
    }
    for row, event in zip(rows, label, strict=True):
        day, left = date.fromisoformat(row["as_of"]), ended[row["account_id"]]
        within = bool(left) and day < date.fromisoformat(left) <= day + timedelta(days=28)
        assert event == within and (row["event_on"] == left if event else row["event_on"] == "")


def test_observations_are_csv_or_parquet(root: Path, tmp_path: Path) -> None:
    result = validated(root, "--observations", str(tmp_path / "o.json"))
    assert result.exit_code == 2 and "o.json: observations are written as .csv or .parquet" in result.output
    assert validated(root, "--observations", str(tmp_path / "o.parquet")).exit_code == 0
    assert (tmp_path / "o.parquet").stat().st_size > 0


def test_what_people_say_stands_beside_the_headline_on_the_same_rows(tmp_path: Path) -> None:
    company = subscribers()
    card = dict(company.scorecards[0])
    heard = {"measures": {"mood": {"curve": [[0, 0], [10, 100]]}}}
    card |= {"components": {**card["components"], "people": heard}, "fitted": {"until": date(2024, 5, 31)}}
    metrics = {**company.metrics, "mood": {"pulse": "mood"}}
    root = replace(company, metrics=metrics, scorecards=[card]).write(tmp_path)
    score(root, LAST)
    headline = json.loads(validated(root, "--json").output)
    assert headline["auc_with_pulses"] is None  # nobody has said anything
    workspace = opened(root)
    left = {row["id"]: row["ended"] for row in company.accounts}
    there = [f"a{n:03}" for n in range(160) if left[f"a{n:03}"] is None or left[f"a{n:03}"] > LAST]
    for account in there[::2]:
        add_pulse(workspace.store, account, "mood", 9, by=Actor("kim"), now=noon(date(2024, 6, 1)))
    told = json.loads(validated(root, "--json").output)
    moment = datetime.fromisoformat(NOW)
    asked = {"now": moment, "first": date(2024, 2, 4), "last": LAST}
    rows = _counted(tried(workspace, pulses=True, **asked))
    workspace.store.close()
    assert rows[0].day.min() > day_number(date(2024, 5, 31))
    assert told["auc"] == headline["auc"]
    assert told["auc_with_pulses"]["value"] == pytest.approx(roc_auc_score(rows[1].event, -rows[0].computed))
    assert told["auc_with_pulses"]["value"] != told["auc"]["value"]
