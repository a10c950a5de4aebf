"""Accounts in their first 90 days: a group that is at risk from the start may never have been a fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.desk.panel import Bools, Ints, Panel
from retinue.project.scorecards import BANDS

#: Days that are the start.
DAYS = 90
#: Accounts in a group, and outside it, below which nothing is said.
ENOUGH = 30
#: Part of its scored dates on which an account is at risk to count.
HALF = 0.5
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Start:
    """Accounts of one group that were seen in their first 90 days, and how many of them were at risk on at
    least half of the dates; beside all other groups.

    `share` and `others_share` are 0 to 1 with Wilson intervals of 95 %; `difference` is between them
    (Newcombe's interval, at a level for as many groups as there are). `red` marks a group that is surely
    above the others; None: not enough evidence.
    """

    value: str
    accounts: int
    at_risk: int
    share: float | None
    low: float | None
    high: float | None
    others: int
    others_share: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    red: bool | None


def starts(seen: Panel, by: str) -> tuple[Start, ...]:
    """One entry per group with accounts in their first 90 days on some date of the panel, worst first.

    An account belongs to the group that it was in on the first of those dates.
    """
    ids: list[pa.Array] = []
    codes, red = [], []
    names = sorted({name for one in seen.frames for name in one.groups[by].names})
    for one in seen.frames:
        with np.errstate(invalid="ignore"):
            young = (one.tenure <= DAYS) & (one.band >= 0)
        if young.any():
            at = np.flatnonzero(young)
            to = np.array([names.index(name) for name in one.groups[by].names] + [-1], np.int64)
            ids.append(one.ids.take(pa.array(at)))
            codes.append(to[one.groups[by].codes[at]])
            red.append(one.band[at] == BANDS.index("at_risk"))
    if not ids:
        return ()
    coded = pc.dictionary_encode(pa.chunked_array(ids, pa.string())).combine_chunks()
    account = coded.indices.to_numpy(zero_copy_only=False)
    total = len(coded.dictionary)
    often = np.bincount(account, np.concatenate(red), total) / np.bincount(account, minlength=total)
    group = np.empty(total, np.int64)
    # The first date wins: it is written last.
    group[account[::-1]] = np.concatenate(codes)[::-1]
    return _compared(names, group, often >= HALF)


def _compared(names: list[str], group: Ints, red: Bools) -> tuple[Start, ...]:
    size = len(names)
    known = group >= 0
    count = np.bincount(group[known], minlength=size)
    hits = np.bincount(group[known], red[known], size).astype(np.int64)
    whole, all_hits = int(count.sum()), int(hits.sum())
    tried = int(((count >= ENOUGH) & (whole - count >= ENOUGH)).sum())
    found = []
    for n, name in enumerate(names):
        n1, n2 = int(count[n]), whole - int(count[n])
        if not n1:
            continue
        k1, k2 = int(hits[n]), all_hits - int(hits[n])
        low, high = wilson(k1, n1)
        enough = n1 >= ENOUGH and n2 >= ENOUGH
        gap = newcombe(k1, n1, k2, n2, 1 - (1 - LEVEL) / max(tried, 1)) if enough else None
        found.append(
            Start(
                value=name,
                accounts=n1,
                at_risk=k1,
                share=k1 / n1,
                low=low,
                high=high,
                others=n2,
                others_share=k2 / n2 if n2 else None,
                difference=k1 / n1 - k2 / n2 if n2 else None,
                difference_low=gap[0] if gap else None,
                difference_high=gap[1] if gap else None,
                red=gap[0] > 0 if gap else None,
            )
        )
    return tuple(sorted(found, key=lambda one: (-(one.share or 0), -one.accounts, one.value)))


def wilson(hits: int, of: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22)."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = hits / of
    middle = share + z * z / (2 * of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    whole = 1 + z * z / of
    return max((middle - half) / whole, 0.0), min((middle + half) / whole, 1.0)


def newcombe(hits: int, of: int, others: int, of_others: int, level: float) -> tuple[float, float]:
    """The interval of the difference of two shares (Newcombe 1998, Stat. Med. 17, method 10)."""
    one, other = hits / of, others / of_others
    low1, high1 = wilson(hits, of, level)
    low2, high2 = wilson(others, of_others, level)
    gap = one - other
    return (
        gap - math.sqrt((one - low1) ** 2 + (high2 - other) ** 2),
        gap + math.sqrt((high1 - one) ** 2 + (other - low2) ** 2),
    )
