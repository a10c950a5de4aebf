"""`run --explain-plan`: what was asked of the engine, and what it cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlglot

from retinue.cli.costs import DEAR, show
from retinue.cli.render import Page
from retinue.warehouse.trace import Query, Trace
from tests.processes.command import done, folders, started
from tests.run.company import exported, listed


def test_every_query_is_there_with_sql_rows_and_seconds_and_nothing_is_published(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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

    # As text: the dearest are marked, and their SQL follows.
    queries = [
        Query(name, query["step"], query["seconds"], query["sql"], query["rows"])
        for name, stage in stages.items()
        for query in stage["queries"]
    ]
    seconds = {name: stage["seconds"] for name, stage in stages.items()}
    capsys.readouterr()
    show(Page(), Trace(queries=queries, seconds=seconds))
    table, _, rest = capsys.readouterr().out.partition("Nothing was published.")
    marked = [line.split()[0] for line in table.splitlines() if line.rstrip().endswith("dear")]
    dearest = sorted(queries, key=lambda query: -query.seconds)[:DEAR]
    assert sorted(queries[int(number) - 1].seconds for number in marked) == sorted(
        query.seconds for query in dearest
    )
    for number in marked:
        assert f"\n{number}  " in rest
        assert queries[int(number) - 1].sql in rest
