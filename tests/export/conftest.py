from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.workspace import Workspace
from tests.export.company import workspace


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    opened = workspace(tmp_path / "project")
    yield opened
    opened.store.close()
