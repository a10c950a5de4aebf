"""How quickly the pages answer over many accounts, while a run is published too.

    python benchmarks/web.py [--accounts 100000] [--weeks 104] [--seconds 60] [--processes 1] [--folder DIR]

Writes the company of `web_store.py` once (into --folder, where it stays, or a temporary one), starts
`retinue serve` over it, and lets people read: each sends one request a second at times fixed beforehand,
so that a slow answer does not spare the server the next request. What the server does once a run, such
as the trial of the score, is waited for first. Waiting counts from the time at which a
request was due. In a second phase a run is published meanwhile; each page says in its head of which run
it is. Everything runs on this machine: whoever asks takes processor time too.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from web_company import OWNERS, SEGMENTS, TERRITORIES, Company
from web_store import build, build_next

from retinue.store.published.reading import prepare
from retinue.workspace import open_workspace

ROOT = Path(__file__).resolve().parent.parent
_RETINUE = "import sys; from retinue.cli import main; sys.exit(main())"
#: Shares of the requests.
MIX = {"account": 50, "book": 15, "filter": 12, "search": 10, "sort": 5, "deep page": 8}
#: Milliseconds that 95 of 100 are to stay below.
AIMS = {"account": 50, "book": 100, "filter": 100, "search": 100, "sort": 100, "deep page": 100}
_RUN = re.compile(rb'<meta name="run" content="([^"]+)"')
_ASSET = re.compile(rb'(?:href|src)="(/static/[^"]+)"')
_SOUNDS = ["tam", "cor", "zen", "ber", "quin", "solvel", "marnor", "a-00123", "bank", "foods"]


@dataclass
class Heard:
    """What came of the requests of a phase: milliseconds by kind, errors by what they were, runs seen."""

    took: dict[str, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    mixed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def told(self) -> dict[str, Any]:
        kinds = {
            kind: {
                "requests": len(took),
                **{f"p{q}": round(_quantile(took, q / 100), 1) for q in (50, 95, 99)},
            }
            for kind, took in sorted(self.took.items())
        }
        return {"kinds": kinds, "errors": dict(self.errors), "runs": dict(self.runs), "mixed": self.mixed}


def _quantile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(int(part * len(ordered)), len(ordered) - 1)], 1)


@contextmanager
def serving(folder: Path, processes: int) -> Iterator[tuple[int, int]]:
    """The port and the process id of a server over the project."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "RETINUE_SERVE__PROCESSES": str(processes)}
    command = [sys.executable, "-c", _RETINUE, "-C", str(folder), "serve", "--demo", "--port", "0"]
    with (
        (folder / "serve.log").open("wb") as log,
        subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.PIPE, text=True) as server,
    ):
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                    break
            else:
                raise SystemExit("the server did not start")
            threading.Thread(target=server.stderr.read, daemon=True).start()
            yield int(found[1]), server.pid
        finally:
            server.terminate()
            server.wait(20)


def asked(kind: str, chance: random.Random, ids: list[str]) -> str:
    """An address of that kind."""
    if kind == "account":
        return f"/accounts/{chance.choice(ids)}"
    if kind == "book":
        return "/"
    if kind == "filter":
        pair = chance.choice(
            [("band", "at_risk"), ("segment", chance.choice(SEGMENTS)), ("owner", chance.choice(OWNERS)),
             ("territory", chance.choice(TERRITORIES)), ("renews", "30")]
        )  # fmt: skip
        return "/?" + urlencode([pair])
    if kind == "search":
        return "/?" + urlencode({"search": chance.choice(_SOUNDS)})
    sort = chance.choice(["effective", "arr", "renews_on", "name", "delta_28", "coverage"])
    told = {"sort": sort} if kind == "sort" else {"after": chance.choice(ids)}
    return "/?" + urlencode(told)


def people(
    port: int, count: int, seconds: float, ids: list[str], seed: int, heard: Heard, over: threading.Event
) -> None:
    """So many people read for so long, or until it is `over`."""
    begin = time.perf_counter() + 0.5

    def one(number: int) -> None:
        chance = random.Random(1000 * seed + number)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        due = begin + number / count
        while due < begin + seconds and not over.is_set():
            kind = chance.choices(list(MIX), list(MIX.values()))[0]
            time.sleep(max(due - time.perf_counter(), 0))
            try:
                connection.request("GET", asked(kind, chance, ids), headers={"Accept-Encoding": "gzip"})
                answer = connection.getresponse()
                body = answer.read()
                took = 1000 * (time.perf_counter() - due)
                page = gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body
                runs = set(_RUN.findall(page))
                with heard.lock:
                    heard.took.setdefault(kind, []).append(took)
                    heard.runs.update(run.decode() for run in runs)
                    heard.mixed += len(runs) > 1
                    if answer.status != 200:
                        heard.errors[f"{kind}: {answer.status}"] += 1
            except (OSError, http.client.HTTPException) as error:
                with heard.lock:
                    heard.errors[f"{kind}: {type(error).__name__}"] += 1
                connection.close()
            due += 1

    with ThreadPoolExecutor(count) as pool:
        for number in range(count):
            pool.submit(one, number)


def first_page(port: int) -> dict[str, int]:
    """Bytes on the wire of the first page, and of everything that it loads."""
    seen: dict[str, int] = {}
    waiting = ["/"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while waiting:
        path = waiting.pop()
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
        seen[path] = len(body)
        if path == "/":
            page = gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body
            waiting = sorted({found.decode().replace("&amp;", "&") for found in _ASSET.findall(page)})
    return seen


def _peak(server: int) -> float:
    """Gigabytes that the processes that answer had resident at most; what they share counts for each."""
    told = [Path(f"/proc/{process}/status").read_text() for process in _answering(server)]
    return sum(int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) for status in told) * 1024 / 1e9


