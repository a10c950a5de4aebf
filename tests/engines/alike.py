"""The same project on DuckDB and on another engine, over files or over tables in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from retinue.project.project import Project
from retinue.warehouse import compute
from retinue.warehouse.engine import connect
from tests.engines.conftest import Elsewhere
from tests.warehouse.world import Result, World


def computed(world: World, dates: Sequence[date], folder: Path, elsewhere: Elsewhere | None = None) -> Result:
    """What comes of `world` on an engine, whose facts are Parquet files in `folder`."""
    return _computed(world, dates, moved(world.project(folder), elsewhere))


def computed_in_place(world: World, dates: Sequence[date], folder: Path, elsewhere: Elsewhere) -> Result:
    """What comes of `world` on an engine that has the facts as tables."""
    return _computed(world, dates, in_place(world.project(folder), elsewhere))


def _computed(world: World, dates: Sequence[date], project: Project) -> Result:
    with connect(project, threads=2) as engine:
        asked = compute.Asked(tuple(dates), pulses=world.said())
        return Result.of(engine, compute.compute(engine, project, asked))


def moved(project: Project, elsewhere: Elsewhere | None) -> Project:
    """`project` on another engine."""
    if elsewhere is None:
        return project
    return replace(project, settings=project.settings.model_copy(update={"engine": elsewhere.url}))


def in_place(project: Project, elsewhere: Elsewhere) -> Project:
    """`project` on another engine, with its Parquet files as tables there."""

    def there(table: Any) -> Any:
        if getattr(table, "table", None) is None:
            return table
        path = project.root / table.table
        return table.model_copy(update={"table": elsewhere.put(path.stem, pq.read_table(path))})

    settings = project.settings
    people = there(settings.accounts)
    people = people.model_copy(update={"history": {n: there(h) for n, h in people.history.items()}})
    facts = {name: there(source) for name, source in settings.facts.items()}
    told = settings.model_copy(update={"engine": elsewhere.url, "accounts": people, "facts": facts})
    return replace(project, settings=told)


def differences(one: Result, other: Result) -> list[str]:
    """Where two results differ: numbers by more than 1e-9, anything else at all."""
    wrong = []
    tables = zip(("metric", "score", "measure", "row"), one.everything(), other.everything(), strict=True)
    for what, ours, theirs in tables:
        if ours.keys() != theirs.keys():
            wrong.append(f"{what}: {len(ours)} rows and {len(theirs)} rows")
        for key, value in ours.items():
            if key in theirs and not alike(value, theirs[key]):
                wrong.append(f"{what} {key}: {value} and {theirs[key]}")
    if not one.curves.equals(other.curves):
        wrong.append("curves")
    return wrong


def alike(one: Any, other: Any) -> bool:
    """Equal, but for the last digits of floats."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(alike(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    return one == other
