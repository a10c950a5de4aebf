"""Retinue: facts, metrics, components and scores of all dates, not yet published."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

from retinue.project.load import load
from retinue.warehouse.compute import Asked, compute
from retinue.warehouse.engine import connect


def work(spec: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    project = load(Path(spec["project"]), {})
    dates = tuple(date.fromisoformat(day) for day in spec["dates"])
    open_until_told = ExitStack()
    engine = open_until_told.enter_context(connect(project))
    computed = compute(engine, project, Asked(dates=dates))
    # Whatever is not computed yet by now is computed here.
    scores = computed.scored.scores
    total = engine.arrow(scores.aggregate(rows=scores.count(), computed=scores.computed.sum()))
    for table in (computed.scored.components(), computed.scored.measures()):
        named = [c for c in table.columns if c.rstrip("0123456789") in ("weight", "points", "contribution")]
        engine.arrow(table.aggregate(**{name: table[name].sum() for name in named}))

    def told() -> dict[str, Any]:
        if spec.get("values"):
            _write(Path(spec["values"]), spec["compared"])
        open_until_told.close()
        return {"rows": total["rows"][0].as_py(), "dates": len(dates)}

    def _write(file: Path, days: list[str]) -> None:
        """The values of the days that are compared, and the scores that come of them."""
        import ibis
        import pyarrow.parquet as pq

        values, number = computed.values.table, computed.values.number
        wanted = [date.fromisoformat(day) for day in days]
        some = values.filter(values.as_of.isin(wanted))
        some = some.left_join(scores.select("ix", "pos", "computed"), ["ix", "pos"])
        some = some.join(computed.facts.accounts.select("ix", "account_id"), "ix")
        told = {name: ibis._[f"v{n}"].cast("float64") for name, n in number.items()}
        table = some.select(account=some.account_id, as_of=some.as_of, computed=some.computed, **told)
        pq.write_table(engine.arrow(table), file)

    return told
