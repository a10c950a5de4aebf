"""A project over the tables of a company: the template, less what they do not have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from retinue.errors import RetinueError
from retinue.project import conditions, yaml
from retinue.project.metrics import (
    AnyMetric,
    Attribute,
    Milestones,
    Open,
    OpenSum,
    Pulse,
    Ratio,
    feeds,
    needs,
    split,
)
from retinue.project.project import ONE_METRIC, Project, Settings
from retinue.project.references import BUILT_IN
from retinue.project.scorecards import Scorecard
from retinue.project.sources import Accounts, Table
from retinue.templates import acting, guess
from retinue.templates.acting import There, compared
from retinue.templates.guess import Fact, Found, Guess, Seen
from retinue.templates.without import without
from retinue.templates.written import readme, settings_text


@dataclass(frozen=True)
class Proposed:
    texts: dict[str, str]
    guesses: tuple[Guess, ...]
    left_out: tuple[str, ...]
    last_day: date | None


def propose(directory: Path, template: str, texts: Mapping[str, str], tables: Sequence[Path]) -> Proposed:
    """The files of a project over `tables`. Raises RetinueError where nothing could be scored."""
    wanted = _settings(texts)
    sources = {
        name: [*(["user"] if s.user else []), *(["value"] if s.value else []), *s.columns]
        for name, s in wanted.facts.items()
    }
    found = guess.mapping(_look(tables, directory), sources)
    unread = found.derived is not None and not any(fact.table is found.derived for fact in found.facts)
    if found.key is None or unread:
        raise RetinueError(
            "none of these tables looks like a table of accounts",
            hint="give the one with a row for each account, and a key that the others refer to",
        )
    kept = _Kept.of(found, texts, wanted)
    files = {name: text for name, text in kept.texts.items() if name != "README.md"}
    if not kept.cards:
        files |= _plain(found)
    there = _there(found, kept, files)
    told, rules, reasons = acting.alerts(texts["retinue.yaml"], wanted, there)
    for name, text in texts.items():
        if name.startswith("playbooks/"):
            if why := acting.playbook(text, name, rules, there):
                reasons.append(f"{name}: {why}")
            else:
                files[name] = text
    stages = kept.stages if kept.cards or kept.stages else []
    files["retinue.yaml"] = settings_text(directory, texts["retinue.yaml"], found, stages, files, told)
    files["README.md"] = readme(template, found, [*kept.reasons, *reasons])
    return Proposed(files, tuple(found.guesses), (*kept.reasons, *reasons), guess.last_day(found))


def _there(found: Found, kept: _Kept, files: Mapping[str, str]) -> There:
    """What alerts and playbooks of the proposed project may name."""
    cards = [text for name, text in files.items() if name.startswith("scorecards/")]
    names = {*kept.metrics, *found.attributes, "stage"}
    names |= {"tenure_days"} if found.tenure else set()
    names |= {"days_to_renewal"} if "renews_on" in found.attributes else set()
    columns = {c.name: c.values for c in found.accounts.columns} if found.accounts else {}
    return There(
        frozenset(names),
        frozenset(kept.stages),
        frozenset(name for text in cards for name in _card(text).components),
        {fact.name: fact for fact in found.facts},
        {name: columns[told] for name, told in found.attributes.items() if columns.get(told)},
    )


def _card(text: str) -> Scorecard:
    (document,) = yaml.documents(text, "", {}, [])
    return Scorecard.model_validate(document.data)


def _look(tables: Sequence[Path], directory: Path) -> list[Seen]:
    from retinue.warehouse.engine import connect
    from retinue.warehouse.reading import raw

    project = Project(directory, Settings(project="?", accounts=Accounts()), {}, ())
    found = []
    with connect(project) as engine:
        for path in _together(tables):
            read = raw.read(engine, Table(table=str(path.resolve())), Path.cwd(), path.name)
            table = guess.seen(path, engine.arrow(read.table.limit(guess.ROWS)))
            days = {c.name: read.table[c.name].max() for c in table.columns if c.is_date and c.last}
            last = engine.arrow(read.table.aggregate(**days)).to_pylist()[0] if days else {}
            found.append(table.until({name: str(day) for name, day in last.items() if day is not None}))
    return found


def _together(tables: Sequence[Path]) -> list[Path]:
    """Files whose names differ in numbers alone are one table, told as a pattern of names."""
    groups: dict[Path, list[Path]] = {}
    for path in tables:
        groups.setdefault(path.parent / re.sub(r"\d+", "*", path.name), []).append(path)
    return [paths[0] if len(paths) == 1 else pattern for pattern, paths in groups.items()]


def _settings(texts: Mapping[str, str]) -> Settings:
    (document,) = yaml.documents(texts["retinue.yaml"], "retinue.yaml", {}, [])
    return Settings.model_validate(document.data)


@dataclass
class _Kept:
    """What of the template stays: its files with the rest commented out, and why."""

    texts: dict[str, str]
    metrics: dict[str, AnyMetric]
    cards: list[str]
    stages: list[str]
    reasons: list[str]

    @classmethod
    def of(cls, found: Found, texts: Mapping[str, str], wanted: Settings) -> _Kept:
        (document,) = yaml.documents(texts["metrics.yaml"], "metrics.yaml", {}, [])
        declared = {n: ONE_METRIC.validate_python(m) for n, m in document.data["metrics"].items()}
        facts = {fact.name: fact for fact in found.facts}
        lacking: dict[str, str] = {}
        # Ratios come after what they are made of only by chance, so look until nothing changes.
        while True:
            more = {
                name: reason
                for name, metric in declared.items()
                if name not in lacking and (reason := _lack(metric, facts, found, lacking))
            }
            if not more:
                break
            lacking |= more
        kept = {name: metric for name, metric in declared.items() if name not in lacking}
        known = {*kept, *found.attributes, *BUILT_IN}
        known -= set() if found.tenure else {"tenure"}
        known -= set() if "renews_on" in found.attributes else {"days_to_renewal"}
        stages = _stages(wanted, known)
        said = {name for name, metric in declared.items() if isinstance(metric, Pulse)}
        out: dict[str, str] = {}
        cards: list[str] = []
        used: set[str] = set()
        reasons = [f"metric {name}: {reason}" for name, reason in lacking.items()]
        for name, text in texts.items():
            if name.startswith("scorecards/"):
                card, reduced, told = _scorecard(text, name, known, found, [s for s, _ in stages], said)
                reasons += told
                if card is not None:
                    out[name] = reduced
                    cards.append(card.scorecard)
                    used |= _used(reduced)
        used |= {part for _, when in stages for part in (conditions.names(when) if when is not None else ())}
        # A metric stays for the metrics that are made of it.
        while True:
            parts = {part for name in used & set(kept) for part in needs(kept[name])}
            if parts <= used:
                break
            used |= parts
        unused = {name: "nothing that is left uses it" for name in kept if name not in used}
        gone: dict[tuple[str | int, ...], str] = {
            ("metrics", name): reason for name, reason in {**lacking, **unused}.items()
        }
        if set(declared) - set(lacking) - set(unused):
            out["metrics.yaml"] = without(texts["metrics.yaml"], gone)
        reasons.append("tests/stories.yaml: it tells of the whole template")
        return cls(
            out, {n: m for n, m in kept.items() if n not in unused}, cards, [s for s, _ in stages], reasons
        )


def _used(text: str) -> set[str]:
    left = _card(text)
    rules = [*(cap.when for cap in left.caps), *(floor.when for floor in left.floors)]
    names = {name for when in rules for name in conditions.names(when)}
    return names | {m for component in left.components.values() for m in component.measures}


def _stages(wanted: Settings, known: set[str]) -> list[tuple[str, conditions.Condition | None]]:
    return [
        (stage.stage, stage.when)
        for stage in wanted.stages
        if stage.when is None or set(conditions.names(stage.when)) <= known
    ]


def _lack(
    metric: AnyMetric, facts: Mapping[str, Fact], found: Found, lacking: Mapping[str, str]
) -> str | None:
    """What the tables do not have that a metric needs; None if all is there."""
    for name in feeds(metric):
        if name not in facts:
            return f"no table looks like {name}"
    if isinstance(metric, Open | OpenSum) and "ends_at" not in facts[feeds(metric)[0]].roles:
        return f"no column of {feeds(metric)[0]} says when a row ends"
    for reference in _columns(metric):
        source, column = split(reference)
        if column and column not in {**facts[source].roles, **facts[source].columns}:
            return f"no column of {source} looks like {column}"
    for source, where in _conditions(metric):
        for column, values in compared(where):
            told = facts[source].columns.get(column)
            if told is None:
                return f"no column of {source} looks like {column}"
            there = next(c for c in facts[source].table.columns if c.name == told).values
            if not {str(value).lower() for value in values} & {value.lower() for value in there}:
                return f"{told} of {source} is never {' or '.join(str(value) for value in values)}"
    if isinstance(metric, Attribute) and metric.attribute not in found.attributes:
        return f"no column of the accounts looks like {metric.attribute}"
    if isinstance(metric, Ratio):
        for part in metric.ratio:
            if isinstance(part, str) and part.startswith("account."):
                if part.removeprefix("account.") not in found.attributes:
                    return f"no column of the accounts looks like {part.removeprefix('account.')}"
            elif isinstance(part, str) and part in lacking:
                return f"{part} is left out"
    return None


def _columns(metric: AnyMetric) -> Iterator[str]:
    told = metric.model_dump(exclude_none=True).get(metric.kind)
    if isinstance(told, str) and metric.kind in {"sum", "mean", "distinct", "latest", "open_sum"}:
        yield told
    elif metric.kind == "change" and isinstance(told, dict):
        yield from told.values()


def _conditions(metric: AnyMetric) -> Iterator[tuple[str, conditions.Condition]]:
    if isinstance(metric, Milestones):
        told = [(step.source, step.where) for step in metric.milestones.values()]
    else:
        told = [(source, getattr(metric, "where", None)) for source in feeds(metric)]
    yield from ((source, where) for source, where in told if where is not None)


def _scorecard(
    text: str,
    file: str,
    known: set[str],
    found: Found,
    stages: Sequence[str],
    said: set[str],
) -> tuple[Scorecard | None, str, list[str]]:
    """A scorecard without the measures and rules that cannot be.

    None where nothing is left but what people say (the metrics in `said`).
    """
    (document,) = yaml.documents(text, file, {}, [])
    card = Scorecard.model_validate(document.data)
    stage = card.applies_to.get("stage", ())
    if any(one not in stages for one in stage):
        return None, text, [f"{file}: the stage {', '.join(map(str, stage))} cannot be told"]
    gone: dict[tuple[str | int, ...], str] = {}
    left = 0
    for name, component in card.components.items():
        missing = [m for m in component.measures if m not in known]
        if len(missing) == len(component.measures):
            gone[("components", name)] = "none of its metrics can be computed from these tables"
            continue
        for measure in missing:
            gone[("components", name, "measures", measure)] = "the metric is left out"
        for measure, told in component.measures.items():
            attributes = {part for part in told.cohort if isinstance(part, str)}
            tenure = any(not isinstance(part, str) for part in told.cohort)
            lacks = attributes - {*found.attributes, "tenure", "stage"}
            if measure in known and (lacks or (tenure and not found.tenure)):
                gone[("components", name, "measures", measure)] = "its cohorts cannot be told"
    for name, component in card.components.items():
        inside = [("components", name, "measures", m) for m in component.measures]
        if ("components", name) not in gone and all(path in gone for path in inside):
            gone = {path: why for path, why in gone.items() if path not in inside}
            gone[("components", name)] = "none of its measures is left"
        elif ("components", name) not in gone:
            left += any(path not in gone and path[-1] not in said for path in inside)
    for key, rules in (("caps", [c.when for c in card.caps]), ("floors", [f.when for f in card.floors])):
        bad = [n for n, when in enumerate(rules) if not set(conditions.names(when)) <= known]
        if bad and len(bad) == len(rules):
            gone[(key,)] = "their metrics are left out"
        else:
            gone |= {(key, n): "a metric of it is left out" for n in bad}
    if not left:
        return None, text, [f"{file}: nothing of it can be computed from these tables"]
    reasons = [f"{file}: {'.'.join(str(part) for part in path)}: {why}" for path, why in gone.items()]
    return card, without(text, gone), reasons


def _plain(found: Found) -> dict[str, str]:
    """A scorecard of plain activity, where the template has nothing for these tables."""
    metrics, measures = [], []
    for fact in found.facts:
        if fact.outcome:
            continue
        usual = max(1.0, round(fact.table.rows / max(found.number, 1) / 4))
        metrics.append(f"  {fact.name}_90d: {{count: {fact.name}, window: 90d}}")
        metrics.append(f"  days_since_{fact.name}: {{since: {fact.name}}}")
        measures.append(
            f"      {fact.name}_90d: {{curve: [[0, 0], [{usual:g}, 60], [{3 * usual:g}, 100]], max_age: 30d}}"
        )
        measures.append(
            f"      days_since_{fact.name}: {{curve: [[7, 100], [60, 50], [180, 0]], max_age: 30d}}"
        )
    if not metrics:
        raise RetinueError(
            "nothing in these tables can be scored: none has dated rows about the accounts",
            hint="add a table of usage, orders, tickets, invoices or surveys",
        )
    head = "# Nothing of the template fits these tables, so this is plain activity. Make it your own.\n"
    return {
        "metrics.yaml": head + "metrics:\n" + "\n".join(metrics) + "\n",
        "scorecards/health.yaml": head
        + "scorecard: health\ncomponents:\n  activity:\n    measures:\n"
        + "\n".join(measures)
        + "\nbands: {at_risk: 0, watch: 40, healthy: 70}\n",
    }
