"""Files that change while they are read: what was read of them is half of one and half of another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from retinue.errors import Place, SourceError
from retinue.warehouse.engine import Engine

T = TypeVar("T")


def looked(engine: Engine, files: Iterable[Path]) -> None:
    """Remember how `files` are before anything of them is read."""
    for path in files:
        engine.seen.setdefault(path, _stamp(path))


def steady(engine: Engine, root: Path, what: str, read: Callable[[], T]) -> T:
    """What `read` gives, which reads files; once more where one of them changed meanwhile.

    A file that is replaced by renaming another one over it is so read as a whole. Raises SourceError
    where a file changes again: then something writes into it.
    """
    seen = engine.reader.seen
    for again in (True, False):
        seen.clear()
        error: Exception | None = None
        try:
            found = read()
        except SourceError as wrong:
            error = wrong
        except engine.errors as wrong:
            error = wrong
        changed = [path for path, stamp in seen.items() if _stamp(path) != stamp]
        if not changed:
            if error is not None:
                raise error
            return found
        if not again:
            path = changed[0]
            shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
            raise SourceError(
                f"{what}: the file changed while it was read",
                place=Place(shown),
                hint="run again; write such files under another name and rename them when they are whole",
            ) from None
    raise AssertionError("unreachable")


def _stamp(path: Path) -> tuple[int, int, int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return (told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns)
