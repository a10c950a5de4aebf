"""What metrics are made of: two primitives, for all accounts and dates at once.

1. Sums of dated deltas. A row is visible on an interval of days: it is `+x` at its start and
   `-x` at its end, and the value at D is the running sum up to D.
2. The latest (or first) row as of D: a running maximum along the grid.

A series is a frozen description; metrics that need the same one share its computation. The
engine reduces facts to tallies, sums per account and day (`tallies`), which is the work that any
exact method must do; running along the grid is then arithmetic on arrays (`running`).
"""

from __future__ import annotations

from dataclasses import dataclass

from retinue.project import conditions
from retinue.warehouse.facts.rows import Wanted


@dataclass(frozen=True, slots=True)
class Frame:
    """Which days a window covers at D: `length` days that end `shift` days before D.

    Without a length, everything so far. `weeks` counts a row from the Sunday of its week on.
    """

    length: int | None = None
    shift: int = 0
    weeks: bool = False

    @property
    def reach(self) -> int | None:
        """Days after its own on which a row still counts; None where it always does."""
        return None if self.length is None else self.shift + self.length + (6 if self.weeks else 0)


@dataclass(frozen=True, slots=True)
class Flow:
    """Sum of `column` (number of rows with `None`) over a window; `values` counts non-null ones."""

    source: str
    column: str | None
    where: conditions.Condition | None
    frame: Frame
    values: bool = False


@dataclass(frozen=True, slots=True)
class Different:
    """Number of different values of `column` in a window."""

    source: str
    column: str
    where: conditions.Condition | None
    frame: Frame


@dataclass(frozen=True, slots=True)
class Active:
    """Number of days (or `weeks`, complete ones) with a row in a window."""

    source: str
    where: conditions.Condition | None
    frame: Frame
    weeks: bool = False


@dataclass(frozen=True, slots=True)
class Stock:
    """Rows that have begun and not ended: their number, or the sum of `column`."""

    source: str
    column: str | None
    where: conditions.Condition | None


@dataclass(frozen=True, slots=True)
class Edge:
    """Day of the first (or the last) row so far."""

    source: str
    where: conditions.Condition | None
    last: bool


@dataclass(frozen=True, slots=True)
class Newest:
    """Value and day of the latest row with a value; two columns, `<name>` and `<name>_day`."""

    source: str
    column: str
    where: conditions.Condition | None


Series = Flow | Different | Active | Stock | Edge | Newest


def wanted(series: Series) -> Wanted:
    """The columns of its source that a series looks at."""
    numbers, plain = frozenset[str](), frozenset[str]()
    if isinstance(series, Different):
        plain = frozenset({series.column})
    elif isinstance(series, Flow | Stock | Newest) and series.column:
        numbers = frozenset({series.column})
    where = frozenset() if series.where is None else frozenset({series.where})
    return Wanted(numbers, plain, where)
