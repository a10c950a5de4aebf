"""`run --explain-plan`: what was asked of the engine, and what it cost."""

from __future__ import annotations

import json
from pathlib import Path

import sqlglot

from retinue.cli.costs import DEAR
from tests.processes.command import done, folders, started
from tests.run.company import DAY, exported, listed
from tests.run.small import D


def test_every_query_is_there_with_sql_rows_and_seconds_and_nothing_is_published(published: Path) -> None:
    before = (exported(published), listed(published), folders(published))
    kept = {path: path.read_bytes() for path in (published / ".retinue").rglob("*") if path.is_file()}
    status, out, err = done(started(published, "run", "--explain-plan", "--json", "--quiet"))
    assert (status, err) == (0, "")
    told = json.loads(out)
    stages = {stage["stage"]: stage for stage in told["stages"]}
    assert {"reading accounts", "reading levels", "computing metrics", "scoring"} <= set(stages)
    assert sum(stage["seconds"] for stage in stages.values()) <= told["seconds"] + 0.1
    for stage in stages.values():
        for query in stage["queries"]:
            assert query["rows"] is not None
            assert sqlglot.parse_one(query["sql"], dialect="duckdb") is not None
    read = {query["step"]: query for query in stages["reading levels"]["queries"]}
    assert read["levels"]["rows"] == 40 * 3
    assert (exported(published), listed(published), folders(published)) == before
    left = {path: path.read_bytes() for path in (published / ".retinue").rglob("*") if path.is_file()}
    assert left == kept


def test_the_dearest_queries_are_marked_and_their_sql_is_printed(published: Path) -> None:
    status, out, _ = done(started(published, "run", "--explain-plan", "--from", f"{D + 2 * DAY}"))
    assert status == 0
    table, _, rest = out.partition("Nothing was published.")
    marked = [line for line in table.splitlines() if line.rstrip().endswith("dear")]
    assert len(marked) == DEAR
    for line in marked:
        number = line.split()[0]
        assert f"\n{number}  " in rest
    assert rest.count("SELECT") >= DEAR
