"""What was lost, in the money of the project, by where the account stood."""

from __future__ import annotations

import numpy as np

from retinue.insight.validation.bands import NAMES
from retinue.insight.validation.losses import Grid
from retinue.insight.validation.report import Amount


def amounts(grid: Grid) -> tuple[Amount, ...]:
    """Amounts of losses by the band 7 days before: the amount told with the outcome, else the account's
    revenue then. Nothing where no amount is known."""
    row = grid.before(7)
    seen = row >= 0
    if not len(grid.lost) or not len(grid.replay):
        return ()
    band = np.where(seen, grid.replay.band[row], -1)
    revenue = np.where(seen, grid.replay.arr[row], np.nan)
    amount = np.where(np.isnan(grid.lost.amount), revenue, grid.lost.amount)
    if np.isnan(amount).all():
        return ()
    kinds = [(name, seen & (band == at)) for at, name in enumerate(NAMES)]
    kinds += [("not scored", seen & (band == -1)), ("not seen", ~seen)]
    return tuple(
        Amount(
            name,
            int(which.sum()),
            int((~np.isnan(amount[which])).sum()),
            float(np.nansum(amount[which])),
        )
        for name, which in kinds
    )
