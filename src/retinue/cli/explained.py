"""An explanation as text."""

from __future__ import annotations

from datetime import timedelta

from retinue.cli.render import COLOURS, Column, Page, Table, moved, sparkline, styled
from retinue.run.explanation import Change, ExplainedMeasure, Explanation
from retinue.words import DIRECTION, SHAPES, WORDS, number, share, shown, signed

#: Drivers smaller than this are summed up in one line.
SMALL = 0.05
#: Weeks of the sparkline.
WEEKS = 26


def show(page: Page, e: Explanation) -> None:
    """The whole of it, the answer first."""
    page.line(e.title, "bold")
    page.line(styled(e.headline, f"bold {COLOURS.get(e.band, '')}"))
    page.line(f"as of {e.as_of}, {DIRECTION}, scorecard {e.scorecard or 'none'}", "dim")
    page.line()
    for line in _facts(page, e):
        page.line(line)
    if e.components:
        page.heading("What it is made of")
        _made_of(page, e)
    if e.change is not None:
        _changed(page, e.change)
    if e.improvements:
        _raise(page, e)


def _facts(page: Page, e: Explanation) -> list[str]:
    lines = [f"{note[:1].upper()}{note[1:]}." for note in e.notes]
    if e.status != "scored" and e.coverage is not None and e.min_coverage is not None:
        lines.append(f"Coverage {share(e.coverage)} is below the {share(e.min_coverage)} that a score needs.")
    if e.cap:
        base = f"; without it {shown(e.base, 1)}" if e.base is not None else ""
        lines.append(f"Limited: {e.cap}{base}.")
    lines += _layers(e)
    if e.rank:
        lines.append(f"Rank {e.rank[0]:,} of {e.rank[1]:,} scored accounts.")
    if e.trend.change is not None:
        arrow = {1: "↗ rising", -1: "↘ falling", 0: "→ flat"}[e.trend.arrow]
        line = sparkline(_weekly(e), unicode=page.unicode).lstrip()
        lines.append(
            f"Trend: {arrow}, {signed(e.trend.change)} points in {e.trend.window} days  {line}".rstrip()
        )
    if e.status == "scored":
        lines.append(
            f"Coverage {share(e.coverage)}: {'; '.join(e.gaps) if e.gaps else 'nothing is missing'}."
        )
    elif e.gaps:
        lines.append(f"Missing: {'; '.join(e.gaps)}.")
    return lines


def _layers(e: Explanation) -> list[str]:
    """What lies between the data and the score, where something does."""
    if e.score is None:
        return []
    told = [f"computed {shown(e.layers[0].score, 1)}"]
    for layer, before in zip(e.layers[1:], e.layers, strict=False):
        if layer.why or shown(layer.score, 1) != shown(before.score, 1):
            told.append(f"{layer.name} {shown(layer.score, 1)}" + (f" ({layer.why})" if layer.why else ""))
    return [" → ".join(told) + "."] if len(told) > 1 else []


def _weekly(e: Explanation) -> list[float | None]:
    """The last score known at the end of each of the last weeks."""
    found: list[float | None] = []
    for week in reversed(range(WEEKS)):
        day = e.as_of - timedelta(days=7 * week)
        found.append(next((score for when, score in reversed(e.history) if when <= day), None))
    return found


def _made_of(page: Page, e: Explanation) -> None:
    table = Table(
        [
            Column("", least=20),
            Column("value", right=True, least=12),
            Column("points", right=True),
            Column("weight", right=True),
            Column("adds", right=True),
            Column("data", rank=1),
        ]
    )
    for component in e.components:
        weak = " (weakest)" if component.component == e.weakest_component else ""
        table.add(
            styled(component.label + weak, "bold"),
            "",
            styled(shown(component.points), "bold"),
            share(component.weight),
            shown(component.contribution, 1),
            "",
        )
        for m in e.measures:
            if m.component == component.component:
                table.add(
                    f"  {m.label}",
                    _value(m),
                    shown(m.points),
                    share(m.weight) if m.weight else "-",
                    shown(m.contribution, 1) if m.weight else "-",
                    _data(m),
                )
    if e.base is not None:
        table.add(styled("base", "bold"), "", "", "", shown(e.base, 1), "")
        if e.adjustment:
            table.add(f"  {e.cap}", "", "", "", signed(e.adjustment), "")
            table.add(styled("computed", "bold"), "", "", "", shown(e.layers[0].score, 1), "")
    page.table(table)


def _value(m: ExplainedMeasure) -> str:
    if m.value is None:
        return "-"
    return number(m.value) + (f" {m.unit}" if m.unit else "")


def _data(m: ExplainedMeasure) -> str:
    age = f", {shown(m.age_days)} days old" if m.age_days else ""
    return m.state.replace("_", " ") + age if m.state != "ok" or age else ""


def _changed(page: Page, change: Change) -> None:
    why = f" ({change.why_since})" if change.why_since else ""
    page.heading(f"What changed since {change.since}{why}")
    table = Table([Column("", right=True), Column("", least=30), Column("", rank=1)])
    small = [d for d in change.drivers if abs(d.points) < SMALL]
    for d in change.drivers:
        if abs(d.points) >= SMALL:
            table.add(moved(d.points, 1), d.text, styled(d.kind, "dim"))
    if small:
        few = f"{len(small)} smaller one{'s' if len(small) > 1 else ''}"
        table.add(moved(sum(d.points for d in small), 1), few, "")
    bands = (
        ""
        if change.from_band == change.to_band
        else f" ({_band(change.from_band)} → {_band(change.to_band)})"
    )
    total = f"together: {shown(change.from_score, 1)} → {shown(change.to_score, 1)}{bands}"
    table.add(styled(signed(change.points), "bold"), styled(total, "bold"), "")
    page.table(table, indent=2)


def _band(name: str | None) -> str:
    return f"{SHAPES[name]} {WORDS[name]}"


def _raise(page: Page, e: Explanation) -> None:
    page.heading("What would raise the computed score most")
    table = Table([Column("", right=True), Column("", least=30), Column("", right=True)])
    for one in e.improvements:
        gain = moved(one.gain, 1) if one.gain is not None else styled("new", "dim")
        table.add(gain, one.text, f"to {shown(one.score, 1)}")
    page.table(table, indent=2)
    advice = list(dict.fromkeys(one.advice for one in e.improvements if one.advice))[:2]
    for text in advice:
        page.line(f"  Advice: {text}")
