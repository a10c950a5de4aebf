"""Health, measures, names, sizes and a project that changes while it is served."""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from retinue.project.serving import Serve
from retinue.serve.background import Repeated
from retinue.serve.front import BODY, known_host
from retinue.serve.logs import _Json, _Text
from retinue.store.tables import uses
from tests.api.callers import Caller, Programs
from tests.web.company import LAST, NOW
from tests.web.conftest import _ordinary, house, own, unscored  # noqa: F401
from tests.web.house import House


@pytest.fixture(scope="module")
def programs(house: House) -> Programs:  # noqa: F811
    return Programs(house)


def failing(programs: Programs) -> set[str]:
    answer = programs.client(Caller(None)).get("/readyz")
    told = answer.json()
    assert answer.status_code == (200 if told["ready"] else 503)
    return {check["name"] for check in told["checks"] if not check["ok"]}


def test_it_is_ready_where_everything_is_there(programs: Programs) -> None:
    assert failing(programs) == set()


def test_it_is_not_ready_before_the_first_run(unscored: House) -> None:  # noqa: F811
    programs = Programs(unscored)
    assert failing(programs) == {"run"}
    assert programs.client(Caller(None)).get("/healthz").text == "ok\n"


def test_it_is_not_ready_with_an_old_run_a_full_disk_or_a_store_that_is_gone(own: House) -> None:  # noqa: F811
    assert failing(Programs(own, Serve(disk_floor=10**9))) == {"disk"}
    later = Programs(own, Serve(max_run_age=1))
    later.served.clock = lambda: NOW + timedelta(days=30)
    assert failing(later) == {"run"}
    programs = Programs(own)
    with own.workspace.store.write() as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version = version + 1")
    assert failing(programs) == {"store"}
    assert str(own.folder) not in programs.client(Caller(None)).get("/readyz").text


def test_measures_can_be_read_by_prometheus(programs: Programs) -> None:
    programs.client().get("/api/v1/accounts/zq00-id/history")
    programs.client(Caller(None)).get("/nowhere/else")
    told = programs.client().get("/metrics")
    assert told.status_code == 200
    found = {family.name: family for family in text_string_to_metric_families(told.text)}
    assert found["retinue_accounts_published"].samples[0].value == 48
    assert found["retinue_store_up"].samples[0].value == 1
    assert found["retinue_store_bytes"].samples[0].value > 10_000
    assert found["retinue_scoring_last_success_timestamp_seconds"].samples[0].value > 1.7e9
    routes = {sample.labels["route"] for sample in found["retinue_requests"].samples}
    assert "/api/v1/accounts/{account_id:path}/history" in routes
    assert not [route for route in routes if "zq00" in route or "nowhere" in route]


@pytest.mark.parametrize(
    ("caller", "client", "settings", "status"),
    [
        (Caller(None), "127.0.0.1", Serve(), 200),
        (Caller(None), "192.0.2.9", Serve(), 403),
        (Caller(None), "192.0.2.9", Serve(metrics_from=("192.0.2.0/24",)), 200),
        (Caller("admin", "read"), "192.0.2.9", Serve(), 200),
        (Caller("owner", "read"), "192.0.2.9", Serve(), 403),
    ],
)
def test_measures_are_for_whoever_runs_it(
    house: House,  # noqa: F811
    caller: Caller,
    client: str,
    settings: Serve,
    status: int,
) -> None:
    made = Programs(house, settings).client(caller)
    transport: Any = made._transport
    transport.client = (client, 50000)
    assert made.get("/metrics").status_code == status


@pytest.mark.parametrize(
    ("settings", "host", "known"),
    [
        (Serve(), "127.0.0.1:8321", True),
        (Serve(), "localhost", True),
        (Serve(), "[::1]:8321", True),
        (Serve(), "evil.example", False),
        (Serve(), "", False),
        (Serve(), "127.0.0.1.evil.example", False),
        (Serve(), "localhost@evil.example", False),
        (Serve(), "10.0.0.7", False),
        (Serve(host="10.0.0.7"), "10.0.0.7:8321", True),
        (Serve(host="0.0.0.0"), "10.0.0.7", True),
        (Serve(host="0.0.0.0"), "evil.example", False),
        (Serve(address="https://scores.example.com"), "Scores.Example.Com", True),
        (Serve(address="https://scores.example.com"), "example.com", False),
    ],
)
def test_it_answers_to_its_own_names_only(settings: Serve, host: str, known: bool) -> None:
    assert known_host(host, settings) is known


