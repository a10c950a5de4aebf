"""`retinue run --explain-plan`: what each stage and each query of a run cost, and the SQL."""

from __future__ import annotations

from typing import Any

import click

from retinue.cli.render import Column, Page, Table, styled
from retinue.warehouse.trace import Query, Trace

#: So many of the dearest queries are marked, and their SQL is printed.
DEAR = 5


def to_dict(trace: Trace) -> dict[str, Any]:
    """Every stage and query, in order."""
    total = _total(trace)
    return {
        "seconds": round(total, 3),
        "stages": [
            {
                "stage": stage,
                "seconds": round(seconds, 3),
                "share": round(seconds / total, 4),
                "queries": [_query(query, total) for query in trace.queries if query.stage == stage],
            }
            for stage, seconds in trace.seconds.items()
        ],
    }


def _query(query: Query, total: float) -> dict[str, Any]:
    return {
        "step": query.name,
        "seconds": round(query.seconds, 3),
        "share": round(query.seconds / total, 4),
        "rows": query.rows,
        "sql": query.sql,
    }


def show(page: Page, trace: Trace) -> None:
    """The costs as a table, then the SQL of the queries that cost most."""
    total = _total(trace)
    by_cost = sorted(range(len(trace.queries)), key=lambda number: -trace.queries[number].seconds)
    dear = sorted(by_cost[:DEAR])
    table = Table(
        [
            Column("", right=True),
            Column("stage and step", least=24),
            Column("seconds", right=True),
            Column("share", right=True),
            Column("rows", right=True),
            Column(""),
        ]
    )
    for stage, seconds in trace.seconds.items():
        table.add("", styled(stage, "bold"), f"{seconds:.2f}", f"{seconds / total:.0%}", "", "")
        for number, query in enumerate(trace.queries):
            if query.stage != stage:
                continue
            rows = "-" if query.rows is None else f"{query.rows:,}"
            mark = styled("◆ dear" if page.unicode else "* dear", "yellow") if number in dear else ""
            share = f"{query.seconds / total:.0%}"
            table.add(str(number + 1), f"  {query.name}", f"{query.seconds:.2f}", share, rows, mark)
    page.table(table)
    inside = sum(query.seconds for query in trace.queries)
    page.line()
    page.line(f"{total:.2f} s in all, {inside:.2f} s of it in {len(trace.queries)} queries.")
    page.line("Nothing was published.")
    for number in dear:
        query = trace.queries[number]
        page.heading(f"{number + 1}  {query.stage}: {query.name}, {query.seconds:.2f} s")
        click.echo(query.sql)
    page.line()
    page.line("Every query with its SQL: --json. What to do about it: docs/howto/slow-runs.md.")


def _total(trace: Trace) -> float:
    return sum(trace.seconds.values()) or 1.0
