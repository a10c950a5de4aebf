"""Seconds and memory of a full weekly back-fill of OULAD 2013, in a process and a folder of its own.

    python benchmarks/oulad.py [--json]

The data are taken from OULAD_DATA, or from `../shared/data/oulad-2013` beside the checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "oulad"
FIRST, LAST = date(2013, 2, 3), date(2014, 6, 22)
AIM = {"seconds": 15.0, "gigabytes": 2.0}


def data_folder() -> Path:
    told = os.environ.get("OULAD_DATA")
    return Path(told).resolve() if told else ROOT.parent / "shared" / "data" / "oulad-2013"


def measure() -> dict[str, Any]:
    """Run the example in a child; returns stages, seconds and peak memory. Raises on failure."""
    data = data_folder()
    if not (data / "clicks.parquet").exists():
        raise SystemExit(f"no data in {data}: set OULAD_DATA to the folder of OULAD 2013")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "oulad"
        shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".retinue"))
        env = {**os.environ, "OULAD_DATA": str(data), "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, str(Path(__file__).resolve()), "--child", str(project)]
        begun = time.perf_counter()
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - begun
        size = sum(path.stat().st_size for path in project.rglob("*.parquet"))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if platform.system() == "Darwin" else 1024
    told: dict[str, Any] = json.loads(done.stdout)
    return {
        **told,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_gigabytes": round(used.ru_maxrss * unit / 1e9, 2),
        "published_megabytes": round(size / 1e6, 1),
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
    }


def child(project: Path) -> None:
    """One run, as JSON: seconds of each stage and what came out."""
    begun = time.perf_counter()
    from retinue.run import run
    from retinue.workspace import open_workspace

    marks: list[tuple[str, float]] = [("starting", begun)]
    workspace = open_workspace(project)
    result = run(
        workspace,
        now=datetime.now(UTC),
        first=FIRST,
        last=LAST,
        every="week",
        progress=lambda what, _part: marks.append((what, time.perf_counter())),
    )
    ends = [at for _, at in marks[1:]] + [time.perf_counter()]
    stages: dict[str, float] = {}
    for (what, at), end in zip(marks, ends, strict=True):
        stages[what] = round(stages.get(what, 0.0) + end - at, 2)
    told = result.to_dict()
    rows = sum(source["read"] for source in told["sources"].values())
    json.dump(
        {
            "stages": stages,
            "rows": rows,
            "dates": len(told["dates"]),
            "snapshots": told["snapshots"],
            "scored": told["scored"],
        },
        sys.stdout,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds and peak memory of a back-fill of OULAD 2013.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child)
        return
    found = measure()
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    for what, seconds in found["stages"].items():
        print(f"{seconds:8.2f} s  {what}")
    print(
        f"{found['seconds']:8.2f} s  in all (aim {AIM['seconds']:.0f}), {found['cpu_seconds']} s of processor"
    )
    print(f"{found['peak_gigabytes']:8.2f} GB peak memory (aim {AIM['gigabytes']:.0f})")
    print(
        f"{found['rows']:,} rows, {found['dates']} dates, {found['snapshots']:,} snapshots,"
        f" {found['published_megabytes']} MB published"
    )
    print(f"{found['cores']} cores, load {found['load_before']} before the start")


if __name__ == "__main__":
    main()
