"""How well a score puts those to whom it happens below those to whom it does not.

AUC is the chance that, of a row with the outcome and one without, the one with it has the higher
risk, ties counting half. Within strata only pairs of the same stratum are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retinue.insight.replay import Bools, Floats, Ints
from retinue.insight.validation.sampling import Estimate, Resampling, Z, interval

_CELLS = 8_000_000
"""Numbers held at once for one block of repetitions."""


@dataclass(frozen=True)
class Ranked:
    """Rows put in order of risk once, so that AUC and average precision for any weights of clusters are
    sums: levels with an event have a bin each, the rows between two of them share one.

    `without` and `having` [bins, clusters] count rows without and with the outcome, `starts` is
    the first bin of each stratum.
    """

    without: Any
    having: Any
    starts: Ints

    @classmethod
    def of(
        cls, risk: Floats, event: Bools, cluster: Ints, clusters: int, strata: Ints | None = None
    ) -> Ranked:
        from scipy.sparse import csr_array

        kept = _told(risk, strata)
        risk, event, cluster = risk[kept], event[kept], cluster[kept]
        stratum = _dense(strata[kept]) if strata is not None else np.zeros(len(risk), np.int64)
        order = np.lexsort((risk, stratum))
        risk, event, cluster, stratum = risk[order], event[order], cluster[order], stratum[order]
        new = np.ones(len(risk), bool)
        new[1:] = (np.diff(risk) != 0) | (np.diff(stratum) != 0)
        level = np.cumsum(new) - 1
        with_event = np.bincount(level, event) > 0
        below: Ints = np.cumsum(with_event) - with_event
        first = np.flatnonzero(new)
        bins = (2 * below + with_event + stratum[first])[level] if len(risk) else np.zeros(0, np.int64)
        size = int(bins.max(initial=0)) + 1
        one = np.ones(len(risk), np.float32)
        starts = np.searchsorted(stratum[first], np.arange(int(stratum.max(initial=0)) + 1))
        without, having = (
            csr_array((one[which], (bins[which], cluster[which])), shape=(size, clusters))
            for which in (~event, event)
        )
        return cls(
            without=without,
            having=having,
            starts=(2 * below + stratum[first])[starts] if len(risk) else np.zeros(1, np.int64),
        )

    def measured(self, drawn: Any) -> tuple[Floats, Floats]:
        """AUC and average precision for weights of clusters [clusters, repetitions]; nan where there is no
        pair. Average precision leaves strata aside."""
        repetitions = drawn.shape[1]
        step = max(1, _CELLS // max(1, self.without.shape[0]))
        auc, precision = np.empty(repetitions), np.empty(repetitions)
        for at in range(0, repetitions, step):
            block = slice(at, at + step)
            auc[block], precision[block] = self._block(drawn[:, block])
        return auc, precision

    def _block(self, drawn: Any) -> tuple[Floats, Floats]:
        without = np.asarray(self.without @ drawn, np.float64)
        having = np.asarray(self.having @ drawn, np.float64)
        below = np.cumsum(without, axis=0) - without
        lengths = np.diff(np.append(self.starts, len(without)))
        below -= np.repeat(below[self.starts], lengths, axis=0)
        right = (having * (below + without / 2)).sum(axis=0)
        pairs = (np.add.reduceat(having, self.starts) * np.add.reduceat(without, self.starts)).sum(axis=0)
        above = np.cumsum(having[::-1], axis=0)[::-1]
        rows = above + np.cumsum(without[::-1], axis=0)[::-1]
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(having > 0, having * above / rows, 0.0).sum(axis=0) / having.sum(axis=0)
            return right / pairs, precision


def measured(
    risk: Floats, event: Bools, resampling: Resampling, strata: Ints | None = None
) -> tuple[Estimate, Estimate, Floats]:
    """AUC and average precision with intervals of the clusters drawn, and the AUC of each repetition, to
    be subtracted from that of another risk on the same rows."""
    ranked = Ranked.of(risk, event, resampling.cluster, resampling.clusters, strata)
    once = ranked.measured(np.ones((resampling.clusters, 1), np.float32))
    auc, precision = ranked.measured(resampling.drawn)
    return interval(float(once[0][0]), auc), interval(float(once[1][0]), precision), auc


def auc(risk: Floats, event: Bools, strata: Ints | None = None) -> float:
    """AUC alone; nan where there is no pair. Rows with risk nan or stratum -1 are left out."""
    right, _, _, pairs = _placed(risk, event, strata)
    return right / pairs if pairs else float("nan")


def auc_within(risk: Floats, event: Bools, cluster: Ints, strata: Ints | None = None) -> Estimate:
    """AUC with an interval in closed form for clustered rows, on the scale of logits.

    With one row per cluster this is DeLong (1988); with more it is Obuchowski (1997, Biometrics
    53: 567-578), weighted by pairs over strata. The interval is nan with fewer than two clusters
    of either kind, or where the AUC is 0 or 1.
    """
    value, variance = clustered(risk, event, cluster, strata)
    if not 0 < value < 1 or not variance >= 0:
        return Estimate(value, float("nan"), float("nan"))
    logit = np.log(value / (1 - value))
    half = Z * np.sqrt(variance) / (value * (1 - value))
    low, high = 1 / (1 + np.exp(-np.array([logit - half, logit + half])))
    return Estimate(value, float(low), float(high))


def clustered(risk: Floats, event: Bools, cluster: Ints, strata: Ints | None = None) -> tuple[float, float]:
    """AUC and its variance for clustered rows; nan where there is no pair."""
    kept = _told(risk, strata)
    right, having, without, pairs = _placed(risk, event, strata)
    if not pairs:
        return float("nan"), float("nan")
    value = right / pairs
    of = _dense(cluster[kept])
    happened = event[kept]
    clusters = int(of.max()) + 1
    x = np.bincount(of[happened], (having[0] - value * having[1])[happened], clusters) / pairs
    y = np.bincount(of[~happened], (without[0] - value * without[1])[~happened], clusters) / pairs
    of_x, of_y = len(np.unique(of[happened])), len(np.unique(of[~happened]))
    if of_x < 2 or of_y < 2:
        return value, float("nan")
    variance = (
        of_x / (of_x - 1) * (x**2).sum()
        + of_y / (of_y - 1) * (y**2).sum()
        + 2 * clusters / (clusters - 1) * (x * y).sum()
    )
    return value, max(0.0, float(variance))


def _placed(
    risk: Floats, event: Bools, strata: Ints | None
) -> tuple[float, tuple[Floats, Floats], tuple[Floats, Floats], float]:
    """Pairs put right; per row (of those told) the pairs that it has right and all its pairs, as a row with
    the outcome and as one without; all pairs."""
    kept = _told(risk, strata)
    risk, event = risk[kept], event[kept]
    stratum = _dense(strata[kept]) if strata is not None else np.zeros(len(risk), np.int64)
    if len(risk) == 0:
        none = np.zeros(0)
        return 0.0, (none, none), (none, none), 0.0
    order = np.lexsort((risk, stratum))
    ordered, of = risk[order], stratum[order]
    new = np.ones(len(risk), bool)
    new[1:] = (np.diff(ordered) != 0) | (np.diff(of) != 0)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(risk))
    level = np.cumsum(new) - 1
    happened = np.append(0, np.cumsum(event[order]))
    spared = np.append(0, np.cumsum(~event[order]))
    start = np.searchsorted(of, of, side="left")
    stop = np.searchsorted(of, of, side="right")
    begin, end = first[level], last[level]
    lower = spared[begin] - spared[start] + (spared[end] - spared[begin]) / 2
    higher = happened[stop] - happened[end] + (happened[end] - happened[begin]) / 2
    all_spared, all_happened = spared[stop] - spared[start], happened[stop] - happened[start]
    back = np.empty(len(risk), np.int64)
    back[order] = np.arange(len(risk))
    having = (lower[back], all_spared[back].astype(np.float64))
    without = (higher[back], all_happened[back].astype(np.float64))
    return float(having[0][event].sum()), having, without, float(having[1][event].sum())


def _told(risk: Floats, strata: Ints | None) -> Bools:
    told = ~np.isnan(risk)
    return told if strata is None else np.asarray(told & (strata >= 0))


def _dense(codes: Ints) -> Ints:
    return np.asarray(np.unique(codes, return_inverse=True)[1], np.int64)
