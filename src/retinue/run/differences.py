"""How declarations differ from those that are published, key by key."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from retinue.errors import RunError
from retinue.project.load import load
from retinue.project.project import Formula, Project
from retinue.store.published.manifest import Manifest
from retinue.warehouse.engine import shown

#: What tells the entries of a list apart, where they are declarations of their own.
_NAMES = ("stage", "when")


@dataclass(frozen=True)
class Difference:
    """One key that is declared otherwise: `old` and `new` are plain values, None where there is none."""

    path: str
    old: Any
    new: Any

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"


@dataclass(frozen=True)
class Share:
    """A measure's share of the score as declared, 0 to 1, before and after."""

    component: str
    metric: str
    old: float | None
    new: float | None


@dataclass(frozen=True)
class ScorecardChange:
    """One scorecard beside the published one of its name.

    `kind` is added, removed, changed, words (only what is shown differs) or same. `metrics` are those
    of its metrics that are declared otherwise; `stages`: so are the stages or tenure buckets that it
    rests on.
    """

    scorecard: str
    kind: Literal["added", "removed", "changed", "words", "same"]
    old_fingerprint: str | None
    new_fingerprint: str | None
    differences: tuple[Difference, ...] = ()
    shares: tuple[Share, ...] = ()
    metrics: tuple[str, ...] = ()
    stages: bool = False


@dataclass(frozen=True)
class Named:
    """A metric, a source or a part of the settings that is new, gone or declared otherwise."""

    name: str
    kind: Literal["added", "removed", "changed"]
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Declared:
    """All that is declared otherwise."""

    scorecards: tuple[ScorecardChange, ...]
    metrics: tuple[Named, ...]
    sources: tuple[Named, ...]
    settings: tuple[Difference, ...]

    @property
    def scores_differently(self) -> bool:
        """Whether a formula is new, gone or other than it was."""
        return any(one.kind in ("added", "removed", "changed") for one in self.scorecards)

    @property
    def scores_alike(self) -> bool:
        """Whether nothing is declared otherwise that a score could rest on."""
        return not (self.scores_differently or self.metrics or self.sources or self.settings)

    def __bool__(self) -> bool:
        changed = any(one.kind != "same" for one in self.scorecards)
        return changed or bool(self.metrics or self.sources or self.settings)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def published_project(now: Project, manifest: Manifest, environ: Mapping[str, str]) -> Project:
    """The project as it was when `manifest` was published, over the data of now.

    Raises RetinueError where its declarations cannot be read any more.
    """
    if manifest.texts == now.texts:
        return now
    with tempfile.TemporaryDirectory(prefix="retinue-") as name:
        folder = Path(name).resolve()
        for path, text in manifest.texts.items():
            file = (folder / path).resolve()
            if not file.is_relative_to(folder):
                raise RunError(f"the published project has a file outside its folder: {path}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        then = load(folder, environ)
    return replace(then, root=now.root)


def declared(old: Project, new: Project) -> Declared:
    """How `new` differs from `old`."""
    metrics = tuple(_named(_dumped(old.metrics), _dumped(new.metrics)))
    differing = {one.name for one in metrics}
    olds = {formula.scorecard.scorecard: formula for formula in old.formulas}
    news = {formula.scorecard.scorecard: formula for formula in new.formulas}
    cards = tuple(
        _scorecard(name, olds.get(name), news.get(name), differing)
        for name in [*news, *(name for name in olds if name not in news)]
    )
    settings = tuple(_differences(_settings(old), _settings(new)))
    order = [list(olds), list(news)]
    if order[0] != order[1] and sorted(order[0]) == sorted(order[1]):
        settings = (*settings, Difference("order of scorecards", order[0], order[1]))
    sources = tuple(_named(_dumped(old.settings.facts), _dumped(new.settings.facts)))
    return Declared(cards, metrics, sources, settings)


def between(old: Formula, new: Formula) -> tuple[ScorecardChange, tuple[Named, ...]]:
    """How a scorecard's formula differs from another, and the metrics of both that are declared otherwise."""
    metrics = tuple(_named(_dumped(old.metrics), _dumped(new.metrics)))
    change = _scorecard(new.scorecard.scorecard, old, new, {one.name for one in metrics})
    return change, metrics


def _scorecard(name: str, old: Formula | None, new: Formula | None, metrics: set[str]) -> ScorecardChange:
    if old is None or new is None:
        return ScorecardChange(
            name,
            "added" if old is None else "removed",
            old.fingerprint if old else None,
            new.fingerprint if new else None,
        )
    found = tuple(_differences(old.to_dict()["scorecard"], new.to_dict()["scorecard"]))
    same = old.fingerprint == new.fingerprint
    kind: Literal["same", "words", "changed"] = "changed"
    if same:
        kind = "words" if found else "same"
    shares = {side: _shares(formula) for side, formula in (("old", old), ("new", new))}
    keys = [*shares["new"], *(key for key in shares["old"] if key not in shares["new"])]
    return ScorecardChange(
        scorecard=name,
        kind=kind,
        old_fingerprint=old.fingerprint,
        new_fingerprint=new.fingerprint,
        differences=found,
        shares=tuple(
            Share(*key, shares["old"].get(key), shares["new"].get(key))
            for key in keys
            if shares["old"].get(key) != shares["new"].get(key)
        ),
        metrics=tuple(sorted({*old.metrics, *new.metrics} & metrics)) if not same else (),
        stages=(old.stages, old.tenure_buckets) != (new.stages, new.tenure_buckets),
    )


def _shares(formula: Formula) -> dict[tuple[str, str], float]:
    """What each measure is of the whole, as declared."""
    parts = formula.components
    whole = sum(part.weight for part in parts.values())
    return {
        (name, metric): round(
            part.weight / whole * measure.weight / sum(m.weight for m in part.measures.values()), 6
        )
        for name, part in parts.items()
        for metric, measure in part.measures.items()
    }


def _settings(project: Project) -> Any:
    told = project.settings.model_dump(mode="json", by_alias=True)
    # What is served, sent and done by the clock changes no score.
    elsewhere = ("facts", "scorecards", "serve", "destinations", "alerts", "alerting", "work")
    return {key: value for key, value in told.items() if key not in elsewhere}


def _dumped(declarations: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one.model_dump(mode="json", by_alias=True) for name, one in declarations.items()}


def _named(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Named]:
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in old:
            yield Named(name, "added")
        elif name not in new:
            yield Named(name, "removed")
        elif found := tuple(_differences(old[name], new[name])):
            yield Named(name, "changed", found)


def _differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """The keys at which two plain values differ."""
    if old == new:
        return
    olds, news = _keyed(old), _keyed(new)
    if old == [] or new == []:
        olds, news = ({} if side == [] else keyed for side, keyed in ((old, olds), (new, news)))
    # What is there on one side only is told whole.
    if olds is None or news is None:
        yield Difference(path, _safe(old), _safe(new))
        return
    for key in [*news, *(key for key in olds if key not in news)]:
        yield from _differences(olds.get(key), news.get(key), f"{path}.{key}" if path else key)


def _keyed(value: Any) -> Mapping[str, Any] | None:
    """What is below a value by key; None if it is a whole."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for name in _NAMES:
            keys = [str(one.get(name)) for one in value if name in one]
            if len(keys) == len(value) == len(set(keys)):
                return dict(zip(keys, value, strict=True))
    return None


def _safe(value: Any) -> Any:
    """The value as it may be shown: addresses of databases without passwords."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {key: _safe(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [_safe(one) for one in value]
    return value
