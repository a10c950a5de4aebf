"""Metrics that are SQL of the project: run in a process of its own, one date at a time.

The SQL is read and allow-listed (`sandbox_sql`), run by a child process that has only the
rows and columns that it names (`sandbox_child`), and what comes back is checked here. On each
date the tables hold what was visible by then, of the accounts that were alive then, so no SQL
can look at a later day, shift its answer to another date, or depend on which dates are run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow.parquet as pq

from retinue.errors import Place, Problem, RunError
from retinue.project.metrics import MetricBase, Sql
from retinue.project.project import Project
from retinue.project.sources import Source
from retinue.warehouse.engine import Engine, half_of_memory
from retinue.warehouse.facts.sources import Facts, Wanted
from retinue.warehouse.metrics.sandbox_run import runnable, spine_of, table_of
from retinue.warehouse.metrics.sandbox_sql import ENDED, SPINE, Query, problems, read, resolved
from retinue.warehouse.spine import Spine

__all__ = ["check", "metric", "problems", "sources", "wanted"]

#: A metric may take so many seconds, and one more for each date.
SECONDS = 60

_LEAST = 256 << 20
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def check(project: Project) -> list[Problem]:
    """What keeps the SQL of the project's metrics from being run; nothing is run."""
    files = dict.fromkeys(one.sql for one in project.metrics.values() if isinstance(one, Sql))
    return [
        problem
        for file in files
        if file in project.texts
        for problem in problems(project.texts[file], project.sources, file)
    ]


def wanted(
    needed: Mapping[str, Wanted], metrics: Mapping[str, MetricBase], project: Project
) -> dict[str, Wanted]:
    """`needed`, and what the SQL among `metrics` needs of each source.

    Raises ProjectError where the SQL is not allowed.
    """
    told = dict(needed)
    for one in metrics.values():
        if not isinstance(one, Sql):
            continue
        query = read(project.texts[one.sql], project.sources, one.sql)
        for source, spelled in query.columns.items():
            declared = project.sources[source]
            offered = [_Offered.column(declared, query, source, name) for name in spelled]
            numbers = {c.name for c in offered if c.number}
            plain = {c.name for c in offered if not c.number and not c.end}
            plain |= {gate for c in offered for gate in c.behind}
            before = told.get(source, Wanted())
            told[source] = before | Wanted(frozenset(numbers), frozenset(plain))
    return told


def sources(metric: Sql, project: Project) -> tuple[str, ...]:
    """Names of the sources that the SQL of a metric reads."""
    return tuple(read(project.texts[metric.sql], project.sources, metric.sql).columns)


@dataclass(frozen=True)
class _Offered:
    """A column as the SQL sees it: which one of facts, and what must be known before it shows.

    `end` is the day on which a row ended; `ends` waits for that end to be known, `behind` for
    columns with a clock of their own.
    """

    name: str
    number: bool = False
    end: bool = False
    ends: bool = False
    behind: tuple[str, ...] = ()

    @classmethod
    def column(cls, declared: Source, query: Query, source: str, spelled: str) -> _Offered:
        name = resolved(spelled, declared)
        known = declared.named_columns()
        if name.lower() == ENDED and name not in known and declared.ends_at is not None:
            return cls(name, end=True, ends=True)
        column = known.get(name)
        raw = column.column if column else name
        number = name in query.numbers[source] or (
            column is not None
            and (column is declared.value or bool({"currency", "scale"} & column.model_fields_set))
        )
        # The columns of clocks tell of the future too: when a row will end, a value be known.
        ends = raw in {clock.column for clock in (declared.ends_at, declared.ends_known_at) if clock}
        behind = tuple(
            other
            for other, of in known.items()
            if of.known_at is not None and (other == name or of.known_at.column == raw)
        )
        return cls(name, number, False, ends, behind)

    @property
    def of_facts(self) -> str:
        if self.end:
            return "end_day"
        return f"n_{self.name}" if self.number else f"c_{self.name}"

    @property
    def gates(self) -> tuple[str, ...]:
        return (*(("end_known",) if self.ends else ()), *(f"k_{other}" for other in self.behind))


def metric(engine: Engine, project: Project, grid: Spine, facts: Facts, metric: Sql) -> ir.Table:
    """Values (ix, pos, value, day) of a SQL metric; `day` is null, and null values are absent.

    Raises RunError where the SQL fails, takes too long or too much memory, or returns anything
    but one row of account_id, as_of, value for some of the accounts alive on each date.
    """
    file = metric.sql
    query = read(project.texts[file], project.sources, file)
    with tempfile.TemporaryDirectory(prefix="retinue-sql-") as name:
        folder = Path(name)
        text, paths = _exchange(engine, project, grid, facts, query, folder)
        rows = grid.rows.group_by("as_of").aggregate(n=ibis._.count()).order_by("as_of")
        alive = engine.arrow(rows).to_pydict()
        dates = {day.isoformat(): count for day, count in zip(alive["as_of"], alive["n"], strict=True)}
        request = Request(
            text, dates, paths, project.settings.timezone, memory(project), SECONDS + len(dates)
        )
        run(request, folder, file)
        returned = engine.memory(pq.read_table(folder / RESULT))
    return _checked(engine, grid, facts, returned, file)


