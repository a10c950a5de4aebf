from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.store.database import Store, open_store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{home / 'store.db'}")
    yield opened
    opened.close()
