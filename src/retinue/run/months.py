"""Writing a stream of rows month by month, while the next rows are still being computed."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from retinue.store.published.manifest import File
from retinue.store.published.runs import RunWriter


class Months:
    """Writes tables of a run in months, in a thread of its own; at most two months wait.

    Errors of writing are raised by `write` or at the end of the block.
    """

    def __init__(self, writer: RunWriter):
        self.writer = writer
        self.thread = ThreadPoolExecutor(max_workers=1)
        self.waiting: list[Future[File]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.thread.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            self._settle(0)

    def write(self, name: str, tables: Iterable[pa.Table]) -> None:
        """Write the rows of `tables` (with as_of), which come in order of month."""
        month: int | None = None
        held: list[pa.Table] = []
        for table in tables:
            days = table["as_of"]
            months = pc.add(pc.multiply(pc.year(days), 12), pc.subtract(pc.month(days), 1))
            there = sorted(pc.unique(months).to_pylist())
            for one in there:
                if one != month:
                    self._submit(name, month, held)
                    held = []
                month = one
                held.append(table if len(there) == 1 else table.filter(pc.equal(months, one)))
        self._submit(name, month, held)

    def _submit(self, name: str, month: int | None, held: list[pa.Table]) -> None:
        if month is None or not held:
            return
        label = f"{month // 12:04}-{month % 12 + 1:02}"
        self._settle(1)
        self.waiting.append(self.thread.submit(self.writer.write, name, pa.concat_tables(held), label))

    def _settle(self, left: int) -> None:
        """Wait until at most `left` writes are under way, and raise what went wrong in them."""
        while len(self.waiting) > left:
            self.waiting.pop(0).result()
