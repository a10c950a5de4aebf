"""Finds and reads the files of cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from retinue.errors import Place, Problem, ProjectError
from retinue.project import diagnosis, yaml
from retinue.project.cases import Case
from retinue.project.yaml import Document

FOLDER = "tests"


@dataclass(frozen=True)
class Told:
    """A case and where it stands."""

    case: Case
    document: Document

    def place(self, *path: str | int) -> Place:
        return self.document.place(path)


def read(root: Path, files: Sequence[Path] | None, environ: Mapping[str, str]) -> list[Told]:
    """The cases in `files`, by default all of the folder `tests`; raises ProjectError."""
    problems: list[Problem] = []
    chosen = sorted((root / FOLDER).rglob("*.yaml")) if files is None else list(files)
    found: list[Told] = []
    names: dict[str, Place] = {}
    for path in chosen:
        shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        text = yaml.read(path, shown, problems)
        for document in yaml.documents(text or "", shown, environ, problems):
            told = _case(document, problems)
            if told is None:
                continue
            first = names.setdefault(told.case.case, told.place("case"))
            if first != told.place("case"):
                problems.append(
                    Problem(
                        f'the case "{told.case.case[:60]}" is there twice',
                        told.place("case"),
                        f"the first is at {first}; rename one",
                    )
                )
            found.append(told)
    if problems:
        raise ProjectError(problems)
    return found


def _case(document: Document, problems: list[Problem]) -> Told | None:
    if not isinstance(document.data, dict):
        problems.append(
            Problem("expected keys and values here", document.place(()), "a case begins with `case: NAME`")
        )
        return None
    try:
        case = Case.model_validate(document.data)
    except ValidationError as error:
        problems += diagnosis.problems(error, Case, document, ())
        return None
    told = Told(case, document)
    if not case.dates:
        problems.append(Problem("there is no date to score", told.place("as_of"), "give a day, or a list"))
        return None
    for path, _, day, _ in case.expected():
        if day not in case.dates:
            problems.append(
                Problem(f"{day} is not among the dates of `as_of`", told.place(*path), "add it there")
            )
    return told
