"""What is being done, for whoever waits for it, and what each query cost, for whoever asks why."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import pyarrow as pa

#: Told of progress: what is being done, and how far all of it is (0 to 1).
Listener = Callable[[str, float], None]

#: Seconds between looks at how far a query is.
LOOK_EVERY = 0.25
#: Queries that a stage is thought to have where nothing is known of it.
USUAL_QUERIES = 4


@dataclass(frozen=True)
class Expected:
    """What a stage is thought to cost: its weight beside the others, and how many queries it has."""

    weight: float
    queries: int = USUAL_QUERIES


@dataclass
class Query:
    """A query that was run. `rows` is what came out of it and `sql` its text, where they are kept."""

    stage: str
    name: str
    seconds: float = 0.0
    sql: str = ""
    rows: int | None = None


@dataclass
class Trace:
    """The stages of a piece of work and the queries in them.

    `plan` has the stages that are to come, in their order; one that is not in it moves nothing. With
    a `listener` the work must be inside of `with trace:`, where a thread looks how far the query
    in flight is. `keeps_sql` asks engines for the text and the rows of each query.
    """

    listener: Listener | None = None
    plan: Mapping[str, Expected] = field(default_factory=dict)
    keeps_sql: bool = False
    queries: list[Query] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stage = ""
        self._began = time.perf_counter()
        self._done = 0
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._gauge: Callable[[], float | None] | None = None
        self._furthest = 0.0

    def stage(self, what: str) -> None:
        """The stage `what` begins, and the one before ends."""
        self._close()
        with self._lock:
            self._stage, self._done = what, 0
        self._say()

    @contextmanager
    def query(self, name: str) -> Iterator[Query]:
        """Around one query."""
        told = Query(self._stage, name)
        began = time.perf_counter()
        yield told
        told.seconds = time.perf_counter() - began
        self._add(told)

    def streamed(
        self, name: str, batches: Iterable[pa.RecordBatch]
    ) -> tuple[Query, Iterator[pa.RecordBatch]]:
        """The batches of a query that ends with the last of them; the time of who takes them is not its."""
        told = Query(self._stage, name, rows=0)

        def timed() -> Iterator[pa.RecordBatch]:
            source = iter(batches)
            while True:
                began = time.perf_counter()
                batch = next(source, None)
                told.seconds += time.perf_counter() - began
                if batch is None:
                    break
                told.rows = (told.rows or 0) + batch.num_rows
                yield batch
            self._add(told)

        return told, timed()

    @contextmanager
    def watching(self, gauge: Callable[[], float | None]) -> Iterator[None]:
        """Within, `gauge` says how far the query in flight is."""
        with self._looking:
            self._gauge = gauge
        try:
            yield
        finally:
            # Nobody may look into an engine that is being closed.
            with self._looking:
                self._gauge = None

    def _add(self, query: Query) -> None:
        self.queries.append(query)
        with self._lock:
            self._done += 1

    def counts(self) -> dict[str, int]:
        """Queries by stage."""
        found: dict[str, int] = {}
        for query in self.queries:
            found[query.stage] = found.get(query.stage, 0) + 1
        return found

    def part(self) -> float:
        """How far the work is: never less than it has been."""
        with self._lock:
            stage, count = self._stage, self._done
        if stage in self.plan:
            names = list(self.plan)
            done = sum(self.plan[name].weight for name in names[: names.index(stage)])
            with self._looking:
                running = (self._gauge() if self._gauge else None) or 0.0
            # More queries than expected: the last one holds the stage open.
            inside = (count + running) / max(self.plan[stage].queries, count + 1)
            done += self.plan[stage].weight * min(inside, 0.99)
            total = sum(one.weight for one in self.plan.values()) or 1.0
            self._furthest = max(self._furthest, done / total)
        return self._furthest

    def __enter__(self) -> Self:
        if self.listener is not None:
            self._end.clear()
            self._thread = threading.Thread(target=self._look, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._end.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _close(self) -> None:
        now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._began
        self._stage, self._began = "", now

    def _look(self) -> None:
        while not self._end.wait(LOOK_EVERY):
            self._say()

    def _say(self) -> None:
        stage = self._stage
        if self.listener is not None and stage:
            self.listener(stage, self.part())
