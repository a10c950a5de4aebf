"""How far the score can be trusted: its trial against what happened, and whether people use it.

The trial is over all accounts of the company and takes seconds to minutes, so it is made in the
background, once for a run, and kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.desk import background, losses
from retinue.desk.plain import plain, rebuilt
from retinue.desk.portfolio import PortfolioAsk, portfolio
from retinue.desk.steady import steady
from retinue.errors import Forbidden
from retinue.insight.validation.report import Report
from retinue.insight.validation.sampling import Estimate
from retinue.run.layers import floats_of
from retinue.run.validate import Validated
from retinue.store.people.access import OPERATOR, Actor, require
from retinue.store.people.uses import Adoption, adoption
from retinue.store.published.current import RunInfo, seen_ids
from retinue.store.published.manifest import read_manifest
from retinue.store.published.snapshots import Published
from retinue.workspace import Workspace

TRIAL = "trial"
#: Days over which the use of scores is shown.
USED = 90


@dataclass(frozen=True)
class Trial:
    """What a trial found, as of the run `run_id`; `fingerprints` are by scorecard. `with_pulses` is the AUC
    of the score that hears what people say, None where it hears nobody."""

    run_id: str
    project: str
    fingerprints: dict[str, str]
    report: Report
    with_pulses: Estimate | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "project": self.project,
            "fingerprints": self.fingerprints,
            **self.report.to_dict(),
            "auc_with_pulses": plain(self.with_pulses),
        }


@dataclass(frozen=True, slots=True)
class Judgement:
    """What people's overrides do, on the last date and for the accounts that the actor sees: `overridden`
    of them, and the means of the three layers (None without scores)."""

    accounts: int
    overridden: int
    computed: float | None
    published: float | None
    effective: float | None


@dataclass(frozen=True)
class Trust:
    """`trial` may be of an earlier run than `run` (then `stale`), or not there yet; `work` is what goes on
    or went wrong. `adoption` is None where uses are not recorded. Losses with their amounts are left out
    of the trial for who does not see all accounts."""

    run: RunInfo
    trial: Trial | None
    work: background.Work | None
    judgement: Judgement
    adoption: Adoption | None
    may_start: bool

    @property
    def stale(self) -> bool:
        return self.trial is not None and self.trial.run_id != self.run.run_id

    def to_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run.run_id,
            "trial": self.trial.to_dict() if self.trial else None,
            "stale": self.stale,
            "work": dataclasses.asdict(self.work) if self.work else None,
            "judgement": dataclasses.asdict(self.judgement),
            "adoption": self.adoption.to_dict() if self.adoption else None,
        }


def trust(workspace: Workspace, actor: Actor, *, now: datetime, recorded: bool) -> Trust:
    """`recorded`: whether uses are. Raises NotFound before the first run."""
    require(actor, "read")
    return steady(workspace, lambda run: _trust(workspace, actor, run, now, recorded))


def _trust(workspace: Workspace, actor: Actor, run: RunInfo, now: datetime, recorded: bool) -> Trust:
    # Of a run of long ago (a demo), the weeks before it; else what led to it would be out of sight.
    since = min(now, run.published_at) - timedelta(days=USED)
    used = adoption(workspace.store, actor, since, now) if recorded else None
    found = trial(workspace, run)
    if found is not None and not actor.everything:
        report = dataclasses.replace(found.report, reasons=(), amounts=())
        found = dataclasses.replace(found, report=report)
    return Trust(
        run,
        found,
        background.work(workspace.project.home, TRIAL),
        _judgement(workspace, actor, run),
        used,
        may_start(actor),
    )


def trial(workspace: Workspace, run: RunInfo) -> Trial | None:
    """The trial that is kept for the run, or else the latest one before it."""
    return _kept(workspace.project.home, run.run_id)


def may_start(actor: Actor) -> bool:
    return actor.everything and actor.may("act")


def start_trial(workspace: Workspace, actor: Actor, *, now: datetime) -> bool:
    """Make the trial of the current run in the background; returns whether it was started.

    Raises Forbidden for who may not, NotFound before the first run.
    """
    if not may_start(actor):
        raise Forbidden(
            f"{actor.name} ({actor.role}) may not have the score tried",
            hint="it needs somebody who sees all accounts and may act on them",
        )
    return steady(workspace, lambda run: _start(workspace, run, now))


def keep_up(workspace: Workspace, *, now: datetime) -> None:
    """Have whatever pages show of the current run and is not there yet made, long work in the background.

    A server calls it after a new run; what failed for a run is not tried again for it.
    """

    def needed(run: RunInfo) -> None:
        losses.start_reading(workspace, run, now=now)
        found, going = trial(workspace, run), background.work(workspace.project.home, TRIAL)
        if (found is None or found.run_id != run.run_id) and (going is None or going.about != run.run_id):
            _start(workspace, run, now)
        # Whoever opens the portfolio first would wait for it.
        portfolio(workspace, OPERATOR, PortfolioAsk())

    steady(workspace, needed)


def _start(workspace: Workspace, run: RunInfo, now: datetime) -> bool:
    asked = [TRIAL, str(workspace.project.root), now.isoformat()]
    return background.start(workspace.project.home, TRIAL, run.run_id, asked)


def keep_trial(workspace: Workspace, run: RunInfo, found: Validated) -> None:
    """Keep a trial as that of the run."""
    told = {
        "project": found.project,
        "fingerprints": found.fingerprints,
        "report": plain(found.report),
        "with_pulses": plain(found.with_pulses),
    }
    background.keep(workspace.project.home, TRIAL, run.run_id, told)


def _kept(home: Path, run_id: str) -> Trial | None:
    found = background.kept(home, TRIAL, run_id)
    return None if found is None else _trial(*found)


def _trial(run_id: str, told: Mapping[str, Any]) -> Trial | None:
    try:
        return Trial(
            run_id,
            told["project"],
            dict(told["fingerprints"]),
            rebuilt(Report, told["report"]),
            rebuilt(Estimate | None, told["with_pulses"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        # It was kept by another version of Retinue: as if there were none.
        return None


def _judgement(workspace: Workspace, actor: Actor, run: RunInfo) -> Judgement:
    whole = _layers(workspace.project.home, run.run_id, run.last_as_of)
    ids, layers = whole
    if not actor.everything:
        mine = pc.is_in(ids, value_set=pa.array(seen_ids(workspace.store, actor), pa.string()))
        layers = layers[:, mine.to_numpy(zero_copy_only=False)]
    scored = ~np.isnan(layers).any(axis=0)
    means = [float(one[scored].mean()) if scored.any() else None for one in layers]
    changed = int((np.abs(layers[2] - layers[1])[scored] > 1e-9).sum())
    return Judgement(int(scored.sum()), changed, *means)


@lru_cache(maxsize=1)
def _layers(home: Path, run_id: str, day: date | None) -> Any:
    names = ("computed", "published", "effective")
    table = Published(home, read_manifest(home, run_id)).table(
        "snapshots", dates=[] if day is None else [day], columns=["account_id", *names]
    )
    return table["account_id"].combine_chunks(), np.stack([floats_of(table[name]) for name in names])
