"""A PostgreSQL server of the tests: started when the first test asks for it, gone with the process.

`postgres` is a URL of an empty database that a test has for itself. With several workers each has
a server of its own, so nothing is shared.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

#: Nothing of a test survives the test, so nothing has to reach the disk.
_FAST = {
    # What waits for somebody else for a minute, in a test, waits for ever.
    "lock_timeout": "60s",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "40",
    "shared_buffers": "64MB",
    "jit": "off",
}


@dataclass(frozen=True)
class Server:
    """A running server; anybody on this machine may log in as `retinue`, who owns everything."""

    port: int
    number: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://retinue@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self.number)}"
        with psycopg.connect(self.url(), autocommit=True) as con:
            # The files are copied, which is quicker than logging them.
            con.execute(sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY").format(sql.Identifier(name)))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        name = sql.Identifier(url.rpartition("/")[2])
        with psycopg.connect(self.url(), autocommit=True) as con:
            con.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A server of this process."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine: sudo apt-get install postgresql")
    data = Path(tempfile.mkdtemp(prefix="retinue-postgres-"))
    user = _user()
    if user is not None:
        os.chown(data, user.pw_uid, user.pw_gid)
    with (data / "log").open("wb") as log:
        made = [programs / "initdb", "-D", data / "cluster", "-U", "retinue", "-A", "trust", "-N"]
        # Text is ordered by a language, as on most servers, where this one knows how (15 and later).
        spoken = ["-E", "UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
        said = subprocess.run([programs / "initdb", "--help"], check=True, capture_output=True, text=True)
        options = spoken if "--icu-locale" in said.stdout else spoken[:3]
        subprocess.run([*_as(user), *made, *options], check=True, stdout=log, stderr=log)
        port = _free_port()
        settings = [part for name, value in _FAST.items() for part in ("-c", f"{name}={value}")]
        running = subprocess.Popen(
            [
                *_as(user, goes_with_us=True),
                programs / "postgres",
                *("-D", data / "cluster", "-h", "127.0.0.1", "-p", str(port), "-k", data, *settings),
            ],
            stdout=log,
            stderr=log,
        )
    try:
        server = Server(port)
        _wait(server, running, data / "log")
        yield server
    finally:
        # Immediate: whatever is still connected is cut off.
        running.send_signal(signal.SIGQUIT)
        running.wait(timeout=60)
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: Server) -> Iterator[str]:
    """The URL of an empty database of this test."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


def _programs() -> Path | None:
    """The folder with the server's programs, the newest where there are several."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(installed, key=lambda path: int(path.parent.name), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def _user() -> pwd.struct_passwd | None:
    """Whom the server runs as where we are root, which it refuses to."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _as(user: pwd.struct_passwd | None, *, goes_with_us: bool = False) -> list[str]:
    death = ["--pdeathsig", "QUIT"] if goes_with_us and shutil.which("setpriv") else []
    if user is None:
        return ["setpriv", *death] if death else []
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *death]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(server: Server, running: subprocess.Popen[bytes], log: Path) -> None:
    for _try in range(600):
        try:
            psycopg.connect(server.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            assert running.poll() is None, f"the server did not start: {log.read_text()[-2000:]}"
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the server does not answer: {log.read_text()[-2000:]}")
