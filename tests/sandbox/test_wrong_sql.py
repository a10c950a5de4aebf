"""SQL that cannot be used is told in one line: the file, the line, what is wrong."""

from __future__ import annotations

import pytest

from retinue.errors import ProjectError, RetinueError, RunError
from retinue.warehouse.metrics import sandbox
from tests.sandbox.company import Company, Ready


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("select account_id, as_of from spine", "sql/custom.sql:1: returns the columns account_id, as_of"),
        ("select account_id,\n as_of, now() as value\n from spine", "sql/custom.sql:2: the function now"),
        (
            "select account_id, as_of,\n 1 as value\nfrom event",
            "sql/custom.sql:3: there is no source 'event' (did you mean events?)",
        ),
        (
            "select account_id, as_of, sum(e.x) as value from events f group by all",
            "there is no table 'e' here",
        ),
        (
            "select account_id, as_of, max(kind) as value from events join visits using (account_id, as_of) "
            "group by 1, 2",
            "which table has 'kind'? (write `table.column`)",
        ),
        ("select account_id, as_of, kind as value from spine", "there is no column 'kind' here"),
        ("select account_id, as_of, 1 as value from", "sql/custom.sql"),
        ("select (((", "sql/custom.sql"),
        ("", "no statement (write one SELECT)"),
        ("select 'abc", "sql/custom.sql"),
        (
            "with spine as (select 1) select account_id, as_of, 1 as value from spine",
            "this is the name of a source",
        ),
        ("select " + "(" * 5000 + "1" + ")" * 5000, "sql/custom.sql"),
        ("select '" + "x" * 200_000 + "'", "longer than 100000 characters"),
    ],
)
def test_what_can_be_seen_without_running_is_told_by_check(
    company: Company, ready: Ready, text: str, told: str
) -> None:
    project = company.project(text)
    found = sandbox.check(project)
    assert told in str(found[0])
    assert "\n" not in str(found[0])
    with pytest.raises(ProjectError):
        ready.values(text)


def test_every_fault_is_told_at_once(company: Company) -> None:
    text = "select account_id, as_of,\nrandom() +\ngetenv('x') as value\nfrom read_csv('x')"
    found = sandbox.problems(text, company.project(text).sources, "custom.sql")
    assert [(p.place.line, p.message) for p in found] == [
        (2, "the function random is not allowed"),
        (3, "the function getenv is not allowed"),
        (4, "the table function read_csv is not allowed"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "select account_id, as_of, sum(kind || 'x') as value from events group by 1, 2",
            "No function matches",
        ),
        ("select account_id, as_of, kind as value from events", "value is string, not a number"),
        ("select 7 as account_id, as_of, 1 as value from spine", "account_id is int32"),
        ("select account_id, cast(as_of as timestamp) as as_of, 1 as value from spine", "as_of is timestamp"),
        ("select *, 1 as value, 2 as x from spine", "returns the columns account_id, as_of, value, x"),
        (
            "select account_id, as_of, cast(account_id as int) as value from spine",
            "Could not convert string 'a'",
        ),
        (
            "select account_id, as_of, 1 as value from events",
            "returns several rows for account 'a' on 2024-01-07",
        ),
        ("select 'zz' as account_id, as_of, 1 as value from spine", "account 'zz' on 2024-01-07"),
        (
            "select account_id, as_of - 7 as as_of, 1 as value from spine",
            "returns an as_of that is not that of its tables for account 'a' on 2024-01-07",
        ),
        (
            "select max(account_id) as account_id, as_of, 1 as value from events where 1 = 0 group by all "
            "union all select null, as_of, 2 from spine where account_id = 'a'",
            "returns a row without account_id on 2024-01-07",
        ),
    ],
)
def test_a_query_that_fails_gives_one_line(ready: Ready, text: str, told: str) -> None:
    with pytest.raises(RunError) as caught:
        ready.values(text)
    assert told in str(caught.value)
    assert str(caught.value).startswith("sql/custom.sql: SQL: ")
    assert "\n" not in str(caught.value)


def test_a_column_that_the_table_does_not_have_is_told_with_the_nearest(company: Company) -> None:
    with pytest.raises(RetinueError, match=r"there is no column 'kinds' .*did you mean kind\?"):
        company.values("select account_id, as_of, count(distinct kinds) as value from events group by 1, 2")
