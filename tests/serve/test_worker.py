"""The worker beside a server: it works, is started again, and never outlives the server."""

from __future__ import annotations

import os
import shutil
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from retinue.project.serving import Serve
from retinue.serve import health
from retinue.store.work import leases
from retinue.workspace import Workspace, open_workspace
from tests.alerts.conftest import _looked_at  # noqa: F401
from tests.serve.test_process import Running, serve
from tests.waiting import until
from tests.web.company import NOW
from tests.web.conftest import _ordinary  # noqa: F401


@pytest.fixture
def folder(_looked_at: Path, tmp_path: Path) -> Path:  # noqa: F811
    """Two months are to be looked at for alerts."""
    return Path(shutil.copytree(_looked_at, tmp_path / "acme"))


def measured(running: Running) -> dict[str, float]:
    """Every sample without labels, and those with one as name{value}."""
    families = text_string_to_metric_families(running.get("/metrics").text)
    return {
        "".join([sample.name, *(f"{{{value}}}" for value in sample.labels.values())]): sample.value
        for family in families
        for sample in family.samples
        if len(sample.labels) < 2
    }


def holder(running: Running) -> str | None:
    """The worker that has the lease."""
    found = [name for name in measured(running) if name.startswith("retinue_worker_info")]
    return found[0] if found else None


def number(name: str) -> int:
    """That of the process of a worker."""
    return int(name.split(":")[1])


def lives(process: int) -> bool:
    return Path(f"/proc/{process}/stat").exists()


def worker_check(running: Running) -> dict[str, object] | None:
    told = running.get("/readyz").json()
    assert told["ready"] is True
    return next((check for check in told["checks"] if check["name"] == "worker"), None)


def test_a_server_works_and_one_without_a_worker_does_not(folder: Path) -> None:
    with serve(folder, "--no-worker", CRM_SECRET="x") as running:
        assert worker_check(running) is None
        assert "retinue_worker_up" not in measured(running)
        assert measured(running)["retinue_alerts"] == 0
    with serve(folder, CRM_SECRET="x") as running:
        until(lambda: measured(running)["retinue_alerts"] > 0)
        until(lambda: measured(running)["retinue_messages{waiting}"] > 0)
        told = measured(running)
        assert told["retinue_worker_up"] == told["retinue_worker_starts_total"] == 1
        assert told["retinue_alerts_open"] == told["retinue_alerts"]
        assert told["retinue_worker_last_look_timestamp_seconds"] == NOW.timestamp()
        until(lambda: measured(running).get("retinue_scheduled_failed{sweep}") == 0)
        check = worker_check(running)
        assert check == {"name": "worker", "ok": True, "detail": "a worker looked around 0 seconds ago"}
        worker = number(holder(running) or "")
        assert running.end() == 0
        until(lambda: not lives(worker))
        said = [line for line in running.lines() if line["logger"] == "retinue.worker"]
        assert [line["alerts"] for line in said if line["message"] == "worked" and "alerts" in line]
    store = open_workspace(folder, {}).store
    assert leases.held(store, leases.WORKER) is None
    store.close()


def test_a_worker_that_is_killed_is_started_again_and_none_outlives_a_server_that_is(folder: Path) -> None:
    with serve(folder, CRM_SECRET="x") as running:
        until(lambda: holder(running))
        first = number(holder(running) or "")
        os.kill(first, signal.SIGKILL)
        until(lambda: measured(running)["retinue_worker_starts_total"] == 2)
        until(lambda: measured(running)["retinue_worker_up"] == 1)
        assert "the worker ended (status -9)" in running.log.read_text()
        # Its lease was left behind, and ends by itself; this clock stands still.
        store = open_workspace(folder, {}).store
        leases.give_back(store, leases.WORKER, (holder(running) or "").partition("{")[2].rstrip("}"))
        until(lambda: holder(running))
        second = number(holder(running) or "")
        assert second != first
        running.end(signal.SIGKILL)
        until(lambda: not lives(second))
        # It gave back what it had.
        assert leases.held(store, leases.WORKER) is None
        store.close()


def test_readiness_tells_of_a_worker_and_does_not_depend_on_it(folder: Path) -> None:
    workspace: Workspace = open_workspace(folder, {})

    def told(**later: float) -> list[tuple[bool, str]]:
        found = health.checks(workspace, Serve(disk_floor=0), NOW + timedelta(**later))
        assert health.to_dict(found)["ready"] is True
        return [(check.ok, check.detail) for check in found if check.name == "worker"]

    assert told() == []
    leases.take(workspace.store, leases.WORKER, "elsewhere", now=NOW, lease=leases.HOLDS)
    assert told(seconds=60) == [(True, "a worker looked around 60 seconds ago")]
    assert told(minutes=10) == [(False, "a worker looked around 600 seconds ago")]
    workspace.store.close()
