"""How seconds and memory grow with events, accounts and dates, and what a memory limit costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.scale.declare import declare
from benchmarks.scale.generate import Size, generate
from benchmarks.scale.measure import ROOT, Kept, Measured, measure
from benchmarks.scale.plot import Panel, page
from benchmarks.scale.report import short

IMAGES = ROOT / "docs" / "images"
#: What grows, and how the tables and pictures call it.
NAMES = {"events": "events", "accounts": "accounts", "dates": "as-of dates"}


@dataclass(frozen=True)
class Asked:
    """One point of a curve: `dates` last days of the history, or its Sundays where that is 0."""

    curve: str
    at: int
    size: Size
    dates: int = 0
    metrics: int | None = None
    memory_limit: str | None = None

    @property
    def name(self) -> str:
        return f"{self.curve}-{self.memory_limit or self.at}"

    def days(self) -> list[date]:
        every = [self.size.start + timedelta(days=n) for n in range(self.size.days)]
        return every[-self.dates :] if self.dates else [day for day in every if day.isoweekday() == 7]


@dataclass(frozen=True)
class Point:
    """What a point took; `why` tells why it was not measured."""

    asked: Asked
    seconds: float = 0.0
    peak_megabytes: float = 0.0
    spilled_megabytes: float = 0.0
    why: str = ""
    rows: int = field(default=0)

    def to_dict(self) -> dict[str, Any]:
        size = asdict(self.asked.size)
        told = {"curve": self.asked.curve, "at": self.asked.at, **size, "start": str(self.asked.size.start)}
        numbers = {
            name: getattr(self, name) for name in ("seconds", "peak_megabytes", "spilled_megabytes", "why")
        }
        return {**told, "dates": len(self.asked.days()), "memory_limit": self.asked.memory_limit, **numbers}


def points(scale: float) -> Iterator[Asked]:
    """All points; `scale` shrinks every company."""

    def size(millions: float, accounts: int = 11_000) -> Size:
        return Size(int(millions * 1e6 * scale), max(int(accounts * scale), 10))

    for millions in (1, 3, 10, 30, 100):
        yield Asked("events", size(millions).events, size(millions))
    for accounts in (1_000, 3_000, 10_000, 30_000, 100_000):
        yield Asked("accounts", size(10, accounts).accounts, size(10, accounts))
    for dates in (1, 7, 30, 104, 365, 730):
        yield Asked("dates", dates, size(10), dates=dates)
    yield Asked("wide", 50, size(10, 100_000), dates=1, metrics=50)
    for limit in ("8GB", "4GB", "2GB", "1GB"):
        yield Asked("memory", 0, size(30), memory_limit=limit)


def measure_curves(
    folder: Path, scale: float, most: float, resume: bool, tell: Callable[[str], None]
) -> list[Point]:
    """Measure every point that is likely to be done within `most` seconds."""
    kept = Kept(folder / "results" / f"curves-{scale:g}", resume)
    found: list[Point] = []
    for asked in points(scale):
        last = found[-1] if found and found[-1].asked.curve == asked.curve else None
        before = kept.get(asked.name)
        if resume and before is not None and before.done:
            result = before
        else:
            tell(f"curve {asked.name}")
            result = kept.put(asked.name, _measured(folder, asked, last, most))
        found.append(
            Point(
                asked,
                result.seconds,
                result.peak_megabytes,
                result.of("spilled_megabytes", 0.0),
                result.why,
                result.of("rows", 0),
            )
        )
        tell(f"curve {asked.name}: " + (f"{result.seconds:.2f} s" if result.done else result.why))
    return found


def _measured(folder: Path, asked: Asked, last: Point | None, most: float) -> Measured:
    if last is not None and last.asked.at:
        if last.why:
            return Measured(why="not run, as the one before was not done")
        if last.seconds * asked.at / last.asked.at > 2 * most:
            return Measured(why="not run, would take too long")
    data = generate(folder / "data" / asked.size.name(), asked.size)
    project = declare(folder / "projects" / "curve", data, asked.memory_limit, asked.metrics)
    spec = {"project": str(project), "dates": [day.isoformat() for day in asked.days()]}
    return measure("ours", spec, most)


def table(found: Sequence[Point], pictures: bool = False) -> str:
    """The points as tables, with their `pictures` in the documentation."""
    parts = [_grown(name, [p for p in found if p.asked.curve == name], pictures) for name in NAMES]
    wide = [p for p in found if p.asked.curve == "wide"]
    parts += [
        f"{p.asked.metrics} metrics of {p.asked.size.accounts:,} accounts on one date, from "
        f"{_counted(p.asked.size.events)} events: {p.why or _told(p)}."
        for p in wide
    ]
    limited = [p for p in found if p.asked.curve == "memory"]
    if limited:
        rows = [
            f"| {p.asked.memory_limit} | {short(p.seconds)} | {p.peak_megabytes / 1000:.1f} GB "
            f"| {p.spilled_megabytes / 1000:.1f} GB |"
            if not p.why
            else f"| {p.asked.memory_limit} | {p.why} | | |"
            for p in limited
        ]
        head = [
            "| `memory_limit` | seconds | peak memory | spilled to disk |",
            "| ---: | ---: | ---: | ---: |",
        ]
        told = f"The weekly history of {_counted(limited[0].asked.size.events)} events under a limit:"
        parts.append("\n".join([told, "", *head, *rows]))
    return "\n\n".join(parts)


def _grown(name: str, found: Sequence[Point], pictures: bool) -> str:
    head = [f"| {NAMES[name]} | seconds | peak memory |", "| ---: | ---: | ---: |"]
    rows = [
        f"| {_counted(p.asked.at)} | {short(p.seconds)} | {p.peak_megabytes / 1000:.1f} GB |"
        if not p.why
        else f"| {_counted(p.asked.at)} | {p.why} | |"
        for p in found
    ]
    size = found[0].asked.size
    others = {
        "events": f"{size.accounts:,} accounts, {len(found[0].asked.days())} weekly dates",
        "accounts": f"{_counted(size.events)} events, {len(found[0].asked.days())} weekly dates",
        "dates": f"{_counted(size.events)} events, {size.accounts:,} accounts, the last days of two years",
    }
    shown = (
        [f"![Seconds and peak memory by {NAMES[name]}](../images/speed-{name}.svg)", ""] if pictures else []
    )
    return "\n".join([f"By {NAMES[name]} ({others[name]}):", "", *shown, *head, *rows])


def _told(point: Point) -> str:
    return f"{short(point.seconds)} s, {point.peak_megabytes / 1000:.1f} GB"


def _counted(number: float) -> str:
    return f"{number / 1e6:g} M" if number >= 1e6 else f"{number:,.0f}"


def draw(found: Sequence[Point]) -> list[Path]:
    """A picture for each thing that grows, in the folder of the documentation's pictures."""
    files = []
    for name, shown in NAMES.items():
        done = [p for p in found if p.asked.curve == name and not p.why]
        if len(done) < 2:
            continue
        x = [float(p.asked.at) for p in done]
        panels = [
            Panel("seconds", x, [p.seconds for p in done]),
            Panel("peak memory, GB", x, [p.peak_megabytes / 1000 for p in done]),
        ]
        file = IMAGES / f"speed-{name}.svg"
        file.write_text(page(shown, panels), encoding="utf-8")
        files.append(file)
    return files
