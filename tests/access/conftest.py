from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from retinue.project.load import load
from retinue.project.project import Project
from retinue.store.database import Store, open_store
from retinue.store.tables import api_keys, attempts, audit, people, sessions, sign_ins
from retinue.workspace import Workspace
from tests.access.elsewhere import issuer, twisted  # noqa: F401
from tests.web.company import company, texts


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of each kind, which many tests use one after the other."""
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("access")
        return f"sqlite:///{folder / 'store.db'}"
    return request.getfixturevalue("postgres_server").new_database()


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The declarations of a company of one account, of which nothing is scored."""
    folder = tmp_path_factory.mktemp("project") / "acme"
    company([texts(0)]).write(folder)
    return load(folder, {})


@pytest.fixture
def workspace(project: Project, tmp_path: Path) -> Iterator[Workspace]:
    """The project with a store that a test has for itself."""
    made = Workspace(project, open_store(f"sqlite:///{tmp_path / 'store.db'}"))
    yield made
    made.store.close()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Nobody was let in, and nothing was done."""
    opened = open_store(store_url)
    with opened.write() as connection:
        for table in (api_keys, sessions, people, sign_ins, attempts, audit):
            connection.execute(delete(table))
    yield opened
    opened.close()
