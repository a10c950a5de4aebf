"""The command drift: the quarterly review."""

from __future__ import annotations

from datetime import date
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from retinue.cli.options import DAY, as_html, as_json, in_project, now, on_the_grid, print_json, quietly

if TYPE_CHECKING:
    from rich.text import Text

    from retinue.cli.render import Page
    from retinue.insight.drift.results import Check, Review
    from retinue.run.drift import Reviewed

ADVICE = {
    "nothing": ("Nothing needs to be renewed", "bold green"),
    "new_intercept": ("Renew the level of the chances (a new intercept)", "bold yellow"),
    "new_thresholds": ("Renew the thresholds", "bold yellow"),
    "new_weights": ("Renew the weights", "bold red"),
    "cannot_tell": ("Cannot tell", "bold"),
}
_MOST = 8


class Version(click.ParamType[tuple[str, Path]]):
    """A name and the folder of a project, as NAME=DIR."""

    name = "version"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002
        return "NAME=DIR"

    def convert(
        self, value: str | tuple[str, Path], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        name, sign, folder = value.partition("=")
        if not (name and sign and folder):
            self.fail(f"{value!r}: write a name and a folder, such as before=../scorecards-2025", param, ctx)
        return name, Path(folder)


@click.command()
@in_project
@click.option("--outcome", metavar="NAME", help="Which outcome; by default as `validate`.")
@on_the_grid
@click.option(
    "--learned-until", type=DAY, help="Last day of the part that chances are learned on; by default its half."
)
@click.option(
    "--version",
    "versions",
    type=Version(),
    multiple=True,
    help="Other scorecards to hold against the same history; again for more.",
)
@as_html("the review")
@quietly
@as_json
def drift(
    root: Path,
    outcome: str | None,
    every: Literal["day", "week"] | None,
    learned_until: date | None,
    versions: tuple[tuple[str, Path], ...],
    html: Path | None,
    quiet: bool,
    json_: bool,
) -> None:
    """The quarterly review: does the score still say what it said, and what is to be renewed?

    The chances of the score are learned on the earlier part of the history. Each later quarter is
    held against them: as many events as expected, by what usual quarters have; chances as far
    apart as they should be; ranking as good as it was. Nothing is changed.

    \b
    Examples:
      retinue drift
      retinue drift --html review.html
      retinue drift --learned-until 2025-06-30
      retinue drift --version before=../scorecards-2025
    """
    import os

    from retinue.cli.render import Page
    from retinue.cli.waiting import progress
    from retinue.run.drift import drift as review
    from retinue.workspace import open_workspace

    workspace = open_workspace(root)
    with progress("starting", quiet=quiet) as tell:
        found = review(
            workspace,
            now=now(),
            environ=os.environ,
            outcome=outcome,
            every=every,
            learned_until=learned_until,
            versions=versions,
            progress=tell,
        )
    if html is not None:
        from retinue.report import drift as report

        html.write_text(report.page(found), encoding="utf-8")
    if json_:
        print_json(found.to_dict())
    else:
        show(Page(), found)
        if html is not None:
            click.echo(f"\nWritten: {html}")


def show(page: Page, found: Reviewed) -> None:
    """The review on one screen."""
    from retinue.cli.render import styled

    told = found.review
    words, style = ADVICE[told.advice]
    page.line(styled(words, style) + f": {told.because}.")
    page.line(
        styled(
            f"{told.outcome} within {told.horizon} days. Chances learned from {told.reference_events:,} "
            f"events in {told.reference_rows:,} snapshots of {_day(told.reference[0])} to "
            f"{_day(told.reference[1])}.",
            "dim",
        )
    )
    for warning in (*found.warnings, *told.warnings):
        page.line(styled("warning: ", "yellow") + warning)
    _quarters(page, told)
    _before_labels(page, told)
    _shifts(page, told)
    _components(page, told)
    _versions(page, told)


def _day(number: int) -> str:
    from retinue.insight.drift.results import iso

    return iso(number)


def _check(check: Check, digits: int, *, sign: bool = False) -> Text:
    """A value with its range; red where it fails."""
    from retinue.cli.render import styled

    if not check.told:
        return styled("cannot tell", "dim")
    shown = f"{check.value:+.{digits}f}" if sign else f"{check.value:.{digits}f}"
    low, high = (f"{one:+.{digits}f}" if sign else f"{one:.{digits}f}" for one in (check.low, check.high))
    text = f"{shown} [{low} to {high}]"
    return styled(f"{text} !", "bold red") if check.fails else styled(text, "")


def _quarters(page: Page, told: Review) -> None:
    from retinue.cli.render import Column, Table

    page.heading("Quarter by quarter")
    table = Table(
        [
            Column("scored"),
            Column("snapshots", right=True, rank=2),
            Column("events", right=True),
            Column("expected", right=True),
            Column("events / expected [usual range]"),
            Column("slope"),
            Column("change of AUC"),
        ]
    )
    for one in told.quarters:
        table.add(
            _day(one.first) if one.first == one.last else f"{_day(one.first)} to {_day(one.last)}",
            f"{one.rows:,}",
            f"{one.events:,}",
            f"{one.expected:.0f}",
            _check(one.over_expected, 2),
            _check(one.slope, 2),
            _check(one.auc_change, 3, sign=True),
        )
    page.table(table, indent=2)
    page.line("  ! fails; slope 1 is best. Three checks fail by chance in at most one quarter of ten.")


def _before_labels(page: Page, told: Review) -> None:
    """What can be said of scores whose horizon is not over."""
    if told.early is None and told.ahead is None:
        return
    page.heading("Before outcomes are known")
    early, ahead = told.early, told.ahead
    if early is not None:
        page.line(
            f"  Scored on {_day(early.day)}, {early.elapsed:.0%} of the horizon over: "
            f"{early.events:,} events so far, {early.expected:.0f} expected by now."
        )
        page.line(_beside("  Events / expected ", _check(early.over_expected, 2)))
    if ahead is not None:
        page.line(
            f"  Scored on {_day(ahead.first)}: {ahead.events:.0f} events expected of {ahead.accounts:,} "
            f"accounts, AUC {ahead.auc:.3f} (assumes that nothing changed but the mix of accounts)."
        )


def _beside(start: str, text: Text) -> Text:
    from retinue.cli.render import styled

    return styled(start, "") + text


def _shifts(page: Page, told: Review) -> None:
    from retinue.cli.render import Column, Table, counted

    if not told.shifts:
        return
    alarms = [one for one in told.shifts if one.alarm]
    page.heading(
        f"Accounts then and now: {len(alarms)} of {counted(len(told.shifts), 'series', 'series')} shifted"
    )
    if not alarms:
        page.line("  They look as they did, as far as so many accounts can show.")
        return
    table = Table(
        [
            Column("series", least=16),
            Column("moved", right=True),
            Column("PSI", right=True),
            Column("chance gives", right=True),
            Column("KS", right=True),
            Column("chance gives", right=True),
            Column("missing", right=True, rank=1),
        ]
    )
    for one in sorted(alarms, key=lambda one: -one.ks)[:_MOST]:
        table.add(
            one.name,
            "-" if isnan(one.moved) else f"{one.moved:+.2f} sd",
            f"{one.psi:.2f}",
            f"{one.psi_bound:.2f}",
            f"{one.ks:.2f}",
            f"{one.ks_bound:.2f}",
            f"{one.missing_then:.0%} to {one.missing_now:.0%}",
        )
    page.table(table, indent=2)
    if len(alarms) > _MOST:
        page.line(f"  and {len(alarms) - _MOST} more: --json has them all")


def _components(page: Page, told: Review) -> None:
    lost = [one for one in told.components if one.fails]
    if lost:
        page.heading("Measures that rank worse than they did")
        for one in lost:
            page.line(f"  {one.name}: AUC {one.auc_then:.3f}, now {one.auc_now:.3f}")


def _versions(page: Page, told: Review) -> None:
    from retinue.cli.render import Column, Table

    page.heading("Every version on the same later history")
    table = Table(
        [
            Column("version"),
            Column("AUC", right=True),
            Column("95 %"),
            Column("events / expected", right=True),
            Column(f"lift of as many as are {'healthy' if told.good else 'at risk'} today", right=True),
        ]
    )
    for one in told.versions:
        table.add(
            one.name,
            _number(one.auc, 3),
            f"{_number(one.low, 3)} to {_number(one.high, 3)}",
            _number(one.over_expected, 2),
            _number(one.lift, 2),
        )
    page.table(table, indent=2)


def _number(value: float, digits: int) -> str:
    return "-" if isnan(value) else f"{value:.{digits}f}"
