"""How many rows of a table could be used, and the ones that could not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.warehouse.engine import Engine
from retinue.warehouse.reading.raw import Broken

REJECTED = pa.schema(
    [("source", pa.string()), ("row", pa.int64()), ("reason", pa.string()), ("raw", pa.string())]
)


@dataclass(frozen=True)
class Counts:
    """Rows of a table: all, those that were kept, and those rejected."""

    read: int
    kept: int
    rejected: int


def rejection(engine: Engine, source: str, broken: Sequence[Broken]) -> ir.Table:
    """Lines that are not rows as rejected rows; their text is a JSON string, having no columns."""
    rows = [
        {"source": source, "row": b.row, "reason": b.reason, "raw": json.dumps(b.raw, ensure_ascii=False)}
        for b in broken
    ]
    return engine.memory(pa.Table.from_pylist(rows, schema=REJECTED))


def rejections(engine: Engine, parts: list[ir.Table]) -> ir.Table:
    """All rejected rows in one table."""
    if not parts:
        return engine.memory(REJECTED.empty_table())
    return parts[0] if len(parts) == 1 else ibis.union(*parts)
