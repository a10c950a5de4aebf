"""Reads the files of a project: `retinue.yaml`, metrics, scorecards and playbooks.

    retinue.yaml                                   settings, accounts, facts, stages
    metrics.yaml, metrics/**/*.yaml                one key, `metrics`
    scorecards.yaml, scorecards/**/*.yaml          one scorecard per document
    playbooks.yaml, playbooks/**/*.yaml            one playbook per document
    files of sql metrics                           inside the project's folder

Reading does not stop at what is wrong: declarations that cannot be understood are left out,
everything else is still checked against the rules, and all of it is reported together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from retinue.errors import Place, Problem, ProjectError
from retinue.project import diagnosis, rules, yaml
from retinue.project.declaration import Declaration
from retinue.project.metrics import AnyMetric, Sql
from retinue.project.playbooks import Playbook
from retinue.project.project import ONE_METRIC, Project, Settings
from retinue.project.rules import Unreadable
from retinue.project.scorecards import Scorecard
from retinue.project.sources import Accounts
from retinue.project.yaml import Document, Where

M = TypeVar("M", bound=Declaration)

SETTINGS_FILE = "retinue.yaml"

# What the rest of a project is checked against where its own settings are not readable.
_STAND_IN = Settings(project="?", accounts=Accounts())


def load(root: Path, environ: Mapping[str, str]) -> Project:
    """The project in the folder `root`; raises ProjectError with everything that is wrong."""
    project, problems = load_with_problems(root, environ)
    if project is None:
        raise ProjectError(problems)
    return project


def load_with_problems(root: Path, environ: Mapping[str, str]) -> tuple[Project | None, list[Problem]]:
    """The project, unless a problem is an error, and every problem, warnings included.

    Problems are in the order of files and lines. Raises ProjectError only where there is no
    project at all.
    """
    if not (root / SETTINGS_FILE).is_file():
        raise ProjectError([_no_project(root)])
    reader = _Reader(root, environ)
    project = reader.project()
    found = [*reader.problems, *rules.problems(project, reader.unreadable())]
    unique = sorted(dict.fromkeys(found), key=_position)
    broken = any(problem.severity == "error" for problem in unique)
    return (None if broken else project), unique


def load_settings(root: Path, environ: Mapping[str, str]) -> Project:
    """The project without its metrics and scorecards: enough to find what is published.

    A scorecard that is being edited does not keep anybody from reading scores. Raises
    ProjectError if `retinue.yaml` itself is not readable.
    """
    if not (root / SETTINGS_FILE).is_file():
        raise ProjectError([_no_project(root)])
    reader = _Reader(root, environ)
    settings = reader.settings()
    if reader.problems:
        raise ProjectError(reader.problems)
    return Project(root, settings, {}, (), reader.texts, reader.places)


def _no_project(root: Path) -> Problem:
    other = root / "retinue.yml"
    if other.is_file():
        return Problem(f"{other} is not read", hint=f"rename it to {SETTINGS_FILE}")
    if not root.is_dir():
        return Problem(
            f"there is no folder {root}", hint="give the folder of a project, or make one: `retinue init`"
        )
    return Problem(
        f"no {SETTINGS_FILE} in {root.resolve()}",
        hint="give the folder of a project, or make one: `retinue init`",
    )


def _position(problem: Problem) -> tuple[int, str, int]:
    place = problem.place or Place("")
    return (0 if place.file in {"", SETTINGS_FILE} else 1, place.file, place.line or 0)


@dataclass
class _Reader:
    root: Path
    environ: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    places: dict[Where, Place] = field(default_factory=dict)
    bad_settings: set[str] = field(default_factory=set)
    bad_facts: set[str] = field(default_factory=set)
    bad_metrics: set[str] = field(default_factory=set)
    bad_cards: set[str] = field(default_factory=set)
    bad_files: set[str] = field(default_factory=set)

    def project(self) -> Project:
        settings = self.settings()
        metrics = self._metrics()
        scorecards = self._scorecards(settings.scorecards)
        self._sql(metrics)
        playbooks = tuple(self._each("playbook", Playbook, set()).values())
        return Project(self.root, settings, metrics, scorecards, self.texts, self.places, playbooks)

    def unreadable(self) -> Unreadable:
        return Unreadable(
            settings=frozenset(self.bad_settings),
            facts=frozenset(self.bad_facts),
            metrics=None if "metrics" in self.bad_files else frozenset(self.bad_metrics),
            scorecards=None if "scorecards" in self.bad_files else frozenset(self.bad_cards),
        )

    # --- files ---

    def _documents(self, file: str) -> list[Document]:
        """Documents of a file that are mappings; sets `bad_files` where there is doubt."""
        before = len(self.problems)
        text = yaml.read(self.root / file, file, self.problems)
        found: list[Document] = []
        if text is not None:
            self.texts[file] = text
            found = yaml.documents(text, file, self.environ, self.problems)
        if text is None or (not found and len(self.problems) > before):
            self.bad_files.add(file.split("/", maxsplit=1)[0].removesuffix(".yaml"))
        good = []
        for document in found:
            if isinstance(document.data, dict):
                good.append(document)
            else:
                self.bad_files.add(file.split("/", maxsplit=1)[0].removesuffix(".yaml"))
                self.problems.append(
                    Problem(
                        "expected keys and values here", document.place(()), "a key is followed by a colon"
                    )
                )
        return good

    def _files(self, name: str) -> Iterator[str]:
        if (self.root / f"{name}.yaml").is_file():
            yield f"{name}.yaml"
        for path in [self.root / f"{name}.yml", *sorted((self.root / name).rglob("*.yml"))]:
            if path.is_file():
                file = path.relative_to(self.root).as_posix()
                self.problems.append(
                    Problem("this file is not read", Place(file), "rename it to .yaml", "warning")
                )
        for path in sorted((self.root / name).rglob("*.yaml")):
            if path.is_file():
                yield path.relative_to(self.root).as_posix()

    def _keep_places(self, kind: Where, document: Document, below: Where = ()) -> None:
        for path, place in document.places.items():
            if path[: len(below)] == below:
                self.places[(*kind, *path[len(below) :])] = place

    # --- retinue.yaml ---

    def settings(self) -> Settings:
        documents = self._documents(SETTINGS_FILE)
        if len(documents) > 1:
            self.problems.append(
                Problem("more than one document (---)", documents[1].place(()), "keep them in one")
            )
        if not documents:
            if not self.problems:
                self.problems.append(
                    Problem("the file is empty", Place(SETTINGS_FILE), "it begins with `project: NAME`")
                )
            self.bad_settings |= set(Settings.model_fields)
            return _STAND_IN
        document = documents[0]
        self._keep_places(("settings",), document)
        try:
            return Settings.model_validate(document.data)
        except ValidationError as error:
            self.problems += diagnosis.problems(error, Settings, document, ())
            return self._readable_settings(error, document.data)

    def _readable_settings(self, error: ValidationError, data: dict[str, Any]) -> Settings:
        """The settings without what is wrong in them, so that the rest can still be checked."""
        kept = dict(data)
        for detail in error.errors(include_url=False):
            key, *rest = [str(part) for part in detail["loc"]] or [""]
            facts = kept.get("facts")
            if key == "facts" and rest and isinstance(facts, dict):
                self.bad_facts.add(rest[0])
                kept["facts"] = {name: source for name, source in facts.items() if name != rest[0]}
            else:
                self.bad_settings.add(key)
                kept.pop(key, None)
        try:
            return Settings.model_validate({"project": "?", "accounts": {}, **kept})
        except ValidationError:
            self.bad_settings |= set(Settings.model_fields)
            return _STAND_IN

    # --- metrics ---

    def _metrics(self) -> dict[str, AnyMetric]:
        metrics: dict[str, AnyMetric] = {}
        for file in self._files("metrics"):
            for document in self._documents(file):
                for key in set(document.data) - {"metrics"}:
                    hint = diagnosis.nearest(key, ["metrics"])
                    self.problems.append(
                        Problem(
                            f'unknown key "{key[:60]}"',
                            document.place((key,)),
                            'did you mean "metrics"?' if hint else "metrics go below the key `metrics`",
                        )
                    )
                    self.bad_files.add("metrics")
                told = document.data.get("metrics")
                if told is not None and not isinstance(told, dict):
                    self.bad_files.add("metrics")
                    self.problems.append(
                        Problem("metrics: expected names and metrics", document.place(("metrics",)))
                    )
                elif told:
                    self._named_metrics(told, document, metrics)
        return metrics

    def _named_metrics(self, told: dict[str, Any], document: Document, metrics: dict[str, AnyMetric]) -> None:
        for name, value in told.items():
            path = ("metrics", name)
            if path in self.places:
                self.problems.append(_twice("metric", name, document.place(path), self.places[path]))
                continue
            self._keep_places(path, document, path)
            try:
                metrics[name] = ONE_METRIC.validate_python(value)
            except ValidationError as error:
                self.bad_metrics.add(name)
                self.problems += diagnosis.problems(error, AnyMetric, document, path)

    def _sql(self, metrics: dict[str, AnyMetric]) -> None:
        folder = self.root.resolve()
        for name, metric in metrics.items():
            if not isinstance(metric, Sql):
                continue
            place = self.places[("metrics", name, "sql")]
            path = (folder / metric.sql).resolve() if "\0" not in metric.sql else folder
            if not path.is_relative_to(folder) or path == folder:
                self.problems.append(
                    Problem(
                        f"{metric.sql[:80]!r} is not a file of the project's folder",
                        place,
                        "write a path in the project, such as sql/custom.sql",
                    )
                )
                continue
            if not path.is_file():
                self.problems.append(
                    Problem(f"there is no file {metric.sql}", place, "paths start at the project")
                )
                continue
            text = yaml.read(path, metric.sql, self.problems)
            if text is not None:
                self.texts[metric.sql] = text

    # --- scorecards and playbooks: a document each ---

    def _scorecards(self, order: tuple[str, ...]) -> tuple[Scorecard, ...]:
        cards = self._each("scorecard", Scorecard, self.bad_cards)
        first_ones = [name for name in dict.fromkeys(order) if name in cards]
        return tuple(cards[name] for name in dict.fromkeys([*first_ones, *cards]))

    def _each(self, kind: str, model: type[M], bad: set[str]) -> dict[str, M]:
        """The documents of a kind by their names, in the order of files."""
        found: dict[str, M] = {}
        folder = f"{kind}s"
        for file in self._files(folder):
            for document in self._documents(file):
                name = document.data.get(kind)
                if isinstance(name, str) and (folder, name) in self.places:
                    first = self.places[(folder, name)]
                    self.problems.append(_twice(kind, name, document.place((kind,)), first))
                    continue
                if isinstance(name, str):
                    self._keep_places((folder, name), document)
                    self.places[(folder, name)] = document.place((kind,))
                try:
                    found[str(name)] = model.model_validate(document.data)
                except ValidationError as error:
                    self.problems += diagnosis.problems(error, model, document, ())
                    if isinstance(name, str):
                        bad.add(name)
                    else:
                        self.bad_files.add(folder)
        return found


def _twice(what: str, name: str, place: Place, first: Place) -> Problem:
    return Problem(
        f'the {what} "{name[:60]}" is declared twice', place, f"the first is at {first}; rename one"
    )
