"""Which accounts moved most between two dates, up and down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from retinue.desk.movement import NOT_SCORED, Paired
from retinue.desk.panel import frame, nearest, published
from retinue.desk.steady import steady
from retinue.project.scorecards import BANDS
from retinue.store.people.access import Actor, require
from retinue.store.published.current import RunInfo
from retinue.store.work.record import standing
from retinue.workspace import Workspace

#: Points below which nothing is worth a line.
LEAST = 0.5


@dataclass(frozen=True, slots=True)
class Mover:
    """An account that was scored at both dates. `name` and `owner` are those of now, None if it is gone."""

    account_id: str
    name: str | None
    owner: str | None
    before: float
    after: float
    from_band: str
    to_band: str

    @property
    def points(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Movers:
    """`fell` most first and `rose` most first; how many did so by `LEAST` points or more."""

    since: date
    until: date
    fell: tuple[Mover, ...]
    rose: tuple[Mover, ...]
    all_fell: int
    all_rose: int


def movers(workspace: Workspace, actor: Actor, since: date, until: date | None, most: int = 8) -> Movers:
    """The largest moves of effective scores, among the accounts that the actor sees.

    The dates are published ones, or the last before them. Raises NotFound before the first run.
    """
    require(actor, "read")
    return steady(workspace, lambda run: _movers(workspace, actor, run, since, until, most))


def _movers(
    workspace: Workspace, actor: Actor, run: RunInfo, since: date, until: date | None, most: int
) -> Movers:
    dates = published(workspace, run).dates()
    last = nearest(dates, until or dates[-1])
    first = nearest(dates, min(since, last))
    pair = Paired.of(frame(workspace, actor, run, first), frame(workspace, actor, run, last))
    before, after = pair.floats("score")
    bands = pair.standings()
    # Scores move in steps of no meaning below ten decimals; ties are in the order of ids.
    points = np.where(np.isnan(before) | np.isnan(after), 0.0, np.round(after - before, 9))
    order = np.argsort(points, kind="stable")
    down = [int(n) for n in order[:most] if points[n] <= -LEAST]
    up = [int(n) for n in np.argsort(-points, kind="stable")[:most] if points[n] >= LEAST]
    ids = {n: str(pair.ids[n].as_py()) for n in (*down, *up)}
    rows = {row.account_id: row for row in standing(workspace.store, actor, list(ids.values()))}

    def told(n: int) -> Mover:
        row = rows.get(ids[n])
        old, new = (BANDS[one[n]] if one[n] < NOT_SCORED else "not_scored" for one in bands)
        name, owner = (row.name, row.owner) if row is not None else (None, None)
        return Mover(ids[n], name, owner, float(before[n]), float(after[n]), old, new)

    return Movers(
        first,
        last,
        tuple(told(n) for n in down),
        tuple(told(n) for n in up),
        int((points <= -LEAST).sum()),
        int((points >= LEAST).sum()),
    )
