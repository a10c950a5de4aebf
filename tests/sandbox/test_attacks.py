"""SQL that reaches for files, network, settings or the machine is refused, and is harmless if it is not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from retinue.errors import RunError
from retinue.warehouse.metrics import sandbox, sandbox_child
from tests.sandbox.company import Company

SECRET = "swordfish"

# The SQL must not read the file {secret}, may read {own}, and must not make {new}.
ATTACKS = [
    "select * from read_csv('{secret}')",
    "select * from read_csv_auto('{secret}')",
    "select * from read_text('{secret}')",
    "select * from read_blob('{secret}')",
    "select * from read_json('{secret}')",
    "select * from read_parquet('{secret}')",
    "select * from parquet_metadata('{secret}')",
    "select * from sniff_csv('{secret}')",
    "select * from glob('{folder}/*')",
    "select * from '{secret}'",
    'select * from "{secret}"',
    "from '{secret}'",
    "copy (select 1) to '{new}'",
    "copy (select 1) to '{own}'",
    "copy events from '{secret}'",
    "export database '{new}'",
    "import database '{folder}'",
    "attach '{new}' as other",
    "attach 'https://example.org/x.db' as other",
    "install httpfs",
    "load httpfs",
    "load '{secret}'",
    "pragma database_list",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set memory_limit = '100GB'",
    "reset enable_external_access",
    "select current_setting('temp_directory')",
    "create table t as select 1",
    "create macro events() as 1",
    "create secret s (type s3)",
    "create or replace view spine as select 1",
    "drop table spine",
    "select 1; drop table spine",
    "select 1 /* ; */ ; copy (select 1) to '{new}' --",
    "select 1 as a --\n; attach '{new}'",
    "select account_id /* /* */ from spine */ from spine union select content from read_text('{secret}')",
    "select e'\\'' from read_text('{secret}') -- '",
    "select $$a$$ from read_text('{secret}')",
    "select getenv('RETINUE_TEST_SECRET')",
    "select getvariable('as_of')",
    "set variable x = (select content from read_text('{secret}'))",
    "select * from query('select * from read_text(''{secret}'')')",
    "select * from query_table('{secret}')",
    "select * from query_table(['spine'])",
    "select * from information_schema.tables",
    "select * from duckdb_settings()",
    "select * from duckdb_secrets()",
    "select * from pg_catalog.pg_tables",
    "select * from sqlite_master",
    "select * from main.spine",
    "select account_id, as_of, 1 as value from (with duckdb_tables as (select 1) select 1), duckdb_tables",
    "with events as (select 1) select account_id, as_of, 1 as value from events",
    "with recursive t(n) as (select 1 union all select n + 1 from t) select * from t",
    "with recursive t as (select 1 as n union all select n + 1 from t where n < 9) select n from t",
    "select * from generate_series(1, 10)",
    "select * from range(10)",
    "select unnest([1, 2])",
    "select list_transform([1, 2], lambda x: x + 1)",
    "select repeat('x', 10)",
    "select lpad('x', 10, 'y')",
    "select random(), uuid(), now(), current_date, current_timestamp, today()",
    "select current_user, version(), current_database()",
    "select age(occurred) from events",
    "select nextval('s')",
    "select $1",
    "select ?",
    "select $as_of",
    "pivot events on kind using count(*)",
    "select * from events tablesample 10%",
    "select columns('.*') from events",
    "select account_id into t from events",
    "select * from events for update",
    "select * from events positional join visits",
    "call pragma_version()",
    "explain analyze select 1",
    "describe events",
    "summarize events",
    "show tables",
    "prepare p as select 1",
    "execute p",
    "checkpoint",
    "vacuum",
    "use memory",
    "detach memory",
    "insert into spine select 1",
    "update spine set as_of = null",
    "delete from spine",
    "begin transaction",
    "comment on table spine is 'x'",
]


def places(folder: Path) -> dict[str, str]:
    secret, own = folder / "secret.csv", folder / "own.parquet"
    secret.write_text(f"content\n{SECRET}\n")
    duckdb.sql("select 1 as ix").write_parquet(str(own))
    return {"secret": str(secret), "own": str(own), "new": str(folder / "new"), "folder": str(folder)}


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_is_refused_before_anything_runs(company: Company, tmp_path: Path, attack: str) -> None:
    text = attack.format(**places(tmp_path))
    sources = company.project("").sources
    assert sandbox.problems(text, sources, "custom.sql")
    # Also where it hides in a query that is allowed.
    inside = f"select account_id, as_of, 1 as value from spine where exists ({text})"
    assert sandbox.problems(inside, sources, "custom.sql")


DRIVER = """
import importlib.util, json, sys
request = json.load(sys.stdin)
spec = importlib.util.spec_from_file_location("child", request["child"])
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
sys.path.append(request["libraries"])
child.limit(request)
told = []
for attack in request["attacks"]:
    con = child.connect(request)
    try:
        told.append(str(con.execute(attack).fetchall()))
    except Exception as error:
        told.append("refused: " + str(error))
    con.close()
