"""The trial again, on parts of the rows: by segment, stage, scorecard, date, quarter, coverage, treatment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retinue.insight.replay import Bools, Floats, Ints, Replay
from retinue.insight.stability import AT_RISK
from retinue.insight.validation.discrimination import auc_within
from retinue.insight.validation.reliability import Foretold
from retinue.insight.validation.report import Slice, iso
from retinue.insight.validation.sampling import Estimate, shares

NEEDED = 10
"""Events, and rows without one, that an AUC of a part needs."""

COVERAGE = (0.5, 0.7, 0.9)
_COVERED = ("below .5", ".5 to .7", ".7 to .9", "at least .9")


def slices(
    rows: Replay, event: Bools, cluster: Ints, foretold: Foretold, treated: NDArray[np.bool_] | None
) -> tuple[Slice, ...]:
    """`treated` is by row counted."""
    dates, date = np.unique(rows.day, return_inverse=True)
    quarter_names, quarter = _quarters(rows.day)
    covered = np.searchsorted(COVERAGE, rows.coverage + 1e-9, side="right")
    parts: list[tuple[str, Ints, tuple[str, ...]]] = [
        ("segment", rows.segment.codes, rows.segment.names),
        ("stage", rows.stage.codes, rows.stage.names),
        ("scorecard", rows.scorecard.codes, rows.scorecard.names),
        ("date", np.asarray(date, np.int64), tuple(iso(one) for one in dates.tolist())),
        ("quarter", quarter, quarter_names),
        ("coverage", np.asarray(covered, np.int64), _COVERED),
    ]
    if treated is not None:
        parts.append(("treatment", treated.astype(np.int64), ("untreated", "treated")))
    chance = np.full(len(rows), np.nan)
    chance[foretold.places] = foretold.chance
    return tuple(
        one for by, codes, names in parts for one in _parts(by, codes, names, (rows, event, cluster, chance))
    )


def _parts(
    by: str, codes: Ints, names: tuple[str, ...], of: tuple[Replay, Bools, Ints, Floats]
) -> list[Slice]:
    rows, event, cluster, chance = of
    rate = shares(codes, len(names), event, cluster)
    red = rows.band == AT_RISK
    red_rate = shares(np.where(red, codes, -1), len(names), event, cluster)
    found = []
    for at, name in enumerate(names):
        inside = codes == at
        if not inside.any():
            continue
        happened = event[inside]
        count, events = len(happened), int(happened.sum())
        fewest = min(events, count - events)
        held = inside & ~np.isnan(chance)
        enough = fewest >= NEEDED
        found.append(
            Slice(
                by=by,
                name=name,
                rows=count,
                events=events,
                rate=rate[at],
                auc=auc_within(-rows.computed[inside], happened, cluster[inside])
                if enough
                else Estimate.none(),
                red_share=float(red[inside].mean()),
                red_rate=red_rate[at],
                observed=int(event[held].sum()),
                expected=float(chance[held].sum()) if held.any() else float("nan"),
                reason=None if enough else _why(events, count - events),
            )
        )
    return found


def _why(events: int, spared: int) -> str:
    if events <= spared:
        return f"too few: {events} events, {NEEDED} are needed"
    return f"too few: {spared} rows without the outcome, {NEEDED} are needed"


def _quarters(day: Ints) -> tuple[tuple[str, ...], Ints]:
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    quarters, code = np.unique(month // 3, return_inverse=True)
    names = tuple(f"{1970 + one // 4} Q{one % 4 + 1}" for one in quarters.tolist())
    return names, np.asarray(code, np.int64)