def _exchange(
    engine: Engine, project: Project, grid: Spine, facts: Facts, query: Query, folder: Path
) -> tuple[str, list[str]]:
    """Writes what the query reads; returns the SQL over those files, and their paths."""
    spine = str(folder / "spine.parquet")
    ids = facts.accounts.select("ix", "account_id")
    # In one order, whatever the order of the source's rows was: sums of doubles depend on it.
    rows = grid.rows.join(ids, "ix").select("ix", "account_id", "as_of").order_by("as_of", "ix")
    engine.to_parquet(rows, Path(spine))
    tables = {SPINE: spine_of(spine)}
    paths = [spine]
    for number, (source, spelled) in enumerate(query.columns.items()):
        path = str(folder / f"facts{number}.parquet")
        offered = {one: _Offered.column(project.sources[source], query, source, one) for one in spelled}
        used = {"ix", "visible", "day", "known", "occurred"}
        used |= {column for one in offered.values() for column in (one.of_facts, *one.gates)}
        rows = facts.sources[source]
        names = sorted(used - {"visible", "ix"})
        rows = rows.select("visible", "ix", *names).order_by("visible", "ix", *names)
        engine.to_parquet(rows, Path(path))
        tables[source] = table_of(
            path, spine, {one.lower(): (told.of_facts, told.gates) for one, told in offered.items()}
        )
        paths.append(path)
    return runnable(query, tables), paths


RESULT = "result.parquet"


@dataclass(frozen=True)
class Request:
    """What the child process is asked to do. `dates` maps each to the most rows it may have."""

    text: str
    dates: dict[str, int]
    paths: list[str]
    timezone: str
    memory: int
    seconds: int

    def told(self, folder: Path) -> dict[str, Any]:
        import duckdb

        return {
            **asdict(self),
            "result": str(folder / RESULT),
            "spill": str(folder / "spill"),
            "libraries": str(Path(duckdb.__file__).parent.parent),
        }


def run(request: Request, folder: Path, file: str) -> None:
    """Runs the child; its answer is `RESULT` in `folder`. Raises RunError, within its seconds."""
    child = Path(__file__).with_name("sandbox_child.py")
    place = Place(file)
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(child)],
            input=json.dumps(request.told(folder)).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd=folder,
            timeout=request.seconds,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError(
            f"the SQL took longer than {request.seconds} s", place=place, hint="read fewer rows, or join less"
        ) from None
    try:
        told = json.loads(done.stdout)
    except ValueError:
        reason = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        raise RunError(
            f"the process of the SQL was stopped ({reason})",
            place=place,
            hint="it may need too much memory or time",
        ) from None
    if "wrong" in told:
        hint = None
        if told.get("hint") == "memory":
            hint = f"it may have {request.memory >> 20} MiB; read less, or raise `memory_limit`"
        raise RunError(f"SQL: {str(told['wrong'])[:300]}", place=place, hint=hint)


def memory(project: Project) -> int:
    """Bytes that the SQL may use: half of what the engine may."""
    told = project.settings.memory_limit or half_of_memory()
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", told.lower())
    if match is None:
        match = re.fullmatch(r"(\d+)(m)(i)b", half_of_memory().lower())
    assert match is not None
    unit = 1024 if match[3] else 1000
    return max(int(float(match[1]) * unit ** _UNITS[match[2]]) // 2, _LEAST)


def _checked(engine: Engine, grid: Spine, facts: Facts, returned: ir.Table, file: str) -> ir.Table:
    ids = facts.accounts.select("account_id", "ix")
    known = returned.left_join(ids, "account_id").drop("account_id_right")
    spine = grid.rows.select(ix="ix", pos="pos", asked="as_of")
    placed = engine.store(
        "returned",
        known.left_join(spine, ["ix", "asked"]).select("account_id", "as_of", "asked", "ix", "pos", "value"),
    )
    account, day = placed.account_id, placed.as_of
    moved = day.isnull() | (day != placed.asked)
    for wrong, what, hint in (
        (account.isnull(), "returns a row without account_id", "filter or group by account_id"),
        (moved, "returns an as_of that is not that of its tables", "return as_of as the tables give it"),
        (placed.pos.isnull(), "returns an account that is not in `spine`", "take account_id from the tables"),
    ):
        _none(engine, placed.filter(wrong).select("account_id", "asked"), what, hint, file)
    counted = placed.group_by("account_id", "asked").aggregate(n=ibis._.count())
    several = counted.filter(counted.n > 1).select("account_id", "asked")
    _none(engine, several, "returns several rows", "return one row per account_id and as_of", file)
    values = placed.filter(placed.value.notnull())
    return engine.store("sql", values.select("ix", "pos", "value", day=ibis.null("date")))


def _none(engine: Engine, wrong: ir.Table, what: str, hint: str, file: str) -> None:
    found = engine.arrow(wrong.order_by("asked", "account_id").limit(1)).to_pylist()
    if found:
        account, asked = found[0]["account_id"], found[0]["asked"]
        where = f" for account {account!r}" if account is not None else ""
        raise RunError(f"SQL: {what}{where} on {asked}", place=Place(file), hint=hint)
