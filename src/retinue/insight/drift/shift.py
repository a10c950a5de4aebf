"""Population shift: whether accounts look as they did, series by series.

The population stability index is a sum of squares, so it is above 0 without any shift: with B
bins about (B - 1)(1/n + 1/m), which at 100 accounts a side is above the customary .1 in most
cases. So no fixed limits here: a shift is judged by what chance gives for as many accounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from retinue.insight.replay import Floats, Ints

#: Below so many values on either side nothing is told.
ENOUGH = 30
#: Bins of the index: tenths of both sides together, and one for missing.
BINS = 10
#: Cells of the distribution that the Kolmogorov-Smirnov distance is taken over; more make draws slower
#: and tell hardly more.
CELLS = 50
#: Among all series, the share of false alarms.
RATE = 0.05


@dataclass(frozen=True)
class Shift:
    """One series then and now. `psi` and `ks` are nan with too few values. `psi_bound` and `ks_bound`
    hold 95 % of what chance gives for as many values. `moved`: by how many standard deviations of
    then the mean has moved. `q`: the false discovery rate among all series at which this one is
    an alarm."""

    name: str
    then: int
    now: int
    missing_then: float
    missing_now: float
    psi: float
    psi_bound: float
    ks: float
    ks_bound: float
    moved: float
    p: float
    q: float
    alarm: bool

    @property
    def told(self) -> bool:
        return not np.isnan(self.ks)

    def to_dict(self) -> dict[str, Any]:
        return {
            key: None if isinstance(value, float) and np.isnan(value) else value
            for key, value in asdict(self).items()
        }


def psi(then: Any, now: Any) -> Floats:
    """The index over the last axis of counts. Half a case is added to every bin of both sides, so that
    an empty one is no infinity."""
    then, now = np.asarray(then, np.float64) + 0.5, np.asarray(now, np.float64) + 0.5
    a = then / then.sum(axis=-1, keepdims=True)
    b = now / now.sum(axis=-1, keepdims=True)
    return np.asarray(((b - a) * np.log(b / a)).sum(axis=-1), np.float64)


def shifts(
    then: Mapping[str, Floats], now: Mapping[str, Floats], *, seed: int = 0, draws: int | None = None
) -> tuple[Shift, ...]:
    """Each series of `then` against that of `now`: one value per account, nan where missing.

    Bounds come from permutations of who was then and who is now. Accounts that are in both make
    them too wide, never too narrow. Both distances of all series are one family of tests at a
    false discovery rate of 5 %.
    """
    names = [name for name in then if name in now]
    # Enough draws that one clear shift among all series can be told.
    draws = draws or int(np.clip(60 * len(names), 999, 9999))
    rng = np.random.default_rng(seed)
    found = [_shift(name, then[name], now[name], rng, draws) for name in names]
    told = [n for n, (one, _) in enumerate(found) if one.told]
    q = np.full((len(found), 2), np.nan)
    if told:
        from statsmodels.stats.multitest import multipletests

        p = np.array([found[n][1] for n in told])
        q[told] = multipletests(p.ravel(), method="fdr_bh")[1].reshape(p.shape)
    return tuple(
        _with(one, ps, float(np.min(q[n])) if one.told else np.nan) for n, (one, ps) in enumerate(found)
    )


def _with(one: Shift, ps: tuple[float, float], q: float) -> Shift:
    from dataclasses import replace

    return replace(one, p=min(ps), q=q, alarm=bool(q <= RATE))


def _shift(
    name: str, then: Floats, now: Floats, rng: np.random.Generator, draws: int
) -> tuple[Shift, tuple[float, float]]:
    nan = float("nan")
    lost = [float(np.isnan(one).mean()) if len(one) else nan for one in (then, now)]
    known = [one[~np.isnan(one)] for one in (then, now)]
    n, m = len(known[0]), len(known[1])
    nothing = Shift(name, n, m, lost[0], lost[1], nan, nan, nan, nan, nan, nan, nan, alarm=False)
    if min(n, m) < ENOUGH:
        return nothing, (nan, nan)
    both = np.concatenate(known)
    cells = _cells(both, CELLS)
    counts = np.stack([_counted(one, cells) for one in known])
    # The last cell holds the missing; the distance of distributions leaves it out.
    counts = np.column_stack([counts, [len(then) - n, len(now) - m]])
    tenth = _tenths(counts[:, :-1].sum(axis=0))
    drawn = rng.multivariate_hypergeometric(counts.sum(axis=0), len(now), size=draws, method="marginals")
    other = counts.sum(axis=0) - drawn
    seen = psi(*_binned(counts, tenth)), _distance(counts[0, :-1], counts[1, :-1])
    chance = psi(_binned(other, tenth), _binned(drawn, tenth)), _distance(other[:, :-1], drawn[:, :-1])
    spread = float(known[0].std())
    ps = [
        float((1 + (by >= value - 1e-12).sum()) / (1 + draws)) for value, by in zip(seen, chance, strict=True)
    ]
    told = Shift(
        name=name,
        then=n,
        now=m,
        missing_then=lost[0],
        missing_now=lost[1],
        psi=float(seen[0]),
        psi_bound=float(np.quantile(chance[0], 0.95)),
        ks=float(seen[1]),
        ks_bound=float(np.quantile(chance[1], 0.95)),
        moved=float((known[1].mean() - known[0].mean()) / spread) if spread > 0 else nan,
        p=nan,
        q=nan,
        alarm=False,
    )
    return told, (ps[0], ps[1])


def _cells(values: Floats, at_most: int) -> Floats:
    """Upper edges of cells that hold about as many values each; equal values share one."""
    return np.unique(np.quantile(values, np.arange(1, at_most) / at_most, method="inverted_cdf"))


def _counted(values: Floats, edges: Floats) -> Ints:
    place = np.searchsorted(edges, values, side="left")
    return np.bincount(place, minlength=len(edges) + 1).astype(np.int64)


def _tenths(counts: Ints) -> Ints:
    """The bin of each cell: cells in a row that hold a tenth together; the missing have their own."""
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    bins = np.unique(np.minimum((middle * BINS).astype(np.int64), BINS - 1), return_inverse=True)[1]
    return np.append(bins, bins.max() + 1)


def _binned(counts: Ints, bins: Ints) -> Ints:
    """Counts by bin, over the last axis; without a bin for the missing where there are none."""
    size = int(bins.max()) + 1
    member = (bins[:, None] == np.arange(size)).astype(np.int64)
    told = counts @ member
    return np.asarray(told, np.int64)


def _distance(then: Ints, now: Ints) -> Floats:
    """The largest difference of the two distribution functions, over the last axis."""
    a = np.cumsum(then, axis=-1) / then.sum(axis=-1, keepdims=True)
    b = np.cumsum(now, axis=-1) / now.sum(axis=-1, keepdims=True)
    return np.asarray(np.abs(a - b).max(axis=-1), np.float64)
