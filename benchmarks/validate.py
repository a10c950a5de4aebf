"""Seconds and memory of `retinue validate` on OULAD 2013: the first time, and asked again.

    python benchmarks/validate.py [--json]

Each in a process of its own, on every Sunday of both years. The data are taken from OULAD_DATA, or from
`../shared/data/oulad-2013` beside the checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from oulad import EXAMPLE, FIRST, LAST, ROOT, data_folder

_RETINUE = "import sys; from retinue.cli import main; sys.exit(main())"
AIM = 60.0


def measure() -> list[dict[str, Any]]:
    """Both times, in order. Raises where `validate` fails."""
    data = data_folder()
    if not (data / "clicks.parquet").exists():
        raise SystemExit(f"no data in {data}: set OULAD_DATA to the folder of OULAD 2013")
    env = {**os.environ, "OULAD_DATA": str(data), "PYTHONPATH": str(ROOT / "src")}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "oulad"
        shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".retinue"))
        command = [sys.executable, "-c", _RETINUE, "-C", str(project), "validate", "-q", "--json"]
        command += ["--from", str(FIRST), "--to", str(LAST)]
        for what in ("first", "again"):
            load, before = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_CHILDREN)
            begun = time.perf_counter()
            done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
            seconds = time.perf_counter() - begun
            used, told = resource.getrusage(resource.RUSAGE_CHILDREN), json.loads(done.stdout)
            cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
            found.append(
                {
                    "what": what,
                    "seconds": round(seconds, 1),
                    "cpu_seconds": round(cpu, 1),
                    "peak_gigabytes": round(used.ru_maxrss * 1024 / 1e9, 2),
                    "load_before": round(load, 2),
                    "verdict": told["verdict"],
                    "auc": round(told["auc"]["value"], 3),
                    "observations": told["observations"],
                }
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure()
    if asked.json:
        print(json.dumps(found, indent=2))
        return
    for one in found:
        print(
            f"{one['what']:6} {one['seconds']:6.1f} s  {one['cpu_seconds']:6.1f} s of CPU  "
            f"{one['peak_gigabytes']:.2f} GB  AUC {one['auc']:.3f} of {one['observations']:,} snapshots"
        )
    print(f"aim: {AIM:.0f} s the first time, on 2 cores (load before: {found[0]['load_before']})")


if __name__ == "__main__":
    main()
