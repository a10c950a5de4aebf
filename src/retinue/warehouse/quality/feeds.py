"""Checks of feeds: does each still come, as often as it used to, and as often as scorecards ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np

from retinue.project.metrics import MetricBase
from retinue.warehouse.metrics import feeds, given
from retinue.warehouse.metrics import kinds as metrics
from retinue.warehouse.metrics.feeds import Feed
from retinue.warehouse.quality.findings import Findings, Path
from retinue.warehouse.scores.sheets import placed

_FEW_DAYS = 10
_PATIENCE = 3
_CLOSED = 60


@dataclass(frozen=True)
class Feeds:
    """The feeds; `day` is the last day that there is something to look at: today, or the last
    day of a history that is closed."""

    known: dict[str, Feed]
    day: date


@dataclass(frozen=True)
class _Rhythm:
    last: date
    usual: int | None
    pauses: tuple[int, ...]


def look(found: Findings, sources: Mapping[str, ir.Table], usable: Mapping[str, MetricBase]) -> Feeds:
    """Tell of feeds that stopped; `sources` are typed facts."""
    rhythms = {name: one for name in sources if (one := _rhythm(found, sources[name])) is not None}
    limits = _limits(found, usable)
    known = feeds.known(found.engine, sources)
    silent = {name: (found.today - one.last).days for name, one in rhythms.items()}
    if silent and min(silent.values()) > _CLOSED:
        last = max(one.last for one in rhythms.values())
        found.warning(
            ("settings", "facts"),
            f"no source has a row after {last}, {min(silent.values()):,} days before the last complete day",
            f"if these are data of a closed time, score it with `retinue run --to {last}`",
        )
        day = last
    else:
        day = found.today
        for name, one in rhythms.items():
            _stopped(found, name, one, silent[name], limits.get(name))
    for name, one in rhythms.items():
        if name in limits:
            _too_strict(found, name, one, *limits[name])
    return Feeds(known, day)


def _rhythm(found: Findings, facts: ir.Table) -> _Rhythm | None:
    known = facts.filter(facts.visible <= ibis.literal(found.today))
    days = found.engine.arrow(known.select(day=known.day).distinct().order_by("day"))["day"]
    if not len(days):
        return None
    gaps = np.diff(days.cast("int32").to_numpy())
    usual = max(int(np.ceil(np.quantile(gaps, 0.95))), 1) if len(days) >= _FEW_DAYS else None
    return _Rhythm(days[-1].as_py(), usual, tuple(int(gap) - 1 for gap in gaps))


def _stopped(found: Findings, name: str, one: _Rhythm, silent: int, limit: tuple[int, Path] | None) -> None:
    dead = limit is not None and silent > limit[0]
    late = one.usual is not None and silent > _PATIENCE * one.usual
    if not dead and not late:
        return
    every = "" if one.usual is None else f", and there used to be rows at least every {_days(one.usual)}"
    held = f"; its max_age is {limit[0]}d, so scores that rest on it are held" if dead and limit else ""
    found.warning(
        found.of_source(name),
        f"feed {name} may have stopped: its last row is of {one.last}, {_days(silent)} ago{every}{held}",
        "look at what loads it",
    )


def _too_strict(found: Findings, name: str, one: _Rhythm, limit: int, path: Path) -> None:
    """Pauses that are usual, and would be taken for a dead feed."""
    longer = [pause for pause in one.pauses if pause > limit]
    if len(longer) >= 3 and len(longer) >= 0.02 * len(one.pauses):
        found.warning(
            path,
            f"max_age is {limit}d, but {name} paused for longer {len(longer)} times, "
            f"for up to {_days(max(longer))}",
            "each time the feed counts as dead and scores are held: allow for the usual pause",
        )


def _limits(found: Findings, usable: Mapping[str, MetricBase]) -> dict[str, tuple[int, Path]]:
    """Days after which a source counts as dead, and the measure that says so."""
    project = found.project
    reads = given.reads(usable, project)
    limits: dict[str, tuple[int, Path]] = {}
    for one in placed(project.formulas):
        if one.measure.max_age is None or one.metric not in usable:
            continue
        card = project.formulas[one.formula].scorecard.scorecard
        path = ("scorecards", card, "components", one.component, "measures", one.metric, "max_age")
        for feed in metrics.feeds_of(one.metric, usable, reads):
            if feed not in limits or one.measure.max_age.days < limits[feed][0]:
                limits[feed] = (one.measure.max_age.days, path)
    return limits


def _days(count: int) -> str:
    return "day" if count == 1 else f"{count:,} days"
