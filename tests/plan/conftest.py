"""The company as published, once; every test changes a copy."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from retinue.run.planned import Plan
from tests.once import made_once
from tests.plan.half import HALF, planned, weighted
from tests.run.company import DAY, score
from tests.run.small import D


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "half", lambda root: score(HALF.write(root), D + DAY, D))


@pytest.fixture
def half(published: Path, tmp_path: Path) -> Path:
    """A copy of `HALF` as published, for a test to change."""
    return shutil.copytree(published, tmp_path / "half")


def state(root: Path) -> dict[str, str]:
    """Every file of the project's folder with what is in it."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def heavier(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The plan with mood three times as heavy. Nothing may be written by it."""
    root = shutil.copytree(published, tmp_path_factory.mktemp("heavier") / "half")
    weighted(3).write(root)
    before = state(root)
    found = planned(root)
    assert state(root) == before
    return found
