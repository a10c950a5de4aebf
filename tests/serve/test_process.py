"""A real server: it starts, says how it is, finishes what it has begun, and ends."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from retinue.store.people.access import OPERATOR
from retinue.store.people.keys import add_key
from retinue.store.people.people import add_person
from retinue.workspace import open_workspace
from tests.web.company import NOW
from tests.web.conftest import _ordinary  # noqa: F401

PATIENCE = 60.0
COMMAND = (sys.executable, "-c", "from retinue.cli import main; main()")


@dataclass
class Running:
    process: subprocess.Popen[str]
    address: str
    told: list[str]
    log: Path

    def get(self, path: str, **told: Any) -> httpx.Response:
        return httpx.get(self.address + path, timeout=PATIENCE, trust_env=False, **told)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def serve(folder: Path, *options: str, ready: bool = True, **environ: str) -> Iterator[Running]:
    log = folder.parent / f"{folder.name}.log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            [*COMMAND, "-C", str(folder), "serve", "--port", "0", *options],
            stdout=sink,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "RETINUE_NOW": NOW.isoformat(), **environ},
        )
        try:
            told = lines_of(process)
            found = re.search(r"http://\S+", told[0])
            assert found or not ready, told
            yield Running(process, found[0] if found else "", told, log)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def lines_of(process: subprocess.Popen[str]) -> list[str]:
    """What the server says for people, up to the line that ends it."""
    assert process.stderr is not None
    told = b""
    while b"Ctrl-C" not in told:
        # Straight from the pipe: what a buffer has, `select` does not see.
        assert select.select([process.stderr], [], [], PATIENCE)[0], told
        piece = os.read(process.stderr.fileno(), 4096)
        if not piece:
            break
        told += piece
    return told.decode().splitlines()


@pytest.fixture
def folder(_ordinary: Path, tmp_path: Path) -> Path:  # noqa: F811
    import shutil

    return Path(shutil.copytree(_ordinary, tmp_path / "acme"))


def test_a_server_starts_answers_and_ends(folder: Path, tmp_path: Path) -> None:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(tmp_path / "notify"))
    listening.settimeout(PATIENCE)
    with serve(folder, NOTIFY_SOCKET=str(tmp_path / "notify")) as running:
        assert listening.recv(100) == b"READY=1"
        assert any("nobody can sign in yet" in line and "people add" in line for line in running.told)
        assert running.get("/healthz").text == "ok\n"
        assert running.get("/readyz").json()["ready"] is True
        assert running.get("/", follow_redirects=False).headers["location"].startswith("/sign-in")
        # A second one cannot have the port.
        port = running.address.rsplit(":", 1)[1]
        second = subprocess.run(
            [*COMMAND, "-C", str(folder), "serve", "--port", port],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert re.fullmatch(r"error: cannot listen on .*port \d+.*--port.*\n", second.stderr)
        # And one on another port reads the same store.
        with serve(folder) as other:
            assert other.get("/readyz").status_code == 200
        assert running.end() == 0
        assert listening.recv(100) == b"STOPPING=1"
    listening.close()


def test_what_has_begun_is_finished_after_sigterm(folder: Path) -> None:
    with serve(folder) as running:
        host, port = running.address.removeprefix("http://").split(":")
        slow = socket.create_connection((host, int(port)), PATIENCE)
        body = b"csrf=x&email=a&password=b"
        slow.sendall(
            b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        running.get("/healthz")  # by now the head of the slow one has been read
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(httpx.ConnectError):
            running.get("/healthz")
        slow.sendall(body)
        answer = b"".join(iter(lambda: slow.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 ")
        assert running.process.wait(PATIENCE) == 0
        slow.close()


def test_the_log_is_json_and_has_nothing_that_is_secret(folder: Path) -> None:
    workspace = open_workspace(folder, {})
    store = workspace.store
    person = add_person(store, OPERATOR, "canary@example.com", "Canary", "admin", now=NOW)
    _, key = add_key(store, OPERATOR, "bi", ["read"], now=NOW, person=person)
    store.close()
    secrets = (key, "canary-password", "canary-cookie", "canary-search", "canary-token", "canary@example")
    with serve(folder) as running:
        given = running.get(
            "/api/v1/accounts?search=canary-search",
            headers={"Authorization": f"Bearer {key}", "X-Request-ID": "from-the-proxy-1"},
        )
        assert given.headers["x-request-id"] == "from-the-proxy-1"
        made = running.get("/?search=canary-search&token=canary-token", headers={"X-Request-ID": "a b\tc"})
        assert re.fullmatch("[0-9a-f]{32}", made.headers["x-request-id"])
        running.get("/canary-token", cookies={"retinue": "canary-cookie"})
        running.get("/api/v1/me", headers={"Authorization": f"Bearer {key[:-1]}x"})
        httpx.post(
            running.address + "/sign-in",
            data={"email": "canary@example.com", "password": "canary-password"},
            headers={"Origin": running.address},
            trust_env=False,
        )
        running.end()
        lines = running.lines()
        text = running.log.read_text()
    assert [line for line in lines if line.get("request_id") == "from-the-proxy-1"]
    answered = [line for line in lines if line["message"] == "answered"]
    assert len(answered) == 5
    assert all(line["request_id"] and line["ms"] >= 0 and line["status"] for line in answered)
    assert answered[0]["route"] == "/api/v1/accounts"
    for secret in secrets:
        assert secret not in text
        assert secret.rsplit("_", 1)[-1] not in text


def test_whoever_comes_without_signing_in_comes_from_this_machine(folder: Path) -> None:
    with serve(folder, "--demo") as running:
        assert running.get("/").status_code == 200
        assert (
            running.get("/", headers={"X-Forwarded-For": "192.0.2.1"}, follow_redirects=False).status_code
            == 303
        )
        assert running.get("/", headers={"Host": "evil.example"}).status_code == 421
        statuses: list[int] = []

        def ask() -> None:
            statuses.extend(running.get("/api/v1/me").status_code for _ in range(5))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 40
        told = running.get("/metrics").text
        assert 'retinue_requests_total{method="GET",route="/api/v1/me",status="200"} 40.0' in told
    refused = subprocess.run(
        [*COMMAND, "-C", str(folder), "serve", "--demo", "--host", "0.0.0.0"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "127.0.0.1" in refused.stderr
