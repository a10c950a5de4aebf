"""What is at stake with an account: the order of the book, of alerts and of messages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Days before a renewal within which an account counts double.
RENEWAL_DAYS = 90


def at_stake(score: Floats, arr: Floats, renews_in: Floats) -> Floats:
    """(100 - score) / 100 x ARR, doubled within RENEWAL_DAYS of renewal; nan without a score.

    An unknown ARR (nan) counts as 1, a negative one as nothing. `renews_in` is in days, nan for none.
    """
    money = np.maximum(np.nan_to_num(arr, nan=1.0), 0.0)
    with np.errstate(invalid="ignore"):
        near = (renews_in >= 0) & (renews_in <= RENEWAL_DAYS)
    return np.asarray((100 - score) / 100 * money * np.where(near, 2, 1), np.float64)
