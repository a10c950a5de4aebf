"""A run of Retinue from the sources to what people read, stability and publishing included."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from retinue.run import run
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
        return {"rows": result.snapshots, "dates": len(result.dates), "stages": stages}

    return told
