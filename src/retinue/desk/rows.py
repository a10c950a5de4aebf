"""Rows of the company's own tables about one account, read where they are, when somebody asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from retinue.desk.account import filled, seen
from retinue.errors import NotFound, RetinueError, RunError, SourceError, StoreError
from retinue.project import conditions
from retinue.project import metrics as kinds
from retinue.project.metrics import AnyMetric, Milestones
from retinue.store.people.access import Actor
from retinue.store.published.current import current_run
from retinue.warehouse.engine import connect
from retinue.warehouse.facts.of_account import Looked, columns_of, rows_of
from retinue.workspace import Workspace

#: Rows that are shown of a source, the newest.
MOST = 200
#: Seconds that somebody waits for others who read a source.
PATIENCE = 20.0

#: One at a time: a source may be as large as the disk, and pages must stay quick meanwhile.
_reading = threading.Lock()


@dataclass(frozen=True, slots=True)
class SourceRow:
    """`values` are those of the columns, as text; `ended` None where it has not, or nothing ends."""

    occurred: datetime
    known: date
    ended: date | None
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Rows as they were known on `as_of`, the newest first. `more`: there are older ones.

    `trouble` says why none could be read now.
    """

    source: str
    as_of: date
    columns: tuple[str, ...] = ()
    rows: tuple[SourceRow, ...] = ()
    more: bool = False
    trouble: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "as_of": self.as_of.isoformat(),
            "columns": list(self.columns),
            "rows": [
                {
                    "occurred": row.occurred.isoformat(),
                    "known": row.known.isoformat(),
                    "ended": row.ended.isoformat() if row.ended else None,
                    "values": dict(zip(self.columns, row.values, strict=True)),
                }
                for row in self.rows
            ],
            "more": self.more,
            "trouble": self.trouble,
        }


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the customer. `email` takes mail; `link` is their page in another system."""

    name: str
    role: str | None
    since: date | None
    email: str | None
    link: str | None
    more: tuple[tuple[str, str], ...]


def source_rows(
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    source: str,
    *,
    as_of: date | None = None,
    looked: Looked | None = None,
) -> SourceRows:
    """Rows of the source about the account, as known on `as_of`, by default the last published date.

    Raises NotFound for an account that the actor may not see, or a source that is not declared. That a
    source cannot be read now is no error: it is said in `trouble`.
    """
    seen(workspace, actor, account_id)
    if source not in workspace.project.sources:
        raise NotFound(f"no source {source!r}", hint="one of " + ", ".join(workspace.project.sources))
    day = as_of or _last(workspace)
    try:
        with in_turn():
            return _read(workspace, account_id, source, day, looked or Looked())
    except (SourceError, RunError) as error:
        return SourceRows(source, day, trouble=plainly(error))


@contextmanager
def in_turn() -> Iterator[None]:
    """While nobody else reads a source for a page. Raises StoreError after `PATIENCE`."""
    if not _reading.acquire(timeout=PATIENCE):
        raise StoreError("others are reading sources just now", hint="try again in a moment")
    try:
        yield
    finally:
        _reading.release()


def people(
    workspace: Workspace, actor: Actor, account_id: str, *, as_of: date | None = None
) -> tuple[tuple[Person, ...], SourceRows]:
    """Who is there at the customer, as known on that day, with the rows that say so. Raises NotFound."""
    declared = workspace.project.settings.people
    if declared is None:
        raise NotFound(
            "this project declares no people", hint="see `people` in the reference of retinue.yaml"
        )
    found = source_rows(workspace, actor, account_id, "people", as_of=as_of, looked=Looked(still_open=True))
    template = declared.link
    told = []
    for row in found.rows:
        values = dict(zip(found.columns, row.values, strict=True))
        name = values.get("person")
        if not name:
            continue
        fixed = ("person", "role", "user", "name")
        more = tuple((column, value) for column, value in values.items() if value and column not in fixed)
        link = filled(template, {**values, "account_id": account_id}) if template else None
        emails = [value for value in values.values() if value and is_address(value)]
        since = row.occurred.date() if row.occurred.year > 1900 else None
        shown = values.get("name") or name
        told.append(Person(shown, values.get("role"), since, emails[0] if emails else None, link, more))
    return tuple(sorted(told, key=lambda one: (one.role or "~", one.name))), found


def is_address(text: str) -> bool:
    """Whether mail can be sent there: one plain address, with nothing that a link could take for more."""
    local, at, domain = text.partition("@")
    plain = "abcdefghijklmnopqrstuvwxyz0123456789"
    return (
        bool(at)
        and 0 < len(local) <= 64
        and set(local.lower()) <= set(plain + "._+-'")
        and 3 < len(domain) <= 253
        and set(domain.lower()) <= set(plain + ".-")
        and "." in domain.strip(".")
        and not domain.startswith((".", "-"))
        and not domain.endswith((".", "-"))
        and ".." not in domain
    )


def behind(metric: AnyMetric, as_of: date) -> list[tuple[str, Looked]]:
    """The sources that a metric reads, and which of their rows count on that day."""
    if isinstance(metric, Milestones):
        steps: dict[str, list[conditions.Condition | None]] = {}
        for step in metric.milestones.values():
            steps.setdefault(step.source, []).append(step.where)
        return [(source, Looked(where=_any(wheres))) for source, wheres in steps.items()]
    where = getattr(metric, "where", None)
    still_open = isinstance(metric, kinds.Open | kinds.OpenSum)
    since = None
    window = getattr(metric, "window", None)
    if window is not None:
        back = window.days
        if isinstance(metric, kinds.Change):
            back += metric.baseline.days + (metric.gap.days if metric.gap else 0)
        if isinstance(metric, kinds.Active) and metric.every == "week":
            back += 7
        since = as_of - timedelta(days=back)
    return [(source, Looked(where, since, still_open)) for source in kinds.feeds(metric)]


def _any(wheres: list[conditions.Condition | None]) -> conditions.Condition | None:
    """What holds where one of them does; None holds everywhere."""
    told = [where for where in wheres if where is not None]
    if len(told) < len(wheres):
        return None
    return told[0] if len(told) == 1 else conditions.Some(tuple(told))


def _read(workspace: Workspace, account_id: str, source: str, day: date, looked: Looked) -> SourceRows:
    project = workspace.project
    if project.settings.engine.split(":")[0] in ("spark", "pyspark"):
        told = "tables of a Spark cluster are not read for a page: ask the cluster"
        return SourceRows(source, day, trouble=told)
    with connect(project, threads=1) as engine:
        table = rows_of(engine, project, source, account_id, day, looked, MOST + 1)
    columns = columns_of(project, source)
    rows = []
    for told in table.slice(0, MOST).to_pylist():
        values = tuple(told[f"column {n}"] for n in range(len(columns)))
        rows.append(SourceRow(told["occurred"], told["known"], told.get("ended"), values))
    return SourceRows(source, day, columns, tuple(rows), table.num_rows > MOST)


def _last(workspace: Workspace) -> date:
    run = current_run(workspace.store)
    if run is None or run.last_as_of is None:
        raise NotFound("nothing is published yet", hint="start with `retinue run`")
    return run.last_as_of


def plainly(error: RetinueError) -> str:
    """Why a source cannot be read, as a page says it."""
    return f"the source cannot be read now: {error}"
