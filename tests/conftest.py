"""What all tests share: the long suite, hypothesis profiles, the folder of real data."""

from __future__ import annotations

import gc
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

# Fixtures that tests of several areas use.
from tests.postgres import postgres, postgres_server  # noqa: F401
from tests.spark import spark, spark_session, spark_warehouse  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent

# Times of a shared machine say nothing, so no example has a deadline.
settings.register_profile(
    "default",
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "long",
    max_examples=1000,
    deadline=timedelta(minutes=2),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


#: Folders whose files take longest. They come first, so that no process is left alone with one at the end.
_LONGEST = (
    *("engines", "run", "worker", "bad_input", "warehouse", "replay", "templates", "tuning", "alerts"),
    *("deliver", "browser", "processes", "plan", "desk", "mcp", "docs", "cli", "benchmarks"),
    *("store", "web"),
)


def _turn(item: pytest.Item) -> int:
    folder = item.nodeid.split("/")[1]
    return _LONGEST.index(folder) if folder in _LONGEST else len(_LONGEST)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long tests too, and more examples")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("long" if config.getoption("--long") else "default")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Files in the order of `_LONGEST`; all that ask several engines in one process, and so one Spark."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return _Scheduling(config, log)


class _Scheduling(LoadFileScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        return "engines" if nodeid.startswith("tests/engines/") else super()._split_scope(nodeid)


def pytest_collection_finish() -> None:
    """Looking for cycles among what is imported by now finds nothing, and took an eighth of the time."""
    gc.set_threshold(100_000, 50, 100)
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
    if config.getoption("--long"):
        return
    chosen = [item for item in items if item.get_closest_marker("long") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees no settings, colours or timezone of the machine that it runs on."""
    for name in os.environ:
        if name.startswith("RETINUE_") or name in {"FORCE_COLOR", "NO_COLOR", "CLICOLOR_FORCE", "TZ"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")


def _data(variable: str, folder: str) -> Path:
    path = Path(os.environ.get(variable, ROOT.parent / "shared" / "data" / folder))
    if not path.is_dir():
        pytest.skip(f"no real data: {path} is absent; name its folder in {variable}")
    return path


@pytest.fixture(scope="session")
def oulad_data() -> Path:
    """Folder of the OULAD 2013 tables."""
    return _data("OULAD_DATA", "oulad-2013")


@pytest.fixture(scope="session")
def retail_data() -> Path:
    """Folder of the Online Retail table."""
    return _data("RETAIL_DATA", "online-retail")


@pytest.fixture(scope="session")
def ravenstack_data() -> Path:
    """Folder of the RavenStack tables."""
    return _data("RAVENSTACK_DATA", "ravenstack")
