"""Where an account stands among accounts like it: counts and quantiles, never whose they are."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.desk.day import PublishedDay
from retinue.workspace import Workspace

#: Fewer others than this say nothing, and could give one of them away.
FEWEST = 10
#: Width of a class of the distribution, in points of the score.
CLASS = 5
#: Shares of the peers for which the score is told that so many do not exceed.
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True)
class Peers:
    """The other accounts of the same segment and age that were scored that day.

    `below` is the share of them with a lower score (ties count half); `counts` are accounts by class of
    `CLASS` points from 0 on. All three are None or empty with fewer than `FEWEST`.
    """

    segment: str | None
    tenure: str | None
    others: int
    below: float | None = None
    quantiles: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def too_few(self) -> bool:
        return self.others < FEWEST

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "too_few": self.too_few, "quantile_of": list(QUANTILES)}


def peers(
    workspace: Workspace, day: date, score: float, *, segment: str | None, tenure_days: float | None
) -> Peers:
    """Where a score of that day stands. Everybody may know it: what it tells is about no one account."""
    buckets = workspace.project.settings.tenure_buckets
    run_id = workspace.published().manifest.run_id
    groups = _groups(PublishedDay(workspace, run_id, day))
    bucket = _bucket(tenure_days, buckets)
    group = groups.get((segment, bucket), _NOBODY)
    same = group.scores
    others = max(0, len(same) - 1)
    told = Peers(segment, _words(bucket, buckets), others)
    if told.too_few:
        return told
    # The account itself is one of them: it neither exceeds itself nor is exceeded.
    lower = float(np.searchsorted(same, score, "left"))
    ties = max(0.0, float(np.searchsorted(same, score, "right")) - lower - 1)
    return dataclasses.replace(
        told, below=(lower + ties / 2) / others, quantiles=group.quantiles, counts=group.counts
    )


@dataclass(frozen=True, eq=False)
class _Group:
    """Accounts alike; `scores` are sorted."""

    scores: NDArray[np.float64]

    @cached_property
    def quantiles(self) -> tuple[float, ...]:
        return tuple(float(q) for q in np.quantile(self.scores, QUANTILES))

    @cached_property
    def counts(self) -> tuple[int, ...]:
        counts, _ = np.histogram(self.scores, bins=np.arange(0, 100 + CLASS, CLASS))
        return tuple(int(n) for n in counts)


_NOBODY = _Group(np.empty(0))


@lru_cache(maxsize=8)
def _groups(asked: PublishedDay) -> dict[tuple[str | None, int | None], _Group]:
    """The scores of that day by segment and bucket of tenure."""
    published, day = asked.workspace.published(), asked.day
    buckets = asked.workspace.project.settings.tenure_buckets
    columns = ["account_id", "tenure_days"]
    if "segment" in published.schema("accounts").names:
        columns.append("segment")
    about = published.table("accounts", dates=[day], columns=columns)
    scores = published.table("snapshots", dates=[day], columns=["account_id", "effective"])
    scores = scores.filter(pc.is_valid(scores["effective"]))
    at = pc.index_in(scores["account_id"], value_set=about["account_id"].combine_chunks())
    values = scores["effective"].to_numpy()
    if "segment" in columns:
        named = about["segment"].take(at).combine_chunks().cast("string").dictionary_encode("encode")
        segments, codes = named.dictionary.to_pylist(), named.indices.to_numpy()
    else:
        segments, codes = [None], np.zeros(len(values), np.int64)
    tenure = pc.fill_null(about["tenure_days"].take(at), float("nan")).to_numpy()
    bucket = np.maximum(np.searchsorted(buckets, tenure, "right") - 1, 0)
    bucket[np.isnan(tenure)] = len(buckets)
    keys = codes.astype(np.int64) * (len(buckets) + 1) + bucket
    order = np.lexsort((values, keys))
    every, starts = np.unique(keys[order], return_index=True)
    found: dict[tuple[str | None, int | None], _Group] = {}
    for key, own in zip(every.tolist(), np.split(values[order], starts[1:]), strict=True):
        segment, number = divmod(key, len(buckets) + 1)
        found[segments[segment], None if number == len(buckets) else number] = _Group(own)
    return found


def _bucket(tenure_days: float | None, buckets: Sequence[int]) -> int | None:
    """The number of the bucket; None where no start is known."""
    return None if tenure_days is None else max(0, bisect_right(buckets, tenure_days) - 1)


def _words(bucket: int | None, buckets: Sequence[int]) -> str | None:
    if bucket is None or not buckets:
        return None
    low = buckets[bucket]
    if bucket + 1 == len(buckets):
        return f"{low} days and longer"
    return f"{low} to {buckets[bucket + 1] - 1} days"
