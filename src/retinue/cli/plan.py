"""The command plan: what a change of the declarations would do, before anybody sees it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retinue.cli.options import as_html, as_json, in_project, now, print_json, quietly
from retinue.words import declared_value

if TYPE_CHECKING:
    from retinue.cli.render import Page
    from retinue.run.differences import Declared, ScorecardChange
    from retinue.run.planned import BackTest, Move, Plan
    from retinue.warehouse.trace import Listener
    from retinue.workspace import Workspace

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow"), "words": ("~", "dim")}
_LONG = 90


@click.command()
@in_project
@click.option(
    "--limit", type=click.IntRange(0), default=10, show_default=True, help="How many accounts to show."
)
@click.option("--no-backtest", is_flag=True, help="Do not try the scores against what happened.")
@as_html("the whole plan")
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Status 2 if scores would change, 0 if not, 1 for an error.",
)
@quietly
@as_json
def plan(
    root: Path,
    limit: int,
    no_backtest: bool,
    html: Path | None,
    detailed_exitcode: bool,
    quiet: bool,
    json_: bool,
) -> None:
    """Say what the declarations here would do to the scores that are published. Nothing is published.

    The last published date is scored again, by the published declarations and by those here, so
    that what late data move and what the change moves are told apart. Then both are tried against
    what happened, as `retinue validate` does.

    \b
    Examples:
      retinue plan
      retinue plan --no-backtest --html plan.html
      retinue plan --detailed-exitcode               in the CI of your scorecards
    """
    from retinue.cli.render import Page
    from retinue.cli.waiting import progress
    from retinue.run.plan import plan as planned
    from retinue.run.validate import validate
    from retinue.workspace import open_workspace

    moment = now()

    def back_test(workspace: Workspace, tell: Listener | None) -> Any:
        return validate(workspace, now=moment, progress=tell)

    workspace = open_workspace(root)
    with progress("starting", quiet=quiet) as tell:
        found = planned(
            workspace,
            now=moment,
            environ=os.environ,
            back_test=None if no_backtest else back_test,
            progress=tell,
        )
    if html is not None:
        from retinue.report import plan as report

        html.write_text(report.page(found), encoding="utf-8")
    if json_:
        print_json(found.to_dict())
    else:
        show(Page(), found, limit, html)
    if detailed_exitcode and found.changes:
        raise click.exceptions.Exit(2)


def show(page: Page, found: Plan, limit: int, html: Path | None = None) -> None:
    """The plan on a screen or two."""
    from retinue.cli.render import styled

    page.line(styled(f"Plan for {found.project}, beside what is published for {found.as_of}.", "bold"))
    if not found.changes:
        page.line(
            "Nothing would change: the declarations score every account as published."
            if not found.declared
            else "No score would change."
        )
    if found.declared:
        _declared(page, found.declared)
    for note in found.notes:
        page.line(styled("note: ", "yellow") + note)
    _effect(page, found)
    if found.changes:
        _bands(page, found)
        _moves(page, found, limit)
    if found.back_test is not None:
        _back_test(page, found.back_test)
    page.line()
    page.line("Nothing was published. `retinue run` publishes the next date by these declarations.")
    if html:
        page.line(f"The whole plan: {html}")


# --- declarations ----------------------------------------------------------------------------------


def _declared(page: Page, told: Declared) -> None:
    from retinue.words import share

    page.heading("Declarations")
    for card in told.scorecards:
        if card.kind == "same":
            continue
        _sign(page, card.kind, f"scorecard {card.scorecard}{_prints(card)}")
        for one in card.differences:
            page.line(f"      {one.path}: {_value(one.old)} -> {_value(one.new)}")
        for part in card.shares:
            name = f"{part.component}.{part.metric}"
            page.line(f"      share of the score, {name}: {share(part.old, 1)} -> {share(part.new, 1)}")
        if card.metrics:
            page.line(f"      rests on changed metrics: {', '.join(card.metrics)}")
        if card.stages:
            page.line("      rests on changed stages or tenure buckets")
    for noun, named in (("metric", told.metrics), ("source", told.sources)):
        for other in named:
            _sign(page, other.kind, f"{noun} {other.name}")
            for one in other.differences:
                page.line(f"      {one.path}: {_value(one.old)} -> {_value(one.new)}")
    for one in told.settings:
        _sign(page, one.kind, f"{one.path}: {_value(one.old)} -> {_value(one.new)}")


def _sign(page: Page, kind: str, text: str) -> None:
    from retinue.cli.render import styled

    sign, colour = _SIGNS[kind]
    page.line(styled(f"  {sign} ", colour) + text)


def _prints(card: ScorecardChange) -> str:
    if card.kind == "words":
        return f"  {card.new_fingerprint}, only words differ"
    return f"  {card.old_fingerprint or 'none'} -> {card.new_fingerprint or 'none'}"


def _value(value: Any) -> str:
    text = declared_value(value)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


# --- effect ----------------------------------------------------------------------------------------


def _effect(page: Page, found: Plan) -> None:
    from retinue.cli.render import counted

    told = found.counts()
    page.heading(f"Effect on {counted(told['accounts'], 'account')}")
    page.line(
        f"  {told['changed']:,} would be scored otherwise, {told['moved_band']:,} in another band;"
        f" {told['newly_scored']:,} newly scored, {told['no_longer_scored']:,} no longer scored."
    )
    for before, after, accounts in found.switched():
        page.line(
            f"  {counted(accounts, 'account')}: {before or 'no scorecard'} -> {after or 'no scorecard'}"
        )
    if told["moved_by_late_data"]:
        late = counted(told["moved_by_late_data"], "account")
        page.line(
            f"  Data that came since would move {late} by itself; below, that is not counted as the change."
        )


def _bands(page: Page, found: Plan) -> None:
    from retinue.cli.render import Column, Table, money

    moves = found.migration()
    page.heading("Bands, from published (down) to planned (across)")
    there = [n for n in range(5) if moves.accounts[n].sum() or moves.accounts[:, n].sum()]
    table = Table([Column("", least=12), *(Column(str(_band(n).plain), right=True) for n in there)])
    for n in there:
        cells = []
        for m in there:
            arr = f" ({money(float(moves.arr[n, m]))})" if moves.arr[n, m] else ""
            cells.append(f"{moves.accounts[n, m]:,}{arr}" if moves.accounts[n, m] else "-")
        table.add(_band(n), *cells)
    page.table(table, 2)
    unit = f" {found.currency}" if found.currency else ""
    if moves.arr.any():
        page.line(
            f"  ARR that moves to a worse band: {money(moves.worse)}{unit},"
            f" to a better one: {money(moves.better)}{unit}."
        )
    if moves.unknown:
        page.line(f"  In brackets ARR; that of {moves.unknown:,} accounts is not known.")
    kinds = [one.kind for one in found.transitions()]
    if kinds:
        quiet = kinds.count("recalibrated")
        loud = len(kinds) - quiet
        page.line(
            f"  Transitions: {quiet:,} recalibrated, which raise no alert"
            + (f"; {loud:,} by data." if loud else ".")
        )


def _band(number: int) -> Any:
    from retinue.cli.render import band, styled
    from retinue.run.planned import STANDINGS

    name = STANDINGS[number]
    if name == "absent":
        return styled("not there", "dim")
    return band(None if name == "not_scored" else name)


def _moves(page: Page, found: Plan, limit: int) -> None:
    if not limit:
        return
    everybody = found.changed.num_rows
    by_points = found.moves("points", limit)
    _table(page, found, "Largest moves", by_points)
    by_arr = found.moves("arr", limit)
    if everybody > limit and by_arr and by_arr[0].arr is not None:
        _table(page, found, "Largest ARR among those that move", by_arr)
    if everybody > limit:
        page.line(f"  {everybody - limit:,} more: `retinue plan --json` has them all.")


def _table(page: Page, found: Plan, title: str, moves: list[Move]) -> None:
    from retinue.cli.render import Column, Table, money, moved

    page.heading(title)
    unit = f"ARR {found.currency}" if found.currency else "ARR"
    table = Table(
        [
            Column("account", least=8),
            Column("name", least=14, rank=2),
            Column("before", right=True),
            Column("after", right=True),
            Column("change", right=True),
            Column("why", least=28, rank=1),
            Column(unit, right=True),
        ]
    )
    for one in moves:
        why = ", ".join(f"{name} {_points(by)}" for name, by in one.moved_parts[:3])
        table.add(
            one.account_id,
            one.name or "-",
            _score(one.before),
            _score(one.after),
            moved(one.by_change, 1),
            why if one.change is not None else "-",
            money(one.arr),
        )
    page.table(table, 2)


def _score(side: dict[str, Any]) -> Any:
    from retinue.cli.render import COLOURS, styled
    from retinue.words import SHAPES, WORDS, shown

    if side["score"] is None:
        return styled("not there" if side["status"] is None else WORDS[None], "dim")
    return styled(f"{shown(side['score'])} {SHAPES[side['band']]}", COLOURS.get(side["band"], ""))


def _points(points: float) -> str:
    from retinue.words import signed

    return signed(points, 1)


# --- back-test -------------------------------------------------------------------------------------


def _back_test(page: Page, told: BackTest) -> None:
    from retinue.cli.render import Column, Table, styled

    page.heading("Back-test")
    rows = back_test_rows(told)
    if rows:
        table = Table([Column("", least=20), Column("published"), Column("planned")])
        for name, before, after in rows:
            table.add(name, before, after)
        page.table(table, 2)
    for note in told.notes:
        page.line(styled("  note: ", "yellow") + note)


def back_test_rows(told: BackTest) -> list[tuple[str, str, str]]:
    """The figures of both trials, side by side; nothing where there is none."""
    if told.before is None and told.after is None:
        return []
    sides = [_figures(one) for one in (told.before, told.after)]
    names = list(sides[0] or sides[1] or {})
    return [(name, *(side[name] if side else "-" for side in sides)) for name in names]  # type: ignore[misc]


def _figures(validated: Any) -> dict[str, str] | None:
    from retinue.cli.validate import VERDICTS, number, share, span

    if validated is None:
        return None
    report = validated.report
    red = report.band("red")
    green = next((one for one in report.before if one.days == 7), None)

    def both(one: Any, text: str, scale: float = 1.0) -> str:
        between = span(one, scale)
        return f"{text}  ({between})" if between else text

    return {
        "verdict": VERDICTS[report.verdict][0],
        "AUC": both(report.auc, number(report.auc)),
        "outcome rate of red": both(red.rate, share(red.rate.value), 100),
        "red over all": both(red.lift, number(red.lift)),
        "share of red": share(red.share),
        "green 7 days before a loss": share(green.green.value) if green else "-",
        "red when lost": both(report.lead_time.capture, share(report.lead_time.capture.value), 100),
        "flaps per account and year": f"{report.movement.flaps_per_account_year:.2f}",
        "bars missed": ", ".join(bar.name for bar in report.bars if bar.passed is False) or "none",
    }
