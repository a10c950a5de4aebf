"""Checks of the company's data: what a run would make of them, told before it is made.

Every table is read by itself, so one that is broken hides nothing about the others. What is
found are aggregates of whole tables, a few for each; no row is looked at alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import duckdb
import ibis
import ibis.expr.types as ir

from retinue.errors import Problem, ProjectError, RetinueError
from retinue.project import conditions
from retinue.project.metrics import MetricBase, Sql, closure
from retinue.project.project import Project
from retinue.project.sources import Column, Source
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import accounts, money
from retinue.warehouse.facts import sources as facts
from retinue.warehouse.facts.rows import Wanted, chosen, typed
from retinue.warehouse.metrics import given
from retinue.warehouse.metrics import kinds as metrics
from retinue.warehouse.quality.findings import Findings, Path
from retinue.warehouse.reading import raw
from retinue.warehouse.reading.raw import Raw, first_line

#: Which declarations use a column of a source: source -> column -> their paths.
Uses = dict[str, dict[str, list[Path]]]


def problems(engine: Engine, project: Project, today: date) -> list[Problem]:
    """Everything that the data of `project` lack or get wrong.

    `today` is the last complete day. Errors are what would stop a run, or a declaration that
    cannot work; all else are warnings.
    """
    from retinue.warehouse.quality import accounts as quality_accounts
    from retinue.warehouse.quality import feeds as quality_feeds
    from retinue.warehouse.quality import rows as quality_rows

    found = Findings(engine, project, today)
    usable = _metrics(found)
    rates = _rates(found)
    people = _accounts(found, rates)
    wanted, uses = _wanted(project, usable)
    loaded: dict[str, ir.Table] = {}
    for name, source in project.sources.items():
        with found.telling(f"source {name}", found.of_source(name)):
            table = raw.read(engine, source, project.root, f"source {name}")
            needed = _there(found, name, source, table, wanted.get(name, Wanted()), uses.get(name, {}))
            if needed is None:
                continue
            known = people.table if people else _everybody(engine, project, source, table, rates)
            one = facts.source(engine, project, name, table, needed, known, rates)
            found.told += [found.at_home(problem, found.of_source(name)) for problem in one.problems]
            quality_rows.look(found, name, table, one, uses.get(name, {}))
            loaded[name] = one.table
    feeds = quality_feeds.look(found, loaded, usable)
    if people is not None:
        quality_accounts.look(found, people, loaded, feeds, usable)
    return found.told


def _metrics(found: Findings) -> dict[str, MetricBase]:
    """The metrics that can be computed: SQL that is refused is told, and left out."""
    usable: dict[str, MetricBase] = {}
    refused: set[str] = set()
    told = [name for name, metric in found.project.metrics.items() if isinstance(metric, Sql)]
    if told:
        from retinue.warehouse.metrics import sandbox

        found.told += sandbox.check(found.project)
    for name, metric in found.project.metrics.items():
        try:
            given.wanted({}, {name: metric}, found.project)
        except ProjectError:
            refused.add(name)  # told by the check above
        except RetinueError as error:
            refused.add(name)
            found.error(("metrics", name), error.message, error.hint)
        else:
            usable[name] = metric
    return {n: m for n, m in usable.items() if not refused & set(_parts(n, usable))}


def _parts(name: str, declared: dict[str, MetricBase]) -> list[str]:
    return closure({name}, declared)


def _rates(found: Findings) -> money.Rates:
    home = found.project.settings.currency or ""
    rates = money.Rates(home, None, date.max)
    with found.telling("rates", ("settings", "rates")):
        rates = money.load(found.engine, found.project)
        found.told += [found.at_home(problem, ("settings", "rates")) for problem in rates.problems]
    return rates


def _accounts(found: Findings, rates: money.Rates) -> accounts.Read | None:
    """The accounts; where a table of their history is broken, without it."""
    here: Path = ("settings", "accounts")
    people: accounts.Read | None = None
    with found.telling("accounts", here):
        people = _read_accounts(found, found.project, rates)
    declared = found.project.settings.accounts
    if people is not None or not declared.history:
        return people
    now = declared.model_copy(update={"history": {}})
    settings = found.project.settings.model_copy(update={"accounts": now})
    project = Project(found.project.root, settings, {}, (), {}, found.project.places)
    try:
        with reading(found.engine):
            return accounts.load(found.engine, project, rates, None)
    except RetinueError:
        return None


def _read_accounts(found: Findings, project: Project, rates: money.Rates) -> accounts.Read:
    people = accounts.load(found.engine, project, rates, None)
    here: Path = ("settings", "accounts")
    found.told += [found.at_home(problem, here) for problem in people.problems]
    return people


def _everybody(engine: Engine, project: Project, source: Source, table: Raw, rates: money.Rates) -> ir.Table:
    """Where the accounts cannot be read, every key of a source stands for one."""
    keys = typed(chosen(table, source), source, Wanted(), project, rates)
    told = keys.filter(keys.key.notnull()).select(account_id=keys.key).distinct()
    return engine.store("everybody", told.mutate(ix=ibis.row_number().cast("int32")))


@contextmanager
def reading(engine: Engine) -> Iterator[None]:
    """What the engine cannot read is an error of ours."""
    failures: tuple[type[Exception], ...] = (duckdb.Error, *engine.errors)
    try:
        yield
    except failures as error:
        raise RetinueError(f"cannot be read: {first_line(error)}") from None


def _wanted(project: Project, usable: dict[str, MetricBase]) -> tuple[dict[str, Wanted], Uses]:
    """What is needed of each source, and which declarations need it."""
    wanted: dict[str, Wanted] = metrics.wanted({}, project.sources)
    uses: Uses = {}
    for name, of in wanted.items():
        for column in of.plain:
            uses.setdefault(name, {}).setdefault(column, []).append(("settings", "facts", name, "timeline"))
    for name, metric in usable.items():
        needed = given.wanted(metrics.wanted({name: metric}, {}), {name: metric}, project)
        for source, of in needed.items():
            before = wanted.get(source, Wanted())
            # What conditions look at is looked at here too, not only whether they hold.
            wanted[source] = before | of | Wanted(plain=of.names - of.numbers)
            for column in of.names:
                uses.setdefault(source, {}).setdefault(column, []).append(("metrics", name))
    return wanted, uses


def _there(
    found: Findings,
    name: str,
    source: Source,
    table: Raw,
    wanted: Wanted,
    uses: dict[str, list[Path]],
) -> Wanted | None:
    """`wanted` without columns that the table lacks; None where a column lacks that rows need."""
    here = found.of_source(name)
    columns = raw.own_columns(table.table)

    def there(path: Path, column: str, known: list[str] = columns) -> bool:
        if column in columns:
            return True
        message = f'source {name} ({table.place.file}) has no column "{column}"'
        found.lacks(path, message, column, known)
        return False

    structure = [there((*here, *path), column) for path, column in _structure(source, name == "people")]
    declared = source.named_columns()
    lacking = set()
    for label, mapped in declared.items():
        role = label in ("user", "value") and label not in source.columns
        path = (*here, label) if role else (*here, "columns", label)
        if [column for column in _read_for(mapped) if not there(path, column)]:
            lacking.add(label)
    for column in sorted(wanted.names - set(declared)):
        if [path for path in uses.get(column, [here]) if not there(path, column, [*declared, *columns])]:
            lacking.add(column)
    return wanted.without(lacking) if all(structure) else None


def _read_for(mapped: Column) -> list[str]:
    """The columns of the table that one declared column needs."""
    code = mapped.currency is not None and re.fullmatch("[A-Z]{3}", mapped.currency)
    known = mapped.known_at.column if mapped.known_at else None
    currency = None if code else mapped.currency
    return [part for part in (mapped.column, mapped.times, known, currency) if part is not None]


def _structure(source: Source, of_people: bool) -> Iterator[tuple[Path, str]]:
    """Columns without which no row can be placed, by the key that names them."""
    yield ("account",), source.account
    clocks = {
        "from" if of_people else "occurred_at": source.occurred_at,
        "known_at": source.known_at,
        "until" if of_people else "ends_at": source.ends_at,
        "ends_known_at": source.ends_known_at,
    }
    for key, clock in clocks.items():
        if clock is not None and clock.column:
            yield (key,), clock.column
    for column in source.unique:
        yield ("unique",), column
    named = source.named_columns()
    for column in dict.fromkeys(conditions.names(source.where) if source.where is not None else ()):
        if column not in named:
            yield ("where",), column


__all__ = ["problems"]
