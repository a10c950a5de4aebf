"""What an export leaves in PostgreSQL and DuckDB is what `retinue export DIR` writes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from retinue.errors import NotFound, StoreError
from retinue.run.export import Delivered, export_to
from retinue.store.published.contract import TABLES
from retinue.workspace import Workspace
from tests.export.company import SUNDAYS, expected, in_duckdb, in_postgres, score


@pytest.fixture(params=["postgres", "duckdb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Any]:
    """A URL to export to, and what reads it."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres")
        return url, lambda: in_postgres(url)
    path = tmp_path / "retinue.duckdb"  # called like the schema, which must not confuse
    return f"duckdb://{path}", lambda: in_duckdb(path)


def dates(told: dict[str, Delivered]) -> dict[str, int]:
    return {name: one.dates for name, one in told.items() if one.dates}


def test_every_export_of_a_growing_history_holds_what_the_files_hold(
    space: Workspace, place: tuple[str, Any], tmp_path: Path
) -> None:
    url, read = place
    score(space, "r1", SUNDAYS[:4], plan="pro")
    told = export_to(space, url)
    assert read() == expected(space, tmp_path / "1")
    assert told["snapshots"] == Delivered(80, 4)

    # One more date, and one restated: only those are written.
    score(space, "r2", [SUNDAYS[2], SUNDAYS[4]], 70.0, plan="pro")
    told = export_to(space, url)
    assert read() == expected(space, tmp_path / "2")
    assert told["snapshots"] == Delivered(40, 2)
    assert told["measures"] == Delivered(0, 2)
    # Written by every run, and only one of them differs.
    assert (told["timeline"].rows, told["curves"].rows) == (3, 0)

    # Nothing new: nothing is written.
    told = export_to(space, url)
    assert read() == expected(space, tmp_path / "2")
    assert {one.rows for one in told.values()} == {0}

    # A new attribute, another one that is a number now, and fewer accounts.
    score(space, "r3", [SUNDAYS[5]], 20.0, 7, plan=3.5, seats=4.0)
    told = export_to(space, url)
    assert read() == expected(space, tmp_path / "3")
    assert dates(told) == {**dict.fromkeys(dates(told), 1), "accounts": 6}
    assert {row["plan"] for row in read()["accounts"]} == {"pro", "3.5"}

    # As if from the beginning.
    assert export_to(space, url, full=True)["snapshots"] == Delivered(107, 6)
    assert read() == expected(space, tmp_path / "3")


def test_the_table_runs_says_what_is_there(space: Workspace, postgres: str) -> None:
    score(space, "r1", SUNDAYS[:2])
    export_to(space, postgres, tables=["snapshots", "components"])
    score(space, "r2", SUNDAYS[2:3])
    export_to(space, postgres, tables=["components"])
    with psycopg.connect(postgres) as con:
        rows = con.execute(
            "SELECT table_name, project, run_id, last_as_of, package FROM retinue.runs ORDER BY 1"
        )
        assert rows.fetchall() == [
            ("components", "acme", "r2", SUNDAYS[2], "0.0.test"),
            ("snapshots", "acme", "r1", SUNDAYS[1], "0.0.test"),
        ]


def test_grants_views_keys_and_comments_are_there_and_stay(space: Workspace, postgres: str) -> None:
    score(space, "r1", SUNDAYS[:2])
    export_to(space, postgres)
    with psycopg.connect(postgres) as con:
        con.execute("DROP ROLE IF EXISTS analyst")
        con.execute("CREATE ROLE analyst")
        con.execute("GRANT USAGE ON SCHEMA retinue TO analyst")
        con.execute("GRANT SELECT ON retinue.snapshots TO analyst")
        con.execute("CREATE VIEW risky AS SELECT account_id FROM retinue.snapshots WHERE band = 'watch'")
    score(space, "r2", SUNDAYS[2:3], plan="pro")
    export_to(space, postgres)
    with psycopg.connect(postgres) as con:
        keys = con.execute(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'retinue.measures'::regclass"
        ).fetchall()
        assert any("UNIQUE" in key and "(account_id, as_of, component, metric)" in key for (key,) in keys)
        assert any("(as_of)" in key for (key,) in keys)
        comment = con.execute(
            "SELECT col_description('retinue.snapshots'::regclass, 8), "
            "obj_description('retinue.runs'::regclass)"
        ).fetchone()
        assert comment == ("What the data say: base + adjustment.", "Of which run each table is.")
        con.execute("SET ROLE analyst")
        assert con.execute("SELECT count(*) FROM retinue.snapshots").fetchone() == (60,)
        con.execute("RESET ROLE")
        assert con.execute("SELECT count(*) FROM risky").fetchone() == (60,)
        con.execute("REVOKE ALL ON SCHEMA retinue FROM analyst")
        con.execute("REVOKE ALL ON retinue.snapshots FROM analyst")
        con.execute("DROP ROLE analyst")


def test_a_column_that_a_view_needs_is_not_taken_away(space: Workspace, postgres: str) -> None:
    score(space, "r1", SUNDAYS[:2], plan="pro")
    export_to(space, postgres)
    before = in_postgres(postgres)
    with psycopg.connect(postgres) as con:
        con.execute("CREATE VIEW plans AS SELECT plan FROM retinue.accounts")
    score(space, "r2", SUNDAYS[:2], plan=1.0)
    with pytest.raises(
        StoreError, match=r"view plans depends on column plan.*drop what depends on the column"
    ):
        export_to(space, postgres)
    assert in_postgres(postgres) == before


