"""A whole project over a database, and its scores in another one."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import adbc_driver_postgresql.dbapi
import duckdb
import psycopg
import pytest

from retinue.store.published.contract import TABLES
from tests.cli.company import NOW
from tests.conftest import ROOT


@pytest.fixture
def moved(unscored: Path, postgres: str) -> Path:
    """The company with its tables in PostgreSQL, typed, and no files."""
    with adbc_driver_postgresql.dbapi.connect(postgres) as con, con.cursor() as cursor:
        for path in (unscored / "data").glob("*.csv"):
            rows = duckdb.read_csv(str(path)).to_arrow_table()
            cursor.adbc_ingest(path.stem, rows, mode="create")
            path.unlink()
        con.commit()
    settings = unscored / "retinue.yaml"
    text = settings.read_text()
    place = r"\1table: public.\2\n\1database: ${WAREHOUSE}"
    text = re.sub(r"^( +)table: data/(\w+)\.csv$", place, text, flags=re.MULTILINE)
    settings.write_text(
        re.sub(r"table: data/(\w+)\.csv", r"table: public.\1, database: '${WAREHOUSE}'", text)
    )
    return unscored


def test_a_project_over_postgresql_gives_the_bytes_that_files_give(
    moved: Path, acme: Path, retinue, told, postgres: str, tmp_path: Path
) -> None:
    secret = {"WAREHOUSE": postgres.replace("retinue@", "retinue:geheim@")}
    weekly = ["--from", "2026-01-04", "--to", "2026-03-29", "--every", "week"]
    said = [
        retinue("check", "-C", moved, **secret),
        *(retinue("run", "-C", moved, *dates, **secret) for dates in (weekly, [])),
    ]
    said.append(retinue("export", tmp_path / "moved", "-C", moved, **secret))
    told("export", tmp_path / "files", "-C", acme)
    for name in TABLES:
        file = f"{name}.parquet"
        assert (tmp_path / "moved" / file).read_bytes() == (tmp_path / "files" / file).read_bytes(), name

    said.append(retinue("export", "--to", "${WAREHOUSE}", "--schema", "bi", "-C", moved, **secret))
    assert re.search(r"/test_\d+ bi\.snapshots +\d+ rows of 15 dates\n", said[-1].stdout)
    again = told("export", "--to", "${WAREHOUSE}", "--schema", "bi", "-C", moved, **secret)
    assert again["to"].endswith(" bi")
    assert again["written"]["snapshots"] == {"rows": 0, "dates": 0}
    with psycopg.connect(postgres) as con:
        assert con.execute("SELECT count(*) FROM bi.snapshots").fetchone() == (8 * 15 - 9,)

    wrong = {"WAREHOUSE": secret["WAREHOUSE"].replace("/test_", "/no_")}
    said.append(retinue("run", "-C", moved, status=1, **wrong))
    assert "does not exist" in said[-1].stderr
    said.append(retinue("export", "--to", "${WAREHOUSE}", "-C", moved, status=1, **wrong))
    assert "does not exist" in said[-1].stderr
    assert all("geheim" not in one.output for one in said)
    files = [path for path in moved.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not any(b"geheim" in path.read_bytes() for path in files)


def stopped(folder: Path, url: str, arguments: list[str], number: int, waits_for: str) -> tuple[int, str]:
    """Status and errors of a command that gets a signal while the server keeps it waiting."""
    done = subprocess.Popen(
        [sys.executable, "-c", "from retinue.cli import main; main()", *arguments, "-C", folder],
        env={"PYTHONPATH": str(ROOT / "src"), "WAREHOUSE": url, "RETINUE_NOW": NOW, "PATH": ""},
        stderr=subprocess.PIPE,
        text=True,
    )
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = %s AND datname = current_database()"
    with psycopg.connect(url, autocommit=True) as con:
        while done.poll() is None and con.execute(waiting, [waits_for]).fetchone() is None:
            time.sleep(0.05)
        done.send_signal(number)
        _, errors = done.communicate(timeout=120)
        assert con.execute(waiting, [waits_for]).fetchone() is None
    return done.returncode, errors


def test_a_signal_ends_what_the_server_does_for_a_run(moved: Path, postgres: str) -> None:
    with psycopg.connect(postgres) as con:
        con.execute("ALTER TABLE surveys RENAME TO asked")
        con.execute("CREATE VIEW surveys AS SELECT a.* FROM asked a, (SELECT pg_sleep(600)) s")
    status, errors = stopped(moved, postgres, ["run"], signal.SIGINT, "PgSleep")
    assert (status, errors.splitlines()[-1][:8]) == (130, "stopped:"), errors


def test_a_signal_ends_an_export_that_waits_for_another(acme: Path, postgres: str) -> None:
    with psycopg.connect(postgres) as con:
        con.execute("SELECT pg_advisory_xact_lock(hashtext('retinue export retinue'))")
        arguments = ["export", "--to", "${WAREHOUSE}"]
        status, errors = stopped(acme, postgres, arguments, signal.SIGTERM, "advisory")
    assert (status, len(errors.splitlines())) == (143, 1), errors


def test_where_to_export_is_said_once(acme: Path, retinue, tmp_path: Path) -> None:
    for wrong in ([], [tmp_path, "--to", "duckdb:///x"], [tmp_path, "--full"], ["--to", "${NOT_THERE}"]):
        done = retinue("export", *wrong, "-C", acme, status=2)
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
    path = tmp_path / "bi.duckdb"
    retinue("export", "--to", f"duckdb://{path}", "--table", "snapshots", "-C", acme)
    with duckdb.connect(str(path)) as con:
        found = con.execute("SELECT count(*) FROM retinue.snapshots").fetchone()
    assert found == (8 * 15 - 9,)
