"""The week of a leader, against plain counting; the trial and the plan as they are kept."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from retinue.desk import background
from retinue.desk.leadership import AHEAD, Leadership, leadership
from retinue.desk.losses import ensure_losses
from retinue.desk.plain import plain, rebuilt
from retinue.desk.scorecards import keep_plan, may_plan, planned, scorecard, scorecards
from retinue.desk.trust import Trust, keep_trial, keep_up, start_trial, trust
from retinue.errors import Forbidden, NotFound
from retinue.insight.validation.report import Report
from retinue.report import leadership as report
from retinue.run.plan import plan
from retinue.run.validate import Validated, validate
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.work.said import add_override
from retinue.store.work.task_changes import close_task
from retinue.store.work.tasks import add_task
from retinue.workspace import Workspace, open_workspace
from tests.desk.trading import FIRST, LAST, SOME, rows_of, run_of, trading, visible_to
from tests.run.company import score
from tests.waiting import PATIENCE

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
NEXT = LAST + timedelta(days=1)
EVERYBODY = (OPERATOR, *SOME)


@pytest.fixture(scope="module")
def tried(company: Workspace) -> Validated:
    """A trial of the company; that of a copy is the same."""
    return validate(company, now=NOW)


@pytest.fixture(scope="module")
def next_day(
    _trading: Path, tried: Validated, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workspace, str]]:
    """A copy with a trial, a changed scorecard and an override, and then a run of the next day; the account
    that is overridden."""
    root = Path(shutil.copytree(_trading, tmp_path_factory.mktemp("next") / "trading"))
    company = open_workspace(root, {})
    assert trusted(company).trial is None and week(company).verdict is None
    keep_trial(company, run_of(company), tried)
    assert not trusted(company).stale
    name = next(row["account_id"] for row in rows(company, SOME[0], LAST) if row["effective"] is not None)
    told = {"reason": "they merge", "owner": "Ann", "starts_on": NEXT}
    add_override(company.store, name, "set", 3.0, by=OPERATOR, now=NOW, **told)
    company.store.close()
    trading().with_card(0, min_coverage=0.25).write(root)
    score(root, NEXT)
    later = open_workspace(root, {})
    yield later, name
    later.store.close()


def week(company: Workspace, actor: Actor = OPERATOR) -> Leadership:
    return leadership(company, actor, now=NOW, recorded=True)


def rows(company: Workspace, actor: Actor, day: Any) -> list[dict[str, Any]]:
    accounts = rows_of(company, "accounts", day)
    mine, now = visible_to(company, actor), set(rows_of(company, "snapshots", LAST))
    return [
        {**accounts[name], **row}
        for name, row in rows_of(company, "snapshots", day).items()
        if actor.everything or (name in mine and name in now)
    ]


@pytest.mark.parametrize("actor", EVERYBODY, ids=lambda one: one.name)
def test_revenue_at_risk_and_renewals_are_those_of_the_rows(company: Workspace, actor: Actor) -> None:
    found, there = week(company, actor), rows(company, actor, LAST)
    red = [row for row in there if row["band"] == "at_risk"]
    assert found.now.arr_bands["at_risk"] == pytest.approx(math.fsum(row["arr"] or 0 for row in red))
    day, arr = found.arr_at_risk[-1]
    assert day == LAST and arr == pytest.approx(found.now.arr_bands["at_risk"])
    for days, one in zip(AHEAD, found.due, strict=True):
        due = [
            row
            for row in there
            if row["renews_on"] and LAST <= row["renews_on"] <= LAST + timedelta(days=days)
        ]
        assert one.accounts == len(due) == sum(one.bands.values())
        assert one.arr == pytest.approx(math.fsum(row["arr"] or 0 for row in due))
        for band, count in one.bands.items():
            assert count == sum(row["band"] == band for row in due)


def test_what_moved_is_told_for_both_spans(company: Workspace) -> None:
    found = week(company)
    # Nothing is published 90 days back: the first date stands for it.
    assert [one.since for one in found.moved] == [LAST - timedelta(days=28), FIRST]
    for one in found.moved:
        m = one.movement
        assert m.parts is not None and m.before is not None and m.after is not None
        assert m.parts.points == pytest.approx(m.after - m.before, abs=1e-9)
        cells = m.migration.accounts
        assert one.worse == sum(cells[a, b] for a in range(3) for b in range(3) if b < a)
        assert one.better == sum(cells[a, b] for a in range(3) for b in range(3) if b > a)


def test_what_came_up_for_renewal_either_renewed_is_gone_or_is_open(company: Workspace) -> None:
    found = week(company)
    then = {row["account_id"]: row for row in rows(company, OPERATOR, FIRST)}
    now = {row["account_id"]: row for row in rows(company, OPERATOR, LAST)}
    came = {name: row for name, row in then.items() if row["renews_on"] and FIRST < row["renews_on"] <= LAST}
    assert found.came == len(came)
    for one in found.renewed:
        mine = {name: row for name, row in came.items() if row["band"] == one.band}
        assert one.due == len(mine) == one.renewed + one.lost + one.open
        assert one.lost == sum(name not in now for name in mine)
        assert one.renewed == sum(
            name in now and now[name]["renews_on"] > row["renews_on"] for name, row in mine.items()
        )


def test_losses_stand_by_the_band_before_them(own_company: Workspace) -> None:
    ensure_losses(own_company)
    found = week(own_company)
    assert found.losses_read
    assert sum(one.losses for one in found.losses) == sum(one.losses for one in found.lost_from) > 0
    assert not week(own_company, SOME[3]).losses


def test_the_page_is_one_file_that_holds_no_script_and_no_address(company: Workspace) -> None:
    page = report.page(week(company))
    assert page.startswith("<!doctype html>") and "<script" not in page
    for forbidden in ("http://", "https://", "src=", "@import", "url("):
        assert forbidden not in page.replace("http://www.w3.org/2000/svg", "")
    assert page == report.page(week(company))
    json.dumps(week(company).to_dict(), allow_nan=False)


def test_an_empty_view_is_a_page_too(company: Workspace) -> None:
    found = week(company, SOME[3])
    assert found.now.accounts == 0 and found.moved[0].movement.parts is None
    assert "no account to report on" in report.page(found)


# --- trust -----------------------------------------------------------------------------------------


def trusted(company: Workspace, actor: Actor = OPERATOR, *, recorded: bool = True) -> Trust:
    return trust(company, actor, now=NOW, recorded=recorded)


def test_a_trial_comes_back_as_it_was_and_is_stale_after_the_next_run(
    next_day: tuple[Workspace, str], tried: Validated
) -> None:
    company, _ = next_day
    found, verdict = trusted(company), week(company).verdict
    assert found.trial is not None and found.stale
    assert found.trial.report.to_dict() == tried.report.to_dict()
    assert verdict is not None and verdict.name == tried.report.verdict and verdict.stale


def test_the_layers_differ_by_what_people_override(
    company: Workspace, next_day: tuple[Workspace, str]
) -> None:
    assert trusted(company).judgement.overridden == 0
    later, name = next_day
    found = trusted(later).judgement
    there = [row for row in rows_of(later, "snapshots", NEXT).values() if row["effective"] is not None]
    assert (found.accounts, found.overridden) == (len(there), 1)
    for layer in ("computed", "published", "effective"):
        assert getattr(found, layer) == pytest.approx(math.fsum(row[layer] for row in there) / len(there))
    assert trusted(later, SOME[0]).judgement.overridden == (name in visible_to(later, SOME[0]))
    assert trusted(later, SOME[3]).judgement.accounts == 0


def test_a_trial_that_another_version_kept_is_none(own_company: Workspace) -> None:
    background.keep(own_company.project.home, "trial", run_of(own_company).run_id, {"report": {"verdict": 1}})
    assert trusted(own_company).trial is None


def test_amounts_of_the_trial_are_for_who_sees_every_account(
    own_company: Workspace, tried: Validated
) -> None:
    keep_trial(own_company, run_of(own_company), tried)
    all_of_it, some = trusted(own_company).trial, trusted(own_company, SOME[0]).trial
    assert all_of_it is not None and some is not None
    assert all_of_it.report.amounts and some.report.amounts == () and some.report.reasons == ()


def test_use_is_left_out_where_it_is_not_recorded(company: Workspace) -> None:
    assert trusted(company, recorded=False).adoption is None
    assert leadership(company, OPERATOR, now=NOW, recorded=False).responses is None
    assert trusted(company).adoption is not None


def test_the_week_says_how_soon_somebody_came_to_the_tasks(own_company: Workspace) -> None:
    assert leadership(own_company, OPERATOR, now=NOW, recorded=True).task_responses == ()
    first = min(rows_of(own_company, "snapshots", LAST))
    for n in range(5):
        made = NOW - timedelta(hours=10 * n + 10)
        task = add_task(own_company.store, OPERATOR, first, f"call {n}", now=made, owner=f"owner {n}")
        close_task(own_company.store, OPERATOR, task, now=made + timedelta(hours=n + 1))
    told = leadership(own_company, OPERATOR, now=NOW, recorded=True)
    (found,) = told.task_responses
    assert (found.of, found.touch.count, found.touch.median, found.touch.p90) == ("all", 5, 3.0, 5.0)
    assert "5 tasks asked for somebody" in report.page(
        leadership(own_company, OPERATOR, now=NOW, recorded=True)
    )


def test_only_who_sees_all_accounts_and_may_act_starts_a_trial(company: Workspace) -> None:
    for actor in (*SOME, dataclasses.replace(OPERATOR, role="reader")):
        with pytest.raises(Forbidden):
            start_trial(company, actor, now=NOW)


def test_a_server_has_what_pages_need_made_once_for_a_run(own_company: Workspace, tried: Validated) -> None:
    keep_up(own_company, now=NOW)
    # One of a kind goes on at a time.
    assert not start_trial(own_company, OPERATOR, now=NOW)
    assert background.wait(PATIENCE)
    work = background.work(own_company.project.home, "trial")
    assert work is not None and work.done and work.error is None
    found = trusted(own_company)
    assert found.trial is not None and not found.stale and week(own_company).losses_read
    assert found.trial.report.to_dict() == tried.report.to_dict()
    keep_up(own_company, now=NOW)
    assert background.wait(0.0)


def test_a_process_that_fails_says_why(own_company: Workspace) -> None:
    (own_company.project.root / "metrics.yaml").write_text("metrics: 3\n")
    start_trial(own_company, OPERATOR, now=NOW)
    assert background.wait(PATIENCE)
    work = background.work(own_company.project.home, "trial")
    assert work is not None and work.error is not None and "metrics.yaml" in work.error


# --- scorecards ------------------------------------------------------------------------------------


def test_a_scorecard_is_told_with_shares_that_make_the_whole(company: Workspace) -> None:
    (card,) = scorecards(company, OPERATOR).cards
    assert card.accounts == sum(row["scorecard"] == "standard" for row in rows(company, OPERATOR, LAST))
    found = scorecard(company, OPERATOR, "standard")
    assert math.fsum(part.share for part in found.components) == pytest.approx(1)
    assert math.fsum(m.share for part in found.components for m in part.measures) == pytest.approx(1)
    assert [one.level for one in found.rules] == [35]
    assert dict(found.bands) == {"at_risk": 0, "watch": 40, "healthy": 70}
    (version,) = found.versions
    assert (version.first, version.last, version.change) == (FIRST, LAST, None)
    with pytest.raises(NotFound):
        scorecard(company, OPERATOR, "no such")


def test_each_version_says_how_it_differs(next_day: tuple[Workspace, str]) -> None:
    old, new = scorecard(next_day[0], OPERATOR, "standard").versions
    assert (old.first, old.last, old.current) == (FIRST, LAST, False)
    assert (new.first, new.last, new.current) == (NEXT, NEXT, True)
    assert new.change is not None
    assert [(one.path, one.old, one.new) for one in new.change.differences] == [("min_coverage", 0.5, 0.25)]


def test_a_plan_is_kept_as_it_was(own_company: Workspace) -> None:
    root = own_company.project.root
    trading().with_card(0, bands={"at_risk": 0, "watch": 55, "healthy": 80}).write(root)
    changed = open_workspace(root, {})
    found = plan(changed, now=NOW, environ={})
    keep_plan(changed, run_of(changed), found)
    kept = planned(changed, OPERATOR).plan
    assert kept is not None and kept.to_dict() == found.to_dict() and kept.counts()["moved_band"] > 0
    changed.store.close()


def test_who_may_have_a_change_worked_out(company: Workspace) -> None:
    roles = {"admin": True, "ops": True, "leader": True, "csm": False, "reader": False}
    assert {role: may_plan(Actor("x", role=role)) for role in roles} == roles  # type: ignore[arg-type]
    assert not may_plan(SOME[1])
    with pytest.raises(Forbidden):
        planned(company, SOME[1])


def test_what_is_kept_comes_back_as_it_was(tried: Validated) -> None:
    text = json.dumps(plain(tried.report), allow_nan=False)
    assert rebuilt(Report, json.loads(text)).to_dict() == tried.report.to_dict()
    table = pa.table({"a": [1, None], "b": ["x", "y"]})
    assert rebuilt(pa.Table, plain(table)).equals(table)
