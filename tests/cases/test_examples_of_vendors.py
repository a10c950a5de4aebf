"""The worked examples that other systems print give the same numbers in our declarations."""

from __future__ import annotations

from retinue.cases import run_cases
from tests.conftest import ROOT


def test_every_worked_example_gives_the_printed_number() -> None:
    results = run_cases(ROOT / "examples" / "conformance", None, {})
    assert len(results) >= 15
    assert [(r.name, [str(f) for f in r.failures], r.error) for r in results if not r.passed] == []
