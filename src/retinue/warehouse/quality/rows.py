"""Checks of one source's rows: what is left out, what repeats, clocks, columns and conditions."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from retinue.project.conditions import Comparison
from retinue.project.rules import compared
from retinue.project.sources import Source
from retinue.warehouse.conditions import holds
from retinue.warehouse.facts import values
from retinue.warehouse.facts.counts import Counts, rejections
from retinue.warehouse.facts.sources import OfSource
from retinue.warehouse.metrics.kinds import series_of
from retinue.warehouse.quality.findings import Findings, Path, share, such
from retinue.warehouse.reading import raw
from retinue.warehouse.reading.hints import nearest
from retinue.warehouse.reading.raw import Raw

#: Copies among more rows than these are counted in a sample of rows, chosen by their values.
_MOST_ROWS = 4_000_000
_SAMPLE = 8

#: Shares from which on something is told.
_MOSTLY_EMPTY = 0.9
_ONE_LOAD = 0.3
_EARLY = 0.05
_LATE = 0.2

_LATE_DAYS = 14
_MANY = 100  # rows or more, for what only says something of many

_HINTS = (
    ("is not an account", "add the accounts to their table, or correct the key"),
    ("leads to no account", "complete the table of `via`"),
    ("is not a date", "dates are like 2024-01-31; other ways of writing them need a `format`"),
    ("is not a number", "numbers are like 1234.5; name a column of numbers"),
    ("duplicate of", "the first that was known is kept"),
    ("no rate for", "complete the table of `rates`"),
    ("is empty", "a row without it cannot be used"),
)


def look(found: Findings, name: str, table: Raw, one: OfSource, uses: dict[str, list[Path]]) -> None:
    """Tell what is wrong with the rows of source `name`; `uses` has who uses which column."""
    source = found.project.sources[name]
    here = found.of_source(name)
    if not one.counts.read:
        found.warning(here, f"source {name} has no rows", "metrics of it are missing")
        return
    _rejected(found, name, one)
    if not source.unique:
        _copies(found, name, table, one.counts)
    _conditions(found, name, source, table, one.table)
    if not one.counts.kept:
        return
    _future(found, name, source, one)
    _columns(found, name, source, one, uses)
    if source.known_at is not None:
        _loads(found, name, one)


def _rejected(found: Findings, name: str, one: OfSource) -> None:
    """Rows that are left out, by the kind of reason."""
    told = rejections(found.engine, one.rejected)
    kind = told.reason.re_replace(r'"[^"]*"', '"…"').re_replace(r" on \d{4}-\d{2}-\d{2}$", "")
    reasons = found.engine.arrow(
        told.group_by(kind=kind)
        .aggregate(n=told.count(), first=told.reason.min(), last=told.reason.max())
        .order_by(ibis.desc("n"), "kind")
    ).to_pylist()
    here = found.of_source(name)
    whole = one.counts.read
    if not one.counts.kept:
        reason = f": {reasons[0]['first']}" if reasons else ""
        found.error(here, f"none of the {whole:,} rows of {name} can be used{reason}", _hint(reasons))
        return
    for row in reasons:
        quoted = [re.findall(r'"([^"]*)"', row[key]) for key in ("first", "last")]
        examples = such(marks[0] for marks in quoted if marks)
        shown = row["kind"].replace(' "…"', "")
        message = f"{share(row['n'], whole, f'rows of {name}')} are left out: {shown}{examples}"
        found.warning(_blamed(here, shown), message, _hint([row]))


def _hint(reasons: list[dict[str, Any]]) -> str:
    kinds = [row["kind"] for row in reasons[:1]]
    own = [hint for mark, hint in _HINTS for kind in kinds if mark in kind]
    return own[0] if own else "they are in `rejected` after a run"


def _blamed(here: Path, reason: str) -> Path:
    """The declaration that a reason is about, as far as it says so."""
    role = reason.split(" ", 1)[0]
    return (*here, role) if role in ("occurred_at", "known_at", "ends_at", "value") else here


def _copies(found: Findings, name: str, table: Raw, counts: Counts) -> None:
    """Rows that are the same in every column."""
    rows = table.table
    whole = ibis.struct({column: rows[column] for column in raw.own_columns(rows)}).hash()
    hashes = rows.select(h=whole)
    sampled = counts.read > _MOST_ROWS
    if sampled:
        hashes = hashes.filter(hashes.h % _SAMPLE == 0)
    told = found.one(hashes, n=hashes.count(), different=hashes.h.nunique())
    again = (told["n"] - told["different"]) * (_SAMPLE if sampled else 1)
    if again:
        about = "about " if sampled else ""
        found.warning(
            found.of_source(name),
            f"{about}{share(again, counts.read, f'rows of {name}')} repeat another row in every column",
            "if they are copies, name the columns that identify a row: `unique: [...]`",
        )


def _future(found: Findings, name: str, source: Source, one: OfSource) -> None:
    """Rows of days that have not come; today's own are not complete, but no mistake."""
    facts = one.table
    end = ibis.literal(found.today + timedelta(days=1))
    roles = {"occurred_at": facts.day, **({"known_at": facts.known} if source.known_at else {})}
    told = found.one(
        facts,
        **{f"{role} n": (day > end).cast("int64").sum() for role, day in roles.items()},
        **{f"{role} last": day.max() for role, day in roles.items()},
    )
    for role in roles:
        number = told[f"{role} n"]
        if number and (role == "occurred_at" or not told["occurred_at n"]):
            found.warning(
                (*found.of_source(name), role),
                f"{share(number, one.counts.kept, f'rows of {name}')} have {role} in the future, "
                f"the last on {told[f'{role} last']}",
                "they count from then on; that is right for planned days, such as due dates",
            )


