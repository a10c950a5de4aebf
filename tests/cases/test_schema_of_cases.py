"""Editors know cases: every case that is shipped is valid by the JSON Schema."""

from __future__ import annotations

import jsonschema
import pytest

from retinue.project import yaml
from retinue.project.schema import json_schema
from tests.conftest import ROOT

FILES = [
    *sorted((ROOT / "examples").glob("**/tests/*.yaml")),
    *sorted((ROOT / "src" / "retinue" / "templates").glob("*/tests/*.yaml")),
]


def test_every_shipped_case_is_valid_by_the_schema() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    checked = 0
    for file in FILES:
        for document in yaml.documents(file.read_text(), file.name, {}, []):
            assert [error.message for error in validator.iter_errors(document.data)] == [], file
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("wrong", [{"expekt": {}}, {"as_of": "soon", "expect": {"a": "gone"}}])
def test_a_wrong_case_is_not(wrong: dict[str, object]) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    assert list(validator.iter_errors({"case": "x", "as_of": "2026-03-31", **wrong}))
