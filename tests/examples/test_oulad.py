"""The six metrics of the OULAD example against plain SQL, on real enrolments with all their oddities."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

import retinue
from retinue.run import run
from retinue.workspace import open_workspace

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "oulad"
DATA = Path(os.environ.get("OULAD_DATA") or ROOT.parent / "shared" / "data" / "oulad-2013")
FIRST, LAST = date(2013, 2, 3), date(2014, 6, 22)

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (DATA / "clicks.parquet").exists(),
        reason="OULAD 2013 is not beside the checkout; set OULAD_DATA",
    ),
]

#: Enrolments with an oddity each are taken on purpose, the others at random but always the same.
SAMPLE = """
with odd as (
  select account_id, row_number() over (partition by oddity order by hash(account_id)) as place from (
    select account_id, 'left before the start' as oddity from a where unregistered_on < starts_on
    union select account_id, 'left on the first day' from a where unregistered_on = starts_on
    union select account_id, 'left after the end' from a where unregistered_on > ends_on
    union select account_id, 'left without a date' from a
      where final_result = 'Withdrawn' and unregistered_on is null
    union select account_id, 'no clicks' from a where account_id not in (select account_id from c)
    union select account_id, 'clicks after leaving' from a join c using (account_id)
      where date > unregistered_on
    union select account_id, 'banked' from s where is_banked
    union select account_id, 'no score' from s where submitted_on is not null and score is null
    union select account_id, 'handed in after leaving' from a join s using (account_id)
      where submitted_on > unregistered_on
    union select account_id, 'no imd_band' from a where imd_band is null))
select account_id from odd where place <= 12
union select account_id from (select account_id from a order by hash(account_id) limit 220)
"""

#: Every Sunday of an enrolment, from its first day until it is left or ends, both inclusive.
GRID = """
create table grid as select account_id, starts_on, day::date as as_of
from a, generate_series(date '2013-02-03', date '2014-06-22', interval 7 day) g(day)
where day >= starts_on and day <= least(coalesce(unregistered_on, ends_on), ends_on)
"""

#: One row per account and Sunday and metric, each counted anew. Before a source has any row, a
#: count of it is missing; a mean of nothing is missing too.
EXPECTED = """
create table expected as
with usage as (
  select g.account_id, g.as_of, g.starts_on,
    coalesce(sum(clicks) filter (date > g.as_of - 28), 0) as clicks_28d,
    count(distinct date) filter (date > g.as_of - 28) as active_days_28d,
    count(distinct activity_type) filter (date > g.as_of - 28) as activity_types_28d,
    g.as_of - coalesce(max(date), g.starts_on) as days_since_click
  from grid g left join c on c.account_id = g.account_id and c.date <= g.as_of
  group by g.account_id, g.as_of, g.starts_on),
work as (
  select g.account_id, g.as_of,
    count(*) filter (not is_banked and due_on < g.as_of and (submitted_on is null or submitted_on > g.as_of))
      as overdue_assessments,
    avg(score) filter (submitted_on + 14 <= g.as_of) as mean_score_to_date
  from grid g left join s on s.account_id = g.account_id
  group by g.account_id, g.as_of),
wide as (
  select account_id, as_of, clicks_28d::double as clicks_28d, active_days_28d::double as active_days_28d,
    activity_types_28d::double as activity_types_28d, days_since_click::double as days_since_click,
    case when as_of > (select min(due_on) from s) then overdue_assessments::double end as overdue_assessments,
    mean_score_to_date
  from usage join work using (account_id, as_of))
select * from wide unpivot include nulls (value for metric in (columns(* exclude (account_id, as_of))))
"""


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """`a`, `c`, `s` as in the files, `expected`, and what the example published of them."""
    folder = tmp_path_factory.mktemp("oulad")
    shutil.copytree(EXAMPLE, folder / "project", ignore=shutil.ignore_patterns(".retinue"))
    data = folder / "data"
    data.mkdir()
    with duckdb.connect() as con:
        con.execute("set threads = 2")
        for name, file in (("a", "accounts.csv"), ("c", "clicks.parquet"), ("s", "assessments.parquet")):
            con.execute(f"create table {name} as from '{DATA / file}'")
        con.execute(f"create table sample as {SAMPLE}")
        for name in "acs":
            con.execute(f"delete from {name} where account_id not in (select account_id from sample)")
        con.execute(f"copy a to '{data}/accounts.csv' (header)")
        con.execute(f"copy c to '{data}/clicks.parquet'")
        con.execute(f"copy s to '{data}/assessments.parquet'")
        con.execute(GRID)
        con.execute(EXPECTED)
        environ = {"OULAD_DATA": str(data)}
        workspace = open_workspace(folder / "project", environ)
        run(workspace, now=datetime(2026, 1, 1, tzinfo=UTC), first=FIRST, last=LAST, every="week")
        project = retinue.open(folder / "project", environ)
        for name in ("snapshots", "metrics"):
            con.register(f"published_{name}", project.table(name).to_arrow())
            con.execute(f"create table {name} as from published_{name}")
        yield con


def test_the_sample_has_every_oddity(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.sql(
        "select count(*) filter (unregistered_on <= starts_on), count(*) filter (unregistered_on > ends_on),"
        " count(*) filter (final_result = 'Withdrawn' and unregistered_on is null),"
        " count(*) filter (account_id not in (select account_id from c)) from a"
    ).fetchall()
    assert all(count > 0 for count in rows[0])
    assert con.sql("select count(*) from s where is_banked").fetchall() > [(0,)]


def test_each_enrolment_has_the_sundays_from_its_start_to_its_end(con: duckdb.DuckDBPyConnection) -> None:
    differing = con.sql(
        "(select account_id, as_of from grid except select account_id, as_of from snapshots)"
        " union all (select account_id, as_of from snapshots except select account_id, as_of from grid)"
    ).fetchall()
    assert differing == []
    assert con.sql("select count(*) from snapshots").fetchall() > [(5000,)]


def test_who_withdrew_before_the_first_sunday_has_no_snapshot(con: duckdb.DuckDBPyConnection) -> None:
    early = "select account_id from a where unregistered_on <= starts_on"
    assert con.sql(f"select count(*) from snapshots where account_id in ({early})").fetchall() == [(0,)]


def test_all_values_and_states_equal_plain_sql(con: duckdb.DuckDBPyConnection) -> None:
    wrong = con.sql(
        "select account_id, as_of, metric, e.value, m.value, m.state from expected e"
        " full join (from metrics where metric in (select distinct metric from expected)) m"
        " using (account_id, as_of, metric)"
        " where (e.value is null) != (m.value is null) or abs(e.value - m.value) > 1e-9"
        " or m.state is distinct from case when e.value is null then 'missing' else 'ok' end limit 20"
    ).fetchall()
    assert wrong == []
    counted = con.sql(
        "select metric, count(value) from expected group by 1 having count(value) > 1000"
    ).fetchall()
    assert len(counted) == 6
