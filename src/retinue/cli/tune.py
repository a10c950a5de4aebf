"""The command tune: what history proposes about a scorecard."""

from __future__ import annotations

from datetime import date
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from retinue.cli.options import DAY, as_html, as_json, in_project, now, on_past_dates, print_json, quietly

if TYPE_CHECKING:
    from retinue.cli.render import Page
    from retinue.insight.tuning.tune import Tuned
    from retinue.run.tune import Proposed


@click.command()
@in_project
@click.option("--scorecard", metavar="NAME", help="Which scorecard; by default the one with most outcomes.")
@on_past_dates
@click.option(
    "--level",
    type=click.Choice(["components", "measures"]),
    help="Weights of what; by default of measures where there are ten outcomes for each, else of components.",
)
@click.option("--cutoff", type=DAY, help="Compare on dates after this one, learning from before.")
@click.option(
    "--capacity", type=click.FloatRange(1), help="Red is as many accounts as the team can work at a time."
)
@click.option(
    "--alert-cost", type=click.FloatRange(0, min_open=True), help="What working on one alert costs."
)
@click.option(
    "--uplift", type=click.FloatRange(0, 1, min_open=True), help="Share of the outcomes that an alert averts."
)
@click.option(
    "--at-stake", type=click.FloatRange(0, min_open=True), help="ARR at stake; by default the median."
)
@click.option(
    "--miss",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="At most this share of those who leave may be green.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the proposed file below this folder.",
)
@as_html("the proposal")
@quietly
@as_json
def tune(
    root: Path,
    scorecard: str | None,
    outcome: str | None,
    first: date | None,
    last: date | None,
    every: Literal["day", "week"] | None,
    level: Literal["components", "measures"] | None,
    cutoff: date | None,
    capacity: float | None,
    alert_cost: float | None,
    uplift: float | None,
    at_stake: float | None,
    miss: float,
    out: Path | None,
    html: Path | None,
    quiet: bool,
    json_: bool,
) -> None:
    """Propose weights, bands, stability and curves for one scorecard. Nothing is applied.

    Weights start from yours and move as far as outcomes show; they are proposed only where they do
    better on accounts that they were not learned from. The proposed file is printed as a diff, or
    written with --out: take it over, or not.

    \b
    Examples:
      retinue tune
      retinue tune --scorecard enterprise --capacity 25
      retinue tune --alert-cost 300 --uplift 0.2     red where an alert pays
      retinue tune --out proposed                    then compare, and copy what you accept
    """
    from retinue.cli.render import Page
    from retinue.cli.waiting import progress
    from retinue.run.tune import Costs, Wishes
    from retinue.run.tune import tune as propose
    from retinue.workspace import open_workspace

    if (alert_cost is None) != (uplift is None) or (at_stake is not None and alert_cost is None):
        raise click.UsageError("--alert-cost and --uplift go together, --at-stake with both")
    if capacity is not None and alert_cost is not None:
        raise click.UsageError("red follows --capacity or --alert-cost, not both")
    costs = Costs(alert_cost, uplift, at_stake) if alert_cost is not None and uplift is not None else None
    workspace = open_workspace(root)
    with progress("starting", quiet=quiet) as tell:
        found = propose(
            workspace,
            now=now(),
            wishes=Wishes(scorecard, level, cutoff, capacity, costs, miss),
            outcome=outcome,
            first=first,
            last=last,
            every=every,
            progress=tell,
        )
    written = None
    if out is not None and found.proposal is not None:
        written = found.proposal.write(workspace.project, out)
    if html is not None:
        from retinue.report import tune as report

        html.write_text(report.page(found), encoding="utf-8")
    if json_:
        print_json({**found.to_dict(), "written": str(written) if written else None})
    else:
        show(Page(), found, written)
        if html is not None:
            click.echo(f"\nWritten: {html}")


