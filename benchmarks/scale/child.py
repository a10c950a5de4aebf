"""One contender in a process of its own: python -m benchmarks.scale.child MODULE SPEC.

Prints as its last line what it took (JSON). The clock runs from after the imports until the
results are there; memory is the most that was resident by then. `data_megabytes` of the spec is
a limit of the system on what the process may allocate.
"""

from __future__ import annotations

import json
import platform
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    module, spec = sys.argv[1], json.loads(sys.argv[2])
    work = import_module(f"benchmarks.scale.contenders.{module}").work
    if spec.get("data_megabytes"):
        most = spec["data_megabytes"] * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    begun, worked = time.perf_counter(), time.process_time()
    told = work(spec)
    taken: dict[str, Any] = {
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - worked,
        "peak_megabytes": peak() / 1e6,
    }
    print(json.dumps({**taken, **told()}))


def peak() -> int:
    """Most bytes of this process that were resident.

    The kernel's own record counts what the parent held when it started this process, so Linux
    is asked about this program alone.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
