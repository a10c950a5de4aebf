"""A whole project over a database, and its scores in another one."""

from __future__ import annotations

import re
from pathlib import Path

import adbc_driver_postgresql.dbapi
import duckdb
import psycopg
import pytest

from retinue.store.contract import TABLES


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
