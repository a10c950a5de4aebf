"""What an account scored on every published date, and under which formula."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retinue.desk.day import PublishedDay
from retinue.store.published.grids import BANDS
from retinue.store.published.histories import open_histories
from retinue.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The account on one published date, `score` being the effective one."""

    day: date
    score: float | None
    computed: float | None
    published: float | None
    band: str | None
    scorecard: str | None
    fingerprint: str | None


def past(workspace: Workspace, account_id: str) -> tuple[Snapshot, ...]:
    """Every published date of the account, the oldest first; none where there is no such account."""
    published = workspace.published()
    series = open_histories(published).of(account_id)
    if not series.dates:
        return ()
    last = published.table("snapshots", account=account_id, dates=[series.dates[-1]], columns=["fingerprint"])
    fingerprints = _fingerprints(workspace, account_id, series.dates, last["fingerprint"][0].as_py())
    cards = {name: told["scorecard"]["scorecard"] for name, told in published.manifest.formulas.items()}
    layers = (_numbers(values) for values in (series.effective, series.computed, series.published))
    return tuple(
        Snapshot(day, score, computed, shown, BANDS[band] if band >= 0 else None, cards.get(used or ""), used)
        for day, score, computed, shown, band, used in zip(
            series.dates, *layers, series.band.tolist(), fingerprints, strict=True
        )
    )


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _fingerprints(
    workspace: Workspace, account_id: str, days: tuple[date, ...], last: str | None
) -> list[str | None]:
    """The formula of each date: where it changed, the bridge knows the one before."""
    found: list[str | None] = [last] * len(days)
    run_id = workspace.published().manifest.run_id
    changed = _changes_of_formula(PublishedDay(workspace, run_id, days[-1]))
    for day, before in reversed(changed.of(account_id)):
        at = bisect_left(days, day)
        found[:at] = [before] * at
    return found


@dataclass(frozen=True)
class _Formulas:
    """The days on which formulas changed, with those before, of all accounts: sorted by account and day."""

    accounts: pa.Array
    days: pa.Array
    before: pa.Array

    def of(self, account_id: str) -> list[tuple[date, str]]:
        low = _place(self.accounts, account_id)
        found = []
        while low < len(self.accounts) and self.accounts[low].as_py() == account_id:
            found.append((self.days[low].as_py(), self.before[low].as_py()))
            low += 1
        return found


def _place(values: pa.Array, wanted: str) -> int:
    """Where `wanted` is, or would be, among sorted values."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle].as_py() < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@lru_cache(maxsize=2)
def _changes_of_formula(asked: PublishedDay) -> _Formulas:
    """Read once per run: a trend goes back further than what is quick to read of one account."""
    columns = ["account_id", "as_of", "old_fingerprint"]
    table = asked.workspace.published().table("bridges", columns=columns).combine_chunks()
    encoded = table["old_fingerprint"].combine_chunks().dictionary_encode()
    accounts, days = (table[name].combine_chunks() for name in columns[:2])
    return _Formulas(accounts, days, encoded)


def edges_of(workspace: Workspace, past: tuple[Snapshot, ...]) -> dict[str, dict[str, float]]:
    """The lower edges of bands by fingerprint, of every formula in `past`."""
    manifest = workspace.manifest()
    assert manifest is not None  # there is a run, or there would be no history
    found = {}
    for name in {one.fingerprint for one in past if one.fingerprint is not None}:
        formula = manifest.formulas.get(name)
        if formula is not None:
            found[name] = dict(formula["scorecard"]["bands"])
    return found
