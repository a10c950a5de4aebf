"""The edge of green from those who left: at most a stated share of them is above it.

Class-conditional conformal prediction (Vovk 2012, "Conditional validity of inductive conformal
predictors", Proceedings of Machine Learning Research 25: 475-490), turned to one question: of the
accounts to which the outcome comes, how many are green before it?
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from retinue.errors import TrialError
from retinue.insight.replay import Floats, Ints

ALPHAS = (0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Green:
    """Green is `edge` and above; a share of at most `alpha` of future churners is there, on average over
    all that might have been learned from.

    `n` churners were learned from, and the edge is just above the `rank`-th lowest score of theirs.
    Over samples of that size the share missed follows Beta(n + 1 - rank, rank): `low` and `high` are
    its 5 % and 95 % points. `share` of all accounts is green.
    """

    alpha: float
    edge: float
    n: int
    rank: int
    miss_rate: float
    low: float
    high: float
    share: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "alpha": self.alpha,
            "edge": self.edge,
            "churners": self.n,
            "rank": self.rank,
            "miss_rate": self.miss_rate,
            "low": self.low,
            "high": self.high,
            "share_green": self.share if np.isfinite(self.share) else None,
        }


def needed(alpha: float) -> int:
    """The fewest churners for which an edge exists: ceil((n + 1)(1 - alpha)) is at most n."""
    return ceil(1 / _exact(alpha)) - 1


def green_edge(churned: Floats, alpha: float, everybody: Floats | None = None) -> Green:
    """The edge of green from the scores of those who churned, one of each account.

    The cut is the ceil((n + 1)(1 - alpha))-th smallest of them; who scores above it is green. So a
    new churner, exchangeable with these, is green with a chance of at most alpha. Raises TrialError
    where there are fewer churners than `needed`: below 19, no edge keeps 5 %.
    """
    scores = np.sort(np.asarray(churned, np.float64)[~np.isnan(churned)])
    n = len(scores)
    if not 0 < alpha < 1:
        raise TrialError(f"a share of churners that are green lies between 0 and 1, not {alpha}")
    if n < needed(alpha):
        raise TrialError(
            f"no edge of green can keep {alpha:.0%}: that needs {needed(alpha)} accounts that churned, "
            f"there are {n}",
            hint="allow a larger share of churners to be green, or wait for more history",
        )
    rank = ceil((n + 1) * (1 - _exact(alpha)))
    from scipy.stats import beta

    spread = beta(n + 1 - rank, rank)
    edge = float(np.nextafter(scores[rank - 1], np.inf))
    share = float("nan") if everybody is None else float(np.mean(np.asarray(everybody) >= edge))
    return Green(
        alpha=alpha,
        edge=edge,
        n=n,
        rank=rank,
        miss_rate=(n + 1 - rank) / (n + 1),
        low=float(spread.ppf(0.05)),
        high=float(spread.ppf(0.95)),
        share=share,
    )


def one_each(score: Floats, account: Ints, seed: int = 0) -> Floats:
    """One score of each account, by chance: several of one account are not exchangeable with those of
    others."""
    order = np.random.default_rng(seed).permutation(len(account))
    first = np.unique(account[order], return_index=True)[1]
    return np.asarray(score[np.sort(order[first])])


def _exact(alpha: float) -> Fraction:
    """0.05 as 1/20: in floating point (19 + 1)(1 - 0.05) is a trace above 19."""
    return Fraction(str(alpha))
