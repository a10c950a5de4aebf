"""Runs cases on the real engine. Cases that are alike are computed in one pass."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from retinue.cases import reading
from retinue.cases.reading import Told
from retinue.cases.results import CaseResult, Failure
from retinue.errors import ProjectError, RetinueError
from retinue.project.load import load
from retinue.project.project import Project
from retinue.project.scorecards import Component, Measure, Points, Scorecard


def run_cases(root: Path, files: Sequence[Path] | None, environ: Mapping[str, str]) -> list[CaseResult]:
    """The cases of the project in `root`, in the order of their files.

    `files` are files of cases; None takes all of the folder `tests`. Nothing is published, and no
    table of the company is read. Raises ProjectError where the project or a case cannot be read.
    """
    project = load(root, environ)
    told = reading.read(root, files, environ)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, one in enumerate(told):
        groups.setdefault(alike(one, number, project), []).append(number)
    results: dict[int, CaseResult] = {}
    for numbers in groups.values():
        found = _pass([told[number] for number in numbers], project)
        results.update(zip(numbers, found, strict=True))
    return [results[number] for number in range(len(told))]


def alike(told: Told, number: int, project: Project) -> tuple[Any, ...]:
    """What cases must have in common to be computed in one pass without touching each other."""
    from retinue.cases.tables import alive_until

    case = told.case
    try:
        feeds = tuple((name, alive_until(told, name)) for name in project.sources)
    except ValueError:
        return ("alone", number)
    relative = any(
        measure.curve == "cohort"
        for card in project.scorecards
        for component in card.components.values()
        for measure in component.measures.values()
    )
    return (
        feeds,
        case.dates if len(case.dates) > 1 else None,
        tuple(sorted(case.histories)),
        repr(case.rates),
        number if case.cohorts == "rows" and relative else None,
    )


def _pass(told: Sequence[Told], project: Project) -> list[CaseResult]:
    """The results of cases that are alike; if they cannot be computed together, one by one."""
    try:
        failures = _failures(told, project)
    except RetinueError as error:
        if len(told) > 1:
            return [result for one in told for result in _pass([one], project)]
        several = error.problems if isinstance(error, ProjectError) else [error]
        problem = "; ".join(str(one) for one in several)
        return [CaseResult(told[0].case.case, told[0].place("case"), error=problem)]
    return [
        CaseResult(one.case.case, one.place("case"), tuple(found))
        for one, found in zip(told, failures, strict=True)
    ]


def _failures(told: Sequence[Told], project: Project) -> list[list[Failure]]:
    from retinue.cases import found, tables
    from retinue.warehouse.compute import Asked, compute, identities
    from retinue.warehouse.engine import connect
    from retinue.warehouse.metrics import given
    from retinue.warehouse.metrics import kinds as metrics

    if all(one.case.cohorts == "declared" for one in told):
        project = replace(project, scorecards=tuple(_with_declared(card) for card in project.scorecards))
    _, declared = identities(project, project.formulas)
    wanted = given.wanted(metrics.wanted(declared, project.sources), declared, project)
    columns = {name: one.numbers | one.plain for name, one in wanted.items()}
    dates = tuple(sorted({day for one in told for day in one.case.dates}))
    with tempfile.TemporaryDirectory(prefix="retinue-cases-") as folder:
        ready = tables.prepared(told, project, columns, Path(folder))
        with connect(ready.project) as engine:
            asked = Asked(dates=dates, observed_on=dates[-1], pulses=found.pulses(told))
            return found.failures(engine, ready, compute(engine, ready.project, asked))


def _with_declared(card: Scorecard) -> Scorecard:
    """`card` with the declared points of cohort curves in their place, where there are any."""

    def curve(measure: Measure) -> Measure:
        if measure.curve != "cohort" or measure.points is None:
            return measure
        plain = {"curve": Points(points=measure.points), "cohort": (), "points": None, "direction": None}
        return measure.model_copy(update=plain)

    def group(component: Component) -> Component:
        measures = {name: curve(measure) for name, measure in component.measures.items()}
        return component.model_copy(update={"measures": measures})

    return card.model_copy(
        update={"components": {name: group(component) for name, component in card.components.items()}}
    )
