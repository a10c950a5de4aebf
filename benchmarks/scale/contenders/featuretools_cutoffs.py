"""Featuretools with cutoff times: one call for each length of window, as its training windows ask.

It has one clock, so a row counts from its loading on, and for as long as a window is from then.
That is another number than the others compute; the work is alike. No value is compared.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from datetime import date
from typing import Any

warnings.simplefilter("ignore")

import featuretools as ft  # type: ignore[import-not-found]  # noqa: E402
import pandas as pd  # noqa: E402


def work(spec: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    begun = time.perf_counter()
    log = pd.read_parquet(f"{spec['data']}/events").drop(columns="ts").reset_index(names="row")
    log["amount"] = log["amount"].astype("float64")
    accounts = pd.read_parquet(f"{spec['data']}/accounts.parquet")
    accounts["started_on"] = pd.to_datetime(accounts["started_on"])
    accounts["ended_on"] = pd.to_datetime(accounts["ended_on"])
    entities = ft.EntitySet(id="company")
    entities = entities.add_dataframe(
        dataframe_name="events",
        dataframe=log,
        index="row",
        time_index="known_at",
        logical_types={"user": "Categorical", "event": "Categorical", "device": "Categorical"},
    )
    entities = entities.add_dataframe(dataframe_name="accounts", dataframe=accounts, index="account")
    entities = entities.add_relationship("accounts", "account", "events", "account")
    entities.add_last_time_indexes()
    entities.add_interesting_values(
        dataframe_name="events", values={"event": ["edit", "export"], "device": ["ios"]}
    )
    loaded = time.perf_counter() - begun
    rows = 0
    for day in spec["dates"]:
        end = pd.Timestamp(date.fromisoformat(day)) + pd.Timedelta(hours=23, minutes=59, seconds=59)
        alive = accounts[(accounts["started_on"] <= end) & ~(accounts["ended_on"] < end.normalize())]
        cutoffs = pd.DataFrame({"account": alive["account"], "time": end})
        for window, aggregations in (
            ("7 days", ["num_unique"]),
            ("28 days", ["num_unique", "count", "sum", "mean"]),
            ("90 days", ["num_unique", "sum"]),
            ("112 days", ["count"]),
            (None, ["time_since_last"]),
        ):
            matrix, _ = ft.dfs(
                entityset=entities,
                target_dataframe_name="accounts",
                cutoff_time=cutoffs,
                training_window=window,
                agg_primitives=aggregations,
                where_primitives=["count", "sum"],
                trans_primitives=[],
                max_depth=1,
            )
        rows += len(matrix)

    def told() -> dict[str, Any]:
        return {"rows": rows, "dates": len(spec["dates"]), "version": ft.__version__, "loading": loaded}

    return told
