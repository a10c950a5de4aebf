"""The command validate: what the score is worth."""

from __future__ import annotations

from datetime import date
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from retinue.cli.options import as_html, as_json, in_project, now, on_past_dates, print_json, quietly

if TYPE_CHECKING:
    from retinue.cli.render import Page
    from retinue.insight.validation.report import Report
    from retinue.insight.validation.sampling import Estimate
    from retinue.run.validate import Validated

VERDICTS = {
    "predicts_well": ("predicts well", "bold green"),
    "predicts_weakly": ("predicts weakly", "bold yellow"),
    "no_evidence": ("no evidence", "bold red"),
    "not_enough_churn": ("not enough churn", "bold"),
}
_MOST = 8


@click.command()
@in_project
@on_past_dates
@as_html("the whole report")
@click.option(
    "--observations",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the snapshots that were counted, with what became of them (.csv or .parquet).",
)
@click.option(
    "--enforce",
    is_flag=True,
    help="Status 1 if a bar of the project is missed, or nothing speaks for the score.",
)
@quietly
@as_json
def validate(
    root: Path,
    outcome: str | None,
    first: date | None,
    last: date | None,
    every: Literal["day", "week"] | None,
    html: Path | None,
    observations: Path | None,
    enforce: bool,
    quiet: bool,
    json_: bool,
) -> None:
    """Try the score against what happened: does it tell who leaves, and in time?

    The past is scored again with today's scorecards, each date from what was known on it. What
    people set or said does not enter. Nothing is published. The same question again is quick: the
    scored past is kept until the data or the declarations change.

    \b
    Examples:
      retinue validate
      retinue validate --html report.html            the whole report, for a browser
      retinue validate --outcome contraction --from 2025-01-01
      retinue validate --enforce                     in the CI of your scorecards
    """
    from retinue.cli.render import Page
    from retinue.cli.waiting import progress
    from retinue.run.validate import validate as trial
    from retinue.workspace import open_workspace

    workspace = open_workspace(root)
    with progress("starting", quiet=quiet) as tell:
        found = trial(
            workspace, now=now(), outcome=outcome, first=first, last=last, every=every, progress=tell
        )
    if html is not None:
        from retinue.report import validation

        text = validation.page(found.report, found.project, found.fingerprints, found.with_pulses)
        html.write_text(text, encoding="utf-8")
    if observations is not None:
        _write(found, observations)
    if json_:
        print_json(found.to_dict())
    else:
        show(Page(), found, html)
    report = found.report
    if enforce and (not report.passed or report.verdict == "no_evidence"):
        raise click.exceptions.Exit(1)


def _write(found: Validated, path: Path) -> None:
    import pyarrow.parquet as pq
    from pyarrow import csv

    if path.suffix not in (".csv", ".parquet"):
        raise click.UsageError(f"{path.name}: observations are written as .csv or .parquet")
    (csv.write_csv if path.suffix == ".csv" else pq.write_table)(found.observations(), path)


def show(page: Page, found: Validated, html: Path | None = None) -> None:
    """The trial in a screen and a half."""
    from retinue.cli.render import styled

    report = found.report
    words, style = VERDICTS[report.verdict]
    page.line(
        styled(
            f"The score {words}." if report.verdict.startswith("predicts") else f"{words.capitalize()}.",
            style,
        )
    )
    page.line(report.sentence)
    page.line(styled(_counted(report), "dim"))
    for warning in report.warnings:
        page.line(styled("warning: ", "yellow") + warning)
    if report.dates:
        _rivals(page, found)
        _bands(page, report)
        _early(page, report)
    if report.bars:
        page.heading("Bars")
        signs = {True: ("reached", "green"), False: ("MISSED", "bold red"), None: ("cannot tell", "dim")}
        for bar in report.bars:
            sign, colour = signs[bar.passed]
            page.line(styled(f"{sign:12}", colour) + f"{bar.name}: {bar.sentence}")
    if report.would_change:
        page.heading("What would change the verdict")
        for one in report.would_change:
            page.line(f"  {one}")
    page.line()
    page.line(
        f"The whole report: {html}"
        if html
        else "The whole report, with charts: `retinue validate --html FILE`."
    )


