"""What the stages of a run are thought to cost: as in the run before, or by the sizes of the files.

Only progress rests on this. Without it, or with a wrong one, a run is the same.
"""

from __future__ import annotations

import glob
import json
from contextlib import suppress
from pathlib import Path

from retinue.errors import StoreError
from retinue.project.project import Project
from retinue.project.sources import Source
from retinue.store.published.parquet import replace_file
from retinue.warehouse.trace import Expected, Trace

FILE = "pace.json"

#: Shares of a first run in percent, measured on the demo.
_BEFORE = {"starting": 2, "reading accounts": 6}
_READING = 22
_AFTER = {
    "computing metrics": 26,
    "computing reference periods": 3,
    "scoring": 21,
    "scoring by former scorecards": 4,
    "settling scores": 3,
    "looking for anomalies": 1,
    "writing snapshots": 2,
    "writing components": 1,
    "writing measures": 3,
    "writing metrics": 4,
    "writing accounts": 1,
    "writing the rest": 1,
    "listing accounts": 1,
    "keeping what the next run needs": 1,
    "making it quick to read": 1,
    "publishing": 1,
}


def plan(project: Project) -> dict[str, Expected]:
    """The stages of a run, in order: those of the run before, or what is usual."""
    sizes = {name: _size(source, project.root) for name, source in sorted(project.sources.items())}
    total = sum(sizes.values())
    reading = {f"reading {name}": _READING * size / total for name, size in sizes.items()}
    usual = {**_BEFORE, **reading, **_AFTER}
    return _kept(project.home / FILE) or {name: Expected(weight) for name, weight in usual.items()}


def scoring(project: Project) -> dict[str, Expected]:
    """The same without publishing: the stages of a replay."""
    last = list(_AFTER).index("looking for anomalies")
    left_out = list(_AFTER)[last:]
    stages = {name: one for name, one in plan(project).items() if name not in left_out}
    return {**stages, "reading what happened": Expected(_AFTER["settling scores"])}


def keep(project: Project, trace: Trace) -> None:
    """Keep what this run cost, for the next one."""
    counts = trace.counts()
    told = {name: [round(seconds, 3), counts.get(name, 0)] for name, seconds in trace.seconds.items()}
    with suppress(StoreError):
        replace_file(project.home / FILE, lambda sink: sink.write(json.dumps(told, indent=1).encode()))


def _kept(path: Path) -> dict[str, Expected]:
    try:
        told = json.loads(path.read_bytes())
        return {name: Expected(float(seconds), int(queries)) for name, (seconds, queries) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _size(source: Source, root: Path) -> int:
    """Bytes of the files of a source; some for a table of a database, whose size nobody asks."""
    if source.database is None and any(mark in source.table for mark in "*?["):
        paths = [Path(name) for name in glob.glob(str(root / source.table), recursive=True)]  # noqa: PTH207
    else:
        paths = [root / source.table] if source.database is None else []
    found = 1
    for path in paths:
        with suppress(OSError):
            found += path.stat().st_size
    return found
