"""The parts of the comparison, in their order, and what each starts from."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.scale.declare import declare, link
from benchmarks.scale.equality import compare
from benchmarks.scale.generate import Size, generate, slice_of
from benchmarks.scale.measure import Kept, Measured, measure, peer

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is compared, and where it is kept.

    `sampled` dates are recomputed one at a time; the rest of the grid is assumed to cost the
    same. `part` is the share of the company that frames can manage.
    """

    folder: Path
    size: Size
    part: float
    sampled: int
    most: float
    memory_limit: str

    def data(self, size: Size) -> Path:
        return self.folder / "data" / size.name()

    @property
    def slice(self) -> Size:
        return slice_of(self.size, self.part)

    def results(self) -> Path:
        return self.folder / "results" / self.size.name()

    def days(self) -> list[date]:
        return [self.size.start + timedelta(days=n) for n in range(self.size.days)]

    def weeks(self) -> list[date]:
        return [day for day in self.days() if day.isoweekday() == 7]

    def sample(self) -> list[date]:
        """One day out of each stretch of equal length; every other one a Sunday."""
        chance, days = random.Random(self.size.seed), self.days()
        if self.sampled >= len(days):
            return days
        edges = [len(days) * n // self.sampled for n in range(self.sampled + 1)]
        found = [days[chance.randrange(a, b)] for a, b in itertools.pairwise(edges)]
        for n in range(0, len(found), 2):
            earlier = found[n] - timedelta(days=found[n].isoweekday() % 7)
            found[n] = earlier if earlier >= days[0] else found[n]
        return sorted(set(found))


ON_SLICE = ("slice_weekly", "slice_daily", "slice_by_date", "pandas", "polars", "featuretools")
WHOLE = ("floor", "weekly", "daily", "by_date", "equal_weekly", "equal_daily")
#: Parts in the order in which they run; each name is a file of results.
PARTS = (*WHOLE, *ON_SLICE, "run", "night", "equal_night")
#: What a part needs to have run before it.
NEEDS = {
    "equal_weekly": ("weekly", "by_date"),
    "equal_daily": ("daily", "by_date"),
    "night": ("run",),
    "equal_night": ("night",),
}


def run_parts(plan: Plan, kept: Kept, wanted: Sequence[str], tell: Tell) -> None:
    """Run what is wanted of the parts, each result kept at once; `kept.resume` spares what is there."""
    generate(plan.data(plan.size), plan.size)
    for part in PARTS:
        if part not in wanted:
            continue
        before = kept.get(part)
        if kept.resume and before is not None and before.done:
            continue
        tell(part)
        missing = [name for name in NEEDS.get(part, ()) if not (found := kept.get(name)) or not found.done]
        result = Measured(why=f"needs {missing[0]}") if missing else _run(plan, part)
        kept.put(part, result)
        tell(f"{part}: " + (f"{result.seconds:.2f} s" if result.done else result.why))


def _run(plan: Plan, part: str) -> Measured:
    values = plan.folder / "values" / plan.size.name()
    values.mkdir(parents=True, exist_ok=True)
    projects = plan.folder / "projects"
    if part in ("equal_weekly", "equal_daily"):
        ours = values / f"{part.removeprefix('equal_')}.parquet"
        return Measured(told={"equal": compare(ours, values / "by_date.parquet")})
    data = plan.data(plan.slice if part in ON_SLICE else plan.size)
    if part in ON_SLICE:
        generate(data, plan.slice)
    spec: dict[str, Any] = {
        "data": str(data),
        "memory_limit": plan.memory_limit,
        "values": str(values / f"{part}.parquet"),
        "compared": _texts(plan.sample()),
    }
    match part:
        case "floor":
            return measure("floor", spec, plan.most)
        case "weekly" | "daily" | "slice_weekly" | "slice_daily":
            dates = plan.days() if part.endswith("daily") else plan.weeks()
            project = declare(projects / part, data, plan.memory_limit)
            return measure("ours", {**spec, "project": str(project), "dates": _texts(dates)}, plan.most)
        case "by_date" | "slice_by_date":
            return measure("by_date", {**spec, "dates": _texts(plan.sample())}, plan.most)
        case "run":
            project = declare(projects / "run", data, plan.memory_limit)
            dates = sorted({*plan.weeks(), plan.size.last})
            return _published(plan, project, plan.size.last, dates)
        case "night":
            return _night(plan, projects / "run", spec["values"])
        case "equal_night":
            night = {**spec, "data": str(projects / "run"), "dates": _texts([_after(plan)])}
            by_sql = measure("by_date", {**night, "values": str(values / "night_by_sql.parquet")}, plan.most)
            if not by_sql.done:
                return by_sql
            found = compare(values / "night.parquet", values / "night_by_sql.parquet")
            return Measured(told={"equal": found})
        case _:
            return _frame(plan, part, spec)


def _frame(plan: Plan, part: str, spec: dict[str, Any]) -> Measured:
    python = peer(plan.folder, "featuretools" if part == "featuretools" else "frames")
    if isinstance(python, str):
        return Measured(why=python)
    # It takes so long that two dates must do.
    few = plan.sample()[len(plan.sample()) // 2 :][:2] if part == "featuretools" else plan.sample()
    module = {"pandas": "pandas_loop", "polars": "polars_loop", "featuretools": "featuretools_cutoffs"}[part]
    result = measure(module, {**spec, "dates": _texts(few)}, plan.most, python)
    by_sql = Path(spec["values"]).with_name("slice_by_date.parquet")
    if not result.done or part == "featuretools" or not by_sql.exists():
        return result
    equal = compare(Path(spec["values"]), by_sql, exactly=False)
    return replace(result, told={**(result.told or {}), "equal": equal})


def _after(plan: Plan) -> date:
    return plan.size.last + timedelta(days=1)


def _published(
    plan: Plan, project: Path, day: date, dates: list[date] | None, values: str | None = None
) -> Measured:
    """A run in the morning after `day`."""
    spec = {
        "project": str(project),
        "now": f"{day + timedelta(days=1)}T05:00:00+00:00",
        "dates": _texts(dates) if dates else None,
        "values": values,
    }
    return measure("published", spec, plan.most)


def _night(plan: Plan, project: Path, values: str) -> Measured:
    """The rows of one more day are loaded, and the day is scored and published."""
    day = _after(plan)
    file = project / "events" / f"{day}.parquet"
    if file.exists():
        return Measured(why="needs the part run again")
    link(plan.data(plan.size) / "nights" / file.name, file)
    return _published(plan, project, day, None, values)


def _texts(days: Sequence[date]) -> list[str]:
    return [day.isoformat() for day in days]
