"""What a playbook is worth: those for whom it did something beside those whom chance held out.

Without accounts that were held out nothing is said: accounts that fall recover by themselves too, and
those that come into a playbook have just fallen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.desk.starts import newcombe, wilson
from retinue.store.people.access import Actor
from retinue.store.published.grids import BANDS
from retinue.store.published.histories import Histories, open_histories
from retinue.store.work import plays
from retinue.words import shown
from retinue.workspace import Workspace

#: Days after which an account is looked at again, and fewest accounts of each side to say anything.
DAYS, ENOUGH = 28, 20
LEVEL = 0.95
#: The place of the best band.
_BEST = BANDS.index("healthy")


@dataclass(frozen=True, slots=True)
class Arm:
    """Accounts of one side: how many were in a better band `DAYS` days later. Shares are 0 to 1, with
    Wilson intervals of 95 %; None without accounts."""

    accounts: int
    better: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Effect:
    """The two sides, and the difference of their shares with an interval of 95 % (Newcombe).

    None where there are too few on a side. `too_young` were there less than `days` days ago, `best`
    could not get into a better band. `words` says what can be said.
    """

    days: int
    at_least: int
    done: Arm
    held_out: Arm
    difference: float | None
    low: float | None
    high: float | None
    too_young: int
    best: int
    words: str


def effect(workspace: Workspace, actor: Actor, playbook: str) -> Effect:
    """Of accounts that the actor may see, each counting once. Raises Forbidden for who may not know
    which accounts are held out."""
    arms = plays.arms(workspace.store, actor, playbook)
    if not arms:
        nobody = _arm(np.zeros(0, np.int8))
        words = "No account was held out, so nothing can be said of its effect: some recover by themselves."
        return Effect(DAYS, ENOUGH, nobody, nobody, None, None, None, 0, 0, words)
    better, too_young, best = _better(open_histories(workspace.published()), arms)
    out = np.array([one for _, _, one in arms])
    return judged(better, out, too_young=too_young, best=best)


def judged(better: NDArray[np.int8], out: NDArray[np.bool_], *, too_young: int = 0, best: int = 0) -> Effect:
    """What can be said of accounts side by side: whether each got better (1, 0, or -1: not to be asked),
    and whether it was held out."""
    done, held = _arm(better[~out]), _arm(better[out])
    gap = None
    if done.accounts >= ENOUGH and held.accounts >= ENOUGH:
        gap = newcombe(done.better, done.accounts, held.better, held.accounts, LEVEL)
    difference = (done.share or 0.0) - (held.share or 0.0) if gap is not None else None
    low, high = gap if gap is not None else (None, None)
    words = _words(done, held, difference, gap)
    return Effect(DAYS, ENOUGH, done, held, difference, low, high, too_young, best, words)


def _better(
    histories: Histories, arms: Sequence[tuple[str, date, bool]]
) -> tuple[NDArray[np.int8], int, int]:
    """Whether each is in a better band so many days later: 1 or 0, -1 where that cannot be asked; and how
    many of those came in too lately, or in the best band. Who is gone by then is not better."""
    dates = np.array(histories.dates, "datetime64[D]")
    began = np.array([day for _, day, _ in arms], "datetime64[D]")
    ids = pa.array([account_id for account_id, _, _ in arms], pa.string())
    row = pc.index_in(ids, value_set=histories.account_ids).fill_null(-1).to_numpy(zero_copy_only=False)
    start = np.searchsorted(dates, began, side="right") - 1
    end = np.searchsorted(dates, began + np.timedelta64(DAYS, "D"), side="right") - 1
    young = dates[-1] < began + np.timedelta64(DAYS, "D")
    band, there = histories.column("band"), histories.column("there").astype(bool)
    before = np.where((row >= 0) & (start >= 0), band[row, start], -1)
    best = ~young & (before == _BEST)
    asked = ~young & ~best & (before >= 0)
    better = np.where(asked, there[row, end] & (band[row, end] > before), -1).astype(np.int8)
    return better, int(young.sum()), int(best.sum())


def _arm(better: NDArray[np.int8]) -> Arm:
    hits, count = int((better == 1).sum()), int((better >= 0).sum())
    if not count:
        return Arm(0, 0, None, None, None)
    return Arm(count, hits, hits / count, *wilson(hits, count, LEVEL))


def _words(done: Arm, held: Arm, difference: float | None, gap: tuple[float, float] | None) -> str:
    if gap is None or difference is None:
        return (
            f"Not enough evidence: {done.accounts:,} accounts for which it did something {DAYS} days ago or "
            f"earlier, and {held.accounts:,} that were held out. {ENOUGH} of each are needed."
        )
    points, low, high = (_points(one) for one in (difference, *gap))
    told = (
        f"{DAYS} days later {_percent(done)} of {done.accounts:,} accounts were in a better band, of "
        f"{held.accounts:,} that were held out {_percent(held)}: a difference of {points} percentage points "
        f"(95 %: {low} to {high})."
    )
    if gap[0] > 0:
        return told + " Chance alone hardly makes such a difference."
    if gap[1] < 0:
        return told + " It went worse with the playbook than without it, by more than chance makes likely."
    return told + " Chance alone can make such a difference: it shows no effect yet."


def _percent(arm: Arm) -> str:
    return f"{shown(100 * (arm.share or 0))} %"


def _points(part: float) -> str:
    return shown(100 * part).replace("-", "\u2212")
