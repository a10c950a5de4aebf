"""What looking for alerts costs in a large portfolio, as ratios of one run.

    python -m benchmarks.alerts [--accounts 100000] [--dates 8]

A simulated company (`tests/alerts/quarter.py`) with ten rules about accounts and three about the
portfolio is published at once. Then its last dates are looked at in a process of their own, beside one
that only reads the snapshots of these dates. CPU time without imports; memory is the peak resident set.
Seconds say something about this machine only, ratios something about the work.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

COLUMNS = ["account_id", "computed", "published_band", "coverage", "fingerprint", "held"]
NOW = datetime(2026, 4, 1, 9, tzinfo=UTC)


def publish(folder: Path, accounts: int, dates: int) -> None:
    """The company, published in one run of so many dates and three weeks before them."""
    from tests.alerts.quarter import draw

    quarter = draw(accounts, dates + 23, seed=1)
    quarter.restated.clear()
    workspace = quarter.open(folder, playbooks="")
    quarter.publish_dates(workspace, range(len(quarter.dates)), len(quarter.dates) - 1)
    workspace.store.close()


def measure(way: str, folder: Path, dates: int) -> dict[str, float]:
    """CPU seconds, peak megabytes and alerts of one way to look at the last dates."""
    import scipy.stats  # noqa: F401 - an import is no work

    from retinue.run.alerting import evaluate
    from retinue.workspace import open_workspace

    workspace = open_workspace(folder, {})
    published = workspace.published()
    days = published.dates()[-dates:]
    before, alerts = time.process_time(), 0
    if way == "read":
        for day in days:
            published.table("snapshots", dates=[day], columns=COLUMNS)
    else:
        alerts = sum(evaluate(workspace, now=NOW, first=days[0]).alerts.values())
    cpu = time.process_time() - before
    workspace.store.close()
    return {"cpu": cpu, "megabytes": peak(), "alerts": alerts}


def peak() -> float:
    """Megabytes that this process had at most; the resource module counts those of its parent too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def compared(accounts: int, dates: int) -> dict[str, dict[str, float]]:
    """Both ways, each in a process of its own."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "company"
        publish(folder, accounts, dates)
        for way in ("read", "evaluate"):
            command = [sys.executable, "-m", "benchmarks.alerts", "--measure", way, str(folder)]
            told = subprocess.run(
                [*command, "--dates", str(dates)], check=True, capture_output=True, text=True
            )
            found[way] = json.loads(told.stdout)
    return found


def shown(found: dict[str, dict[str, float]], accounts: int, dates: int) -> str:
    read, told = found["read"], found["evaluate"]
    alerts = f"{told['alerts']:,.0f} alerts"
    return "\n".join(
        [
            f"{accounts:,} accounts, {dates} dates, {alerts}                CPU     memory",
            f"the snapshots of these dates, read          1.0     {read['megabytes']:,.0f} MB",
            f"alerts of these dates, found and written   {told['cpu'] / read['cpu']:4.1f}"
            f"     {told['megabytes']:,.0f} MB",
            f"  of a date, in seconds                    {told['cpu'] / dates:4.1f}",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--dates", type=int, default=8)
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        way, folder = asked.measure
        print(json.dumps(measure(way, Path(folder), asked.dates)))
    else:
        print(shown(compared(asked.accounts, asked.dates), asked.accounts, asked.dates))


if __name__ == "__main__":
    main()
