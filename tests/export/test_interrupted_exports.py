"""Whoever reads sees one export or the next, whatever becomes of the one that is going on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from retinue.errors import StoreError
from retinue.run.export import export_to
from retinue.workspace import Workspace
from tests.conftest import ROOT
from tests.export.company import SUNDAYS, expected, in_duckdb, in_postgres, score

#: Of which run `runs` says that the tables are, and what their rows say themselves.
LOOK = """
SELECT (SELECT string_agg(DISTINCT run_id, ', ') FROM retinue.runs),
       (SELECT count(*) || ' ' || sum(base) FROM retinue.snapshots),
       (SELECT count(*) || ' ' || sum(points) FROM retinue.components),
       (SELECT max(summary) FROM retinue.timeline)
"""


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_an_export_that_is_killed_leaves_the_one_before(
    space: Workspace, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "bi.duckdb"
    url = request.getfixturevalue("postgres") if kind == "postgres" else f"duckdb://{path}"
    read = (lambda: in_postgres(url)) if kind == "postgres" else (lambda: in_duckdb(path))
    score(space, "r1", SUNDAYS[:3])
    export_to(space, url)
    before = read()
    assert before == expected(space, tmp_path / "1")
    score(space, "r2", SUNDAYS[1:5], 80.0, plan="pro")
    done = subprocess.run(
        [sys.executable, "-m", "tests.export.exporting", space.project.root, url, "transitions"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert read() == before
    export_to(space, url)
    assert read() == expected(space, tmp_path / "2")


def test_a_file_that_is_damaged_stops_an_export_and_leaves_the_one_before(
    space: Workspace, postgres: str
) -> None:
    score(space, "r1", SUNDAYS[:3])
    export_to(space, postgres)
    before = in_postgres(postgres)
    score(space, "r2", SUNDAYS[3:4], count=2000)
    (file,) = (space.project.home / "runs" / "r2").rglob("components.parquet")
    text = bytearray(file.read_bytes())
    # The head of the first page: the footer tells nothing of it.
    text[4:40] = b"\xff" * 36
    file.write_bytes(bytes(text))
    with pytest.raises(StoreError, match="cannot read the published table components"):
        export_to(space, postgres)
    assert in_postgres(postgres) == before


def test_ctrl_c_is_not_taken_for_an_error_of_the_database(space: Workspace, postgres: str) -> None:
    score(space, "r1", SUNDAYS[:3])

    def stop(what: str, _part: float) -> None:
        if what == "writing measures":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_to(space, postgres, progress=stop)
    with psycopg.connect(postgres) as con:
        assert con.execute("SELECT to_regclass('retinue.snapshots')").fetchone() == (None,)


def test_readers_never_see_half_an_export_and_are_not_held_up(space: Workspace, postgres: str) -> None:
    score(space, "r1", SUNDAYS[:4])
    export_to(space, postgres)
    seen: list[tuple[object, ...]] = []
    done = threading.Event()

    def look() -> None:
        with psycopg.connect(postgres, autocommit=True) as con:
            con.execute("SET statement_timeout = '20s'")
            while not done.is_set():
                seen.append(con.execute(LOOK).fetchone())

    with psycopg.connect(postgres) as early:
        early.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        first = early.execute(LOOK).fetchone()
        reader = threading.Thread(target=look)
        reader.start()
        states = {first}
        try:
            for number in range(2, 5):
                score(space, f"r{number}", SUNDAYS[:3], 10.0 * number)
                export_to(space, postgres, full=number == 3)
                with psycopg.connect(postgres) as con:
                    states.add(con.execute(LOOK).fetchone())
        finally:
            done.set()
            reader.join()
        assert early.execute(LOOK).fetchone() == first
    assert len(states) == 4
    assert set(seen) <= states
    assert len(set(seen)) > 1


def test_a_second_export_waits_and_then_sends_what_is_current(
    space: Workspace, postgres: str, tmp_path: Path
) -> None:
    score(space, "r1", SUNDAYS[:2])
    export_to(space, postgres)
    second: list[BaseException | None] = []

    def also() -> None:
        try:
            export_to(space, postgres)
            second.append(None)
        except StoreError as error:
            second.append(error)

    started = threading.Thread(target=also)

    def meanwhile(what: str, _part: float) -> None:
        if what == "writing components":
            started.start()
            score(space, "r2", SUNDAYS[2:3])
            with psycopg.connect(postgres, autocommit=True) as con:
                waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                while started.is_alive() and con.execute(waiting).fetchone() == (0,):
                    pass

    export_to(space, postgres, full=True, progress=meanwhile)
    started.join()
    assert second == [None]
    assert in_postgres(postgres) == expected(space, tmp_path / "out")


def test_a_duckdb_file_that_somebody_has_open_is_left_alone(space: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "bi.duckdb"
    score(space, "r1", SUNDAYS[:1])
    export_to(space, f"duckdb://{path}", tables=["snapshots"])
    holds = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holds, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match=r"lock.*close what has the file open"):
            export_to(space, f"duckdb://{path}")
        other.stdin.close()
    assert export_to(space, f"duckdb://{path}", tables=["snapshots"])["snapshots"].rows == 0