print(json.dumps(told))
"""


def test_it_is_harmless_even_where_it_runs(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The allow-list is passed by, and each attack is run with the settings of the child alone."""
    found = places(tmp_path)
    monkeypatch.setenv("RETINUE_TEST_SECRET", SECRET)
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    before = sorted(tmp_path.rglob("*")), Path(found["own"]).read_bytes()
    request = sandbox.Request("", {}, [found["own"]], "UTC", 256 << 20, 60)
    told = {
        **request.told(exchange),
        "child": sandbox_child.__file__,
        "attacks": [attack.format(**found) for attack in ATTACKS],
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", DRIVER],
        input=json.dumps(told).encode(),
        stdout=subprocess.PIPE,
        env={},
        cwd=exchange,
        check=True,
    )
    answers = dict(zip(ATTACKS, json.loads(done.stdout), strict=True))
    assert not [attack for attack, answer in answers.items() if SECRET in answer]
    reaching = [a for a in ATTACKS if any(place in a for place in ("{secret}", "{new}", "{folder}", "https"))]
    assert len(reaching) > 20
    assert not [a for a in reaching if not answers[a].startswith("refused")]
    settings = [
        a for a in ATTACKS if a.startswith(("set enable", "set lock", "set memory", "reset", "install"))
    ]
    assert not [a for a in settings if not answers[a].startswith("refused")]
    assert (sorted(tmp_path.rglob("*")), Path(found["own"]).read_bytes()) == before


def run(text: str, folder: Path, seconds: int = 30) -> None:
    sandbox.run(sandbox.Request(text, {"2024-01-07": 3}, [], "UTC", 256 << 20, seconds), folder, "x.sql")


@pytest.mark.parametrize(
    "text",
    [
        "select 'a' as account_id, $as_of as as_of, length(repeat('x', 3000000000)) as value",
        "select 'a' as account_id, $as_of as as_of, len(list(i)) as value from range(2000000000) t(i)",
        "select 'a' as account_id, $as_of as as_of, length(repeat(repeat('x', 1000000), 4000)) as value",
    ],
)
def test_a_memory_bomb_ends_with_a_clear_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(RunError, match="memory") as caught:
        run(text, tmp_path)
    assert "\n" not in str(caught.value)
    assert "x.sql" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "select 'a' as account_id, $as_of as as_of, count(*) as value from range(9000000000) a, range(9) b",
        "select 'a' as account_id, $as_of as as_of, pg_sleep(600) as value",
    ],
)
def test_a_query_without_end_is_stopped(tmp_path: Path, text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(RunError):
        run(text, tmp_path, seconds=3)
    assert time.perf_counter() - began < 20


def test_a_query_of_endless_rows_is_cut_off_where_it_cannot_be_right(tmp_path: Path) -> None:
    run("select i::varchar as account_id, $as_of as as_of, 1 as value from range(9000000000) t(i)", tmp_path)
    assert (tmp_path / sandbox.RESULT).stat().st_size < 10_000_000


def test_more_than_one_statement_does_not_run_in_the_child_either(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not one SELECT"):
        run("select 1; select 2", tmp_path)
    with pytest.raises(RunError, match="not one SELECT"):
        run("create table t as select 1", tmp_path)


def test_the_child_leaves_nothing_behind(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    company.values("select account_id, as_of, 1 as value from events group by all")
    assert list(folder.iterdir()) == []
    assert {path.name for path in company.root.iterdir()} == {"accounts.csv", "events.csv", "temporary"}
