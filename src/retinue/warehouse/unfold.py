"""From wide rows to long ones: an account on a date with its measures side by side becomes one
row per measure. What is side by side is sorted once, and comes out in the order of its places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Unfolded:
    """Long rows: the row of `wide` that each comes from, and the place `k` of its columns there."""

    wide: pa.Table
    at: Numbers
    k: Numbers

    @classmethod
    def of(cls, wide: pa.Table, counts: Numbers) -> Unfolded:
        """`counts` says how many places each row of `wide` has."""
        at = np.repeat(np.arange(wide.num_rows), counts)
        return cls(wide, at, np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts))

    def column(self, name: str, kind: pa.DataType) -> pa.Array:
        """The columns `{name}{k}` as one; nothing where there is no such column."""
        places = range(int(self.k.max(initial=0)) + 1)
        if not len(self.at) or not any(f"{name}{k}" in self.wide.column_names for k in places):
            return pa.nulls(len(self.at), kind)
        parts = [
            chunk.cast(kind)
            for k in places
            for chunk in (
                self.wide[f"{name}{k}"].chunks
                if f"{name}{k}" in self.wide.column_names
                else [pa.nulls(self.wide.num_rows, kind)]
            )
        ]
        return pa.concat_arrays(parts).take(pa.array(self.k * self.wide.num_rows + self.at))

    def each(self, values: pa.Array | pa.ChunkedArray) -> pa.Array:
        """A value of each wide row, on all of its long ones."""
        whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        return whole.take(pa.array(self.at))
