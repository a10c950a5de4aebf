"""What a run says about itself: which files it wrote, from what, and what is current after it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from retinue.errors import StoreError

#: Raise it when an older Retinue could misread a manifest.
FORMAT = 1

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Part:
    """A folder with one Parquet file per table, and the dates for which it is current.

    `path` is relative to the project's home. `whole` is false once a newer part has taken some of
    its dates over: its files then hold rows that are no longer current.
    """

    path: str
    dates: tuple[date, ...]
    tables: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class File:
    """A file that a run wrote, with what is needed to tell that it is still intact."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """All there is to know about a published run; kept beside its files, never changed.

    run_id, started_at, finished_at   who and when (aware datetimes)
    dates      the dates that this run computed
    parts      for every date ever published and still current, the part that holds it
    whole      current files of the tables that are not dated: {table: path}
    files      the files that this run wrote: {path: File}; older parts are in older manifests
    formulas   {fingerprint: declarations and their YAML text}, of every formula still on a snapshot
    texts      the project's own files: {path: text}
    sources    {source: {read, kept, rejected}}
    watermarks {source: day of its last known row}
    rejected   {source: {reason: rows}}
    kept       {kind of kept state: `used`, or why it was rebuilt}
    """

    run_id: str
    started_at: datetime
    finished_at: datetime
    dates: tuple[date, ...]
    parts: tuple[Part, ...]
    whole: dict[str, str] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    formulas: dict[str, dict[str, Any]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    package: str = ""
    engine: str = ""
    sources: dict[str, dict[str, int]] = field(default_factory=dict)
    watermarks: dict[str, date | None] = field(default_factory=dict)
    rejected: dict[str, dict[str, int]] = field(default_factory=dict)
    previous: str | None = None
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where it lives, relative to the project's home."""
        return f"runs/{self.run_id}/manifest.json"

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "run_id": self.run_id,
            "previous": self.previous,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "package": self.package,
            "engine": self.engine,
            "dates": [day.isoformat() for day in self.dates],
            "parts": [
                {
                    "path": part.path,
                    "dates": [day.isoformat() for day in part.dates],
                    "tables": list(part.tables),
                    "whole": part.whole,
                }
                for part in self.parts
            ],
            "whole": self.whole,
            "files": {
                path: {"rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}
                for path, file in self.files.items()
            },
            "sources": self.sources,
            "watermarks": {name: day and day.isoformat() for name, day in self.watermarks.items()},
            "rejected": self.rejected,
            "kept": self.kept,
            "formulas": self.formulas,
            "texts": self.texts,
        }

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Manifest:
        """Raises StoreError for a manifest that a newer Retinue wrote, or that is not one."""
        version = told.get("format")
        if not isinstance(version, int):
            raise StoreError("a manifest without a format version")
        if version > FORMAT:
            raise StoreError(
                f"the manifest has format {version}; this Retinue reads up to {FORMAT}",
                hint="upgrade Retinue",
            )
        try:
            return cls(
                run_id=told["run_id"],
                previous=told["previous"],
                started_at=datetime.fromisoformat(told["started_at"]),
                finished_at=datetime.fromisoformat(told["finished_at"]),
                package=told["package"],
                engine=told["engine"],
                dates=_dates(told["dates"]),
                parts=tuple(
                    Part(part["path"], _dates(part["dates"]), tuple(part["tables"]), part["whole"])
                    for part in told["parts"]
                ),
                whole=told["whole"],
                files={path: File(**file) for path, file in told["files"].items()},
                sources=told["sources"],
                watermarks={
                    name: None if day is None else date.fromisoformat(day)
                    for name, day in told["watermarks"].items()
                },
                rejected=told["rejected"],
                kept=told.get("kept", {}),
                formulas=told["formulas"],
                texts=told["texts"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"a damaged manifest ({type(error).__name__}: {error})") from None


def check_run_id(run_id: str) -> str:
    """A run's id is also the name of its folder. Raises StoreError for anything but a plain name."""
    if not _RUN_ID.fullmatch(run_id):
        raise StoreError(f"not a run id: {run_id!r}", hint="up to 64 letters, digits, `-` and `_`")
    return run_id


def read_manifest(home: Path, run_id: str) -> Manifest:
    """The manifest of a finished run. Raises StoreError if it is gone, damaged or too new."""
    path = home / "runs" / check_run_id(run_id) / "manifest.json"
    try:
        told = json.loads(path.read_text("utf-8"))
        if not isinstance(told, dict):
            raise StoreError("not a manifest")
        return Manifest.from_dict(told)
    except FileNotFoundError:
        raise StoreError(
            f"the files of run {run_id} are gone: no {path}",
            hint="restore them from a backup, or delete the project's home (.retinue) and run again",
        ) from None
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}") from None
    except StoreError as error:
        raise StoreError(f"cannot read {path}: {error.message}", hint=error.hint) from None


def merge_parts(previous: Iterable[Part], new: Iterable[Part]) -> tuple[Part, ...]:
    """For each date the newest part; parts with no date left are dropped. Ordered by first date."""
    fresh = [part for part in new if part.dates]
    taken = {day for part in fresh for day in part.dates}
    kept = []
    for part in previous:
        dates = tuple(day for day in part.dates if day not in taken)
        if dates:
            kept.append(Part(part.path, dates, part.tables, part.whole and dates == part.dates))
    return tuple(sorted(kept + fresh, key=lambda part: (part.dates[0], part.path)))


def _dates(told: list[str]) -> tuple[date, ...]:
    return tuple(date.fromisoformat(day) for day in told)
