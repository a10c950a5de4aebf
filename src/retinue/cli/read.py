"""Commands that read what is published: accounts, explain, status, export."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from retinue.cli.options import DAY, as_json, in_project, print_json, settings_and_store

if TYPE_CHECKING:
    from retinue.run.explanation import Explanation
    from retinue.store.published.current import CurrentRow
    from retinue.workspace import Workspace

#: What accounts can be sorted by here, with the words for the order that results.
ORDERS = {
    "attention": "by attention (points short of 100 x ARR, doubled before a renewal)",
    "score": "by score, worst first",
    "name": "by name",
    "account_id": "by account id",
    "arr": "by ARR, largest first",
    "renews_on": "by renewal date, next first",
    "coverage": "by coverage, least first",
    "band_since": "by date of the last change of band, oldest first",
    "owner": "by owner",
    "segment": "by segment",
    "territory": "by territory",
}
BANDS = ("at_risk", "watch", "healthy", "not_scored")


@click.command()
@in_project
@click.option("--band", type=click.Choice(BANDS), multiple=True, help="Only accounts in this band.")
@click.option("--owner", help="Only accounts of this owner.")
@click.option("--segment", help="Only accounts of this segment.")
@click.option("--territory", help="Only accounts of this territory.")
@click.option("--stage", help="Only accounts in this stage of the lifecycle.")
@click.option("--scorecard", help="Only accounts that this scorecard scores.")
@click.option("--search", metavar="TEXT", help="Only accounts with this in their name or id.")
@click.option("--sort", type=click.Choice(list(ORDERS)), help="Order; by default who needs attention.")
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option(
    "--movers",
    type=click.Choice(["7", "28", "90"]),
    metavar="DAYS",
    help="Those whose score moved most in 7, 28 or 90 days, up or down.",
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many to show.")
@click.option("--after", metavar="ACCOUNT", help="Continue after this account, the last of the page before.")
@as_json
def accounts(
    root: Path,
    band: tuple[str, ...],
    search: str | None,
    sort: str | None,
    reverse: bool,
    movers: str | None,
    limit: int,
    after: str | None,
    json_: bool,
    **filters: str | None,
) -> None:
    """List accounts: who needs attention, and why.

    \b
    Examples:
      retinue accounts --band at_risk --owner ann@example.com
      retinue accounts --movers 28 --limit 10
      retinue accounts --search north --sort arr
    """
    from retinue.store.people.access import OPERATOR
    from retinue.store.published import current

    if movers and sort:
        raise click.UsageError("--movers is an order of its own; leave out --sort")
    project, store = settings_and_store(root)
    wanted: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
    if band:
        wanted["band"] = [None if one == "not_scored" else one for one in band]
    order = f"move_{movers}" if movers else {None: "attention", "score": "effective"}.get(sort, sort)
    assert order is not None
    usual = order in ("attention", "arr") or order.startswith("move_")
    rows = current.accounts(
        store,
        OPERATOR,
        filters=wanted,
        search=search,
        sort=order,
        descending=usual != reverse,
        limit=limit + 1,
        after=after,
    )
    more = len(rows) > limit
    rows = rows[:limit]
    groups = current.counts(store, OPERATOR, filters=wanted, search=search)
    run = current.current_run(store)
    assert run is not None
    words = f"by change in {movers} days, largest first" if movers else ORDERS[sort or "attention"]
    words += ", reversed" if reverse else ""
    grades = project.settings.grades
    if json_:
        from retinue.words import DIRECTION

        print_json(
            {
                "direction": DIRECTION,
                "as_of": run.last_as_of,
                "order": words,
                "total": sum(group.accounts for group in groups),
                "bands": {group.value or "not_scored": group.accounts for group in groups},
                "arr": {group.value or "not_scored": group.arr for group in groups},
                "next": rows[-1].account_id if more else None,
                "accounts": [_row(row, grades) for row in rows],
            }
        )
        return
    from retinue.cli.render import Page
    from retinue.cli.tables import account_table, totals

    page = Page()
    if not rows:
        page.line("No account matches.")
        return
    page.table(account_table(page, rows, grades, int(movers or 28), project.settings.currency))
    page.line()
    page.line(f"{totals(groups)}. As of {run.last_as_of}, {words}.")
    if more:
        page.line(f"More: --after {rows[-1].account_id}", "dim")


def _row(row: CurrentRow, grades: dict[str, float]) -> dict[str, Any]:
    from retinue.words import grade

    told = row.to_dict()
    del told["explanation"], told["attributes"]
    return {**told, "grade": grade(row.effective, grades)} if grades else told


@click.command()
@click.argument("account")
@in_project
@click.option("--as-of", type=DAY, help="As it was published on this date; by default the last one.")
@click.option("--since", type=DAY, help="Explain the change since this date.")
@as_json
def explain(account: str, root: Path, as_of: date | None, since: date | None, json_: bool) -> None:
    """Take one score apart: what it is made of, why it moved, what would raise it most.

    ACCOUNT is the id of an account, or its name.

    \b
    Examples:
      retinue explain A-0042
      retinue explain "Northern Lights" --since 2026-03-31
    """
    from retinue.run.explain import explain as explained
    from retinue.workspace import Workspace

    found: Explanation = explained(Workspace(*settings_and_store(root)), account, as_of=as_of, since=since)
    if json_:
        print_json(found.to_dict())
        return
    from retinue.cli.explained import show
    from retinue.cli.render import Page

    show(Page(), found)


@click.command()
@in_project
@as_json
def status(root: Path, json_: bool) -> None:
    """Tell what is published: the run, its dates, its sources, and where the files are.

    \b
    Example:
      retinue status -C my-project
    """
    from retinue.cli.render import Page
    from retinue.cli.standing import facts_of, show
    from retinue.store.published.current import current_run
    from retinue.store.published.manifest import read_manifest

    project, store = settings_and_store(root)
    run = current_run(store)
    manifest = read_manifest(project.home, run.run_id) if run else None
    facts = facts_of(project, store, run, manifest)
    if json_:
        print_json(facts)
    else:
        show(Page(), facts)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
@in_project
@click.option(
    "--format",
    "format_",
    type=click.Choice(["parquet", "csv"]),
    default="parquet",
    show_default=True,
    help="Kind of file.",
)
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table; may be repeated.")
@click.option("--to", "url", metavar="URL", help="A database instead of files; may hold ${NAME}.")
@click.option("--schema", metavar="NAME", help="With --to: the schema; by default `retinue`.")
@click.option("--full", is_flag=True, help="With --to: write dates that are there already again too.")
@as_json
def export(
    directory: Path | None,
    root: Path,
    format_: Literal["parquet", "csv"],
    tables: tuple[str, ...],
    url: str | None,
    schema: str | None,
    full: bool,
    json_: bool,
) -> None:
    """Write the published tables into DIRECTORY, one file each, or into a database for BI.

    The same published rows give the same bytes. The columns are in the reference ("Published
    tables"). The table `timeline` holds personal data.

    With --to, all tables change at once, or none, and only dates that changed since the last
    export are written: postgresql://user@host/db, duckdb:///path/to/file.duckdb, or the URL of
    another warehouse that Ibis knows. Take passwords from the environment.

    \b
    Examples:
      retinue export out
      retinue export out --format csv --table snapshots --table transitions
      retinue export --to '${BI_URL}' --schema scores
    """
    if (directory is None) == (url is None):
        raise click.UsageError("give either a DIRECTORY or --to URL")
    project, store = settings_and_store(root)
    from retinue.workspace import Workspace

    workspace = Workspace(project, store)
    if url is None:
        assert directory is not None
        if schema or full:
            raise click.UsageError("--schema and --full go with --to")
        from retinue.cli.waiting import progress

        with progress("reading") as tell:
            rows = workspace.published().export(directory, format_, tables or None, tell)
        if json_:
            print_json({"directory": str(directory), "format": format_, "rows": rows})
            return
        _written({str(directory / f"{name}.{format_}"): f"{count:,} rows" for name, count in rows.items()})
        return
    _export_to(workspace, url, schema, tables, full, json_)


def _export_to(
    workspace: Workspace, url: str, schema: str | None, tables: tuple[str, ...], full: bool, json_: bool
) -> None:
    import os

    from retinue.cli.render import counted
    from retinue.cli.waiting import progress
    from retinue.project.environment import VariableError, expand
    from retinue.run.export import export_to, shown

    try:
        url = expand(url, os.environ)
    except VariableError as error:
        raise click.UsageError(f"--to: {error}; {error.hint}") from None
    with progress("connecting") as tell:
        told = export_to(workspace, url, schema=schema, tables=tables or None, full=full, progress=tell)
    place = shown(url, schema)
    if json_:
        written = {name: {"rows": one.rows, "dates": one.dates} for name, one in told.items()}
        print_json({"to": place, "written": written})
        return
    _written(
        {
            f"{place}.{name}": f"{one.rows:,} rows"
            + (f" of {counted(one.dates, 'date')}" if one.dates is not None else "")
            for name, one in told.items()
        }
    )


def _written(told: dict[str, str]) -> None:
    from retinue.cli.render import Column, Page, Table

    table = Table([Column(""), Column("", right=True)])
    for where, what in told.items():
        table.add(where, what)
    Page().table(table)


COMMANDS = (accounts, explain, export, status)