def _counted(report: Report) -> str:
    from retinue.cli.render import counted

    if not report.dates:
        return "No snapshot could be counted."
    snapshots, accounts = counted(report.observations, "snapshot"), counted(report.accounts, "account")
    dates = f"{counted(len(report.dates), 'date')}, {report.dates[0]} to {report.dates[-1]}"
    return (
        f"{report.outcome} within {report.horizon_days} days: {report.events:,} of {snapshots}"
        f" ({share(report.base_rate.value)}), which are {accounts} on {dates}."
    )


def _rivals(page: Page, found: Validated) -> None:
    """The score beside what is naive and what is strong, on the same rows."""
    from retinue.cli.render import Column, Table

    report = found.report
    page.heading("Does it rank? AUC: 0.5 is chance, 1 is perfect")
    table = Table([Column("", least=18), Column("AUC", right=True), Column("95 %"), Column("score ahead by")])
    table.add("this score", number(report.auc), span(report.auc), "")
    if found.with_pulses is not None:
        table.add("  with pulses of people", number(found.with_pulses), span(found.with_pulses), "")
    for one in report.baselines:
        table.add(one.name, number(one.auc), span(one.auc), gap(one.ahead))
    rival = report.challenger
    if rival.reason is None:
        table.add("gradient boosting, held out", number(rival.auc), span(rival.auc), gap(rival.ahead))
    page.table(table, 2)
    if rival.reason is not None:
        page.line(f"  gradient boosting: cannot tell ({rival.reason})")
    within = ", ".join(f"{name} {number(one)}" for name, one in report.auc_within.items())
    if within:
        page.line(f"  within {within}")


def _bands(page: Page, report: Report) -> None:
    from retinue.cli.render import Column, Table, band

    page.heading("What becomes of each band")
    table = Table(
        [
            Column("", least=12),
            Column("share", right=True),
            Column(report.outcome, right=True),
            Column("95 %"),
            Column("times the base rate", right=True),
        ]
    )
    names = {"red": "at_risk", "watch": "watch", "green": "healthy"}
    for one in report.bands:
        lift = "-" if isnan(one.lift.value) else f"{one.lift.value:.1f}"
        table.add(
            band(names.get(one.name, one.name)),
            share(one.share),
            share(one.rate.value),
            span(one.rate, 100),
            lift,
        )
    page.table(table, 2)


def _early(page: Page, report: Report) -> None:
    lead, near = report.lead_time, {one.days: one for one in report.before}
    page.heading("In time?")
    page.line(
        f"  Red when lost: {share(lead.capture.value)} of {lead.lost}, for {days(lead.median_days)} (median)."
        f" A random account that stayed: {share(lead.null_capture)}, {days(lead.null_median_days)}."
    )
    told = ", ".join(
        f"{n} days before {share(one.green.value)}" for n, one in sorted(near.items()) if one.seen
    )
    if told:
        page.line(f"  Lost while green: {told}.")
    page.line(
        f"  Restless: {report.movement.flaps_per_account_year:.2f} flaps and"
        f" {report.movement.changes_per_account_year:.1f} changes of band an account and year;"
        f" {report.movement.turns_red_per_week:.1f} accounts turn red a week."
    )


def number(one: Estimate) -> str:
    return "-" if isnan(one.value) else f"{one.value:.3f}"


def span(one: Estimate, scale: float = 1.0) -> str:
    """An interval; nothing where it cannot be told."""
    if isnan(one.low):
        return ""
    return (
        f"{one.low:.2f} to {one.high:.2f}"
        if scale == 1
        else f"{one.low * scale:.1f} to {one.high * scale:.1f} %"
    )


def gap(one: Estimate) -> str:
    return "" if isnan(one.value) else f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})"


def share(value: float) -> str:
    return "-" if isnan(value) else f"{value:.1%}"


def days(value: float) -> str:
    return "no days" if isnan(value) else f"{value:.0f} days"
