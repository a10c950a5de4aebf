"""A company that loses customers, scored once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.workspace import Workspace, open_workspace
from tests.desk.studied import write_and_score
from tests.desk.trading import FIRST, LAST, trading
from tests.once import made_once
from tests.run.company import score


@pytest.fixture(scope="session")
def _trading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(
        tmp_path_factory, "trading", lambda folder: score(trading().write(folder), LAST, FIRST, every="week")
    )


@pytest.fixture(scope="session")
def company(_trading: Path) -> Iterator[Workspace]:
    """To be read only."""
    workspace = open_workspace(_trading, {})
    yield workspace
    workspace.store.close()


@pytest.fixture
def own_company(_trading: Path, tmp_path: Path) -> Iterator[Workspace]:
    """One that a test may write to."""
    workspace = open_workspace(shutil.copytree(_trading, tmp_path / "trading"), {})
    yield workspace
    workspace.store.close()


@pytest.fixture(scope="session")
def _studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "studied", write_and_score)


@pytest.fixture(scope="session")
def studied(_studied: Path) -> Iterator[Workspace]:
    """To be read only."""
    workspace = open_workspace(_studied, {})
    yield workspace
    workspace.store.close()


@pytest.fixture
def own_studied(_studied: Path, tmp_path: Path) -> Iterator[Workspace]:
    """One that a test may write to."""
    workspace = open_workspace(shutil.copytree(_studied, tmp_path / "studied"), {})
    yield workspace
    workspace.store.close()
