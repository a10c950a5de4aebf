"""The state that is kept of a source, on disk: rows that still matter, and sums of those that do not.

A folder per source, `home/state/sources/<source>/`, holds Parquet files and `state.json`, which
names those that count with their checksums. It is replaced at once, and last, so that it tells of
whole files or of the state before. Whoever finds it damaged, old or gone reads the source whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from retinue.errors import StoreError

#: Raise it when what is kept, or what it means, changes.
FORMAT = 1


class Rebuild(Exception):
    """Why what is kept does not serve, in a few words: then the source is read whole."""


@dataclass(frozen=True)
class Stamp:
    """A file of the source as it was when its rows were taken."""

    path: str
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path, root: Path) -> Self:
        told = path.stat()
        return cls(os.path.relpath(path, root), told.st_size, told.st_mtime_ns)


@dataclass(frozen=True)
class State:
    """What is kept of one source.

    `made_for` identifies the declarations that the rows were typed by, `needs` the series that
    they serve. `files` have been taken whole (`by` files), or up to the rows that were loaded by
    the end of `through` (`by` rows; then `taken` counts them). Values are exact from the date
    `exact` on. `read` counts all rows of the source that were taken, broken ones included.
    `parts` has, per kind of part, names of files with their checksums.
    """

    made_for: str
    needs: frozenset[str]
    by: Literal["files", "rows"]
    files: tuple[Stamp, ...]
    through: date
    exact: date
    taken: int
    read: int
    parts: Mapping[str, Mapping[str, str]]

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "made_for": self.made_for,
            "needs": sorted(self.needs),
            "by": self.by,
            "files": [[one.path, one.size, one.modified] for one in self.files],
            "through": self.through.isoformat(),
            "exact": self.exact.isoformat(),
            "taken": self.taken,
            "read": self.read,
            "parts": {kind: dict(files) for kind, files in self.parts.items()},
        }


def load(folder: Path) -> State:
    """The state in `folder`, its files checked. Raises Rebuild where there is none that is whole."""
    path = folder / "state.json"
    try:
        content = path.read_bytes()
        told = json.loads(content[64:])
        if hashlib.sha256(content[64:]).hexdigest().encode() != content[:64]:
            raise Rebuild("what was kept is damaged")
        if told["format"] != FORMAT:
            raise Rebuild("what was kept is of another version")
        state = State(
            made_for=told["made_for"],
            needs=frozenset(told["needs"]),
            by=told["by"],
            files=tuple(Stamp(*one) for one in told["files"]),
            through=date.fromisoformat(told["through"]),
            exact=date.fromisoformat(told["exact"]),
            taken=told["taken"],
            read=told["read"],
            parts=told["parts"],
        )
        for files in state.parts.values():
            for name, digest in files.items():
                if _digest(folder / name) != digest:
                    raise Rebuild("what was kept is damaged")
        return state
    except FileNotFoundError:
        what = "a part of what was kept is gone" if path.exists() else "nothing was kept before"
        raise Rebuild(what) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise Rebuild("what was kept cannot be read") from None


def save(folder: Path, state: State, written: Mapping[str, Path]) -> None:
    """Make `state` that of `folder`; `written` are its new parts, by kind, not yet in place.

    Each becomes a further part of its kind. Files that no longer count are removed. Raises
    StoreError if the disk does not take it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        parts = {kind: dict(files) for kind, files in state.parts.items()}
        for kind, path in written.items():
            digest = _digest(path)
            name = f"{kind}-{len(parts.get(kind, {})):04}-{digest[:12]}.parquet"
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(folder / name)
            parts.setdefault(kind, {})[name] = digest
        told = json.dumps(replace(state, parts=parts).to_dict()).encode()
        partial = folder / ".state.json"
        with partial.open("wb") as written_to:
            written_to.write(hashlib.sha256(told).hexdigest().encode() + told)
            written_to.flush()
            os.fsync(written_to.fileno())
        partial.replace(folder / "state.json")
    except OSError as error:
        raise StoreError(
            f"cannot keep what the next run needs in {folder}: {error.strerror}",
            hint="free some disk; what is published is whole, and the next run reads its sources whole",
        ) from None
    named = {name for files in parts.values() for name in files} | {"state.json"}
    for path in folder.iterdir():
        if path.name not in named:
            with suppress(OSError):
                path.unlink()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
