"""Every metric at (account, day) the slow and obvious way, from DESIGN section 5 alone.

It knows nothing of how the engine works: it looks at all rows again for each answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.warehouse.world import Account, Row, Source, World

Cell = tuple[float | None, str]
MISSING: Cell = (None, "missing")
NOT_APPLICABLE: Cell = (None, "not_applicable")

#: Conditions written as text in random projects, and what they mean of a row's known columns.
TEXTS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "points > 2": lambda c: c["points"] is not None and c["points"] > 2,
    "not (points > 2)": lambda c: not (c["points"] is not None and c["points"] > 2),
    "kind is missing": lambda c: c["kind"] is None,
    "kind is not missing and points <= 3": lambda c: (
        c["kind"] is not None and c["points"] is not None and c["points"] <= 3
    ),
    "kind not in (a, b) or points = 1": lambda c: c["kind"] not in ("a", "b") or c["points"] == 1,
    "kind != a": lambda c: c["kind"] is not None and c["kind"] != "a",
    "rating >= 3": lambda c: c["rating"] is not None and c["rating"] >= 3,
    "rating < 4 and kind = b": lambda c: c["rating"] is not None and c["rating"] < 4 and c["kind"] == "b",
}


def holds(where: Any, columns: Mapping[str, Any]) -> bool:
    if where is None:
        return True
    if isinstance(where, str):
        return TEXTS[where](columns)
    for name, wanted in where.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if columns[name] is None or columns[name] not in values:
            return False
    return True


def known_columns(row: Row, source: Source, day: date) -> dict[str, Any]:
    """Values as known at the end of `day`; one with an empty clock is never known."""
    told = {}
    for name in source.types:
        value = row.columns.get(name)
        if name in source.clocked:
            clock = row.clocks.get(name)
            if clock is None or clock > day:
                value = None
        told[name] = value
    return told


def counting(
    world: World, source: str, account: Account, day: date, where: Any
) -> list[tuple[Row, dict[str, Any]]]:
    """Rows of the account that happened and were known by `day`, where the condition holds."""
    found = []
    for row in world.sources[source].rows:
        if row.account == account.key and row.day <= day and (row.known is None or row.known <= day):
            columns = known_columns(row, world.sources[source], day)
            if holds(where, columns):
                found.append((row, columns))
    return found


def heard_of(world: World, source: str, day: date) -> bool:
    return any(r.day <= day and (r.known is None or r.known <= day) for r in world.sources[source].rows)


def sunday_of(day: date) -> date:
    return day + timedelta(days=6 - day.weekday())


def in_window(happened: date, day: date, window: str | None, back: int = 0) -> bool:
    """Whether a row counts in `window`, which ends `back` days before `day`."""
    last = day - timedelta(days=back)
    if window is None:
        return happened <= last
    count, unit = int(window[:-1]), window[-1]
    if unit == "d":
        return last - timedelta(days=count - 1) <= happened <= last
    # The last complete weeks: those whose Sundays are over, the latest `count` of them.
    latest = last - timedelta(days=(last.weekday() + 1) % 7)
    return latest - timedelta(days=7 * count - 1) <= happened <= latest


def length(window: str) -> int:
    return int(window[:-1]) * (7 if window[-1] == "w" else 1)


def split(reference: str) -> tuple[str, str]:
    source, _, column = reference.partition(".")
    return source, column


def total(values: list[Any]) -> float:
    return float(sum((Decimal(str(v)) for v in values), Decimal(0)))


def ended(row: Row, source: Source, day: date) -> bool:
    """Whether the end of the row has happened, and is known, by `day`."""
    if row.ends is None or row.ends > day:
        return False
    if not source.ends_known:
        return True
    return row.ends_known is not None and row.ends_known <= day


def amount(
    world: World,
    of: Mapping[str, str],
    account: Account,
    day: date,
    where: Any,
    window: str | None,
    back: int,
) -> float:
    if "count" in of:
        rows = counting(world, of["count"], account, day, where)
        return float(sum(in_window(r.day, day, window, back) for r, _ in rows))
    if "sum" in of:
        source, column = split(of["sum"])
        rows = counting(world, source, account, day, where)
        return total(
            [c[column] for r, c in rows if c[column] is not None and in_window(r.day, day, window, back)]
        )
    source, column = split(of["distinct"])
    rows = counting(world, source, account, day, where)
    return float(
        len({c[column] for r, c in rows if c[column] is not None and in_window(r.day, day, window, back)})
    )


def source_of(metric: Mapping[str, Any], kind: str) -> str:
    return split(metric[kind])[0]


def answer(world: World, name: str, account: Account, day: date) -> Cell:
    metric = world.metrics[name]
    where, window = metric.get("where"), metric.get("window")
    for kind in ("count", "sum", "distinct"):
        if kind in metric:
            if not heard_of(world, source_of(metric, kind), day):
                return MISSING
            return amount(world, metric, account, day, where, window, 0), "ok"
    if "mean" in metric:
        source, column = split(metric["mean"])
        rows = counting(world, source, account, day, where)
        values = [c[column] for r, c in rows if c[column] is not None and in_window(r.day, day, window)]
        return (total(values) / len(values), "ok") if values else MISSING
    if "active" in metric:
        if not heard_of(world, metric["active"], day):
            return MISSING
        rows = counting(world, metric["active"], account, day, where)
        if metric.get("every") == "week":
            weeks = f"{length(window) // 7}w"
            days = {sunday_of(r.day) for r, _ in rows if in_window(r.day, day, weeks)}
        else:
            days = {r.day for r, _ in rows if in_window(r.day, day, window)}
        return float(len(days)), "ok"
    if "open" in metric or "open_sum" in metric:
        kind = "open" if "open" in metric else "open_sum"
        source, column = split(metric[kind])
        if not heard_of(world, source, day):
            return MISSING
        rows = [
            (r, c)
            for r, c in counting(world, source, account, day, where)
            if not ended(r, world.sources[source], day)
        ]
        if kind == "open":
            return float(len(rows)), "ok"
        return total([c[column] for _, c in rows if c[column] is not None]), "ok"
    if "change" in metric:
        return change(world, metric, account, day)
    if "latest" in metric:
        source, column = split(metric["latest"])
        rows = [(r, c) for r, c in counting(world, source, account, day, where) if c[column] is not None]
        if not rows:
            return MISSING

        def order(pair: tuple[Row, dict[str, Any]]) -> tuple[Any, ...]:
            row, columns = pair
            clocks = [
                row.clocks[n] for n in looked_at(column, where, world.sources[source]) if row.clocks.get(n)
            ]
            return row.occurred, max([row.visible, *clocks]), columns[column]

        return float(max(rows, key=order)[1][column]), "ok"
    if "since" in metric:
        rows = counting(world, metric["since"], account, day, where)
        last = max((r.day for r, _ in rows), default=account.started_on)
        return (float((day - last).days), "ok") if last else MISSING
    if "days_to" in metric:
        if account.started_on is None:
            return MISSING
        rows = counting(world, metric["days_to"], account, day, where)
        first = min((r.day for r, _ in rows), default=day)
        return float(max((first - account.started_on).days, 0)), "ok"
    if "milestones" in metric:
        return milestones(world, metric["milestones"], account, day)
    if "ratio" in metric:
        return ratio(*(operand(world, part, account, day) for part in metric["ratio"]))
    if "attribute" in metric:
        return attribute(world, metric["attribute"].removeprefix("account."), account, day)
    if "pulse" in metric:
        said = [p for p in world.pulses if p[0] == account.key and p[1] == metric["pulse"] and p[3] <= day]
        if not said:
            return MISSING
        last_said = max(said, key=lambda p: p[3])
        expired = last_said[4] is not None and day >= last_said[4]
        return MISSING if expired else (last_said[2], "ok")
    raise AssertionError(f"no oracle for {metric}")


def looked_at(column: str, where: Any, source: Source) -> list[str]:
    text = str(where)
    return [name for name in source.clocked if name == column or name in text]


def change(world: World, metric: Mapping[str, Any], account: Account, day: date) -> Cell:
    of, window, baseline = metric["change"], metric["window"], metric["baseline"]
    gap = length(metric.get("gap", "0d"))
    (reference,) = of.values()
    if not heard_of(world, split(reference)[0], day):
        return MISSING
    together = length(window) + gap + length(baseline)
    if account.started_on is not None and (day - account.started_on).days < together:
        return NOT_APPLICABLE
    now = amount(world, of, account, day, metric.get("where"), window, 0)
    before = amount(world, of, account, day, metric.get("where"), baseline, length(window) + gap)
    if before == 0:
        return NOT_APPLICABLE
    return (now / length(window)) / (before / length(baseline)) - 1, "ok"


def milestones(world: World, steps: Mapping[str, Any], account: Account, day: date) -> Cell:
    if not any(heard_of(world, step["source"], day) for step in steps.values()):
        return MISSING
    reached = counted = 0
    for step in steps.values():
        done = bool(counting(world, step["source"], account, day, step.get("where")))
        due = account.started_on is not None and (day - account.started_on).days >= length(
            step.get("due", "0d")
        )
        reached += done
        counted += done or due
    return (reached / counted, "ok") if counted else NOT_APPLICABLE


def operand(world: World, part: Any, account: Account, day: date) -> Cell:
    if not isinstance(part, str):
        return float(part), "ok"
    if part.startswith("account."):
        return attribute(world, part.removeprefix("account."), account, day)
    return answer(world, part, account, day)


def ratio(over: Cell, under: Cell) -> Cell:
    states = {over[1], under[1]}
    if "missing" in states:
        return MISSING
    if "not_applicable" in states:
        return NOT_APPLICABLE
    assert over[0] is not None and under[0] is not None
    if under[0] == 0:
        return MISSING if over[0] == 0 else NOT_APPLICABLE
    return over[0] / under[0], "ok"


def attribute(world: World, name: str, account: Account, day: date) -> Cell:
    """The latest value as of `day` of one with a history; of a fixed one, the only one."""
    if name == "ended_on":
        ended, known = account.ended_on, account.end_known or account.ended_on
        value = ended if ended is not None and known is not None and max(ended, known) <= day else None
    elif name == "started_on":
        value = account.started_on
    elif name in world.fixed:
        value = account.attributes.get(name)
    elif name in world.histories:
        rows = [r for r in world.histories[name] if r[0] == account.key and max(r[1], r[2]) <= day]
        value = max(rows, key=lambda r: (r[1], max(r[1], r[2]), r[3]))[3] if rows else None
    else:
        value = None  # Today's value says nothing about the past.
    if value is None:
        return MISSING
    if isinstance(value, date):
        return float((value - day).days), "ok"
    return float(value), "ok"


# --- feeds, ages and scores --------------------------------------------------------------------


def sources_of(world: World, name: str) -> set[str]:
    """Sources whose watermark says how old a metric is; none for those that rest on one row."""
    metric = world.metrics[name]
    for kind in ("count", "sum", "mean", "distinct", "active", "open", "open_sum", "since", "days_to"):
        if kind in metric:
            return {source_of(metric, kind)}
    if "change" in metric:
        return {split(reference)[0] for reference in metric["change"].values()}
    if "milestones" in metric:
        return {step["source"] for step in metric["milestones"].values()}
    if "ratio" in metric:
        parts = [p for p in metric["ratio"] if isinstance(p, str) and not p.startswith("account.")]
        return set().union(*(sources_of(world, part) for part in parts))
    return set()


def watermark(world: World, source: str, day: date) -> date | None:
    return max((r.day for r in world.sources[source].rows if r.visible <= day), default=None)


def row_age(world: World, name: str, account: Account, day: date) -> float | None:
    """Days since the row that a latest value, a pulse or an attribute rests on."""
    metric = world.metrics[name]
    if "latest" in metric:
        source, column = split(metric["latest"])
        rows = counting(world, source, account, day, metric.get("where"))
        last = max((r.day for r, c in rows if c[column] is not None), default=None)
    elif "pulse" in metric:
        value, _ = answer(world, name, account, day)
        said = [p[3] for p in world.pulses if p[0] == account.key and p[1] == metric["pulse"] and p[3] <= day]
        last = max(said) if value is not None else None
    elif "attribute" in metric:
        of = metric["attribute"].removeprefix("account.")
        rows = [r for r in world.histories.get(of, ()) if r[0] == account.key and max(r[1], r[2]) <= day]
        last = max((r[1] for r in rows), default=None)
    else:
        last = None
    return None if last is None else float((day - last).days)


def age(world: World, name: str, account: Account, day: date) -> float | None:
    marks = [watermark(world, source, day) for source in sources_of(world, name)]
    ages = [float((day - mark).days) for mark in marks if mark is not None]
    own = row_age(world, name, account, day)
    return max([*ages, *([] if own is None else [own])], default=None)


def measures_of(card: Mapping[str, Any]) -> dict[str, tuple[str, Mapping[str, Any], float]]:
    """Metric -> its component, measure, and declared share (component weight x weight within it)."""
    found = {}
    for component, told in card["components"].items():
        within = sum(measure.get("weight", 1) for measure in told["measures"].values())
        for metric, measure in told["measures"].items():
            share = told.get("weight", 1) * measure.get("weight", 1) / within
            found[metric] = component, measure, share
    return found


def limits(world: World) -> dict[str, int]:
    """Days after which a source is dead: the smallest max_age of any measure that reads it."""
    found: dict[str, int] = {}
    for card in world.scorecards:
        for metric, (_, measure, _) in measures_of(card).items():
            if "max_age" in measure:
                for source in sources_of(world, metric):
                    days = length(measure["max_age"])
                    found[source] = min(days, found.get(source, days))
    return found


def dead(world: World, name: str, day: date) -> date | None:
    """The date whose value a metric keeps on `day`, if one of its feeds is dead."""
    found = []
    for source, limit in limits(world).items():
        mark = watermark(world, source, day)
        if source in sources_of(world, name) and mark is not None and (day - mark).days > limit:
            found.append(mark)
    return min(found, default=None)


def held(world: World, name: str, account: Account, day: date) -> Cell:
    """`answer`, or that of its watermark's date while a feed is dead."""
    kept = dead(world, name, day)
    if kept is None:
        return answer(world, name, account, day)
    if not account.alive(kept):
        return MISSING
    value, state = answer(world, name, account, kept)
    return value, "stale" if state == "ok" else state


def points(curve: Any, value: float) -> float:
    """Points of a declared curve."""
    if isinstance(curve, dict) and "steps" in curve:
        return next((y for x, y in reversed(curve["steps"]) if value >= x), 0.0)
    if isinstance(curve, dict):
        none, low, high, end = curve["target"]
        if low <= value <= high:
            return 100.0
        if value <= none or value >= end:
            return 0.0
        return 100 * (value - none) / (low - none) if value < low else 100 * (end - value) / (end - high)
    if value <= curve[0][0]:
        return curve[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(curve):
        if value < x1:
            return y0 + (y1 - y0) * (value - x0) / (x1 - x0)
    return curve[-1][1]


def freshness(measure: Mapping[str, Any], of_row: float | None, of_all: float | None) -> float:
    if "max_age" in measure and of_row is not None and of_row > length(measure["max_age"]):
        return 0.0
    if "half_life" not in measure or of_all is None:
        return 1.0
    half = length(measure["half_life"])
    return 0.0 if of_all > 3 * half else 2 ** (-of_all / half)