def test_tables_of_somebody_else_are_not_touched(space: Workspace, place: tuple[str, Any]) -> None:
    url, _read = place
    score(space, "r1", SUNDAYS[:1])
    text = "there is a table 'accounts' in the schema that no export has made"
    if url.startswith("duckdb"):
        with duckdb.connect(url.removeprefix("duckdb://")) as con:
            con.execute("CREATE TABLE accounts AS SELECT 1 AS mine")
        with pytest.raises(StoreError, match=text):
            export_to(space, url, schema="main")
        with duckdb.connect(url.removeprefix("duckdb://")) as con:
            assert con.execute("SELECT mine FROM accounts").fetchall() == [(1,)]
            assert con.execute("SHOW TABLES").fetchall() == [("accounts",)]
        return
    with psycopg.connect(url) as con:
        con.execute("CREATE TABLE accounts AS SELECT 1 AS mine")
    with pytest.raises(StoreError, match=text):
        export_to(space, f"{url}?schema=public")
    with psycopg.connect(url) as con:
        assert con.execute("SELECT mine FROM accounts").fetchall() == [(1,)]
        assert con.execute("SELECT to_regclass('snapshots')").fetchone() == (None,)


def test_two_projects_do_not_share_a_schema(space: Workspace, postgres: str, tmp_path: Path) -> None:
    from tests.export.company import workspace

    score(space, "r1", SUNDAYS[:1])
    export_to(space, postgres)
    other = workspace(tmp_path / "other", "globex")
    score(other, "r2", SUNDAYS[:2])
    with pytest.raises(StoreError, match="tables of another project, 'acme'"):
        export_to(other, postgres)
    export_to(other, postgres, schema='Globex "2"')
    assert in_postgres(postgres, 'Globex "2"') == expected(other, tmp_path / "out")
    other.store.close()


def test_errors_say_what_to_do_and_hold_no_password(space: Workspace, postgres: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="retinue run"):
        export_to(space, postgres)
    score(space, "r1", SUNDAYS[:1])
    with pytest.raises(NotFound, match="no published table is called 'scores'"):
        export_to(space, postgres, tables=["scores"])
    for url, text in (
        (postgres.replace("retinue@", "nobody:geheim@"), 'role "nobody" does not exist'),
        ("postgresql://me:geheim@127.0.0.1:1/db", "cannot connect to postgresql://me@127.0.0.1:1/db"),
        ("oracle9://me:geheim@h/db", "cannot export to oracle9://me@h/db"),
        (str(tmp_path), "not the URL of a database"),
        (f"duckdb://{tmp_path}/none/x.duckdb", "none"),
    ):
        with pytest.raises(StoreError) as raised:
            export_to(space, url)
        assert text in str(raised.value)
        assert raised.value.hint
        assert "geheim" not in str(raised.value)
        assert "\n" not in str(raised.value)
    with psycopg.connect(postgres) as con:
        con.execute("DROP ROLE IF EXISTS reader")
        con.execute("CREATE ROLE reader LOGIN")
    with pytest.raises(StoreError, match=r"permission denied.*the user of the URL needs CREATE"):
        export_to(space, postgres.replace("retinue@", "reader@"))
    with psycopg.connect(postgres) as con:
        con.execute("DROP ROLE reader")


# What Ibis asks of pandas on the way to SQLite.
@pytest.mark.filterwarnings("ignore:The 'future.infer_string' option")
def test_a_database_that_ibis_knows_gets_new_tables_in_the_place_of_the_old(
    space: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "bi.db"

    def look() -> list[Any]:
        with closing(sqlite3.connect(path)) as con:
            tables = con.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
            runs = con.execute("SELECT DISTINCT run_id, last_as_of FROM retinue_runs ORDER BY 1").fetchall()
            keys = "SELECT account_id, as_of, base FROM retinue_snapshots ORDER BY 1, 2"
            return [tables, runs, con.execute(keys).fetchall()]

    score(space, "r1", SUNDAYS[:3])
    export_to(space, f"sqlite://{path}", tables=["snapshots", "components"])
    export_to(space, f"sqlite://{path}")
    score(space, "r2", SUNDAYS[2:4], 70.0, plan="pro")
    told = export_to(space, f"sqlite://{path}", tables=["snapshots", "accounts"])
    assert told["snapshots"] == Delivered(80, 4)
    tables, runs, rows = look()
    assert [name for (name,) in tables] == sorted(f"retinue_{name}" for name in (*TABLES, "runs", "_parts"))
    assert runs == [("r1", str(SUNDAYS[2])), ("r2", str(SUNDAYS[3]))]
    wanted = expected(space, tmp_path / "out")["snapshots"]
    assert rows == sorted((row["account_id"], str(row["as_of"]), row["base"]) for row in wanted)

    before = look()
    for file in (space.project.home / "runs" / "r2").rglob("components.parquet"):
        file.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="damaged"):
        export_to(space, f"sqlite://{path}")
    assert look()[1:] == before[1:]
    with closing(sqlite3.connect(path)) as con:
        con.execute("DROP TABLE retinue_runs")
    with pytest.raises(StoreError, match="that no export has made"):
        export_to(space, f"sqlite://{path}")
