"""Long work that pages ask for: one piece at a time, in a process of its own, with how far it is.

A process leaves the pages their processor time, gives its memory back, and can be ended at once. What
it finds is kept in files of the project's home, each written at once, named after the run that it is
about; the newest of a kind stays until there is a newer one. `retinue.desk.working` is the process.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from retinue.errors import StoreError
from retinue.store.published.lock import taken
from retinue.store.published.manifest import check_run_id
from retinue.store.published.parquet import replace_file

#: Layout of what is kept: raise it when that changes.
VERSION = 1
#: Seconds that a process gets to end in.
PATIENCE = 5.0
#: Seconds that whoever only looks may have a lock for.
LOOKED = 0.1

_lock = threading.Lock()
_threads: list[threading.Thread] = []
_processes: list[subprocess.Popen[str]] = []
_over = threading.Event()


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work: what it does now and how much is done (0 to 1), or how it failed."""

    about: str
    doing: str = "waiting for its turn"
    part: float = 0.0
    error: str | None = None
    done: bool = False

    @property
    def going(self) -> bool:
        return not self.done and self.error is None


def work(home: Path, name: str) -> Work | None:
    """The work of that name that goes on, in whichever process, or was the last one; None if there was
    none."""
    try:
        told = Work(**json.loads(_told_in(home, name).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    if not told.going:
        return told
    try:
        lock = taken(_folder(home) / f"{name}.lock")
    except StoreError:  # a home that may only be read does not tell
        return told
    if lock is None:
        return told
    os.close(lock)  # nobody is at it
    return replace(told, error="it ended before it was done")


def forget(home: Path) -> None:
    """Forget what became of earlier work, so that what failed may be tried again."""
    for path in _folder(home).glob("*.work.json"):
        with suppress(OSError):
            path.unlink()


def start(home: Path, name: str, about: str, asked: Sequence[str]) -> bool:
    """Have `working` do what is asked, unless work of that name goes on; returns whether it was started.

    `about` says what it is about (a run). All work in a home takes turns, whichever process has it done.
    Raises StoreError where the home takes no files.
    """
    folder = _folder(home)
    with _lock:
        if _over.is_set() or (lock := taken(folder / f"{name}.lock", LOOKED)) is None:
            return False
        place = _Place(home, name, lock)
        try:
            _tell(place, Work(about))
        except StoreError:
            os.close(lock)
            raise
        thread = threading.Thread(
            target=_done, args=(place, list(asked)), name=f"retinue-{name}", daemon=True
        )
        _threads[:] = [*(one for one in _threads if one.is_alive()), thread]
        thread.start()
    return True


def wait(patience: float) -> bool:
    """Wait until nothing goes on, at most so many seconds; returns whether nothing does."""
    until = time.monotonic() + patience
    with _lock:
        threads = list(_threads)
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def end() -> None:
    """End what goes on, and start nothing any more: the server stops."""
    _over.set()
    with _lock:
        processes = list(_processes)
    for process in processes:
        process.kill()
    wait(PATIENCE)


atexit.register(end)


@dataclass
class _Place:
    """Work that this process has done: while it goes on, its lock is held."""

    home: Path
    name: str
    lock: int
    now: Work | None = None


def _done(place: _Place, asked: list[str]) -> None:
    turn = None
    try:
        while (turn := taken(_folder(place.home) / "turn.lock")) is None:
            if _over.wait(0.1):
                return
        _in_turn(place, asked)
    finally:
        if turn is not None:
            os.close(turn)
        os.close(place.lock)


def _in_turn(place: _Place, asked: list[str]) -> None:
    if _over.is_set():
        return
    _change(place, doing="starting")
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "retinue.desk.working", *asked],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        _change(place, error=f"no process could be started: {error.strerror}")
        return
    with _lock:
        _processes.append(process)
    try:
        _follow(place, process)
    finally:
        process.kill()
        process.communicate()
        with _lock:
            _processes.remove(process)


def _follow(place: _Place, process: subprocess.Popen[str]) -> None:
    """What the process says of itself, line by line, until it ends."""
    assert process.stdout is not None
    for line in process.stdout:
        with suppress(ValueError):
            said = json.loads(line)
            _change(place, **{key: said[key] for key in ("doing", "part", "error", "done") if key in said})
    status = process.wait()
    if place.now is not None and place.now.going:
        _change(place, error=f"it ended before it was done (status {status})")


def _change(place: _Place, **changes: Any) -> None:
    assert place.now is not None
    _tell(place, replace(place.now, **changes))


def _tell(place: _Place, now: Work) -> None:
    place.now = now
    text = json.dumps(asdict(now)).encode()
    replace_file(_told_in(place.home, place.name), lambda sink: sink.write(text), sync=False)


def _folder(home: Path) -> Path:
    return home / "state" / "pages"


def _told_in(home: Path, name: str) -> Path:
    return _folder(home) / f"{name}.work.json"


def keep(home: Path, name: str, run_id: str, told: dict[str, Any]) -> None:
    """Keep what was found about a run; what is older goes."""
    folder = _folder(home)
    text = json.dumps({"version": VERSION, "run_id": run_id, "told": told}, allow_nan=False)
    path = folder / f"{name}-{check_run_id(run_id)}.json"
    replace_file(path, lambda sink: sink.write(text.encode()))
    for old in folder.glob(f"{name}-*.json"):
        if old != path:
            with suppress(OSError):
                old.unlink()


def kept(home: Path, name: str, run_id: str) -> tuple[str, dict[str, Any]] | None:
    """What is kept about the run, or about the latest one before it: (its id, what was found)."""
    folder = _folder(home)
    paths = [folder / f"{name}-{run_id}.json", *sorted(folder.glob(f"{name}-*.json"), reverse=True)]
    for path in paths:
        with suppress(OSError, ValueError, KeyError, TypeError, StoreError):
            found = json.loads(path.read_text("utf-8"))
            if found["version"] == VERSION:
                return found["run_id"], found["told"]
    return None
