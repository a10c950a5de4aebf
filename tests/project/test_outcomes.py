"""Outcomes and what a score must prove, as declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from retinue.project.load import load_with_problems
from retinue.project.rules_outcomes import giveaways

SETTINGS: dict[str, Any] = {
    "project": "test",
    "accounts": {
        "table": "accounts.csv",
        "key": "id",
        "columns": {"started_on": "s", "ended_on": "e", "arr": "arr", "closes": "closes"},
    },
    "facts": {
        "orders": {"table": "orders.csv", "account": "id", "occurred_at": "at", "value": "amount"},
        "losses": {"table": "losses.csv", "account": "id", "occurred_at": "at", "columns": {"why": "why"}},
    },
}
CARD: dict[str, Any] = {
    "scorecard": "all",
    "components": {"use": {"weight": 1, "measures": {"orders_28d": {"curve": [[0, 0], [9, 100]]}}}},
}


def problems(root: Path, metrics: dict[str, Any] | None = None, **settings: Any) -> list[str]:
    (root / "retinue.yaml").write_text(yaml.safe_dump({**SETTINGS, **settings}))
    told = {"orders_28d": {"count": "orders", "window": "28d"}, **(metrics or {})}
    (root / "metrics.yaml").write_text(yaml.safe_dump({"metrics": told}))
    (root / "scorecards.yaml").write_text(yaml.safe_dump(CARD))
    found = load_with_problems(root, {})[1]
    return [str(problem) for problem in found if problem.severity == "error"]


@pytest.mark.parametrize(
    "outcome",
    [
        {"ended": True},
        {"fact": "losses", "within": "13w", "reason": "why", "where": {"why": ["price", "fit"]}},
        {"silence": "orders", "within": "91d"},
        {"falls": "arr", "by": 0.05},
        {"rises": "arr"},
        {"recorded": "churned"},
        {"ended": True, "until": "closes"},
    ],
)
def test_an_outcome_is_one_of_six_kinds(tmp_path: Path, outcome: dict[str, Any]) -> None:
    assert problems(tmp_path, outcomes={"loss": outcome}) == []


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"within": "90d"}, "an outcome has exactly one of `ended`, `fact`, `silence`"),
        ({"ended": True, "silence": "orders"}, "an outcome has exactly one of"),
        ({"fact": "loses"}, 'there is no source "loses" (did you mean "losses"?)'),
        ({"fact": "losses", "reason": "wy"}, '"losses" has no column "wy" (did you mean "why"?)'),
        ({"falls": "ar"}, 'the outcome looks at "ar", which is no attribute of the accounts'),
        ({"ended": True, "until": "closing"}, 'the outcome looks at "closing"'),
        ({"ended": True, "where": {"why": "price"}}, "`where` chooses rows of a source"),
        ({"ended": True, "reason": "why"}, "`amount` and `reason` are columns of a source"),
        ({"ended": True, "within": "0d"}, "this needs at least one day"),
        ({"ended": True, "widhin": "9d"}, 'unknown key "widhin" (did you mean "within"?)'),
    ],
)
def test_what_is_wrong_with_an_outcome_is_told_with_its_place(
    tmp_path: Path, outcome: dict[str, Any], said: str
) -> None:
    (found,) = problems(tmp_path, outcomes={"loss": outcome})
    assert found.startswith("retinue.yaml:") and said in found


@pytest.mark.parametrize(
    ("validation", "said"),
    [
        ({"outcome": "churn"}, 'there is no outcome "churn" (declared: loss)'),
        ({"activity": "order"}, 'there is no source "order" (did you mean "orders"?)'),
        ({"interventions": "plays"}, 'there is no source "plays"'),
        ({"together": "group"}, 'accounts count as one by "group"'),
        ({"bars": {"green_share": 1.2}}, "must be at most 1"),
        ({"capacity": 0}, "must be above 0"),
    ],
)
def test_validation_names_what_there_is(tmp_path: Path, validation: dict[str, Any], said: str) -> None:
    (found,) = problems(tmp_path, outcomes={"loss": {"ended": True}}, validation=validation)
    assert said in found


def test_what_happens_once_is_final_unless_said_otherwise(tmp_path: Path) -> None:
    told = {
        "a": {"ended": True},
        "b": {"fact": "losses"},
        "c": {"fact": "losses", "final": False},
        "d": {"silence": "orders"},
        "e": {"recorded": "churned"},
        "f": {"recorded": "referred"},
    }
    assert problems(tmp_path, outcomes=told) == []
    project, _ = load_with_problems(tmp_path, {})
    assert project is not None
    final = {name: rule.is_final for name, rule in project.settings.outcomes.items()}
    assert final == {"a": True, "b": True, "c": False, "d": False, "e": True, "f": False}
    good = {name: rule.is_good for name, rule in project.settings.outcomes.items()}
    assert good == {"a": False, "b": False, "c": False, "d": False, "e": False, "f": True}


@pytest.mark.parametrize(
    ("metric", "outcome", "said"),
    [
        ({"attribute": "ended_on"}, {"ended": True}, "is the day on which the account ends"),
        ({"count": "losses"}, {"fact": "losses"}, 'counts rows of "losses", which are the outcome'),
        ({"since": "losses"}, {"fact": "losses", "where": {"why": "fit"}}, "which are the outcome"),
        ({"count": "orders", "indicator": "lagging"}, {"ended": True}, "declared as lagging"),
    ],
)
def test_a_metric_that_is_the_outcome_is_found(
    tmp_path: Path, metric: dict[str, Any], outcome: dict[str, Any], said: str
) -> None:
    assert problems(tmp_path, {"orders_28d": metric}, outcomes={"loss": outcome}) == []
    project, _ = load_with_problems(tmp_path, {})
    assert project is not None
    (found,) = giveaways(project, project.settings.outcomes["loss"])
    assert found.startswith('metric "orders_28d"') and said in found


def test_a_metric_of_the_past_is_no_giveaway(tmp_path: Path) -> None:
    metric = {"count": "losses", "where": {"why": "price"}}
    for outcome in ({"fact": "losses", "final": False}, {"fact": "losses", "where": {"why": "fit"}}):
        problems(tmp_path, {"orders_28d": metric}, outcomes={"loss": outcome})
        project, _ = load_with_problems(tmp_path, {})
        assert project is not None
        assert list(giveaways(project, project.settings.outcomes["loss"])) == []
