"""The bars that a score has to clear before people work by it."""

from __future__ import annotations

from retinue.insight.validation.asked import Trial
from retinue.insight.validation.report import Band, Reached, Shares, Warned

NEEDED = 20
"""Events, or accounts lost and seen before, below which a bar cannot be told."""


def bars(asked: Trial, events: int, red: Band, now: Shares | None, warned: Warned) -> tuple[Reached, ...]:
    """`now` is the book on the last date: how much of it is green, and how many are red. What red should warn
    of is no good outcome, so that those bars are not asked of one."""
    found = []
    wanted = asked.bars
    if wanted.lift is not None and not asked.good:
        found.append(_lift(wanted.lift, events, red))
    early = None if asked.good else wanted.below_green
    if early is not None and wanted.below_green_ratio is not None:
        found.append(_below_green(early, wanted.below_green_ratio, warned))
    if wanted.green_share is not None:
        found.append(_green(wanted.green_share, now))
    if wanted.capacity:
        found.append(_capacity(asked.capacity, now))
    return tuple(found)


def _lift(needed: float, events: int, red: Band) -> Reached:
    name, value = "lift of red", red.lift.value
    if events < NEEDED:
        return _cannot_tell(name, value, needed, f"{_counted(events)}; {NEEDED} are needed to tell")
    if red.rows == 0:
        return Reached(name, False, float("nan"), needed, "nothing was red")
    return Reached(
        name,
        value >= needed,
        value,
        needed,
        f"red churned {value:.2f} times as often as all ({red.lift.low:.2f} to {red.lift.high:.2f}); "
        f"{needed:g} times is asked for",
    )


def _below_green(needed: float, ratio: float, warned: Warned) -> Reached:
    name, value = "warned 60 to 90 days before", warned.lost.value
    if warned.seen < NEEDED:
        return _cannot_tell(
            name,
            value,
            needed,
            f"{warned.seen} lost accounts were scored 60 to 90 days before; {NEEDED} are needed to tell",
        )
    passed = value >= needed and warned.ratio.low >= ratio
    return Reached(
        name,
        bool(passed),
        value,
        needed,
        f"{value:.0%} of lost accounts were below green 60 to 90 days before ({needed:.0%} is asked for), "
        f"{warned.ratio.value:.2f} times the {warned.stayed:.0%} of those that stayed, at the least "
        f"{warned.ratio.low:.2f} times ({ratio:g} is asked for)",
    )


def _green(needed: float, now: Shares | None) -> Reached:
    name = "share of green"
    if now is None:
        return _cannot_tell(name, float("nan"), needed, "nothing was scored")
    return Reached(
        name,
        now.green <= needed,
        now.green,
        needed,
        f"{now.green:.0%} of the scored accounts were green on {now.date}; at most {needed:.0%} is asked for",
    )


def _capacity(needed: float | None, now: Shares | None) -> Reached:
    name = "red fits the capacity"
    if needed is None:
        return _cannot_tell(
            name, float("nan"), float("nan"), "how many accounts the team can work is not said"
        )
    if now is None:
        return _cannot_tell(name, float("nan"), needed, "nothing was scored")
    red = round(now.red * now.accounts)
    return Reached(
        name,
        red <= needed,
        float(red),
        needed,
        f"{red} accounts were red on {now.date}; the team can work {needed:g} at once",
    )


def _counted(events: int) -> str:
    return f"{events} event{'' if events == 1 else 's'}"


def _cannot_tell(name: str, value: float, needed: float, why: str) -> Reached:
    return Reached(name, None, value, needed, why)
