"""What was measured as one structure, as text for a terminal, and as a table of the documentation."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from benchmarks.scale.compare import PARTS, Plan
from benchmarks.scale.measure import ROOT, Kept, Measured

PAGE = ROOT / "docs" / "explanation" / "speed.md"
EQUAL = ("equal_weekly", "equal_daily", "equal_night", "pandas", "polars")
HEAD = ("", "as-of dates", "seconds", "ratio", "processor seconds", "peak memory")


@dataclass(frozen=True)
class Line:
    """A row of a table. `ratio` is to what the table says; `why` stands for all numbers."""

    what: str
    dates: int | None = None
    seconds: float | None = None
    ratio: str = ""
    cpu_seconds: float | None = None
    peak_megabytes: float | None = None
    why: str = ""

    def cells(self) -> list[str]:
        dates = "" if self.dates is None else f"{self.dates}"
        if self.seconds is None or self.cpu_seconds is None or self.peak_megabytes is None:
            return [self.what, dates, self.why, "", "", ""]
        return [
            self.what,
            dates,
            short(self.seconds),
            self.ratio,
            short(self.cpu_seconds),
            f"{self.peak_megabytes / 1000:.1f} GB",
        ]


def found(plan: Plan, kept: Kept) -> dict[str, Any]:
    """Everything that is known of the parts of `plan`."""
    parts = {part: measured for part in PARTS if (measured := kept.get(part))}
    unequal = [
        f"{part}: {told['example']}"
        for part in EQUAL
        if (told := _equal(parts.get(part))) and told["different"] + told["different_scores"]
    ]
    return {
        "machine": machine(),
        "load": round(max((m.of("load", 0.0) for m in parts.values()), default=0.0), 2),
        "size": _told(plan.size),
        "slice": _told(plan.slice),
        "sampled_dates": len(plan.sample()),
        "full": [line.__dict__ for line in full(plan, parts)],
        "on_slice": [line.__dict__ for line in on_slice(plan, parts)],
        "equal": {name: _equal(parts.get(name)) for name in EQUAL},
        "unequal": unequal,
        "parts": {name: measured.to_dict() for name, measured in parts.items()},
    }


def machine() -> dict[str, Any]:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gigabytes": round(pages * size / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
    }


def _told(size: Any) -> dict[str, Any]:
    return {"events": size.events, "accounts": size.accounts, "days": size.days, "seed": size.seed}


def _equal(measured: Measured | None) -> dict[str, Any] | None:
    if measured is None or not measured.done:
        return None
    told: dict[str, Any] | None = measured.of("equal")
    return told


def full(plan: Plan, parts: dict[str, Measured]) -> list[Line]:
    """The table of the whole log; ratios are to the floor, that of a night to the whole run."""
    floor = parts.get("floor")
    weeks, days = len(plan.weeks()), len(plan.days())
    by_date, night, run = (parts.get(name) for name in ("by_date", "night", "run"))
    return [
        _line("Floor: two GROUP BYs over the log", floor, None, floor),
        _line("Retinue, weekly", parts.get("weekly"), weeks, floor),
        _line("Retinue, daily", parts.get("daily"), days, floor),
        _line(_sampled("SQL for each date, weekly", by_date), by_date, weeks, floor),
        _line(_sampled("SQL for each date, daily", by_date), by_date, days, floor),
        _line("`retinue run`, weekly, with publishing", run, run.of("dates") if run else None, floor),
        _line("`retinue run`, a night later", night, 1, run, share=True),
    ]


def on_slice(plan: Plan, parts: dict[str, Measured]) -> list[Line]:
    """The table of the slice, weekly and daily; ratios are to Retinue there."""
    named = {
        "slice_by_date": "SQL for each date",
        "pandas": "pandas",
        "polars": "Polars",
        "featuretools": "Featuretools",
    }
    lines = []
    for every, dates in (("weekly", len(plan.weeks())), ("daily", len(plan.days()))):
        ours = parts.get(f"slice_{every}")
        lines.append(_line(f"Retinue, {every}", ours, dates, ours))
        for part, name in named.items():
            one = parts.get(part)
            told = f" {one.of('version')}" if one and one.of("version") else ""
            lines.append(_line(_sampled(f"{name}{told}, {every}", one), one, dates, ours))
    return lines


def _sampled(what: str, measured: Measured | None) -> str:
    return f"{what} ({measured.of('dates')} dates measured)" if measured and measured.done else what


def _line(
    what: str, measured: Measured | None, dates: int | None, base: Measured | None, share: bool = False
) -> Line:
    """What `measured` takes for `dates`, of which it may have measured a few only."""
    if measured is None or not measured.done:
        return Line(what, dates, why=f"not run: {measured.why}" if measured else "not run")
    loading, done = measured.of("loading", 0.0), measured.of("dates")
    times = dates / done if dates and done else 1.0
    seconds = loading + (measured.seconds - loading) * times
    cpu = measured.cpu_seconds * seconds / measured.seconds
    ratio = ""
    if base is not None and base.done:
        ratio = f"{100 * seconds / base.seconds:.1f} %" if share else f"{seconds / base.seconds:.2f} x"
    return Line(what, dates, seconds, ratio, cpu, measured.peak_megabytes)


def text(results: dict[str, Any]) -> str:
    """For a terminal."""
    return "\n".join([*_heading(results), "", *_tables(results, _columns), "", *_equalities(results)])


def markdown(results: dict[str, Any]) -> str:
    """For the documentation."""
    return "\n".join([*_heading(results), "", *_tables(results, _piped), "", *_equalities(results)])


def _heading(results: dict[str, Any]) -> list[str]:
    computer, size = results["machine"], results["size"]
    return [
        f"{size['events'] / 1e6:g} M events of {size['accounts']:,} accounts over {size['days']} days (seed "
        f"{size['seed']}), twelve metrics, on {computer['cores']} cores with "
        f"{computer['memory_gigabytes']} GB ({computer['system']}, Python {computer['python']}, DuckDB "
        f"{computer['duckdb']})."
    ]


def _tables(results: dict[str, Any], shape: Any) -> list[str]:
    part = results["slice"]
    return [
        *shape([HEAD, *(Line(**line).cells() for line in results["full"])]),
        "",
        "The ratio is to the floor, and that of the night to the whole run. On a slice of "
        f"{part['events'] / 1e6:g} M events of {part['accounts']:,} accounts, "
        "with the ratio to Retinue:",
        "",
        *shape([HEAD, *(Line(**line).cells() for line in results["on_slice"])]),
    ]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *rest = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([row[0].ljust(len(first)), *rest]).rstrip())
    return lines


def _piped(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *body = rows
    rule = ["---", *("---:" for _ in head[1:])]
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *body)]


def _equalities(results: dict[str, Any]) -> list[str]:
    named = {
        "equal_weekly": "values of the weekly history",
        "equal_daily": "values of the daily history",
        "equal_night": "values that the night published",
        "pandas": "values of pandas",
        "polars": "values of Polars",
    }
    lines = []
    for name, what in named.items():
        one = results["equal"][name]
        if one:
            wrong = one["different"] + one["different_scores"]
            scores = f" and {one['scores']:,} scores" if one["scores"] else ""
            told = "all equal" if not wrong else f"{wrong:,} DIFFER"
            lines.append(f"- {one['values']:,} {what}{scores}, compared with the SQL of their dates: {told}.")
    night = (results["parts"].get("night") or {}).get("told") or {}
    lines += [f"- The night, {name}: {how}." for name, how in sorted(night.get("kept", {}).items())]
    return [*lines, *(f"- NOT EQUAL: {one}" for one in results["unequal"])]


def short(number: float) -> str:
    """Three digits, which is more than a measurement holds."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def write_page(name: str, content: str) -> None:
    """Put `content` between the marks of `name` on the page."""
    begin, end = f"<!-- {name}: written by python -m benchmarks.scale -->", f"<!-- end of {name} -->"
    page = PAGE.read_text(encoding="utf-8")
    if begin not in page or end not in page:
        sys.exit(f"{PAGE.name} has no marks of {name}")
    before, rest = page.split(begin, 1)
    _, after = rest.split(end, 1)
    PAGE.write_text(f"{before}{begin}\n\n{content}\n\n{end}{after}", encoding="utf-8")