def test_a_request_that_is_too_large_is_refused_before_it_is_read(programs: Programs) -> None:
    client = programs.client()
    for path in ("/sign-in", "/api/v1/accounts/zq00-id/notes"):
        assert client.post(path, content=b"x" * (BODY + 1)).status_code == 413

    # Without saying beforehand how much it will be.
    pieces = (b"x" * 65536 for _ in range(BODY // 65536 + 1))
    assert client.post("/sign-in", content=pieces).status_code == 413


def test_views_and_acts_are_written_down_unless_that_is_switched_off(own: House) -> None:  # noqa: F811
    def kept() -> list[tuple[str, str, str | None]]:
        with own.workspace.store.read() as connection:
            return [(row.kind, row.what, row.account_id) for row in connection.execute(uses.select())]

    off = Programs(own, Serve(record_use=False))
    off.client().get("/api/v1/accounts")
    off.served.uses.write()
    assert kept() == []
    on = Programs(own)
    on.client().get("/api/v1/accounts/zq00-id/history")
    on.client().post("/api/v1/accounts/zq00-id/notes", json={"text": "called"})
    on.client().get("/api/v1/accounts/zq99-id/history")  # there is no such account
    browser = on.client(Caller("admin"))
    browser.get("/")
    on.served.uses.write()
    assert kept() == [
        ("view", "/api/v1/accounts/{account_id:path}/history", "zq00-id"),
        ("act", "/api/v1/accounts/{account_id:path}/notes", "zq00-id"),
        ("view", "/", None),
    ]


def test_the_project_is_read_again_and_a_broken_one_is_not(own: House) -> None:  # noqa: F811
    programs = Programs(own)
    served, file = programs.served, own.workspace.project.root / "retinue.yaml"
    told = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**told, "currency": "USD"}))
    served.read_again()
    assert programs.client().get("/api/v1/portfolio").json()["currency"] == "USD"
    file.write_text("project: [")
    served.read_again()
    assert programs.client().get("/api/v1/portfolio").json()["currency"] == "USD"


def test_a_new_run_is_seen_by_itself(own: House) -> None:  # noqa: F811
    from tests.run.company import score

    programs = Programs(own)
    client = programs.client()
    before = client.get("/api/v1/accounts?limit=1")
    programs.served.look()
    score(own.workspace.project.root, LAST + timedelta(days=1), LAST + timedelta(days=1))
    told = client.get("/api/v1/accounts?limit=1", headers={"If-None-Match": before.headers["etag"]})
    assert told.status_code == 200
    assert told.json()["as_of"] > before.json()["as_of"]
    programs.served.look()
    assert client.get("/readyz").status_code == 200


def test_work_beside_the_requests_goes_on_after_it_failed() -> None:
    import threading

    done = threading.Event()
    calls = []

    def work() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("once")
        done.set()

    repeated = Repeated("a test", 0.01, work)
    logging.getLogger("retinue.serve").setLevel(logging.CRITICAL)
    repeated.start()
    assert done.wait(30)
    repeated.stop()
    assert not repeated._thread.is_alive()


@pytest.mark.parametrize("form", [_Json(), _Text()])
def test_a_line_of_the_log_is_one_line_without_secrets(form: logging.Formatter) -> None:
    sink = StringIO()
    handler = logging.StreamHandler(sink)
    handler.setFormatter(form)
    logger = logging.getLogger("retinue.test")
    logger.propagate = False
    logger.addHandler(handler)
    key = "rtn_0123456789ab_" + "s" * 43
    logger.warning("key %s at postgresql://ann:hunter2@host/db\r\nforged=line", key)
    logger.removeHandler(handler)
    (line,) = sink.getvalue().splitlines()
    assert "hunter2" not in line and "ssss" not in line
    assert "rtn_0123456789ab_***" in line
    if isinstance(form, _Json):
        assert json.loads(line)["message"].endswith("forged=line")


def test_nothing_of_the_servers_own_pages_needs_somebody(programs: Programs) -> None:
    client = programs.client(Caller(None))
    for path in ("/healthz", "/readyz"):
        assert client.post(path).status_code == 405
        assert re.fullmatch("[0-9a-f]{32}", client.get(path).headers["x-request-id"])
