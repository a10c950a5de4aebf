from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.store.database import Store, open_store

#: Half of what there is; the rest is long.
STORES_AND_WORKERS = pytest.mark.parametrize(
    ("store_url", "count"),
    [
        pytest.param("sqlite", 1, id="sqlite-one worker"),
        pytest.param("postgresql", 2, id="postgresql-two workers"),
        pytest.param("sqlite", 2, id="sqlite-two workers", marks=pytest.mark.long),
        pytest.param("postgresql", 1, id="postgresql-one worker", marks=pytest.mark.long),
    ],
    indirect=["store_url"],
)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()
