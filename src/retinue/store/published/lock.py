"""Locks of files: one run at a time in a project's home, one maker of what is read quickly, and so on."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from retinue.errors import StoreError


@contextmanager
def run_lock(home: Path, now: datetime, wait: float = 0.0) -> Iterator[None]:
    """Hold the home's lock; the system lets go of it when the process ends, however it ends.

    If another process has it, wait up to `wait` seconds, then raise StoreError naming that process.
    """
    path = home / "run.lock"
    descriptor = taken(path, wait)
    if descriptor is None:
        raise StoreError(
            f"another run is going on ({_holder(path)})",
            hint=f"`retinue run --wait 600` waits for it; its lock is {path}",
        )
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": now.isoformat()}).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def taken(path: Path, wait: float = 0.0) -> int | None:
    """The lock at `path`, as a descriptor: closing it lets go, and so does the end of the process.

    None where somebody else has it, `wait` seconds long. Raises StoreError where no file can be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from None
    mine = False
    try:
        mine = _waited_for(descriptor, time.monotonic() + wait)
    finally:
        if not mine:
            os.close(descriptor)
    return descriptor if mine else None


def _waited_for(descriptor: int, until: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        else:
            return True


def _holder(path: Path) -> str:
    try:
        told = json.loads(path.read_text("utf-8"))
        return f"process {told['pid']}, since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has just started or ended"
