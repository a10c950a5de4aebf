from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.company import EVERYTHING, Company, Ready


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """The company with its facts loaded once, for SQL over the columns of `EVERYTHING`."""
    with Company(tmp_path_factory.mktemp("ready")).open(EVERYTHING) as opened:
        yield opened
