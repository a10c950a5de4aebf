"""The document says what the API does, and whatever is sent, the answer is one that the document knows."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from retinue.project.serving import Serve
from tests.api.callers import Caller, Programs
from tests.web.house import House

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import CHECKS, load_all_checks

#: What starts work in the background would go on after the test.
LEFT_OUT = ("ignored_auth", "object_level_authorization")
BACKGROUND = r"/(plan|trial|rehearsal)$"


@pytest.fixture(scope="module")
def programs(house: House) -> Programs:
    # The name by which schemathesis calls what it asks without a network.
    return Programs(house, Serve(address="http://testserver", record_use=False))


def operations(programs: Programs) -> list[tuple[str, str]]:
    told = programs.document()["paths"]
    return [(method.upper(), path) for path, ways in told.items() for method in ways]


def test_every_route_is_described_for_people(programs: Programs) -> None:
    told = programs.document()
    for path, ways in told["paths"].items():
        for method, operation in ways.items():
            where = f"{method} {path}"
            assert operation["summary"] and operation["description"], where
            assert operation["tags"], where
            assert operation["security"], where
            for status in ("401", "403"):
                assert status in operation["responses"], where
            for parameter in operation.get("parameters", []):
                assert parameter["schema"], where
    numbers = [op["operationId"] for ways in told["paths"].values() for op in ways.values()]
    assert len(numbers) == len(set(numbers))


def test_the_document_refers_to_nothing_that_is_not_in_it(programs: Programs) -> None:
    text = json.dumps(programs.document())
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in programs.document()["components"]["schemas"]
    assert "http://" not in text.replace("http://127.0.0.1", "")
    assert programs.client().get("/api/v1/docs").status_code == 404
    assert programs.client().get("/docs").status_code == 404


def _fuzz(programs: Programs, examples: int) -> None:
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", programs.served.front)
    key = programs.client(Caller("admin", "admin")).headers["Authorization"]
    load_all_checks()
    # This one needs a connection of its own; `test_matrix` asks every route without a key.
    checks = [check for check in CHECKS.get_all() if check.__name__ not in LEFT_OUT]
    found: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if re.search(BACKGROUND, operation.path) and operation.method.upper() == "POST":
            continue

        @settings(
            max_examples=examples,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": key}, checks=checks)

        try:
            run()
        except Exception as error:  # noqa: BLE001 - all of them are told at once
            found.append(f"{operation.label}: {error}"[:3000])
    assert found == []


def test_whatever_is_sent_is_answered_as_the_document_says(programs: Programs) -> None:
    _fuzz(programs, 4)


@pytest.mark.long
def test_whatever_is_sent_is_answered_as_the_document_says_at_length(programs: Programs) -> None:
    _fuzz(programs, 200)
