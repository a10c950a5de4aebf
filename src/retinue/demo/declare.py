"""The project over the simulated tables: YAML kept beside this module, copied as it is."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def write(directory: Path) -> list[Path]:
    """Write the declarations into `directory`; returns the files, in order."""
    return _copy(files("retinue.demo") / "project", directory)


def _copy(source: Traversable, directory: Path) -> list[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for entry in sorted(source.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            written += _copy(entry, directory / entry.name)
        elif entry.name.endswith((".yaml", ".sql")):
            target = directory / entry.name
            target.write_bytes(entry.read_bytes())
            written.append(target)
    return written
