"""Long work that pages ask for: one piece at a time, in a thread, with how far it is.

What it finds is kept in files of the project's home, each written at once, named after the run that
it is about; the newest of a kind stays until there is a newer one.
"""

from __future__ import annotations

import atexit
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from retinue.errors import RetinueError, StoreError
from retinue.interrupts import interrupt
from retinue.store.manifest import check_run_id
from retinue.store.parquet import replace_file
from retinue.warehouse.trace import Listener

#: Layout of what is kept: raise it when that changes.
VERSION = 1

_lock = threading.Lock()
_turn = threading.Lock()
_works: dict[tuple[Path, str], Work] = {}
_threads: list[threading.Thread] = []


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
    """The work of that name that goes on, or was the last one; None if there was none."""
    with _lock:
        return _works.get((home, name))


def start(home: Path, name: str, about: str, do: Callable[[Listener], object]) -> bool:
    """Do it in the background, unless work of that name is going on; returns whether it was started.

    `about` says what it is about (a run). All work of this process takes turns.
    """
    place = (home, name)
    with _lock:
        going = _works.get(place)
        if going is not None and going.going:
            return False
        _works[place] = Work(about)
    thread = threading.Thread(target=_done, args=(place, do), name=f"retinue-{name}", daemon=True)
    with _lock:
        _threads.append(thread)
        thread.start()
    return True


def wait(patience: float) -> bool:
    """Wait until nothing goes on, at most so many seconds; returns whether nothing does."""
    until = time.monotonic() + patience
    with _lock:
        threads, _threads[:] = list(_threads), [one for one in _threads if one.is_alive()]
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


@atexit.register
def _end() -> None:
    # A query in flight must be over before its engine is taken down.
    if not wait(0.0):
        interrupt()
        wait(5.0)


def _done(place: tuple[Path, str], do: Callable[[Listener], object]) -> None:
    def tell(text: str, part: float) -> None:
        _told(place, doing=text, part=part)

    try:
        with _turn:
            do(tell)
        _told(place, done=True, part=1.0)
    except RetinueError as error:
        _told(place, error=error.message if error.hint is None else f"{error.message}: {error.hint}")
    except Exception as error:  # noqa: BLE001 - a thread that dies in silence looks as if it worked on
        _told(place, error=f"{type(error).__name__}: {error}")


def _told(place: tuple[Path, str], **changes: Any) -> None:
    with _lock:
        _works[place] = replace(_works[place], **changes)


def keep(home: Path, name: str, run_id: str, told: dict[str, Any]) -> None:
    """Keep what was found about a run; what is older goes."""
    folder = home / "state" / "pages"
    text = json.dumps({"version": VERSION, "run_id": run_id, "told": told}, allow_nan=False)
    path = folder / f"{name}-{check_run_id(run_id)}.json"
    replace_file(path, lambda sink: sink.write(text.encode()))
    for old in folder.glob(f"{name}-*.json"):
        if old != path:
            with suppress(OSError):
                old.unlink()


def kept(home: Path, name: str, run_id: str) -> tuple[str, dict[str, Any]] | None:
    """What is kept about the run, or about the latest one before it: (its id, what was found)."""
    folder = home / "state" / "pages"
    paths = [folder / f"{name}-{run_id}.json", *sorted(folder.glob(f"{name}-*.json"), reverse=True)]
    for path in paths:
        with suppress(OSError, ValueError, KeyError, TypeError, StoreError):
            found = json.loads(path.read_text("utf-8"))
            if found["version"] == VERSION:
                return found["run_id"], found["told"]
    return None
