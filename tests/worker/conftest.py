from __future__ import annotations

from pathlib import Path

import pytest

# The company of eight accounts, with rules and playbooks.
from tests.alerts.conftest import _evaluated, _looked_at, acme, evaluated  # noqa: F401


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind; that of SQLite is the project's own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres"))
