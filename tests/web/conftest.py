"""Two companies, scored once: an ordinary one, and one whose every text is hostile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from retinue.workspace import Workspace, open_workspace
from tests.once import made_once
from tests.run.company import Company, score
from tests.web.company import FIRST, LAST, hostile, ordinary
from tests.web.house import House, furnish
from tests.web.payloads import MARKUP
from tests.web.raised import PLAYBOOK, SETTINGS, put_work


def scored(folder: Path, company: Company) -> Path:
    replace(company, settings={**company.settings, **SETTINGS}).write(folder)
    (folder / "playbooks.yaml").write_text(PLAYBOOK, encoding="utf-8")
    score(folder, LAST, FIRST, every="week")
    workspace = open_workspace(folder, {})
    put_work(workspace.store, {row["id"]: row["name"] or row["id"] for row in company.accounts})
    workspace.store.close()
    return folder


@pytest.fixture(scope="session")
def _ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "ordinary", lambda folder: scored(folder, ordinary()))


@pytest.fixture(scope="module")
def house(_ordinary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The ordinary company with everybody in it; what a module writes stays in the module."""
    folder = Path(shutil.copytree(_ordinary, tmp_path_factory.mktemp("house") / "acme"))
    workspace = open_workspace(folder, {})
    yield furnish(workspace)
    workspace.store.close()


@pytest.fixture(scope="session")
def hostile_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A company whose every text is markup."""
    texts = list(MARKUP)
    folder = made_once(tmp_path_factory, "hostile", lambda folder: scored(folder, hostile(texts)))
    workspace = open_workspace(folder, {})
    yield furnish(workspace)
    workspace.store.close()


@pytest.fixture
def own(_ordinary: Path, tmp_path: Path) -> Iterator[House]:
    """A house that a test has for itself."""
    workspace = open_workspace(shutil.copytree(_ordinary, tmp_path / "acme"), {})
    yield furnish(workspace)
    workspace.store.close()


@pytest.fixture
def unscored(tmp_path: Path) -> Iterator[House]:
    """A house where nothing is published yet."""
    ordinary().write(tmp_path / "acme")
    workspace: Workspace = open_workspace(tmp_path / "acme", {})
    yield furnish(workspace)
    workspace.store.close()
