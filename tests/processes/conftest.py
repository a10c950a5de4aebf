from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.processes.command import leveled
from tests.run.company import DAY, score
from tests.run.small import D


@pytest.fixture(scope="session")
def _published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = leveled().write(tmp_path_factory.mktemp("published"))
    score(root, D + DAY, D)
    return root


@pytest.fixture
def published(_published: Path, tmp_path: Path) -> Path:
    """The company with two days published; its tables go on for a third."""
    return Path(shutil.copytree(_published, tmp_path / "home"))
