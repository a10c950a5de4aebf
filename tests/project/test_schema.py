"""The JSON Schema that editors use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retinue.project import yaml
from retinue.project.schema import json_schema
from tests.project.conftest import ACME, METRICS, SCORECARD, SETTINGS

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def data(text: str) -> Any:
    return yaml.documents(text, "f.yaml", {}, [])[0].data


@pytest.mark.parametrize("file", sorted(ACME.rglob("*.yaml")), ids=lambda path: path.name)
def test_it_accepts_the_examples(validator: Any, file: Path) -> None:
    assert [error.message for error in validator.iter_errors(data(file.read_text()))] == []


@pytest.mark.parametrize(
    ("right", "old", "new"),
    [
        (SETTINGS, "accounts:", "acounts:"),
        (SETTINGS, "occurred_at", "occured_at"),
        (SETTINGS, "project: small", "project: [1]"),
        (SETTINGS, "project: small\n", ""),
        (METRICS, "window: 28d}\n  users", "windw: 28d}\n  users"),
        (METRICS, "28d", "28 days"),
        (METRICS, "count: usage", "cuont: usage"),
        (METRICS, "count: usage", "count: usage, sum: usage.n"),
        (SCORECARD, "[0, 0]", "[0]"),
        (SCORECARD, "max_age", "maxage"),
        (SCORECARD, "[[0, 0], [10, 100]]", "cohrt"),
        (SCORECARD, "scorecard: all", "scorecard: all\nmin_coverage: 3"),
    ],
)
def test_it_rejects_what_cannot_be_right(validator: Any, right: str, old: str, new: str) -> None:
    assert list(validator.iter_errors(data(right))) == []
    wrong = right.replace(old, new)
    assert wrong != right
    assert list(validator.iter_errors(data(wrong)))


def test_it_names_every_key_of_a_metric() -> None:
    definitions = json_schema()["$defs"]
    assert set(definitions["Count"]["properties"]) >= {"count", "window", "where", "label"}
    assert "from" in definitions["People"]["properties"]
