"""Where a project, its store and its published runs come together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from retinue.errors import NotFound
from retinue.project.load import load
from retinue.project.project import Project
from retinue.store.database import Store, open_store
from retinue.store.published.current import RunInfo, current_run
from retinue.store.published.manifest import Manifest, check_run_id, read_manifest
from retinue.store.published.snapshots import Published


@dataclass(frozen=True)
class Workspace:
    """A project and its store. Engines are opened per run and do not live here."""

    project: Project
    store: Store

    def manifest(self) -> Manifest | None:
        """That of the current run; None before the first."""
        run = self._run()
        return _published(self.project.home, run.run_id).manifest if run else None

    def published(self) -> Published:
        """The published tables. Raises NotFound before the first run."""
        run = self._run()
        if run is None:
            raise NotFound(f"nothing is published in {self.project.home} yet", hint="run `retinue run`")
        return _published(self.project.home, run.run_id)

    @contextmanager
    def pinned(self, run: RunInfo) -> Iterator[None]:
        """Within this context (of this thread) `run` is the current one, without asking for it again."""
        token = _pinned.set((self.store, run))
        try:
            yield
        finally:
            _pinned.reset(token)

    def _run(self) -> RunInfo | None:
        pinned = _pinned.get()
        if pinned is not None and pinned[0] is self.store:
            return pinned[1]
        return current_run(self.store)


_pinned: ContextVar[tuple[Store, RunInfo] | None] = ContextVar("pinned", default=None)


def _published(home: Path, run_id: str) -> Published:
    """The tables of a run; its manifest is read once, unless its file is another one than it was."""
    path = home / "runs" / check_run_id(run_id) / "manifest.json"
    try:
        found = path.stat()
    except OSError:
        return Published(home, read_manifest(home, run_id))  # which says what is wrong
    return _read_published(home, run_id, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=8)
def _read_published(home: Path, run_id: str, _size: int, _changed: int) -> Published:
    return Published(home, read_manifest(home, run_id))


def open_workspace(root: str | Path, environ: Mapping[str, str] | None = None) -> Workspace:
    """The workspace of the project in `root`. Raises ProjectError or StoreError."""
    project = load(Path(root), os.environ if environ is None else environ)
    return Workspace(project, open_store(project.store_url))
