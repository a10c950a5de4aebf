"""The rows of one source about one account, as they were known on a day: for people to look at."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from datetime import date

import ibis.expr.types as ir
import pyarrow as pa

from retinue.project import conditions
from retinue.project.project import Project
from retinue.warehouse.conditions import flag
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import values
from retinue.warehouse.facts.money import Rates
from retinue.warehouse.facts.rows import Wanted, chosen
from retinue.warehouse.facts.sources import Loading, keys
from retinue.warehouse.reading import raw
from retinue.warehouse.reading.steady import steady


@dataclass(frozen=True)
class Looked:
    """Which rows: those for which `where` holds, that happened after `since`, that had not `ended`."""

    where: conditions.Condition | None = None
    since: date | None = None
    still_open: bool = False


def rows_of(
    engine: Engine, project: Project, name: str, account_id: str, as_of: date, looked: Looked, limit: int
) -> pa.Table:
    """The newest rows first: occurred, known (days), ended (day, where rows end), and the declared columns.

    What was not known on `as_of` is not among them. Raises SourceError where the source cannot be read.
    """
    return steady(
        engine,
        project.root,
        f"source {name}",
        lambda: _read(engine, project, name, account_id, as_of, looked, limit),
    )


def _read(
    engine: Engine, project: Project, name: str, account_id: str, as_of: date, looked: Looked, limit: int
) -> pa.Table:
    source = project.sources[name]
    people = engine.memory(pa.table({"ix": pa.array([0], pa.int32()), "account_id": [account_id]}))
    leading, _ = keys(engine, project, source, people, f"source {name}")
    own = [account_id] if source.via is None else engine.arrow(leading)["key_of"].to_pylist()
    table = raw.read(engine, source, project.root, f"source {name}")
    table.column(source.account, "account")

    def only(rows: ir.Table) -> ir.Table:
        # Before anything is typed: other accounts' rows need not be read as numbers and days.
        return rows.filter(values.key(rows[source.account]).isin(own))

    whole = table
    table = replace(whole, table=only(whole.table), numbered=lambda: only(whole.numbered()), broken=list)
    names = columns_of(project, name)
    wanted = Wanted(
        plain=frozenset(names), conditions=frozenset({looked.where} if looked.where is not None else ())
    )
    # Amounts stay as the source has them, so that no rates are needed.
    rates = Rates("", None, date.max)
    found = Loading(engine, project, name, chosen(table, source), wanted, leading, rates).load().facts
    found = found.filter(found.visible <= as_of)
    if looked.since is not None:
        found = found.filter(found.day > looked.since)
    if looked.where is not None:
        found = found.filter(found[flag(looked.where)])
    ends = "end_day" in found.columns
    if ends:
        over = found.end_day.notnull() & (found.end_day <= as_of) & (found.end_known <= as_of)
        found = found.mutate(ended=over.ifelse(found.end_day, None))
        if looked.still_open:
            found = found.filter(~over)
    told = {}
    for column in names:
        value = found[f"c_{column}"].cast("string")
        late = f"k_{column}"
        told[column] = (found[late] <= as_of).ifelse(value, None) if late in found.columns else value
    # Columns of a source may be called anything: ours come first, and by their place.
    ordered = found.order_by(found.occurred.desc(), found.visible.desc())
    ended = {"ended": found.ended} if ends else {}
    told = {f"column {n}": value for n, value in enumerate(told.values())}
    return engine.arrow(
        ordered.select(occurred=found.occurred, known=found.visible, **ended, **told).limit(limit)
    )


def columns_of(project: Project, name: str) -> tuple[str, ...]:
    """The columns that are shown: those that metrics can name, and those of the timeline's sentence."""
    source = project.sources[name]
    sentence = string.Formatter().parse(source.timeline or "")
    spoken = [field for _, field, _, _ in sentence if field]
    named = source.named_columns()
    # A column that has two names is shown once, under the one that was given to it last.
    once = {column.column: name for name, column in named.items()}
    return tuple(dict.fromkeys([*once.values(), *spoken]))
