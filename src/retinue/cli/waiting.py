"""What long work shows on stderr while it is going on: a bar on a terminal, now and then a line in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

#: Seconds between lines in a pipe, and before the first one.
EVERY = 10.0
#: Nobody can say how long it takes before so many seconds, and so large a part, are over.
_LEAST_SECONDS, _LEAST_PART = 2.0, 0.03

Tell = Callable[[str, float], None]


def left(seconds: float, part: float) -> float | None:
    """Seconds that are left after `seconds` for a `part`; None where it is too early to say."""
    if seconds < _LEAST_SECONDS or part < _LEAST_PART:
        return None
    return seconds * (1 - part) / part


def lasting(seconds: float) -> str:
    """A duration as people say it: 42 s, 3 min, 1 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def progress(what: str, *, quiet: bool = False) -> Iterator[Tell]:
    """Yields what to call with (text, part done), from any thread."""
    if quiet:
        yield lambda _text, _part: None
    elif sys.stderr.isatty():
        with _bar(what) as tell:
            yield tell
    else:
        yield Lines(sys.stderr, EVERY).tell


@dataclass
class Lines:
    """A line when a stage begins, or within a long one, and never more often than every `every` seconds."""

    out: TextIO
    every: float
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)
    said: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.said = self.clock()

    def tell(self, text: str, part: float) -> None:
        now = self.clock()
        if now - self.said < self.every:
            return
        self.said = now
        rest = left(now - self.began, part)
        more = f", {lasting(rest)} left" if rest is not None else ""
        self.out.write(f"{text}: {part:.0%} after {lasting(now - self.began)}{more}\n")
        self.out.flush()


@contextmanager
def _bar(what: str) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    console = Console(stderr=True)
    wide = console.width >= 70
    columns = [
        TextColumn(
            "{task.description}",
            table_column=Column(no_wrap=True, overflow="ellipsis", min_width=28 if wide else 0),
        ),
        *([BarColumn(24)] if wide else []),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True, min_width=12 if wide else 0)),
    ]
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(what, total=1.0, left="")

        def tell(text: str, part: float) -> None:
            rest = left(time.monotonic() - began, part)
            more = f"{lasting(rest)} left" if rest is not None else ""
            bars.update(bar, description=text, completed=part, left=more)

        yield tell
