"""The metrics of one date at a time with Polars, on a frame in memory with texts as codes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl


def work(spec: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    begun = time.perf_counter()
    log = pl.scan_parquet(f"{spec['data']}/events/*.parquet").select(
        pl.col("account").cast(pl.Categorical),
        pl.col("user").cast(pl.Categorical),
        pl.col("ts").dt.date().alias("day"),
        pl.col("known_at").dt.date().alias("visible"),
        pl.col("event").is_in(["edit", "comment"]).alias("edit"),
        (pl.col("event") == "export").alias("export"),
        pl.col("device").is_in(["ios", "android"]).alias("mobile"),
        "amount",
    )
    frame = log.collect()
    accounts = pl.read_parquet(f"{spec['data']}/accounts.parquet")
    loaded = time.perf_counter() - begun
    whole = pl.concat([_of_date(frame, accounts, date.fromisoformat(day)) for day in spec["dates"]])

    def told() -> dict[str, Any]:
        if spec.get("values"):
            whole.write_parquet(spec["values"])
        return {"rows": len(whole), "dates": len(spec["dates"]), "version": pl.__version__, "loading": loaded}

    return told


def _of_date(frame: Any, accounts: Any, day: date) -> Any:
    def within(days: int) -> Any:
        return pl.col("day") > day - timedelta(days=days)

    recent = frame.lazy().filter(pl.col("day") <= day, pl.col("visible") <= day)
    month = within(28)
    windows = (
        recent.filter(within(112))
        .group_by("account")
        .agg(
            *(pl.col("user").filter(within(n)).n_unique().alias(f"users_{n}d") for n in (7, 28, 90)),
            month.sum().alias("events_28d"),
            (month & pl.col("edit")).sum().alias("edits_28d"),
            pl.col("amount").filter(month).sum().alias("amount_28d"),
            pl.col("amount").filter(within(90), pl.col("mobile")).sum().alias("mobile_amount_90d"),
            pl.col("amount").filter(month).cast(pl.Float64).mean().alias("mean_amount_28d"),
            pl.col("day").filter(month).n_unique().alias("active_days_28d"),
            (~month).sum().alias("before"),
        )
    )
    whole = recent.group_by("account").agg(
        pl.col("export").sum().alias("exports_so_far"), pl.col("day").max().alias("last_day")
    )
    alive = accounts.lazy().filter(
        pl.col("started_on") <= day, pl.col("ended_on").is_null() | (pl.col("ended_on") >= day)
    )
    tenure = (pl.lit(day) - pl.col("started_on")).dt.total_days()
    before = pl.when(pl.col("before") > 0).then(pl.col("before"))
    told = (
        alive.select("account", "started_on")
        .join(windows.with_columns(pl.col("account").cast(pl.String)), "account", how="left")
        .join(whole.with_columns(pl.col("account").cast(pl.String)), "account", how="left")
    )
    counted = (
        "users_7d",
        "users_28d",
        "users_90d",
        "events_28d",
        "edits_28d",
        "exports_so_far",
        "amount_28d",
    )
    return told.select(
        "account",
        pl.lit(day).alias("as_of"),
        *(pl.col(name).cast(pl.Float64).fill_null(0.0) for name in (*counted, "mobile_amount_90d")),
        "mean_amount_28d",
        pl.col("active_days_28d").cast(pl.Float64).fill_null(0.0),
        (pl.lit(day) - pl.coalesce("last_day", "started_on"))
        .dt.total_days()
        .cast(pl.Float64)
        .alias("days_since_event"),
        pl.when(tenure >= 112)
        .then((pl.col("events_28d").fill_null(0) / 28) / (before / 84) - 1)
        .alias("events_change"),
    ).collect()