def _below(process: int) -> list[str]:
    """The processes that it has started and that are there."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return [child for thread in threads for child in (thread / "children").read_text().split()]


def _answering(server: int) -> list[str]:
    return [str(server), *(child for child in _below(server) if b"--beside" in _command(child))]


def _settled(process: int, most: float = 600.0) -> float:
    """Seconds until the server is done with what it does once a run; it looks for one every five seconds."""
    begun = time.perf_counter()
    quiet = 0
    while quiet < 12 and time.perf_counter() - begun < most:
        time.sleep(1)
        busy = [child for child in _below(process) if b"retinue.desk.working" in _command(child)]
        quiet = 0 if busy else quiet + 1
    return round(time.perf_counter() - begun, 1)


def _command(process: str) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def _seconds(server: int) -> float:
    """Processor seconds of the processes that answer so far."""
    ticks = 0
    for process in _answering(server):
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(
    folder: Path,
    accounts: int,
    weeks: int,
    seconds: float,
    count: int,
    *,
    processes: int = 1,
    publishes: bool = True,
) -> dict[str, Any]:
    if not (folder / "retinue.yaml").exists():
        build(folder, accounts, weeks)
    workspace = open_workspace(folder, {})
    prepare(workspace.published())
    last = workspace.published().table("snapshots", dates=[workspace.published().dates()[-1]],
                                       columns=["account_id"])  # fmt: skip
    ids = last["account_id"].to_pylist()
    told: dict[str, Any] = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "accounts": len(ids), "dates": len(workspace.published().dates()), "people": count,
        "processes": processes,
        "load_before": round(os.getloadavg()[0], 2),
    }  # fmt: skip
    with serving(folder, processes) as (port, process):
        told["work_of_the_run"] = _settled(process)
        people(port, count, 5, ids, 0, Heard(), threading.Event())  # imports, caches
        before, begun = _seconds(process), time.perf_counter()
        reading = Heard()
        people(port, count, seconds, ids, 1, reading, threading.Event())
        told["reading"] = reading.told()
        spent = _seconds(process) - before
        told["cores_of_the_server"] = round(spent / (time.perf_counter() - begun), 2)
        told["cpu_ms_per_request"] = round(1000 * spent / sum(map(len, reading.took.values())), 1)
        told["first_page"] = first_page(port)
        if publishes:
            told["while_publishing"] = _published_meanwhile(folder, port, count, seconds, ids)
        told["peak_gigabytes"] = round(_peak(process), 2)
    return told


def _published_meanwhile(folder: Path, port: int, count: int, most: float, ids: list[str]) -> dict[str, Any]:
    """People read while another process publishes a run, and for some seconds after."""
    heard, over = Heard(), threading.Event()
    readers = threading.Thread(target=people, args=(port, count, 600, ids, 2, heard, over))
    readers.start()
    command = [sys.executable, __file__, "--folder", str(folder), "--publish"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=False)
    time.sleep(min(most, 15))
    over.set()
    readers.join()
    return {**heard.told(), "published": done.returncode == 0}


def publish_again(folder: Path) -> None:
    """What the second phase runs in a process of its own."""
    workspace = open_workspace(folder, {})
    run = workspace.published()
    company = Company(len(run.table("snapshots", dates=run.dates()[-1:])), len(run.dates()))
    build_next(workspace, company, f"20260602T000000-{os.getpid()}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--weeks", type=int, default=104)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1, help="that answer at the port")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--reading-only", action="store_true", help="publish no run meanwhile")
    parser.add_argument("--publish", action="store_true", help=argparse.SUPPRESS)
    asked_for = parser.parse_args()
    if asked_for.publish:
        publish_again(asked_for.folder)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked_for.folder or Path(scratch) / "large"
        told = measure(
            folder,
            asked_for.accounts,
            asked_for.weeks,
            asked_for.seconds,
            asked_for.people,
            processes=asked_for.processes,
            publishes=not asked_for.reading_only,
        )
    if asked_for.json:
        print(json.dumps(told, indent=2))
        return
    show(told, print)


def show(told: dict[str, Any], say: Callable[[str], object]) -> None:
    say(
        f"{told['accounts']:,} accounts, {told['dates']} dates, {told['people']} people "
        f"({told['machine']}, load before: {told['load_before']})"
    )
    for phase in (name for name in ("reading", "while_publishing") if name in told):
        heard = told[phase]
        name, errors = phase.replace("_", " "), heard["errors"] or "none"
        say(f"{name}: errors {errors}, pages of two runs {heard['mixed']}")
        for kind, one in heard["kinds"].items():
            say(
                f"  {kind:10} {one['requests']:5} requests  p50 {one['p50']:6.1f}  p95 {one['p95']:6.1f}  "
                f"p99 {one['p99']:6.1f} ms  (p95: {one['p95'] / AIMS[kind]:.2f} of the aim, {AIMS[kind]} ms)"
            )
    page = told["first_page"]
    say(f"first page: {sum(page.values()) / 1000:.0f} kB on the wire in {len(page)} files (aim: 100 kB)")
    say(
        f"server: {told['processes']} processes, "
        f"{told['cores_of_the_server']} cores busy, {told['cpu_ms_per_request']} ms of processor "
        f"time per request, {told['peak_gigabytes']} GB at most (aim: 1 GB)"
    )


if __name__ == "__main__":
    main()
