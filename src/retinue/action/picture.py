"""What decisions look at: one date, as arrays over its accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: No such day; earlier than any day that is one.
NEVER = np.iinfo(np.int64).min // 2
#: Bands as numbers: places in `BANDS`; -1 where there is none.
BANDS = ("at_risk", "watch", "healthy")


@dataclass(frozen=True)
class Picture:
    """The accounts of one as-of date. Every array has one entry per account, in the order of `ids`.

    `day` counts from 1970-01-01, like every day here. `computed` and the points of `components` are
    nan where not scored; `band` is that of the published score, -1 for none. `recalibrated` marks
    accounts whose scorecard or formula changed on this date. `columns` are attributes and metrics
    by name, for conditions. `renews_in` is in days, nan without a renewal.
    """

    day: int
    ids: pa.Array
    computed: Floats
    band: NDArray[np.int8]
    coverage: Floats
    recalibrated: Flags
    arr: Floats
    renews_in: Floats
    components: Mapping[str, Floats] = field(default_factory=dict)
    columns: Mapping[str, pa.Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Earlier:
    """Scores some days before, of the same accounts in the same order; nan where there were none."""

    computed: Floats
    components: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class Happened:
    """What came to light since the last evaluated date: counts of new rows, and days of the last ones.

    `events` maps a rule to its new rows per account, `touched` a rule to the day of the last touch
    (NEVER without one). `anomaly` and `decline` say whose usage is unusual on this date.
    """

    events: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    touched: Mapping[str, Days] = field(default_factory=dict)
    anomaly: Flags | None = None
    decline: Flags | None = None


def aligned(ids: pa.Array, other: pa.Array, values: NDArray[Any], empty: Any) -> NDArray[Any]:
    """`values` of the accounts `other`, in the order of `ids`; `empty` for those that are not among them."""
    import pyarrow.compute as pc

    place = pc.fill_null(pc.index_in(ids, value_set=other), -1).to_numpy(zero_copy_only=False)
    found = np.full(len(ids), empty, values.dtype)
    there = place >= 0
    found[there] = values[place[there]]
    return found
