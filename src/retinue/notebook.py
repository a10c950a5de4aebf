"""Retinue from Python: open a project, run it, read its tables, explain an account.

import retinue

project = retinue.open("my-project")
project.run()
project.accounts(band="at_risk")                      # a list that renders as a table
project.table("snapshots", account="A-0042").to_pandas()
project.explain("A-0042")
project.validate().report.auc                         # what the score is worth
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from retinue.words import DIRECTION, SHAPES, WORDS, share, shown, signed

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from retinue.run import RunResult
    from retinue.run.explanation import Explanation
    from retinue.run.validate import Validated
    from retinue.store.published.current import CurrentRow
    from retinue.workspace import Workspace

Date = date | str
#: Rows of a table that a notebook shows.
SHOWN = 10


def open(  # noqa: A001 - it is called as `retinue.open`
    folder: str | os.PathLike[str] = ".", environ: Mapping[str, str] | None = None
) -> Project:
    """Open the project in `folder`. Raises ProjectError with everything that is wrong in it."""
    from retinue.workspace import open_workspace

    return Project(open_workspace(Path(folder), environ))


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of a published table, kept as Arrow."""

    name: str
    rows: pa.Table

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def to_arrow(self) -> pa.Table:
        return self.rows

    def to_pandas(self) -> pd.DataFrame:
        """Dates as `datetime64`, so that pandas can resample and plot them."""
        return self.rows.to_pandas(date_as_object=False)

    def to_polars(self) -> pl.DataFrame:
        """Raises ImportError without polars: `pip install retinue[polars]`."""
        try:
            import polars as pl
        except ImportError:
            raise ImportError("polars is not installed: pip install 'retinue[polars]'") from None
        frame = pl.from_arrow(self.rows)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def to_list(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.rows.to_pylist()
        return found

    def __repr__(self) -> str:
        columns = ", ".join(self.rows.column_names)
        return f"<{self.name}: {len(self):,} rows; {columns}>"

    def _repr_html_(self) -> str:
        head = self.rows.slice(0, SHOWN)
        body = [[_cell(value) for value in row.values()] for row in head.to_pylist()]
        return (
            f"<p><b>{escape(self.name)}</b>: {len(self):,} rows</p>"
            + _html(self.rows.column_names, body)
            + ("<p>…</p>" if len(self) > SHOWN else "")
        )


class Accounts(Sequence["CurrentRow"]):
    """Accounts as they stand, in the order asked for."""

    def __init__(self, rows: list[CurrentRow]):
        self._rows = rows

    @overload
    def __getitem__(self, place: int) -> CurrentRow: ...
    @overload
    def __getitem__(self, place: slice) -> Accounts: ...
    def __getitem__(self, place: int | slice) -> CurrentRow | Accounts:
        return Accounts(self._rows[place]) if isinstance(place, slice) else self._rows[place]

    def __len__(self) -> int:
        return len(self._rows)

    def to_pandas(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame([row.to_dict() for row in self._rows])

    def _lines(self) -> list[list[str]]:
        return [
            [
                row.account_id,
                row.name or "",
                shown(row.effective),
                f"{SHAPES[row.band]} {WORDS[row.band]}",
                "-" if row.delta_28 is None else signed(row.delta_28, 0),
                row.reason or "",
                share(row.coverage),
            ]
            for row in self._rows
        ]

    def __repr__(self) -> str:
        lines = ["  ".join(line).rstrip() for line in self._lines()[:SHOWN]]
        more = [f"... {len(self) - SHOWN} more"] if len(self) > SHOWN else []
        return "\n".join([f"{len(self)} accounts ({DIRECTION})", *lines, *more])

    def _repr_html_(self) -> str:
        titles = ["account", "name", "score", "band", "28 days", "reason", "coverage"]
        return f"<p>{len(self)} accounts ({DIRECTION})</p>" + _html(titles, self._lines())


@dataclass(frozen=True, repr=False)
class Project:
    """A project, its runs and what they published. Made by `retinue.open`."""

    workspace: Workspace

    def run(
        self,
        *,
        first: Date | None = None,
        last: Date | None = None,
        every: Literal["day", "week"] = "day",
        now: datetime | None = None,
        wait: float = 0.0,
        alerts: bool = True,
    ) -> RunResult:
        """Score and publish, up to the last complete day by default; dates may be ISO text. Then raise
        the alerts of the new dates and go on with playbooks, unless `alerts` is False.

        Raises RunError, SourceError or StoreError; what was published before then stays current. Where
        only the alerts fail, the run has been published: the RunError says so, and the next run, or a
        worker, makes up for it.
        """
        from retinue.errors import RetinueError, RunError
        from retinue.run import run
        from retinue.run.following import follow

        moment = now or datetime.now(UTC)
        result = run(self.workspace, now=moment, first=_day(first), last=_day(last), every=every, wait=wait)
        if alerts:
            try:
                follow(self.workspace, now=moment)
            except RetinueError as error:
                raise RunError(
                    f"run {result.run_id} was published, but its alerts could not be looked for: {error}",
                    hint="the next run or a worker makes up for it",
                ) from error
        return result

    def validate(
        self,
        outcome: str | None = None,
        *,
        first: Date | None = None,
        last: Date | None = None,
        every: Literal["day", "week"] | None = None,
        now: datetime | None = None,
    ) -> Validated:
        """Try the scorecards against what happened; nothing is published. `report` of what comes
        back has every figure as a dataclass.

        Raises TrialError where there is nothing to try, or the trial would deceive.
        """
        from retinue.run.validate import validate

        moment = now or datetime.now(UTC)
        return validate(
            self.workspace, now=moment, outcome=outcome, first=_day(first), last=_day(last), every=every
        )

    def table(
        self,
        name: str,
        *,
        account: str | Sequence[str] | None = None,
        first: Date | None = None,
        last: Date | None = None,
        columns: Sequence[str] | None = None,
    ) -> Table:
        """A published table, such as "snapshots", of some accounts and dates in [first, last].

        Raises NotFound for a table or column that does not exist, and before the first run.
        """
        published = self.workspace.published()
        found = published.table(name, account=account, first=_day(first), last=_day(last), columns=columns)
        return Table(name, found)

    def accounts(
        self,
        *,
        search: str | None = None,
        sort: str = "attention",
        descending: bool | None = None,
        limit: int | None = 50,
        **filters: Any,
    ) -> Accounts:
        """Accounts as of the last date, most in need of attention first.

        Filters are band, owner, segment, territory, tier, stage, scorecard, ...: a value, a list of
        them, or None for accounts without one. Raises NotFound before the first run.
        """
        from retinue.store.people.access import OPERATOR
        from retinue.store.published.current import accounts

        return Accounts(
            accounts(
                self.workspace.store,
                OPERATOR,
                filters=filters,
                search=search,
                sort=sort,
                descending=descending,
                limit=limit,
            )
        )

    def explain(self, account: str, *, as_of: Date | None = None, since: Date | None = None) -> Explanation:
        """One score, taken apart. Raises NotFound with the nearest accounts or dates."""
        from retinue.run.explain import explain

        return explain(self.workspace, account, as_of=_day(as_of), since=_day(since))

    def dates(self) -> tuple[date, ...]:
        """Every published date; none before the first run."""
        manifest = self.workspace.manifest()
        return tuple(sorted(d for part in manifest.parts for d in part.dates)) if manifest else ()

    def export(
        self,
        directory: str | os.PathLike[str],
        format: Literal["parquet", "csv"] = "parquet",  # noqa: A002 - what everybody calls it
        tables: Sequence[str] | None = None,
    ) -> dict[str, int]:
        """Write published tables into `directory`; returns the rows of each."""
        return self.workspace.published().export(Path(directory), format, tables)

    def export_to(
        self,
        url: str,
        *,
        schema: str | None = None,
        tables: Sequence[str] | None = None,
        full: bool = False,
    ) -> dict[str, int]:
        """Write published tables to a database, for BI; returns the rows written of each.

        `url` is postgresql://user@host/db, duckdb:///path/to/file.duckdb or another that Ibis knows.
        All tables change at once, or none; only dates that changed are written, unless `full`.
        Raises StoreError.
        """
        from retinue.run.export import export_to

        told = export_to(self.workspace, url, schema=schema, tables=tables, full=full)
        return {name: one.rows for name, one in told.items()}

    def __repr__(self) -> str:
        settings = self.workspace.project.settings
        dates = self.dates()
        published = f"{len(dates)} dates published, up to {dates[-1]}" if dates else "nothing published yet"
        return f"<project {settings.project} in {self.workspace.project.root}: {published}>"


def _day(value: Date | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _html(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
