"""`import retinue` is cheap and offers what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

import retinue

HEAVY = ("duckdb", "ibis", "numpy", "pandas", "polars", "pyarrow", "pydantic", "rich", "sqlalchemy", "yaml")


@pytest.mark.parametrize("name", retinue.__all__)
def test_every_public_name_is_there(name):
    assert getattr(retinue, name) is not None


def test_every_public_name_is_listed_once_and_in_order():
    assert retinue.__all__ == sorted(set(retinue.__all__))
    assert {*retinue._HOMES, "__version__"} == set(retinue.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Scorebook'"):
        retinue.__getattr__("Scorebook")


def test_importing_retinue_loads_nothing_heavy():
    told = f"import retinue, sys; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
