"""A run of Retinue from the sources to what people read, stability and publishing included."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from retinue.run import run
from retinue.store.published.snapshots import Published
from retinue.workspace import open_workspace


def work(spec: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    marks = [("starting", time.perf_counter())]
    workspace = open_workspace(spec["project"], {})
    dates = [date.fromisoformat(day) for day in spec["dates"]] if spec.get("dates") else None
    result = run(
        workspace,
        now=datetime.fromisoformat(spec["now"]),
        dates=dates,
        progress=lambda what, _part: marks.append((what, time.perf_counter())),
    )
    marks.append(("", time.perf_counter()))

    def told() -> dict[str, Any]:
        stages: dict[str, float] = {}
        for (what, at), (_, end) in itertools.pairwise(marks):
            stages[what] = stages.get(what, 0.0) + end - at
        if spec.get("values"):
            _write(workspace.published(), result.dates[-1], Path(spec["values"]))
        manifest = workspace.manifest()
        kept = manifest.kept if manifest else {}
        return {"rows": result.snapshots, "dates": len(result.dates), "stages": stages, "kept": kept}

    return told


def _write(published: Published, day: date, file: Path) -> None:
    """What was published for `day`, in the columns that are compared."""
    metrics = published.table("metrics", dates=[day]).to_pandas()
    wide = metrics.pivot_table(
        index=["account_id", "as_of"], columns="metric", values="value", dropna=False, observed=True
    )
    scores = published.table(
        "snapshots", dates=[day], columns=["account_id", "as_of", "computed"]
    ).to_pandas()
    told = scores.set_index(["account_id", "as_of"]).join(wide).reset_index()
    told.rename(columns={"account_id": "account"}).to_parquet(file, index=False)