def show(page: Page, found: Proposed, written: Path | None = None) -> None:
    from retinue.cli.render import counted, styled

    told = found.tuned
    page.line(styled(f"Scorecard {told.scorecard}: ", "bold") + told.weighing.why + ".")
    page.line(
        f"{told.outcome} within {told.horizon} days: {told.weighing.events:,} of"
        f" {counted(told.weighing.rows, 'snapshot')} of {counted(told.weighing.accounts, 'account')}.",
        "dim",
    )
    for name, events in found.others.items():
        page.line(f"Scorecard {name}: {counted(events, 'outcome')}; `--scorecard {name}` tunes it.", "dim")
    for warning in (*found.warnings, *told.warnings):
        page.line(styled("warning: ", "yellow") + warning)
    _weights(page, told)
    _held_out(page, told)
    _edges(page, told)
    _stability(page, told)
    _curves(page, told)
    page.heading("Proposal")
    if found.proposal is None:
        page.line("  Nothing: what is declared stays.")
        return
    for one in found.proposal.changed:
        page.line(f"  {one}")
    page.line()
    if written is not None:
        page.line(f"Written to {written}; the project is as it was.")
    else:
        for line in found.proposal.diff.splitlines():
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            page.line(styled(line, colour))
        page.line()
        page.line("Nothing is written; --out DIR writes the proposed file.")


def _weights(page: Page, told: Tuned) -> None:
    from retinue.cli.render import Column, Table

    page.heading(f"Weights of {told.weighing.level}, in % (interval of 90 %, given yours as prior)")
    table = Table(
        [
            Column("", least=16),
            Column("declared", right=True),
            Column("fitted", right=True),
            Column("90 %"),
            Column("kappa 3 / 10 / 30", rank=1),
            Column("without it"),
        ]
    )
    without = {one.name: one for one in told.dropping}
    for one in told.weighing.weights:
        span = f"at most {one.high:.0%}" if one.upper_bound_only else f"{one.low:.0%} to {one.high:.0%}"
        drop = without.get(one.name)
        # Without the part: less AUC where it adds.
        lost = "" if drop is None or drop.auc is None else f"AUC {-drop.auc.value:+.3f}, "
        table.add(
            one.name,
            f"{100 * one.declared:.1f}",
            f"{100 * one.fitted:.1f}",
            span if told.weighing.events else "",
            " / ".join(f"{100 * value:.0f}" for value in one.by_kappa.values()),
            f"{lost}{drop.told}" if drop is not None else "",
        )
    page.table(table, 2)


def _held_out(page: Page, told: Tuned) -> None:
    from retinue.cli.render import Column, Table
    from retinue.cli.validate import gap, number, span

    page.heading("On later dates and other accounts: AUC")
    held = told.held_out
    if held is None:
        page.line(f"  Cannot tell: {told.not_held_out}.")
        return
    table = Table([Column("", least=18), Column("AUC", right=True), Column("95 %"), Column("against")])
    table.add("declared", number(held.declared), span(held.declared), "")
    table.add("fitted", number(held.fitted), span(held.fitted), f"declared {gap(held.fitted_ahead)}")
    if held.challenger is not None and held.challenger_ahead is not None:
        ahead = f"fitted {gap(held.challenger_ahead)}"
        table.add("gradient boosting", number(held.challenger), span(held.challenger), ahead)
    page.table(table, 2)
    page.line(
        f"  Learned from {held.train_events} outcomes known by {held.to_dict()['cutoff']}, told on"
        f" {held.test_events} later ones. The weights above rest on all that has matured.",
        "dim",
    )


