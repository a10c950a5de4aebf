"""`retinue init`: a project from a template, on invented tables or on those of the company."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retinue.errors import RetinueError
from retinue.project.diagnosis import suggestion

if TYPE_CHECKING:
    from retinue.templates.guess import Guess

NAMES = ("saas", "b2b_services", "ecommerce", "financial_services", "insurance", "retail")

#: What may be in a folder that a project is made in.
_HARMLESS = {".git", ".gitignore", ".DS_Store"}


@dataclass(frozen=True)
class Created:
    """What was made: its files, the invented rows by file, and what was guessed about tables.

    `left_out` names what the template has and the tables do not allow. `last_day` is the last day
    that the tables are about, at most the one that was asked for.
    """

    directory: Path
    template: str
    files: tuple[Path, ...]
    rows: dict[str, int] = field(default_factory=dict)
    guesses: tuple[Guess, ...] = ()
    left_out: tuple[str, ...] = ()
    last_day: date | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "directory": str(self.directory),
            "template": self.template,
            "files": [str(path.relative_to(self.directory)) for path in self.files],
            "rows": self.rows,
            "guesses": [guess.to_dict() for guess in self.guesses],
            "left_out": list(self.left_out),
            "last_day": self.last_day.isoformat() if self.last_day else None,
        }


def names() -> tuple[str, ...]:
    """The templates there are."""
    return NAMES


def create(directory: Path, template: str, tables: Sequence[Path] = (), *, last_day: date) -> Created:
    """Make the project `directory` from a template.

    Without `tables` it gets invented ones that end on `last_day`. With them, it maps what it
    recognises and says what it guessed. Raises RetinueError for an unknown template, a folder that
    is not empty, or tables in which nothing can be scored, and SourceError for one that cannot be
    read; nothing is left behind then.
    """
    if template not in NAMES:
        hint = suggestion(template, NAMES, "there are")
        raise RetinueError(f'there is no template "{template[:60]}"', hint=hint)
    if directory.exists() and not directory.is_dir():
        raise RetinueError(f"{directory} is a file", hint="give the name of a new folder")
    if directory.is_dir() and {path.name for path in directory.iterdir()} - _HARMLESS:
        raise RetinueError(f"the folder {directory} is not empty", hint="give the name of a new folder")
    texts = texts_of(template)
    texts["retinue.yaml"] = _named(texts["retinue.yaml"], directory)
    if tables:
        from retinue.templates.proposal import propose

        proposed = propose(directory, template, texts, tables)
        written = _write(directory, proposed.texts)
        return Created(
            directory,
            template,
            written,
            guesses=proposed.guesses,
            left_out=proposed.left_out,
            last_day=min(proposed.last_day, last_day) if proposed.last_day else None,
        )
    from retinue.templates import sample
    from retinue.templates.companies import COMPANIES

    written = _write(directory, texts)
    rows = sample.write(template, COMPANIES[template], directory / "data", last_day)
    data = tuple(directory / "data" / name for name in rows)
    return Created(directory, template, (*written, *data), rows=rows, last_day=last_day)


def texts_of(template: str) -> dict[str, str]:
    """The files of a template by their path."""
    return dict(sorted(_texts(files("retinue.templates") / template, "")))


def _texts(folder: Traversable, above: str) -> list[tuple[str, str]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _texts(entry, f"{above}{entry.name}/")
        elif entry.name.endswith((".yaml", ".md")):
            found.append((above + entry.name, entry.read_text(encoding="utf-8")))
    return found


def _named(text: str, directory: Path) -> str:
    """The settings under the name of the project's folder."""
    name = re.sub(r"\W+", "_", directory.resolve().name).strip("_").lower() or "project"
    # A folder called 2026, or no, is neither a number nor a truth value.
    plain = re.match(r"[a-z]", name) and name not in {"null", "true", "false", "yes", "no", "on", "off"}
    told = f"project: {name}" if plain else f'project: "{name}"'
    return re.sub(r"^project: \S+", told, text, count=1, flags=re.MULTILINE)


def _write(directory: Path, texts: dict[str, str]) -> tuple[Path, ...]:
    written = []
    for name, text in {**texts, ".gitignore": ".retinue/\n"}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return tuple(written)
