"""One run at a time in a project's home."""

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
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from None
    try:
        _take(descriptor, path, time.monotonic() + wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": now.isoformat()}).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, until: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise StoreError(
                    f"another run is going on ({_holder(descriptor)})",
                    hint=f"`retinue run --wait 600` waits for it; its lock is {path}",
                ) from None
            time.sleep(0.05)


def _holder(descriptor: int) -> str:
    try:
        told = json.loads(os.pread(descriptor, 1000, 0))
        return f"process {told['pid']}, since {told['since']}"
    except (ValueError, KeyError, TypeError):
        return "a process that has just started or ended"
