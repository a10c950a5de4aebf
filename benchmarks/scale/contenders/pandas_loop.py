"""The metrics of one date at a time with pandas: one clock and one frame in memory.

Texts are codes, and days whole numbers, before the first date, as one does who has met pandas before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd


def work(spec: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    begun = time.perf_counter()
    log = pd.read_parquet(f"{spec['data']}/events")
    accounts = pd.read_parquet(f"{spec['data']}/accounts.parquet")
    codes, ids = pd.factorize(log["account"], sort=True)
    kind, device = log["event"], log["device"]
    frame = pd.DataFrame(
        {
            "account": codes,
            "user": pd.factorize(log["user"])[0],
            "day": log["ts"].dt.normalize(),
            "visible": log["known_at"].dt.normalize(),
            "amount": log["amount"].astype("float64"),
            "edit": kind.isin(["edit", "comment"]),
            "export": kind == "export",
            "mobile": device.isin(["ios", "android"]),
        }
    )
    del log, kind, device
    loaded = time.perf_counter() - begun
    days = [pd.Timestamp(date.fromisoformat(day)) for day in spec["dates"]]
    whole = pd.concat([_of_date(frame, accounts, ids, day) for day in days])

    def told() -> dict[str, Any]:
        if spec.get("values"):
            whole.to_parquet(spec["values"], index=False)
        return {"rows": len(whole), "dates": len(spec["dates"]), "version": pd.__version__, "loading": loaded}

    return told


def _of_date(frame: Any, accounts: Any, ids: Any, day: Any) -> Any:
    known = (frame["day"] <= day) & (frame["visible"] <= day)
    whole = frame.loc[known, ["account", "day", "export"]].groupby("account")
    recent = frame[known & (frame["day"] > day - pd.Timedelta(days=112))]
    age = (day - recent["day"]).dt.days
    of = {days: recent[age < days] for days in (7, 28, 90, 112)}
    columns = {
        f"users_{days}d": of[days][["account", "user"]].drop_duplicates().groupby("account").size()
        for days in (7, 28, 90)
    }
    month = of[28].groupby("account")
    columns["events_28d"] = month.size()
    columns["edits_28d"] = month["edit"].sum()
    columns["exports_so_far"] = whole["export"].sum()
    columns["amount_28d"] = month["amount"].sum()
    quarter = of[90]
    columns["mobile_amount_90d"] = quarter[quarter["mobile"]].groupby("account")["amount"].sum()
    columns["active_days_28d"] = month["day"].nunique()
    counted = pd.DataFrame(columns).rename(index=dict(enumerate(ids)))
    alive = accounts[(accounts["started_on"] <= day.date()) & ~(accounts["ended_on"] < day.date())]
    told = alive[["account", "started_on"]].set_index("account").join(counted.fillna(0))
    told[list(columns)] = told[list(columns)].fillna(0)
    names = dict(enumerate(ids))
    told["mean_amount_28d"] = month["amount"].mean().rename(names)
    started = pd.to_datetime(told.pop("started_on"))
    last = whole["day"].max().rename(names).reindex(told.index)
    told["days_since_event"] = (day - last.fillna(started)).dt.days.astype("float64")
    before = (
        of[112].groupby("account").size() - month.size().reindex(of[112]["account"].unique(), fill_value=0)
    ).rename(names)
    before = before.reindex(told.index)
    rate = (told["events_28d"] / 28) / (before.where(before > 0) / 84) - 1
    told["events_change"] = rate.where((day - started).dt.days >= 112)
    return told.reset_index().assign(as_of=day.date())
