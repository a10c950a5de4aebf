"""The portfolio of a scored company, against plain counting over its published rows."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from retinue.desk.losses import ensure_losses
from retinue.desk.panel import grid, nearest
from retinue.desk.portfolio import Portfolio, PortfolioAsk, Standing, portfolio
from retinue.errors import NotFound, StoreError
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.work.said import add_outcome
from retinue.workspace import Workspace
from tests.desk.trading import FIRST, LAST, REASONS, SOME, mean_of, rows_of, trading, visible_to

EVERYBODY = (OPERATOR, *SOME)
DIMENSIONS = ("segment", "territory", "owner", "stage", "start_cohort", "plan", "tier")


def seen(company: Workspace, actor: Actor, day: date) -> dict[str, dict[str, object]]:
    """Snapshots with attributes of the accounts that the actor may see on that date, as plain rows."""
    attributes = rows_of(company, "accounts", day)
    mine = visible_to(company, actor)
    now = set(rows_of(company, "snapshots", LAST))
    return {
        name: {**attributes[name], **row}
        for name, row in rows_of(company, "snapshots", day).items()
        if actor.everything or (name in mine and name in now)
    }


def check(found: Standing, rows: list[dict[str, object]]) -> None:
    assert found.accounts == len(rows)
    assert {k: v for k, v in found.bands.items() if v} == Counter(row["band"] for row in rows)
    assert found.scored == sum(row["effective"] is not None for row in rows) == sum(found.histogram)
    assert found.arr == pytest.approx(math.fsum(row["arr"] or 0 for row in rows))  # type: ignore[misc]
    assert math.fsum(found.arr_bands.values()) == pytest.approx(found.arr)
    assert found.mean == pytest.approx(mean_of([(row["effective"], 1.0) for row in rows]))  # type: ignore[misc]
    assert found.arr_mean == pytest.approx(mean_of([(row["effective"], row["arr"]) for row in rows]))  # type: ignore[misc]


@pytest.mark.parametrize("actor", EVERYBODY, ids=lambda one: one.name)
@pytest.mark.parametrize("by", ["segment", "territory", "owner", "stage"])
def test_groups_are_those_that_counting_rows_gives_and_add_up_to_the_whole(
    company: Workspace, actor: Actor, by: str
) -> None:
    found = portfolio(company, actor, PortfolioAsk(by, since=FIRST))
    rows = seen(company, actor, LAST)
    check(found.now, list(rows.values()))
    told = {one.value: one for one in found.groups}
    assert {value for value, one in told.items() if one.now.accounts} == {row[by] for row in rows.values()}
    for value, one in told.items():
        check(one.now, [row for row in rows.values() if row[by] == value])
        check(one.before, [row for row in seen(company, actor, FIRST).values() if row[by] == value])
    for name in ("accounts", "scored"):
        assert sum(getattr(one.now, name) for one in told.values()) == getattr(found.now, name)
    assert math.fsum(one.now.arr for one in told.values()) == pytest.approx(found.now.arr)
    for n, point in enumerate(found.trend):
        assert sum(one.trend[n].at_risk for one in told.values()) <= point.at_risk
        rows_then = seen(company, actor, point.day)
        assert point.accounts == len(rows_then)
        assert point.mean == pytest.approx(mean_of([(r["effective"], 1.0) for r in rows_then.values()]))  # type: ignore[misc]


@pytest.mark.parametrize("actor", EVERYBODY, ids=lambda one: one.name)
def test_nothing_out_of_sight_counts(company: Workspace, actor: Actor) -> None:
    if actor.everything:
        return
    whole = json.dumps(portfolio(company, actor, PortfolioAsk("owner", since=FIRST)).to_dict(), default=str)
    mine = visible_to(company, actor)
    for row in trading().accounts:
        if row["id"] not in mine:
            assert row["id"] not in whole
    owners = {row["owner"] for row in trading().accounts if row["id"] in mine}
    for owner in {row["owner"] for row in trading().accounts if row["owner"]} - owners:
        assert str(owner) not in whole
    now = set(rows_of(company, "snapshots", LAST))
    found = portfolio(company, actor, PortfolioAsk(since=FIRST))
    assert found.now.accounts == len(mine & now)
    # Who is gone cannot be said to be theirs.
    assert not found.complete and found.movement.left == 0
    assert found.movement.migration.accounts[:, -1].sum() == 0


def test_two_who_see_different_accounts_are_not_served_from_one_another(company: Workspace) -> None:
    counted = [portfolio(company, actor, PortfolioAsk()).now.accounts for actor in EVERYBODY]
    assert counted == [portfolio(company, actor, PortfolioAsk()).now.accounts for actor in EVERYBODY]
    assert counted == [len(seen(company, actor, LAST)) for actor in EVERYBODY]
    assert len(set(counted)) == len(counted)


def test_whoever_sees_everything_sees_who_went(company: Workspace) -> None:
    found = portfolio(company, OPERATOR, PortfolioAsk(since=FIRST))
    gone = set(rows_of(company, "snapshots", FIRST)) - set(rows_of(company, "snapshots", LAST))
    assert gone and found.complete
    assert found.movement.migration.accounts[:, -1].sum() == len(gone)
    assert found.movement.parts is not None and found.movement.parts.exit != 0


def test_accounts_are_grouped_by_what_has_a_few_values(company: Workspace) -> None:
    found = portfolio(company, OPERATOR, PortfolioAsk())
    assert set(found.dimensions) >= {"segment", "territory", "owner", "stage", "start_cohort", "tier"}
    assert not {"name", "account_id", "arr", "renews_on", "parent", "plan"} & set(found.dimensions)
    groups = portfolio(company, OPERATOR, PortfolioAsk("start_cohort")).groups
    quarters = {one.value for one in groups if one.now.accounts}
    rows = rows_of(company, "accounts", LAST).values()
    days = [row["started_on"] for row in rows]
    assert quarters == {f"{day.year} Q{(day.month + 2) // 3}" for day in days}


def test_what_cannot_be_asked_is_said(company: Workspace) -> None:
    for ask in (
        {"by": "name"},
        {"by": "segment", "compare": ("no such",)},
        {"compare": tuple("abcde")},
        {"since": LAST, "until": LAST},
        {"weight": "seats"},
    ):
        with pytest.raises(StoreError):
            portfolio(company, OPERATOR, PortfolioAsk(**ask))  # type: ignore[arg-type]


def test_dates_are_the_last_published_ones_before(company: Workspace) -> None:
    found = portfolio(
        company, OPERATOR, PortfolioAsk(since=FIRST + timedelta(days=3), until=LAST + timedelta(9))
    )
    assert (found.since, found.until) == (FIRST, LAST)
    assert nearest([FIRST, LAST], date(1999, 1, 1)) == FIRST


def test_compared_groups_come_in_the_order_asked(company: Workspace) -> None:
    found = portfolio(company, OPERATOR, PortfolioAsk("territory", compare=("south", "east", "south")))
    assert [one.value for one in found.compared] == ["south", "east"]


def test_a_long_history_is_looked_at_month_by_month() -> None:
    days = [date(2024, 1, 7) + timedelta(days=7 * n) for n in range(104)]
    chosen = grid(days)
    assert len(chosen) == 24 and chosen[-1] == days[-1]
    assert all(
        one == max(day for day in days if (day.year, day.month) == (one.year, one.month)) for one in chosen
    )
    short = [date(2026, 1, 1) + timedelta(days=n) for n in range(60)]
    assert grid(short)[0] == short[0] and grid(short)[-1] == short[-1] and len(grid(short)) == 26


# --- losses ----------------------------------------------------------------------------------------


def lost(found: Portfolio) -> dict[tuple[str, str | None], tuple[int, float]]:
    return {(one.outcome, one.reason): (one.losses, one.amount) for one in found.losses.groups}


def test_losses_are_those_of_the_outcomes_by_reason_and_amount(own_company: Workspace) -> None:
    ask = PortfolioAsk(since=FIRST)
    before = portfolio(own_company, OPERATOR, ask).losses
    assert before.groups == () and before.run_id is None
    ensure_losses(own_company)
    found = portfolio(own_company, OPERATOR, ask)
    expected: dict[tuple[str, str | None], tuple[int, float]] = {}
    for row in trading().tables["outcomes"]:
        if FIRST < row["day"] <= LAST:
            count, amount = expected.get(("shrinking", row["why"]), (0, 0.0))
            expected["shrinking", row["why"]] = (count + 1, amount + (row["by"] or 0.0))
    ended = [row for row in trading().accounts if row["ended"] and FIRST < row["ended"] <= LAST]
    assert ended and {reason for _, reason in expected} == set(REASONS)
    told = lost(found)
    assert told.pop(("churn", None))[0] == len(ended)
    assert {key: count for key, (count, _) in told.items()} == {key: n for key, (n, _) in expected.items()}
    for key, (_, amount) in expected.items():
        assert told[key][1] == pytest.approx(amount)
    assert found.losses.run_id == found.run_id


def test_an_end_takes_the_arr_that_the_account_had(own_company: Workspace) -> None:
    ensure_losses(own_company)
    found = portfolio(own_company, OPERATOR, PortfolioAsk(since=FIRST))
    ended = [row for row in trading().accounts if row["ended"] and FIRST < row["ended"] <= LAST]
    assert lost(found)["churn", None][1] == pytest.approx(sum(row["arr"] or 0 for row in ended))


def test_what_a_person_records_counts_at_once_and_only_once(own_company: Workspace) -> None:
    ensure_losses(own_company)
    ask = PortfolioAsk(since=FIRST)
    before = portfolio(own_company, OPERATOR, ask).losses
    gone = next(row for row in trading().accounts if row["ended"] and FIRST < row["ended"] <= LAST)
    there = next(row for row in trading().accounts if not row["ended"] and row["owner"] == "Ann Archer")
    now = datetime(2026, 3, 2, 15, tzinfo=UTC)
    said = {"by": OPERATOR, "now": now}
    add_outcome(own_company.store, gone["id"], "churned", gone["ended"], amount=77.0, reason="merged", **said)
    add_outcome(own_company.store, there["id"], "contracted", LAST, amount=5.0, reason="seats", **said)
    add_outcome(own_company.store, there["id"], "renewed", LAST, amount=9.0, reason="ok", **said)
    found = portfolio(own_company, OPERATOR, ask)
    told = lost(found)
    assert told["churned", "merged"] == (1, 77.0) and told["contracted", "seats"] == (1, 5.0)
    assert found.losses.losses == before.losses + 1
    # Ann sees that of her account; the rest is not hers, and who is gone is nobody's.
    ann = lost(portfolio(own_company, SOME[0], ask))
    assert ann["contracted", "seats"] == (1, 5.0) and ("churned", "merged") not in ann
    assert ("contracted", "seats") not in lost(portfolio(own_company, SOME[3], ask))


def test_nothing_published_is_said(tmp_path: object) -> None:
    from pathlib import Path

    from retinue.workspace import open_workspace

    folder = trading().write(Path(str(tmp_path)) / "acme")
    workspace = open_workspace(folder, {})
    with pytest.raises(NotFound):
        portfolio(workspace, OPERATOR, PortfolioAsk())
    workspace.store.close()