def _columns(found: Findings, name: str, source: Source, one: OfSource, uses: dict[str, list[Path]]) -> None:
    """Columns in use that say nothing: empty, or the same in every row."""
    facts, rows = one.table, one.counts.kept
    named = {c: c[2:] for c in facts.columns if c.startswith(("c_", "n_")) and c[2:] in uses}
    if not named or rows < _MANY:
        return
    told = found.one(
        facts,
        **{f"{c} there": facts[c].count() for c in named},
        **{f"{c} same": facts[c].min() == facts[c].max() for c in named},
        **{f"{c} example": facts[c].min().cast("string") for c in named},
    )
    here = found.of_source(name)
    for column, label in named.items():
        path = (*here, "columns", label) if label in source.columns else uses[label][0]
        empty = rows - told[f"{column} there"]
        if empty >= _MOSTLY_EMPTY * rows:
            message = f'column "{label}" of {name} is mostly empty: {share(empty, rows, "rows")}'
            found.warning(path, message, "metrics of it are missing for most accounts")
        elif told[f"{column} same"]:
            example = told[f"{column} example"]
            message = f'column "{label}" of {name} is "{example}" in every row that has it'
            found.warning(path, message, "a metric of it tells no account from another")


def _loads(found: Findings, name: str, one: OfSource) -> None:
    """Load dates that are not those of the first load."""
    facts, rows = one.table, one.counts.kept
    here = (*found.of_source(name), "known_at")
    if rows < _MANY:
        return
    loads = facts.group_by(known=facts.known).aggregate(
        n=facts.count(), first=facts.day.min(), last=facts.day.max()
    )
    most = found.engine.arrow(loads.order_by(ibis.desc("n"), "known").limit(1)).to_pylist()[0]
    span = (most["last"] - most["first"]).days
    early = (facts.known < facts.day - ibis.interval(days=1)).cast("int64").sum()
    late = facts.known > facts.day + ibis.interval(days=_LATE_DAYS)
    others = facts.known != ibis.literal(most["known"])
    told = found.one(
        facts, early=early, late=(late & others).cast("int64").sum(), others=others.cast("int64").sum()
    )
    if most["n"] >= _ONE_LOAD * rows and span > 60:
        found.warning(
            here,
            f"{share(most['n'], rows, f'rows of {name}')} were all loaded on {most['known']}, "
            f"though they are of {most['first']} to {most['last']}: an initial load",
            f"add `trusted_from: {most['known'] + timedelta(days=1)}`: known when they occurred",
        )
    if told["early"] >= _EARLY * rows:
        found.warning(
            here,
            f"{share(told['early'], rows, f'rows of {name}')} were known before they occurred",
            "right for planned days, such as due dates; else occurred_at and known_at may be exchanged",
        )
    if told["others"] >= _MANY and told["late"] >= _LATE * told["others"]:
        found.warning(
            here,
            f"{share(told['late'], rows, f'rows of {name}')} became known more than {_LATE_DAYS} days after "
            "they occurred: the column may be updated in place",
            "name the column with the time of the first load, not that of the last change",
        )


def _conditions(found: Findings, name: str, source: Source, table: Raw, facts: ir.Table) -> None:
    """Values that conditions ask for and no row has."""
    project = found.project
    asked: dict[tuple[str, Any], Path] = {}
    for metric, declared in project.metrics.items():
        for one in series_of(declared):
            if one.source == name and one.where is not None:
                for column, value in _equal(one.where):
                    asked.setdefault((column, value), ("metrics", metric, "where"))
    _absent(found, name, asked, {c[2:]: facts[c] for c in facts.columns if c.startswith("c_")}, facts)
    if source.where is not None:
        labels = source.named_columns()
        at = (*found.of_source(name), "where")
        own = dict.fromkeys(_equal(source.where), at)
        columns = {c: labels[c].column if c in labels else c for c, _ in own}
        _absent(found, name, own, {c: values.plain(table.table[k]) for c, k in columns.items()}, table.table)


def _equal(where: Any) -> list[tuple[str, Any]]:
    """The columns and text values that a condition compares; numbers may be far from any row."""
    return [
        (column, value) for column, value in compared(where) if isinstance(value, str) and not _is_date(value)
    ]


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value[:10])
    except ValueError:
        return False
    return True


def _absent(
    found: Findings,
    name: str,
    asked: dict[tuple[str, Any], Path],
    columns: dict[str, ir.Value],
    rows: ir.Table,
) -> None:
    there = [(column, value) for column, value in asked if column in columns]
    if not there:
        return
    hits = {
        f"hit {n}": holds(Comparison(column, "=", value), {column: columns[column]}).cast("int64").sum()
        for n, (column, value) in enumerate(there)
    }
    told = found.one(rows, n=rows.count(), **hits)
    if not told["n"]:
        return
    for n, (column, value) in enumerate(there):
        if not told[f"hit {n}"]:
            shown = rows.select(v=columns[column].cast("string"))
            known = shown.filter(shown.v.notnull()).group_by("v").aggregate(n=ibis._.count())
            names = found.engine.arrow(known.order_by(ibis.desc("n"), "v").limit(500))["v"].to_pylist()
            message = f'no row of {name} has {column} = "{value}"'
            found.warning(asked[(column, value)], message, nearest(value, names))
