"""The published example models give the numbers that were worked by hand."""

from __future__ import annotations

import pytest

from retinue.cases import run_cases
from tests.conftest import ROOT


@pytest.mark.parametrize("model", ["four_components", "seven_components"])
def test_the_model_gives_the_numbers_worked_by_hand(model: str) -> None:
    results = run_cases(ROOT / "examples" / "models" / model, None, {})
    assert results
    assert [(r.error, [str(f) for f in r.failures]) for r in results if not r.passed] == []
