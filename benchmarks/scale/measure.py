"""Contenders in processes of their own: what each took, kept in a file as soon as it is known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent

#: Environments outside the lock, and what is installed there.
PEERS = {"frames": ("pandas", "polars", "pyarrow"), "featuretools": ("featuretools", "pandas<3", "pyarrow")}


@dataclass(frozen=True)
class Measured:
    """What a contender took; `why` tells why there is nothing, and is empty otherwise."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_megabytes: float = 0.0
    why: str = ""
    told: dict[str, Any] | None = None

    @property
    def done(self) -> bool:
        return not self.why

    def of(self, key: str, default: Any = None) -> Any:
        return (self.told or {}).get(key, default)

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def measure(module: str, spec: dict[str, Any], most: float, python: Path | None = None) -> Measured:
    """Run the contender `module`; gives up after `most` seconds."""
    with tempfile.TemporaryDirectory(prefix="scale-") as spill:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), "TMPDIR": spill}
        command = [str(python or sys.executable), "-m", "benchmarks.scale.child", module]
        load = os.getloadavg()[0]
        with _watched(Path(spill)) as spilled:
            try:
                done = subprocess.run(
                    [*command, json.dumps({**spec, "spill": spill})],
                    cwd=ROOT, env=env, capture_output=True, text=True, timeout=most, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return Measured(why=f"not done within {most:.0f} s")
    if done.returncode:
        sys.stderr.write(done.stderr)
        return Measured(why=f"failed with status {done.returncode}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    taken = {name: told.pop(name) for name in ("seconds", "cpu_seconds", "peak_megabytes")}
    return Measured(**taken, told={**told, "load": load, "spilled_megabytes": max(spilled) / 1e6})


@contextmanager
def _watched(folder: Path) -> Iterator[list[int]]:
    """How many bytes were in `folder`, seen ten times a second."""
    sizes, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            with suppress(OSError):  # files come and go
                sizes.append(sum(path.stat().st_size for path in folder.rglob("*")))

    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    try:
        yield sizes
    finally:
        over.set()
        watch.join()


def peer(folder: Path, name: str) -> Path | str:
    """The Python of an environment of peers, made when it is first asked for; else why there is none."""
    home = folder / "peers" / name
    python = home / "bin" / "python"
    packages = PEERS[name]
    if (home / "installed").exists():
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True, text=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", *packages],
            check=True, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError) as error:
        sys.stderr.write(str(getattr(error, "stderr", None) or error) + "\n")
        return f"{packages[0]} could not be installed here"
    (home / "installed").write_text("\n".join(packages))
    return python


@dataclass(frozen=True)
class Kept:
    """Results by part, one file each, so that what broke loses nothing of the rest."""

    folder: Path
    resume: bool

    def get(self, part: str) -> Measured | None:
        file = self.folder / f"{part}.json"
        return Measured(**json.loads(file.read_text())) if file.exists() else None

    def put(self, part: str, measured: Measured) -> Measured:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{part}.json").write_text(json.dumps(measured.to_dict(), indent=1))
        return measured
