"""The quarterly review of a project's score: does it still say what it said?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from retinue.errors import RetinueError
from retinue.insight.replay import Floats, Replay
from retinue.project.load import load
from retinue.project.project import Project
from retinue.run.differences import published_project
from retinue.run.layers import day_number, keys
from retinue.run.replay import Tried, tried
from retinue.warehouse.trace import Listener
from retinue.workspace import Workspace

if TYPE_CHECKING:
    from retinue.insight.drift.results import Review

PUBLISHED = "published"


@dataclass(frozen=True)
class Reviewed:
    """A review, the fingerprints of today's scorecards, and those of each other version by its name."""

    project: str
    until: date
    fingerprints: dict[str, str]
    versions: dict[str, dict[str, str]]
    review: Review
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of `retinue drift`."""
        told = self.review.to_dict()
        return {
            "project": self.project,
            "until": self.until.isoformat(),
            "fingerprints": self.fingerprints,
            "fingerprints_of_versions": self.versions,
            **told,
            "warnings": [*self.warnings, *told["warnings"]],
        }


def drift(
    workspace: Workspace,
    *,
    now: datetime,
    environ: Mapping[str, str],
    outcome: str | None = None,
    every: Literal["day", "week"] | None = None,
    learned_until: date | None = None,
    versions: Sequence[tuple[str, Path]] = (),
    progress: Listener | None = None,
) -> Reviewed:
    """Hold the later part of the history against the earlier one, which ends on `learned_until` (by
    default its half).

    Every version of the score is held against the same rows: today's, the published one where it
    differs, and the scorecards of the folders in `versions`, over the data of this project. Raises
    TrialError where there is too little to review.
    """
    from retinue.insight.drift.review import review

    asked: dict[str, Any] = {"now": now, "outcome": outcome, "every": every}
    found = tried(workspace, progress=progress, **asked)
    others, warnings = _others(workspace, versions, environ)
    scores: list[tuple[str, Floats]] = []
    for name, project in others.items():
        try:
            # The same dates, whatever that project would take by itself.
            again = tried(
                Workspace(project, workspace.store),
                first=_day(found.replay.day.min()),
                last=_day(found.replay.day.max()),
                progress=progress,
                **asked,
            )
        except RetinueError as error:
            warnings.append(f'version "{name}" cannot be scored: {error}')
            continue
        scores.append((name, aligned(found, again)))
    seen = review(
        found.replay,
        found.labels,
        found.outcome,
        found.until,
        reference_until=None if learned_until is None else day_number(learned_until),
        versions=scores,
        good=found.rule.is_good,
    )
    scored = {name for name, _ in scores}
    return Reviewed(
        workspace.project.settings.project,
        _day(found.until),
        _fingerprints(workspace.project),
        {name: _fingerprints(project) for name, project in others.items() if name in scored},
        seen,
        (*found.warnings, *warnings),
    )


def _day(number: int) -> date:
    day: date = np.datetime64(int(number), "D").item()
    return day


def _fingerprints(project: Project) -> dict[str, str]:
    return {one.scorecard.scorecard: one.fingerprint for one in project.formulas}


def _others(
    workspace: Workspace, versions: Sequence[tuple[str, Path]], environ: Mapping[str, str]
) -> tuple[dict[str, Project], list[str]]:
    """Other versions of the scorecards by name, over the data of today's project."""
    now, found, warnings = workspace.project, {}, []
    manifest = workspace.manifest()
    if manifest is not None:
        try:
            old = published_project(now, manifest, environ)
            if _fingerprints(old) != _fingerprints(now):
                found[PUBLISHED] = old
        except RetinueError as error:
            warnings.append(f"the published declarations cannot be read any more: {error.message}")
    for name, folder in versions:
        other = load(folder, environ)
        settings = now.settings.model_copy(
            update={"scorecards": other.settings.scorecards, "stages": other.settings.stages}
        )
        found[name] = replace(now, settings=settings, scorecards=other.scorecards, metrics=other.metrics)
    return found, warnings


def aligned(found: Tried, other: Tried) -> Floats:
    """What `other` computes on the rows of `found`; nan where it has none."""
    number = {account: n for n, account in enumerate(other.accounts)}
    own = np.array([number.get(account, -1) for account in found.accounts], np.int64)
    return _at(other.replay, own[found.replay.account], found.replay.day)


def _at(replay: Replay, account: Any, day: Any) -> Floats:
    if not len(replay):
        return np.full(len(day), np.nan)
    at = np.searchsorted(keys(replay.account, replay.day), keys(account, day))
    safe = np.minimum(at, len(replay) - 1)
    there = (replay.account[safe] == account) & (replay.day[safe] == day)
    return np.asarray(np.where(there, replay.computed[safe], np.nan), np.float64)
