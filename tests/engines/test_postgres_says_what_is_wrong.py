"""What PostgreSQL refuses is said in one line, with what to do, and without passwords."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from retinue.errors import RetinueError, RunError, SourceError
from retinue.project.project import Project, Settings
from retinue.warehouse.engine import Refused, connect
from retinue.warehouse.engines.postgres import Postgres
from retinue.warehouse.facts import sources as facts
from retinue.warehouse.facts.sources import Wanted
from tests.engines.conftest import Elsewhere


def project(root: Path, engine: str) -> Project:
    (root / "accounts.csv").write_text("account_id\na\nb\n")
    told = {
        "project": "test",
        "engine": engine,
        "accounts": {"table": "accounts.csv"},
        "facts": {"events": {"table": "company.events", "account": "account_id", "occurred_at": "on"}},
    }
    return Project(root=root, settings=Settings.model_validate(told), metrics={}, scorecards=())


def load(told: Project) -> None:
    with connect(told) as engine:
        facts.load(engine, told, {"events": Wanted()})


def refused(told: Project, kind: type[RetinueError]) -> RetinueError:
    with pytest.raises(kind) as caught:
        load(told)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    return caught.value


def as_user(url: str, user: str) -> str:
    return url.replace("retinue@", f"{user}:s3cret@")


@pytest.fixture
def events(on_postgres: Elsewhere) -> str:
    """A database with a table `company.events` that the user `reader` may read, and nothing else."""
    on_postgres.put("events", pa.table({"account_id": ["a", "b"], "on": ["2024-01-31", "2024-02-01"]}))
    with psycopg.connect(on_postgres.url, autocommit=True) as con:
        name = on_postgres.url.rpartition("/")[2]
        con.execute("DROP ROLE IF EXISTS reader")
        con.execute("CREATE ROLE reader LOGIN")
        con.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        con.execute(f'GRANT CONNECT, TEMP ON DATABASE "{name}" TO reader')
        con.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        con.execute("GRANT USAGE ON SCHEMA company TO reader")
        con.execute("GRANT SELECT ON ALL TABLES IN SCHEMA company TO reader")
    yield on_postgres.url
    with psycopg.connect(on_postgres.url, autocommit=True) as con:
        con.execute("DROP OWNED BY reader")
        con.execute("DROP ROLE reader")


def test_select_and_temp_are_enough_and_nothing_is_left(events: str, tmp_path: Path) -> None:
    load(project(tmp_path, as_user(events, "reader")))
    with psycopg.connect(events) as con:
        left = (
            "SELECT count(*) FROM pg_class WHERE relname ~ '^r[0-9]' OR relnamespace = 'public'::regnamespace"
        )
        assert con.execute(left).fetchone() == (0,)
        made = con.execute("SELECT count(*) FROM pg_proc WHERE proname LIKE 'retinue%'").fetchone()
        assert made == (0,)


def test_without_temp_it_says_which_right_is_lacking(events: str, tmp_path: Path) -> None:
    with psycopg.connect(events, autocommit=True) as con:
        con.execute(f'REVOKE TEMP ON DATABASE "{events.rpartition("/")[2]}" FROM reader')
    error = refused(project(tmp_path, as_user(events, "reader")), RunError)
    assert "permission denied" in error.message
    assert error.hint is not None and "TEMP" in error.hint


def test_without_select_it_says_which_source_cannot_be_read(events: str, tmp_path: Path) -> None:
    with psycopg.connect(events, autocommit=True) as con:
        con.execute("REVOKE SELECT ON company.events FROM reader")
    error = refused(project(tmp_path, as_user(events, "reader")), SourceError)
    assert error.message == "source events: cannot be read: permission denied for table events"


def test_a_server_that_is_not_there_is_refused(tmp_path: Path) -> None:
    error = refused(project(tmp_path, "postgresql://ann:s3cret@127.0.0.1:1/none"), RunError)
    assert "cannot connect to postgresql://ann@127.0.0.1:1/none" in error.message


def test_an_error_of_the_server_in_the_middle_is_one_line(events: str, tmp_path: Path) -> None:
    with psycopg.connect(events, autocommit=True) as con:
        con.execute("ALTER TABLE company.events RENAME TO rows")
        con.execute(
            """CREATE VIEW company.events AS
            SELECT account_id, ("on"::date + 1 / (length("on") - 10))::text AS "on" FROM company.rows"""
        )
        con.execute("GRANT SELECT ON company.events TO reader")
    error = refused(project(tmp_path, as_user(events, "reader")), SourceError)
    assert error.message == "source events: cannot be read: division by zero"


@pytest.mark.parametrize(
    ("engine", "message", "hint"),
    [
        ("oracle", "there is no engine 'oracle'", "write duckdb, or a URL"),
        ("foo://ann:s3cret@host/db", "cannot connect to the engine foo://ann@host/db", "check `engine`"),
    ],
)
def test_an_engine_that_nobody_knows_is_refused(engine: str, message: str, hint: str, tmp_path: Path) -> None:
    error = refused(project(tmp_path, engine), RunError)
    assert message in error.message
    assert error.hint is not None and hint in error.hint


def test_a_missing_driver_names_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "retinue.warehouse.engines.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "adbc_driver_manager.dbapi", None)
    error = refused(project(tmp_path, "postgres://ann:s3cret@host/db"), RunError)
    assert error.hint == "pip install 'retinue[postgres]'"


def test_a_query_in_flight_ends_when_it_is_interrupted(events: str, tmp_path: Path) -> None:
    with connect(project(tmp_path, events)) as engine, psycopg.connect(events, autocommit=True) as other:
        assert isinstance(engine, Postgres)
        told: list[str] = []

        def sleep() -> None:
            try:
                engine._do("CREATE TABLE pg_temp.slept AS SELECT pg_sleep(600)::text")
            except Refused as error:
                told.append(str(error))

        asleep = threading.Thread(target=sleep)
        asleep.start()
        running = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        while asleep.is_alive() and other.execute(running).fetchone() == (0,):
            time.sleep(0.05)
        engine.interrupt()
        asleep.join(timeout=60)
        assert told == ["canceling statement due to user request"]
        assert engine.arrow(engine.memory(pa.table({"x": [1]}))).to_pylist() == [{"x": 1}]
