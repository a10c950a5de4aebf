"""What SQL metrics give: the values of equal metrics of the grammar, on the same days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from retinue.warehouse import engine, spine
from retinue.warehouse.facts import sources as facts
from retinue.warehouse.metrics import feeds
from retinue.warehouse.metrics import kinds as metrics
from tests.sandbox.company import SUNDAYS, Company, Ready

COUNT = """
select account_id, as_of, count(*) as value
from events
where day > as_of - interval 28 day
group by account_id, as_of
"""


def grammar(company: Company, declared: dict[str, object]) -> dict[tuple[str, date], float]:
    project = company.project(COUNT, other=declared)
    other = {"other": project.metrics["other"]}
    with engine.connect(project, threads=1) as used:
        loaded = facts.load(used, project, metrics.wanted(other, project.sources))
        grid = spine.build(used, loaded.accounts, list(SUNDAYS))
        known = feeds.known(used, loaded.sources)
        around = grid.rows.join(loaded.accounts.select("ix", "account_id", "started_on"), "ix")
        found = metrics.compute(used, grid, other, loaded.sources, known, around.drop("account_id"), {})
        ids = loaded.accounts.select("ix", "account_id")
        rows = used.arrow(found.table.join(ids, "ix").select("account_id", "as_of", value="v0")).to_pylist()
    return {(row["account_id"], row["as_of"]): row["value"] for row in rows if row["value"]}


def test_a_count_equals_that_of_the_grammar(company: Company, ready: Ready) -> None:
    values = ready.values(COUNT)
    assert len(values) > 10
    assert values == grammar(company, {"count": "events", "window": "28d"})


def test_a_sum_is_of_exact_numbers_and_equals_that_of_the_grammar(company: Company, ready: Ready) -> None:
    text = "select account_id, as_of, sum(amount) as value from events group by all"
    assert ready.values(text) == grammar(company, {"sum": "events.value"})


def test_a_column_with_a_clock_of_its_own_is_seen_once_it_is_known(ready: Ready) -> None:
    text = "select account_id, as_of, max(cast({} as int)) as value from events group by 1, 2"
    values = ready.values(text.format("mark"))
    assert values == ready.values(text.format("grade"))
    assert {day: value for (account, day), value in values.items() if account == "b"} == {
        date(2024, 2, 4): 1.0
    }
    assert values["a", date(2024, 1, 28)] == 5.0
    assert ("a", date(2024, 1, 21)) not in values


@pytest.mark.parametrize("column", ["ended", "closed_on"])
def test_an_end_is_seen_once_it_is_known(ready: Ready, column: str) -> None:
    """The table of today says when a row ended; on an earlier day it was still open."""
    text = f"select account_id, as_of, count({column}) as value from events group by 1, 2"
    values = ready.values(text)
    assert values["a", date(2024, 1, 14)] == 0
    assert values["a", date(2024, 1, 21)] == 1
    assert values["a", date(2024, 2, 18)] == 1
    assert values["a", date(2024, 2, 25)] == 2


def test_accounts_are_there_while_they_are_alive(ready: Ready) -> None:
    values = ready.values("select account_id, as_of, 1 as value from spine")
    days = {account: [day for a, day in values if a == account] for account in "abc"}
    assert sorted(days["a"]) == list(SUNDAYS)
    assert (min(days["b"]), max(days["b"])) == (date(2024, 1, 14), date(2024, 2, 4))
    assert min(days["c"]) == date(2024, 2, 4)


@pytest.mark.parametrize(
    "text",
    [
        "with recent as (select * from events where day > as_of - 14) "
        "select account_id, as_of, count(distinct kind) as value from recent group by 1, 2",
        "select e.account_id, e.as_of, count(*) as value from events e "
        "join visits v on v.account_id = e.account_id and v.day = e.day group by 1, 2",
        "select account_id, as_of, value from (select account_id, as_of, cast(kind = 'login' as int) "
        "as value, row_number() over (partition by account_id "
        "order by occurred desc, kind) as nth from events) "
        "where nth = 1",
        "select s.account_id, s.as_of, (select count(*) from events e where e.account_id = s.account_id) "
        "as value from spine s",
        "select account_id, as_of, 1 as value from events group by all union all "
        "select account_id, as_of, 0 as value from spine where not exists "
        "(select 1 from events e where e.account_id = spine.account_id)",
        "SELECT S.ACCOUNT_ID, s.As_Of, coalesce(date_diff('day', max(E.day), s.as_of), 99) AS \"Value\" "
        "FROM Spine S LEFT JOIN Events E ON E.account_id = s.account_id GROUP BY 1, 2",
        "select account_id, as_of, sum(value) / nullif(count(*), 0) as value from events "
        "where kind ilike 'ED%' or kind in ('login') group by all having count(*) > 0 "
        "-- a comment; not a statement",
    ],
)
def test_the_usual_sql_works(ready: Ready, text: str) -> None:
    assert ready.values(text)


def test_an_outer_join_keeps_the_accounts_without_rows(ready: Ready) -> None:
    """`as_of` of a row that an outer join makes up is empty, in conditions too."""
    text = (
        "select s.account_id, s.as_of, 1 as value from spine s "
        "left join events e on e.account_id = s.account_id and e.kind = 'edit' where e.as_of is null"
    )
    assert set(ready.values(text)) == {("b", day) for day in SUNDAYS[1:5]}


def test_conditions_of_a_join_see_the_date_and_what_an_earlier_join_made_up(ready: Ready) -> None:
    """Two readings of the same: windows in the join's condition, and in the rows before it."""
    joined = (
        "select s.account_id, s.as_of, count(e.day) + 100 * count(f.day) as value from spine s "
        "left join events e on e.account_id = s.account_id and e.as_of = s.as_of and e.day > s.as_of - 14 "
        "and e.kind = 'edit' left join events f on f.account_id = s.account_id and f.as_of = e.as_of "
        "group by 1, 2"
    )
    before = (
        "with e as (select * from events where day > as_of - 14 and kind = 'edit') "
        "select s.account_id, s.as_of, count(e.day) + 100 * count(f.day) as value from spine s "
        "left join e using (account_id) left join events f on f.account_id = e.account_id group by 1, 2"
    )
    values = ready.values(joined)
    assert values == ready.values(before)
    assert len(set(values.values())) > 2


