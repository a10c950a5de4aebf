"""Where a project, its store and its published runs come together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retinue.errors import NotFound
from retinue.project.load import load
from retinue.project.project import Project
from retinue.store.current import current_run
from retinue.store.database import Store, open_store
from retinue.store.manifest import Manifest, read_manifest
from retinue.store.snapshots import Published


@dataclass(frozen=True)
class Workspace:
    """A project and its store. Engines are opened per run and do not live here."""

    project: Project
    store: Store

    def manifest(self) -> Manifest | None:
        """That of the current run; None before the first."""
        run = current_run(self.store)
        return read_manifest(self.project.home, run.run_id) if run else None

    def published(self) -> Published:
        """The published tables. Raises NotFound before the first run."""
        manifest = self.manifest()
        if manifest is None:
            raise NotFound(f"nothing is published in {self.project.home} yet", hint="run `retinue run`")
        return Published(self.project.home, manifest)


def open_workspace(root: str | Path, environ: Mapping[str, str] | None = None) -> Workspace:
    """The workspace of the project in `root`. Raises ProjectError or StoreError."""
    project = load(Path(root), os.environ if environ is None else environ)
    return Workspace(project, open_store(project.store_url))
