"""The report as a whole: what its JSON promises, and that the same input gives the same report."""

from __future__ import annotations

import json

from retinue.insight.validation import Report, Trial, validate
from tests.validation.world import CHURN, World, world


def tried(w: World, **asked: object) -> Report:
    return validate(w.replay, w.events, w.told, CHURN, Trial(w.until, repetitions=200, **asked))


def test_the_json_of_a_report_has_the_names_that_are_promised() -> None:
    found = json.loads(json.dumps(tried(world(), recency="noise", usage="logins").to_dict(), allow_nan=False))
    assert found["verdict"] == "predicts_well"
    assert found["horizon_days"] == 28
    assert 0 < found["events"] < found["observations"]
    assert found["auc"]["low"] < found["auc"]["value"] < found["auc"]["high"]
    assert 0 < found["average_precision"] < 1
    names = ["constant", "days since last activity", "tenure", "usage", "best single metric"]
    assert list(found["baselines"]) == names
    assert all(isinstance(value, float) for value in found["baselines"].values())
    assert "challenger" in found
    for band, keys in (
        ("red", ("share", "churn_rate", "lift")),
        ("green", ("share", "churned_while_green")),
        ("lead_time", ("capture", "median_days", "null_capture", "null_median_days")),
    ):
        assert all(isinstance(found[band][key], float) for key in keys)
    assert isinstance(found["flaps_per_account_year"], float)


def test_the_same_input_gives_the_same_report() -> None:
    w = world()
    assert tried(w).to_dict() == tried(w).to_dict()
    assert tried(w).auc.low != tried(w, seed=1).auc.low