def _edges(page: Page, told: Tuned) -> None:
    from retinue.cli.render import Column, Table

    edges = told.edges
    page.heading("Bands")
    page.line(f"  {edges.why[:1].upper()}{edges.why[1:]}.")
    if edges.red is not None:
        red = edges.red
        page.line(
            f"  Red from a chance of {red.chance:.1%}: {_percent(red.share)} of the snapshots, of which"
            f" {_percent(red.churn_rate)} came true ({red.lift:.1f} times the base rate)."
        )
        parts = {**red.apart.by_segment, **red.apart.by_stage}
        differing = {name: edge for name, edge in parts.items() if abs(edge - red.edge) >= 0.5 or isnan(edge)}
        if differing:
            shown = ", ".join(
                f"{name} none" if isnan(edge) else f"{name} {edge:.0f}" for name, edge in differing.items()
            )
            page.line(
                f"  One chance ({red.apart.chance:.1%}) by segment and stage would be below: {shown};"
                f" of red then {_percent(red.apart.churn_rate)} came true."
            )
    table = Table([Column("green from", right=True), Column("of those who left green"), Column("all green")])
    for one in edges.green:
        table.add(
            f"{one.edge:.1f}",
            f"at most {one.alpha:.0%} (likely {one.low:.1%} to {one.high:.1%}; {one.n} left)",
            f"{one.share:.0%}",
        )
    if edges.green:
        page.table(table, 2)
    for reason in edges.refused.values():
        page.line(f"  {reason}", "dim")
    if edges.realised is not None:
        real = edges.realised
        page.line(
            f"  Learned on earlier dates, on later ones: red {_percent(real.red_share.value)}, of which"
            f" {_percent(real.red_churn.value)} came true"
            + (
                f"; {_percent(real.churned_green.value)} of those who left were green."
                if real.churned_green is not None
                else "."
            )
        )


def _percent(value: float) -> str:
    return "-" if isnan(value) else f"{value:.1%}"


def _stability(page: Page, told: Tuned) -> None:
    from retinue.cli.render import Column, Table

    calm = told.stability
    page.heading(f"Stability: calm against warning (dates {calm.step} days apart, {calm.lost} lost)")
    names = (
        "margin",
        "down",
        "up",
        "flaps",
        "changes",
        "red 14 d before",
        "green 7 d before",
        "red",
        "lift",
        "",
    )
    table = Table([Column(name, right=name != "", rank=int(name in ("changes", "lift"))) for name in names])
    chosen = [
        one
        for one in calm.tried
        if one.current
        or one.setting == calm.suggested
        or (one.front and one.setting.deadband == calm.current.setting.deadband)
    ]
    for one in sorted(chosen, key=lambda one: -one.flaps):
        mark = "today" if one.current else ("suggested" if one.setting == calm.suggested else "")
        table.add(
            f"{one.setting.margin:g}",
            f"{one.setting.down:g}d",
            f"{one.setting.up:g}d",
            f"{one.flaps:.2f}",
            f"{one.changes:.1f}",
            _percent(one.red_14),
            _percent(one.green_7),
            _percent(one.red_share),
            "-" if isnan(one.lift) else f"{one.lift:.1f}",
            mark,
        )
    page.table(table, 2)
    page.line(
        "  Flaps and changes an account and year. Those that no other beats in flaps, red and green.", "dim"
    )
    moves = sorted({one.setting.deadband: one.moves for one in calm.tried}.items(), key=lambda pair: pair[0])
    shown = ", ".join(f"{band:g}: {value:.2f}" for band, value in moves if not isnan(value))
    if shown:
        page.line(f"  Moves of the number an account and week, by deadband: {shown}.", "dim")


def _curves(page: Page, told: Tuned) -> None:
    drawn = [one for one in told.curves if one.proposed]
    page.heading("Curves")
    if not drawn:
        page.line("  Those in force tell as much as what history draws, or outcomes are too few to say.")
        return
    for one in drawn:
        points = "cohort" if one.proposed == "cohort" else str([list(knot) for knot in one.knots or ()])
        page.line(f"  {one.name}: curve: {points}")
    page.line(
        "  Not in the proposed file: take one over, then tune again; weights rest on the curves.", "dim"
    )
