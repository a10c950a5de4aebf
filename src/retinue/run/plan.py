"""What the declarations as they are would do to the scores that are published. Nothing is published.

The last published date is scored twice over today's data: by the declarations that are published
and by those of the project. Against what is published, the first shows what late data alone would
move, the second beside the first what the change does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.errors import NotFound, RetinueError
from retinue.project.project import Project
from retinue.run import layers, observed, pace
from retinue.run.differences import declared, published_project
from retinue.run.history import New, Past
from retinue.run.kept import Kept
from retinue.run.layers import bands_array, numbers_array
from retinue.run.planned import COMPARED, SIDE, BackTest, Plan
from retinue.run.recipe import complete_day, spoken_pulses
from retinue.store.work.said import overrides_for_run, pulses_for_run
from retinue.warehouse.trace import Listener, Trace
from retinue.workspace import Workspace


def plan(
    workspace: Workspace,
    *,
    now: datetime,
    environ: Mapping[str, str],
    back_test: Callable[[Workspace, Listener | None], Any] | None = None,
    progress: Listener | None = None,
) -> Plan:
    """The effect of the project's declarations on the last published date.

    `back_test` tries the score of a workspace; without it none is tried. Raises NotFound where
    nothing is published.
    """
    project = workspace.project
    past = Past.of(workspace)
    if past.published is None or past.manifest is None:
        raise NotFound(
            f"nothing is published in {project.home} yet: there is nothing to compare with",
            hint="run `retinue run` first; from then on `retinue plan` says what a change would do",
        )
    day, notes = past.dates()[-1], []
    kept, _how = past.kept(day)
    before = _published(past, day)
    old, told = None, None
    try:
        old = published_project(project, past.manifest, environ)
        told = declared(old, project)
    except RetinueError as error:
        notes.append(f"the published declarations cannot be read any more: {error.message}")
    if told is not None and told.scores_alike:
        old = project
    half = 0.5 if old is not None and old is not project else 1.0
    after = _scored(workspace, past, kept, day, now, _part(progress, 0.0, half))
    restated: _Scored | None = after if old is project else None
    if old is not None and old is not project:
        try:
            other = Workspace(old, workspace.store)
            restated = _scored(other, past, kept, day, now, _part(progress, half, 1.0))
        except RetinueError as error:
            notes.append(f"the published declarations cannot be scored any more: {error.message}")
    if restated is None:
        notes.append("what late data moved and what the change moves cannot be told apart")
    elif old is not None and _scored_by_others(before, old):
        notes.append(
            "this version of Retinue scores the published declarations in another way: what that moves "
            "counts as late data here"
        )
    return Plan(
        project=project.settings.project,
        as_of=day,
        run_id=past.manifest.run_id,
        currency=project.settings.currency,
        declared=told,
        effects=_effects(before, restated, after),
        components=_components(before.components, after.components),
        told_apart=restated is not None,
        back_test=_tried(back_test, workspace, old, progress) if back_test else None,
        notes=tuple(notes),
    )


def _scored_by_others(before: _Scored, old: Project) -> bool:
    """Whether a published snapshot rests on a formula that its declarations do not give any more."""
    used = set(pc.unique(before.snapshots["fingerprint"]).to_pylist()) - {None}
    return not used <= {formula.fingerprint for formula in old.formulas}


def _tried(
    back_test: Callable[[Workspace, Listener | None], Any],
    workspace: Workspace,
    old: Project | None,
    progress: Listener | None,
) -> BackTest:
    found: dict[str, Any] = {"before": None, "after": None}
    notes = [] if old is not None else ["the published declarations cannot be tried any more"]
    for side, project in (("before", old), ("after", workspace.project)):
        if project is None:
            continue
        if side == "after" and project is old:
            found["after"] = found["before"]
            continue
        try:
            found[side] = back_test(Workspace(project, workspace.store), progress)
        except RetinueError as error:
            which = "published declarations" if side == "before" else "declarations of the project"
            notes.append(f"no back-test of the {which}: {error}")
    return BackTest(found["before"], found["after"], tuple(notes))


# --- scoring one date ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scored:
    """Snapshots of one date with their layers, and the contributions of their components."""

    snapshots: pa.Table
    components: pa.Table
    accounts: pa.Table

    @property
    def ids(self) -> list[pa.Array]:
        return list(self.snapshots["account_id"].chunks)


def _scored(
    workspace: Workspace, past: Past, kept: Kept, day: date, now: datetime, progress: Listener | None
) -> _Scored:
    """One date scored as a run would score it again, with nothing written."""
    from retinue.warehouse import tables
    from retinue.warehouse.compute import Asked, compute
    from retinue.warehouse.engine import connect

    project = workspace.project
    last = kept.last_scored()
    with Trace(progress, pace.plan(project)) as trace, connect(project, trace=trace) as engine:
        trace.stage("starting")
        computed = compute(
            engine,
            project,
            Asked(
                dates=(day,),
                observed_on=complete_day(project, now),
                observed=observed.seen(past.published, project),
                looked=observed.days_seen(past.published, day),
                pulses=spoken_pulses(pulses_for_run(workspace.store), project),
                last=last,
                formulas=past.older_formulas(project, last),
            ),
        )
        trace.stage("settling scores")
        formulas = {**past.formulas, **{f.fingerprint: f for f in computed.formulas}}
        snapshots = tables.snapshots(engine, computed)
        new = New.of(engine, computed, snapshots, formulas, past, kept, day)
        settled, _folded = new.stabilised(new.rows)
        settled = layers.overridden(
            new.before, settled, overrides_for_run(workspace.store), new.index, new.cards, project
        )
        detail = tables.on_date(engine, computed, computed.spine.pos(day))
    at = np.where(settled.formula >= 0, settled.formula, len(new.cards))
    at = pa.array(at, pa.int32())
    cards = pa.array([*(card.scorecard for card in new.cards), None], pa.string())
    told = pa.table(
        {
            "account_id": new.account_ids.take(pa.array(settled.ix)),
            "status": snapshots["status"],
            "scorecard": cards.take(at),
            "fingerprint": pa.array([*new.fingerprints, None], pa.string()).take(at),
            "score": numbers_array(settled.effective),
            "band": bands_array(settled.band),
            **{
                name: numbers_array(getattr(settled, name))
                for name in ("base", "adjustment", "computed", "published")
            },
        }
    )
    return _Scored(told, detail["components"], detail["accounts"])


def _published(past: Past, day: date) -> _Scored:
    """The same, as it is published."""
    assert past.published is not None
    columns = ["account_id", *(name if name != "score" else "effective" for name in SIDE)]
    rows = past.published.table("snapshots", dates=[day], columns=columns)
    rows = rows.rename_columns(["score" if name == "effective" else name for name in columns])
    components = past.published.table("components", dates=[day])
    return _Scored(rows, components, past.published.table("accounts", dates=[day]))


# --- side by side ----------------------------------------------------------------------------------


def _effects(before: _Scored, restated: _Scored | None, after: _Scored) -> pa.Table:
    every = pc.unique(pa.chunked_array([*before.ids, *after.ids], pa.string()))
    ids = every.take(pc.sort_indices(every))
    columns: dict[str, Any] = {"account_id": ids}
    accounts = _placed(ids, after.accounts["account_id"])
    gone = _placed(ids, before.accounts["account_id"])
    for name, kind in (("name", pa.string()), ("owner", pa.string()), ("arr", pa.float64())):
        columns[name] = pc.coalesce(
            *(
                _attribute(side.accounts, name, kind).take(at)
                for side, at in ((after, accounts), (before, gone))
            )
        )
    for side, scored in (("before", before), ("after", after)):
        at = _placed(ids, scored.snapshots["account_id"])
        columns |= {f"{side}_{name}": scored.snapshots[name].take(at) for name in SIDE}
    base = restated or before
    at = _placed(ids, base.snapshots["account_id"])
    columns |= {f"restated_{name}": base.snapshots[name].take(at) for name in ("score", *COMPARED)}
    columns["change"] = pc.subtract(columns["after_score"], columns["before_score"])
    columns["by_data"] = pc.subtract(columns["restated_score"], columns["before_score"])
    columns["by_change"] = pc.subtract(columns["after_score"], columns["restated_score"])
    return pa.table(columns)


def _placed(ids: pa.Array, among: pa.ChunkedArray) -> pa.Array:
    return pc.index_in(ids, value_set=among.combine_chunks())


def _attribute(accounts: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    if name in accounts.column_names:
        try:
            return accounts[name].cast(kind)
        except pa.ArrowInvalid:
            pass
    return pa.chunked_array([pa.nulls(accounts.num_rows, kind)])


def _components(before: pa.Table, after: pa.Table) -> pa.Table:
    """Contributions of both, by account and component."""
    keys = ["account_id", "component"]
    old = before.select([*keys, "contribution"]).rename_columns([*keys, "before"])
    new = after.select([*keys, "contribution"]).rename_columns([*keys, "after"])
    both = old.join(new, keys, join_type="full outer")
    return both.sort_by([(key, "ascending") for key in keys])


def _part(progress: Listener | None, start: float, end: float) -> Listener | None:
    """Progress of a part of the work, as that of the whole."""
    if progress is None:
        return None
    return lambda text, part: progress(text, start + part * (end - start))
