"""The command report: pages for people who do not sign in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from retinue.cli.options import as_html, as_json, in_project, now, print_json

if TYPE_CHECKING:
    from retinue.cli.render import Page
    from retinue.desk.leadership import Leadership


@click.group()
def report() -> None:
    """Reports on what is published, such as the week of a leader."""


@report.command()
@in_project
@as_html("the report")
@as_json
def leadership(root: Path, html: Path | None, json_: bool) -> None:
    """One page: revenue at risk, renewals ahead, what moved, what was lost, and trust in the score.

    It is over all accounts. The trial of the score is the one that the server made last, if any;
    losses that the project's outcomes tell of are read for it.

    \b
    Examples:
      retinue report leadership
      retinue report leadership --html week.html
    """
    from retinue.desk.leadership import leadership as found_of
    from retinue.desk.losses import ensure_losses
    from retinue.errors import StoreError
    from retinue.store.people.access import OPERATOR
    from retinue.workspace import open_workspace

    workspace = open_workspace(root)
    ensure_losses(workspace)
    found = found_of(workspace, OPERATOR, now=now(), recorded=True)
    if html is not None:
        from retinue.report import leadership as page

        try:
            html.write_text(page.page(found), encoding="utf-8")
        except OSError as error:
            raise StoreError(f"cannot write {html}: {error.strerror}") from None
    if json_:
        print_json(found.to_dict())
        return
    from retinue.cli.render import Page

    show(Page(), found)
    if html is not None:
        click.echo(f"\nWritten: {html}")


def show(page: Page, found: Leadership) -> None:
    """The report on one screen."""
    from retinue.cli.render import Column, Table, styled
    from retinue.words import SHAPES, WORDS

    unit = f" {found.currency}" if found.currency else ""
    risk = found.now.arr_bands["at_risk"]
    page.line(
        styled(f"{risk:,.0f}{unit}", "bold")
        + f" ARR at risk of {found.now.arr:,.0f}, {found.now.bands['at_risk']:,} of "
        f"{found.now.scored:,} scored accounts, as of {found.as_of}."
    )
    for one in found.moved:
        change = risk - one.before.arr_bands["at_risk"]
        page.line(
            f"Since {one.since}: ARR at risk {change:+,.0f}; {one.better:,} accounts to a better band, "
            f"{one.worse:,} to a worse one."
        )
    page.heading("Renewals ahead")
    table = Table([Column("within"), *(Column(f"{SHAPES[b]} {WORDS[b]}", right=True) for b in _BANDS)])
    for due in found.due:
        table.add(
            f"{due.days} days", *(f"{due.bands[band]:,} ({due.arr_bands[band]:,.0f})" for band in _BANDS)
        )
    page.table(table, indent=2)
    page.heading(f"Came up for renewal since {found.renewed_since}")
    table = Table([Column("band then"), *(Column(name, right=True) for name in ("renewed", "lost", "open"))])
    for one_ in found.renewed:
        table.add(
            f"{SHAPES[one_.band]} {WORDS[one_.band]}", f"{one_.renewed:,}", f"{one_.lost:,}", f"{one_.open:,}"
        )
    page.table(table, indent=2)
    if found.losses:
        page.heading(f"Lost since {found.lost_since}")
        for lost in found.losses[:8]:
            amount = f"{lost.amount:,.0f}{unit}" if lost.known else "amount not known"
            page.line(
                f"  {lost.outcome}{f', {lost.reason}' if lost.reason else ''}: {lost.accounts:,}, {amount}"
            )
    if found.verdict is not None:
        stale = " (of an earlier run)" if found.verdict.stale else ""
        page.line("\n" + found.verdict.sentence + stale)


_BANDS = ("at_risk", "watch", "healthy")
