"""What was lost, by why and in money, and where the accounts stood a week before."""

from __future__ import annotations

import numpy as np

from retinue.insight.stability import AT_RISK, HEALTHY
from retinue.insight.validation.bands import NAMES
from retinue.insight.validation.losses import Grid
from retinue.insight.validation.report import Amount, Reason


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


def reasons(grid: Grid) -> tuple[Reason, ...]:
    """Losses by stated reason, and the bands of those lost 7 days before; most frequent first."""
    lost = grid.lost
    row = grid.before(7)
    seen = row >= 0
    band = np.where(seen, grid.replay.band[row], -1) if len(grid.replay) else np.full(len(lost), -1)
    names = (*lost.reason.names, "none given")
    code = np.where(lost.reason.codes >= 0, lost.reason.codes, len(names) - 1)
    found = [
        Reason(
            name,
            int((code == at).sum()),
            int(seen[code == at].sum()),
            int((band[code == at] == HEALTHY).sum()),
            int((band[code == at] == AT_RISK).sum()),
        )
        for at, name in enumerate(names)
        if (code == at).any()
    ]
    if len(found) == 1 and found[0].name == "none given":
        return ()
    return tuple(sorted(found, key=lambda one: (-one.lost, one.name)))
