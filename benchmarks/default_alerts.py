"""What the default alerts of the demo come to: how many there are, and whether they come before who leaves.

    python -m benchmarks.default_alerts [--accounts 1800] [--months 15] [--seed 1] [--at DIR] [--json]

Simulates a company, scores it by weeks (its last eight weeks by days), and looks at every date for alerts, as
nights would have. Lead times are days from an alert to the end of a contract that ended; alerts of the last
30 days before it come too late to count. Chance is the same number of alerts of the same rules on the same
dates, given to accounts that were there, drawn 200 times.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retinue.demo import simulate
from retinue.period import grid
from retinue.run import run
from retinue.run.alerting import evaluate
from retinue.run.playing import advance
from retinue.store.people.access import OPERATOR
from retinue.store.work.alerts import alerts_of
from retinue.store.work.tasks import tasks_of
from retinue.workspace import Workspace, open_workspace

#: Days before the end in which an alert counts: not so early that it is about something else, nor too late.
EARLIEST, LATEST = 180, 30
DRAWS = 200
#: An alert that speaks for more business foresees no end.
GREEN = ("expansion",)
#: The last days, which are looked at day by day.
DAILY = 56


def measured(workspace: Workspace, directory: Path) -> dict[str, Any]:
    dates = workspace.published().dates()
    told = evaluate(workspace, now=_morning(dates[-1]), first=dates[0], clock=_morning)
    # What began in the months before is no work of these weeks: its tasks are made first, and not counted.
    for day in dates[-DAILY - 1 :]:
        advance(workspace, now=_morning(day))
    raised = _every(workspace)
    ids, there = _there(workspace, dates)
    months = there.sum() * 7 / 30.4
    risky = [one for one in raised if one["kind"] not in GREEN]
    return {
        "accounts": len(ids),
        "dates": len(dates),
        "withheld": dict(told.withheld),
        "alerts": {
            rule: {
                "alerts": len(mine := [one for one in raised if one["rule"] == rule]),
                "a_month": round(100 * len(mine) / months, 2),
                **_lead(mine, ids, there, dates, directory),
            }
            for rule in sorted({one["rule"] for one in raised})
        },
        "all_but_green": {
            "alerts": len(risky),
            "a_month": round(100 * len(risky) / months, 2),
            **_lead(risky, ids, there, dates, directory),
        },
        "people": _workload(workspace, raised, dates[-DAILY - 1]),
    }


def _every(workspace: Workspace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = None
    while page := alerts_of(workspace.store, OPERATOR, limit=1000, after=after):
        found += [one.to_dict() for one in page]
        after = page[-1].id
    return [one for one in found if one["account_id"] is not None]


def _there(workspace: Workspace, dates: Sequence[date]) -> tuple[list[str], Any]:
    """Accounts, and on which weekly dates each was there."""
    weekly = _weekly(dates)
    rows = workspace.published().table("snapshots", dates=weekly, columns=["account_id", "as_of"])
    ids = pc.unique(rows["account_id"]).to_pylist()
    there = np.zeros((len(ids), len(weekly)), bool)
    account = pc.index_in(rows["account_id"], value_set=pa.array(ids)).to_numpy()
    when = pc.index_in(rows["as_of"], value_set=pa.array(weekly)).to_numpy()
    there[account, when] = True
    return ids, there


def _weekly(dates: Sequence[date]) -> list[date]:
    """One date of each week."""
    return [*dates[:-DAILY], *dates[-DAILY::7]]


def _lead(
    alerts: list[dict[str, Any]], ids: list[str], there: Any, dates: Sequence[date], directory: Path
) -> dict[str, Any]:
    """How many of those that left had one of these alerts in time, and how long before; and by chance."""
    truth = pq.read_table(directory / "truth" / "accounts.parquet").to_pylist()
    place = {account: n for n, account in enumerate(ids)}
    begin = dates[0] + timedelta(days=EARLIEST)
    ended = {
        place[row["account_id"]]: row["ended_on"].toordinal()
        for row in truth
        if row["ended_on"] is not None
        and row["account_id"] in place
        and begin <= row["ended_on"] <= dates[-1]
    }
    weekly = np.array([day.toordinal() for day in _weekly(dates)])
    account = np.array([place[one["account_id"]] for one in alerts], np.int64)
    day = np.array([one["as_of"].toordinal() for one in alerts], np.int64)
    end = np.full(len(ids), 0)
    end[list(ended)] = list(ended.values())

    def caught(who: Any) -> tuple[float, float]:
        ahead = end[who] - day
        timely = (end[who] > 0) & (ahead >= LATEST) & (ahead <= EARLIEST)
        first: dict[int, int] = {}
        for one, days in zip(who[timely].tolist(), ahead[timely].tolist(), strict=True):
            first[one] = max(first.get(one, 0), days)
        median = float(np.median(list(first.values()))) if first else float("nan")
        return len(first) / max(len(ended), 1), median

    share, median = caught(account)
    rng = np.random.default_rng(0)
    week = np.clip(np.searchsorted(weekly, day, side="right") - 1, 0, len(weekly) - 1)
    by_week = {w: np.flatnonzero(there[:, w]) for w in set(week.tolist())}
    drawn = []
    for _ in range(DRAWS):
        who = np.array([rng.choice(by_week[w]) for w in week.tolist()], np.int64)
        drawn.append(caught(who)[0])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {
        "left": len(ended),
        "in_time": round(share, 3),
        "days_ahead": None if np.isnan(median) else round(median),
        "by_chance": [round(float(np.mean(drawn)), 3), round(float(low), 3), round(float(high), 3)],
    }


def _workload(workspace: Workspace, raised: list[dict[str, Any]], since: date) -> dict[str, Any]:
    """What came to each owner after `since`: alerts and tasks by week, and the fullest day."""
    alerts = [(one["owner"], one["as_of"]) for one in raised if one["as_of"] > since]
    tasks = [
        (one.owner, one.said_at.date())
        for one in tasks_of(workspace.store, OPERATOR, status=None, limit=100_000)
        if one.said_at.date() > since + timedelta(days=1)
    ]
    return {"alerts": _by_owner(alerts), "tasks": _by_owner(tasks)}


def _by_owner(rows: Sequence[tuple[str | None, date]]) -> dict[str, float]:
    owners = sorted({owner for owner, _ in rows if owner})
    weeks = DAILY / 7
    each = {owner: [day for one, day in rows if one == owner] for owner in owners}
    week = [len(days) / weeks for days in each.values()]
    fullest = [max(days.count(day) for day in set(days)) for days in each.values()]
    return {
        "owners": len(owners),
        "a_week_median": round(float(np.median(week)), 1),
        "a_week_most": round(max(week), 1),
        "fullest_day_median": round(float(np.median(fullest)), 1),
        "fullest_day_most": max(fullest),
    }


def _morning(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(9), UTC)


def made(directory: Path, accounts: int, months: int, seed: int) -> Workspace:
    """A company that is simulated and scored, by weeks and then by days."""
    company = simulate(directory, accounts=accounts, months=months, seed=seed)
    daily = company.last_day - timedelta(days=DAILY - 1)
    dates = [
        *grid(company.first_day + timedelta(days=91), daily - timedelta(days=1), "week"),
        *grid(daily, company.last_day, "day"),
    ]
    workspace = open_workspace(directory, {})
    run(workspace, now=_morning(company.last_day), dates=dates)
    return workspace


def shown(told: dict[str, Any]) -> str:
    """The two tables of `docs/explanation/alerts.md`."""
    head = "| alert | alerts | per 100 accounts and month | left, had it in time | by chance | days ahead |"
    lines = [head, "|---|---:|---:|---:|---:|---:|"]
    for rule, one in [*told["alerts"].items(), ("all but green", told["all_but_green"])]:
        mean, low, high = one["by_chance"]
        ahead = "-" if one["days_ahead"] is None else one["days_ahead"]
        lines.append(
            f"| {rule} | {one['alerts']:,} | {one['a_month']} | {one['in_time']:.1%} "
            f"| {mean:.1%} ({low:.1%} to {high:.1%}) | {ahead} |"
        )
    lines += ["", "| per owner | a week, median | a week, most | fullest day, median | fullest day, most |"]
    lines.append("|---|---:|---:|---:|---:|")
    for what, one in told["people"].items():
        lines.append(
            f"| {what} | {one['a_week_median']} | {one['a_week_most']} "
            f"| {one['fullest_day_median']} | {one['fullest_day_most']} |"
        )
    left = told["all_but_green"]["left"]
    lines += ["", f"{told['accounts']:,} accounts, {told['dates']} dates, {left} left. Withheld: "]
    lines[-1] += ", ".join(f"{count} {reason}" for reason, count in told["withheld"].items()) or "none"
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1800)
    parser.add_argument("--months", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at", type=Path, help="where the company is made; a folder for the time by default")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = asked.at or Path(scratch) / "company"
        workspace = made(directory, asked.accounts, asked.months, asked.seed)
        told = measured(workspace, directory)
    print(json.dumps(told, indent=2) if asked.json else shown(told))


if __name__ == "__main__":
    main()
