"""The command discover: what accounts that stay did early."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import click

from retinue.cli.options import as_html, as_json, in_project, now, print_json, quietly

if TYPE_CHECKING:
    from retinue.cli.render import Page
    from retinue.insight.discovery.findings import Bin, Discovery, Finding
    from retinue.run.discover import Discovered

_MOST = 5
_WIDE = 24


@click.command()
@in_project
@click.option("--outcome", metavar="NAME", help="Which outcome; by default as `validate`.")
@click.option(
    "--events",
    multiple=True,
    metavar="SOURCE[.COLUMN]",
    help="What to look at, such as usage.event; again for more. By default what metrics read.",
)
@click.option(
    "--days",
    multiple=True,
    type=click.IntRange(1, 3650),
    help="First days in which is counted; by default 14, 30, 60 and 90.",
)
@click.option(
    "--within",
    "follow_up",
    type=click.IntRange(1, 3650),
    metavar="DAYS",
    help="How long accounts are followed after them; by default 180, or the horizon if longer.",
)
@click.option(
    "--hold-out",
    type=click.Choice(["newer", "random"]),
    default="newer",
    show_default=True,
    help="Which half of the accounts the estimates come from.",
)
@click.option("--metrics", is_flag=True, help="Metrics on any date, not what was done in the first days.")
@as_html("all of it")
@quietly
@as_json
def discover(
    root: Path,
    outcome: str | None,
    events: tuple[str, ...],
    days: tuple[int, ...],
    follow_up: int | None,
    hold_out: str,
    metrics: bool,
    html: Path | None,
    quiet: bool,
    json_: bool,
) -> None:
    """Find leading indicators: what accounts did in their first days, beside what became of them.

    Only accounts that were still there after those days are compared, with others of the same
    segment and quarter of start. One half of them says what is found, the other half what is told
    of it. What is found goes with the outcome; whether it brings it about, only a trial can say.

    With --metrics, metrics on any date are looked at instead, beside what came within the horizon.

    \b
    Examples:
      retinue discover
      retinue discover --metrics                      what a scorecard might measure
      retinue discover --events usage.event           each event of the product by itself
      retinue discover --events usage.event --days 30 --within 365 --html found.html
    """
    from retinue.cli.render import Page
    from retinue.cli.waiting import progress
    from retinue.run.discover import DAYS, discover_metrics
    from retinue.run.discover import discover as find
    from retinue.workspace import open_workspace

    if metrics and (events or days or follow_up is not None):
        raise click.UsageError("--metrics goes without --events, --days and --within")
    workspace = open_workspace(root)
    with progress("starting", quiet=quiet) as tell:
        if metrics:
            found = discover_metrics(workspace, now=now(), outcome=outcome, progress=tell)
        else:
            found = find(
                workspace,
                now=now(),
                outcome=outcome,
                events=events,
                days=tuple(sorted(set(days))) or DAYS,
                follow_up=follow_up,
                by_account=hold_out == "random",
                progress=tell,
            )
    if html is not None:
        from retinue.report import discover as report

        html.write_text(report.page(found), encoding="utf-8")
    if json_:
        print_json(found.to_dict())
    else:
        show(Page(), found)
        if html is not None:
            click.echo(f"\nWritten: {html}")


def show(page: Page, found: Discovered) -> None:
    """What was found, each with its picture, and what was rejected."""
    from retinue.cli.render import counted, styled

    told = found.discovery
    confirmed = [one for one in told.findings if one.confirmed]
    if confirmed:
        what = "leading indicator" if told.first_days else "metric that goes before it"
        many = "leading indicators" if told.first_days else "metrics that go before it"
        page.line(styled(f"{told.outcome}: {counted(len(confirmed), what, many)}.", "bold green"))
    elif told.findings:
        page.line(styled("Nothing that held-out accounts confirm.", "bold yellow"))
    else:
        page.line(styled("Nothing found.", "bold"))
    page.line(
        styled(
            f"{told.events:,} of {counted(told.accounts, _noun(told))} that could be followed had "
            f"{told.outcome} in {told.follow_up} days. {told.features:,} {_what(told)} looked at in "
            f"{counted(told.tests, 'test')}; of those found, at most {told.rate:.0%} are false on average. "
            f"Found on {told.discovery_accounts:,} {_noun(told)}s, told from {told.held_out_accounts:,} "
            "others.",
            "dim",
        )
    )
    for warning in (*found.warnings, *told.warnings):
        page.line(styled("warning: ", "yellow") + warning)
    for one in told.findings[: 2 * _MOST]:
        _finding(page, one)
    if len(told.findings) > 2 * _MOST:
        page.line(f"and {len(told.findings) - 2 * _MOST} more: --json has them all")
    _rejected(page, told)
    if told.findings and told.first_days:
        page.line()
        page.line(
            "What is associated with the outcome need not be a cause of it. To know, help half of the new "
            "accounts, chosen by chance, to do it, and compare."
        )


def _noun(told: Discovery) -> str:
    return "account" if told.first_days else "snapshot"


def _what(told: Discovery) -> str:
    return "events" if told.first_days else "metrics"


def _finding(page: Page, one: Finding) -> None:
    from retinue.cli.render import styled

    page.heading(one.title)
    sign = styled("confirmed: ", "green") if one.confirmed else styled("not confirmed: ", "yellow")
    page.line(styled("  ", "") + sign + one.sentence)
    page.line(
        styled(
            f"  On discovery {_points(one.discovered.difference)} points, held out "
            f"{_points(one.held_out.difference)}. To explain the latter away, something unseen would have "
            f"to go with both by a risk ratio of {_ratio(one.e_value)} ({_ratio(one.e_value_low)} for its "
            "limit).",
            "dim",
        )
    )
    _picture(page, one.bins)


def _points(value: float) -> str:
    return "-" if isnan(value) else f"{value * 100:+.1f}"


def _ratio(value: float) -> str:
    return "-" if isnan(value) else f"{value:.1f}"


def _picture(page: Page, bins: tuple[Bin, ...]) -> None:
    """A bar per bin of the metric: its rate, the accounts, the interval."""
    from retinue.cli.render import Column, Table

    most = max((one.outcome.high for one in bins), default=0.0)
    table = Table(
        [
            Column("value"),
            Column("had the outcome"),
            Column("", right=True),
            Column("of", right=True),
            Column("95 %"),
        ]
    )
    sign = "█" if page.unicode else "#"
    for one in bins:
        span = f"{one.least:g}" if one.least == one.most else f"{one.least:g} to {one.most:g}"
        length = round(one.outcome.rate / most * _WIDE) if most > 0 else 0
        table.add(
            span,
            sign * length,
            f"{one.outcome.rate:.1%}",
            f"{one.outcome.accounts:,}",
            f"{one.outcome.low:.1%} to {one.outcome.high:.1%}",
        )
    page.table(table, indent=2)


def _rejected(page: Page, told: Discovery) -> None:
    from retinue.cli.render import Column, Table

    if not told.rejected:
        return
    page.heading(f"{len(told.rejected):,} {_what(told)} looked at and rejected")
    table = Table([Column("", least=20), Column("q", right=True), Column("because", least=30)])
    for one in told.rejected[:_MOST]:
        table.add(one.feature, "-" if isnan(one.q) else f"{one.q:.2f}", one.reason)
    page.table(table, indent=2)
    if len(told.rejected) > _MOST:
        page.line(f"  and {len(told.rejected) - _MOST} more: --json has them all")
