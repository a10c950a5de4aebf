"""A small company, scored once; tests that change it get a copy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from retinue.cli import main
from tests.cli.company import NOW, write
from tests.once import made_once

Retinue = Callable[..., Result]


@pytest.fixture(scope="session")
def _scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company, scored on thirteen Sundays and the two days after."""
    return made_once(tmp_path_factory, "acme", _score)


def _score(folder: Path) -> None:
    write(folder)
    runner = CliRunner(env={"RETINUE_NOW": NOW, "RETINUE_TRACEBACK": "1"})
    for arguments in (["--from", "2026-01-04", "--to", "2026-03-29", "--every", "week"], []):
        done = runner.invoke(main, ["run", "-C", str(folder), *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output


@pytest.fixture(scope="session")
def acme(_scored: Path) -> Path:
    """The scored company, to be read only."""
    return _scored


@pytest.fixture
def own(_scored: Path, tmp_path: Path) -> Path:
    """A copy of the scored company, to be changed."""
    return Path(shutil.copytree(_scored, tmp_path / "acme"))


@pytest.fixture
def unscored(tmp_path: Path) -> Path:
    """The company before its first run."""
    write(tmp_path / "acme")
    return tmp_path / "acme"


@pytest.fixture
def retinue(monkeypatch: pytest.MonkeyPatch) -> Retinue:
    """The command line, in this process, on 1 April 2026; output is a pipe's."""
    monkeypatch.setenv("RETINUE_NOW", NOW)

    def call(*arguments: object, status: int | None = 0, **environ: str) -> Result:
        done = CliRunner(env=environ).invoke(main, [str(one) for one in arguments])
        if status is not None:
            assert done.exit_code == status, done.output
        return done

    return call


@pytest.fixture
def told(retinue: Retinue) -> Callable[..., Any]:
    """What a command says with --json."""

    def call(*arguments: object, **options: Any) -> Any:
        return json.loads(retinue(*arguments, "--json", **options).stdout)

    return call