def test_what_is_not_a_finite_number_is_no_value(ready: Ready) -> None:
    number = "case account_id when 'a' then 1 / 0 when 'b' then ln(1) end"
    text = f"select account_id, as_of, {number} as value from spine"
    assert {account for account, _ in ready.values(text)} == {"b"}


def test_values_on_a_date_do_not_depend_on_the_other_dates(company: Company) -> None:
    """Rows of other dates are not there to be counted, not even across `as_of`."""
    text = (
        "select s.account_id, s.as_of, count(e.day) + max(c.n) as value "
        "from spine s left join events e using (account_id) "
        "cross join (select count(*) as n from events) c group by 1, 2"
    )
    whole = company.values(text)
    for day in (SUNDAYS[1], SUNDAYS[6]):
        assert company.values(text, (day,)) == {key: value for key, value in whole.items() if key[1] == day}


@pytest.mark.parametrize("n", [0, 4])
def test_rows_of_later_days_change_nothing(company: Company, n: int) -> None:
    """Poison: rows that happen, or become known, after a day; ends and grades that come after it."""
    day = SUNDAYS[n]
    later = day + timedelta(days=1)
    text = (
        "select s.account_id, s.as_of, count(e.day) * 1000 + count(e.closed_on) * 100 + count(e.mark) * 10 "
        "+ sum(count(e.day)) over () as value "
        "from spine s left join events e using (account_id) group by 1, 2"
    )
    before = company.values(text)
    company.events += (
        f"a,{later},{later},login,5,,5,{later}\n"
        f"a,2024-01-03,{later},login,5,,5,{later}\n"
        f"b,{later},2024-01-01,edit,5,{later},5,2024-01-01\n"
    )
    after = company.values(text)
    same = {key for key in {*before, *after} if before.get(key) == after.get(key)}
    assert {key for key in {*before, *after} if key[1] <= day} <= same
    assert {key for key in after if key[1] > day} - same


def test_the_order_of_rows_does_not_matter(company: Company) -> None:
    text = (
        "select account_id, as_of, length(first(kind)) + sum(cast(amount as double) / 3) as value "
        "from events group by 1, 2"
    )
    before = company.values(text)
    head, *rows = company.events.strip().splitlines()
    company.events = "\n".join([head, *reversed(rows)]) + "\n"
    assert company.values(text) == before
