from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.once import made_once
from tests.processes.command import leveled
from tests.run.company import DAY, score
from tests.run.small import D


@pytest.fixture(scope="session")
def _published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "leveled", lambda root: score(leveled().write(root), D + DAY, D))


@pytest.fixture
def published(_published: Path, tmp_path: Path) -> Path:
    """The company with two days published; its tables go on for a third."""
    return Path(shutil.copytree(_published, tmp_path / "home"))
