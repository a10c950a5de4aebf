"""Metrics of the spine: each kind is some series and a little arithmetic on them.

To add a kind: its declaration in `project/metrics.py`, a case in `series_of` and in `_answer`
here, and a case in the oracle of the tests.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.errors import RunError
from retinue.period import Period
from retinue.project import conditions
from retinue.project import metrics as kinds
from retinue.project.metrics import MetricBase, closure, feeds, needs, split
from retinue.project.sources import Source
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts.sources import Wanted
from retinue.warehouse.kept.weeks import Weeks
from retinue.warehouse.metrics import running
from retinue.warehouse.metrics import series as s
from retinue.warehouse.metrics.feeds import Deaths, Feed
from retinue.warehouse.metrics.tallies import Daily, newest_rows
from retinue.warehouse.spine import Spine

#: States of a metric, as the engine keeps them. `stale`: the value of the day its feed died.
MISSING, OK, STALE, NOT_APPLICABLE = range(4)
STATES = ("missing", "ok", "stale", "not_applicable")


@dataclass(frozen=True)
class Metrics:
    """Values on the spine: ix, pos, as_of, and per metric n `v{n}`, `s{n}`, `d{n}`.

    v is the value as a double, s its state, d the day of the row that it rests on (null for
    metrics whose age is that of their feed). `number` maps a name to its n. `weeks` is what of
    these values is to be kept for later runs.
    """

    table: ir.Table
    number: dict[str, int]
    feeds: dict[str, tuple[str, ...]]
    weeks: ir.Table | None = None


@dataclass(frozen=True)
class Past:
    """What earlier runs kept of rows that are facts no longer: tallies by source, and past values."""

    carried: Mapping[str, Daily]
    weeks: Weeks | None = None


def wanted(metrics: Mapping[str, MetricBase], sources: Mapping[str, Source]) -> dict[str, Wanted]:
    """What must be loaded of each source for these metrics and for the timeline."""
    found: dict[str, Wanted] = {}
    for name, declared in sources.items():
        if declared.timeline:
            fields = {field for _, field, _, _ in string.Formatter().parse(declared.timeline) if field}
            found[name] = Wanted(plain=frozenset(fields))
    for metric in metrics.values():
        for source in feeds(metric):
            found.setdefault(source, Wanted())
        for one in series_of(metric):
            found[one.source] |= s.wanted(one)
    return found


def feeds_of(
    name: str, metrics: Mapping[str, MetricBase], reads: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Sources whose watermark is a metric's age; none where the age is that of a row.

    `reads` names those of metrics whose declarations do not say it (SQL).
    """
    metric = metrics[name]
    own = () if isinstance(metric, kinds.Latest) else reads.get(name, feeds(metric))
    parts = [feed for part in needs(metric) if part in metrics for feed in feeds_of(part, metrics, reads)]
    return tuple(dict.fromkeys([*own, *parts]))


def _frame(window: Period | None, shift: int = 0) -> s.Frame:
    if window is None:
        return s.Frame()
    return s.Frame(window.days, shift, weeks=window.unit == "w")


def _flow(ref: str, where: conditions.Condition | None, frame: s.Frame, *, values: bool = False) -> s.Flow:
    source, column = split(ref)
    return s.Flow(source, column, where, frame, values)


def _part(of: kinds.Changed, where: conditions.Condition | None, frame: s.Frame) -> s.Flow | s.Different:
    if of.distinct is not None:
        source, column = split(of.distinct)
        return s.Different(source, column or "", where, frame)
    return _flow(of.sum or of.count or "", where, frame)


def _change_frames(metric: kinds.Change) -> tuple[s.Frame, s.Frame]:
    gap = metric.gap.days if metric.gap else 0
    return _frame(metric.window), s.Frame(
        metric.baseline.days, metric.window.days + gap, weeks=metric.window.unit == "w"
    )


def series_of(metric: MetricBase) -> tuple[s.Series, ...]:
    """The series that a metric is computed from; none for those made of other things."""
    match metric:
        case kinds.Count(count=ref, where=where, window=window):
            return (_flow(split(ref)[0], where, _frame(window)),)
        case kinds.Sum(sum=ref, where=where, window=window):
            return (_flow(ref, where, _frame(window)),)
        case kinds.Mean(mean=ref, where=where, window=window):
            frame = _frame(window)
            return (_flow(ref, where, frame), _flow(ref, where, frame, values=True))
        case kinds.Distinct(distinct=ref, where=where, window=window):
            source, column = split(ref)
            return (s.Different(source, column or "", where, _frame(window)),)
        case kinds.Active(active=source, every=every, where=where, window=window):
            weeks = every == "week"
            return (s.Active(source, where, s.Frame(window.days, weeks=weeks or window.unit == "w"), weeks),)
        case kinds.Change(change=of, where=where):
            now, before = _change_frames(metric)
            return (_part(of, where, now), _part(of, where, before))
        case kinds.Open(open=source, where=where):
            return (s.Stock(source, None, where),)
        case kinds.OpenSum(open_sum=ref, where=where):
            source, column = split(ref)
            return (s.Stock(source, column, where),)
        case kinds.Latest(latest=ref, where=where):
            source, column = split(ref)
            return (s.Newest(source, column or "", where),)
        case kinds.Since(since=source, where=where):
            return (s.Edge(source, where, last=True),)
        case kinds.DaysTo(days_to=source, where=where):
            return (s.Edge(source, where, last=False),)
        case kinds.Milestones(milestones=steps):
            return tuple(s.Edge(step.source, step.where, last=False) for step in steps.values())
        case _:
            return ()


@dataclass(frozen=True)
class _Answer:
    value: ir.Value
    state: ir.IntegerValue
    day: ir.DateValue


@dataclass(frozen=True)
class _Row:
    """One row of the spine as expressions; `ageless` metrics do not make a ratio old."""

    table: ir.Table
    series: Mapping[s.Series, str]
    feeds: Mapping[str, Feed]
    answers: dict[str, _Answer]
    attributes: Mapping[str, ir.Value]
    ageless: frozenset[str]

    def __getitem__(self, one: s.Series) -> ir.Value:
        return self.table[self.series[one]]

    @property
    def tenure(self) -> ir.IntegerValue:
        return days_between(self.table.as_of, self.table.started_on)

    def heard_of(self, source: str) -> ir.BooleanValue:
        """Whether the source has any row, of any account, that is known by now."""
        seen = self.feeds[source].seen
        return self.table.as_of >= ibis.literal(seen[0]) if seen else ibis.literal(False)


def days_between(later: ir.DateValue, earlier: ir.DateValue) -> ir.IntegerValue:
    return later.delta(earlier, unit="day").cast("int64")


def _state(*branches: tuple[ir.BooleanValue, int], else_: int = MISSING) -> ir.IntegerValue:
    return ibis.cases(*branches, else_=else_).cast("int8")


def _given(value: ir.Value, exists: ir.BooleanValue) -> _Answer:
    """`value` where it exists, missing elsewhere."""
    number = value.cast("float64")
    return _Answer(
        ibis.ifelse(exists, number, ibis.null("float64")),
        _state((exists, OK)),
        ibis.null("date"),
    )


def _answer(metric: MetricBase, row: _Row) -> _Answer:
    match metric:
        case kinds.Count() | kinds.Sum() | kinds.Distinct() | kinds.Active() | kinds.Open() | kinds.OpenSum():
            (one,) = series_of(metric)
            return _given(row[one], row.heard_of(one.source))
        case kinds.Mean():
            total, number = (row[one] for one in series_of(metric))
            mean = total.cast("float64") / ibis.ifelse(number > 0, number, ibis.null("int64")).cast("float64")
            return _given(mean, number > 0)
        case kinds.Change():
            return _change(metric, row)
        case kinds.Latest():
            (newest,) = series_of(metric)
            name = row.series[newest]
            value, day = row.table[f"{name}_value"], row.table[f"{name}_day"]
            told = _given(value, value.notnull())
            return _Answer(told.value, told.state, day)
        case kinds.Since():
            (last,) = series_of(metric)
            since = ibis.coalesce(row[last], row.table.started_on)
            return _given(days_between(row.table.as_of, since), since.notnull())
        case kinds.DaysTo():
            (first,) = series_of(metric)
            reached = ibis.coalesce(row[first], row.table.as_of)
            days = ibis.greatest(days_between(reached, row.table.started_on), 0)
            return _given(days, row.table.started_on.notnull())
        case kinds.Milestones():
            return _milestones(metric, row)
        case kinds.Ratio(ratio=(over, under)):
            return _ratio(_operand(over, row), _operand(under, row))
        case kinds.Attribute(attribute=name):
            return attribute_number(row, name.removeprefix("account."))
        case _:
            raise RunError(f"metrics of kind `{metric.kind}` are not computed from series")


def _change(metric: kinds.Change, row: _Row) -> _Answer:
    now, before = series_of(metric)
    first, second = _change_frames(metric)
    rate = row[now].cast("float64") * second.length
    base = row[before].cast("float64") * first.length
    young = ibis.coalesce(row.tenure < second.shift + (second.length or 0), False)
    heard = row.heard_of(now.source)
    applies = ~young & (base != 0)
    return _Answer(
        ibis.ifelse(
            heard & applies,
            rate / ibis.ifelse(base != 0, base, ibis.null("float64")) - 1,
            ibis.null("float64"),
        ),
        _state((~heard, MISSING), (~applies, NOT_APPLICABLE), else_=OK),
        ibis.null("date"),
    )


def _milestones(metric: kinds.Milestones, row: _Row) -> _Answer:
    reached: ir.NumericValue = ibis.literal(0, "int64")
    counted: ir.NumericValue = ibis.literal(0, "int64")
    for step, first in zip(metric.milestones.values(), series_of(metric), strict=True):
        done = row[first].notnull()
        due = row.tenure >= (step.due.days if step.due else 0)
        reached = reached + done.cast("int64")
        counted = counted + (done | ibis.coalesce(due, False)).cast("int64")
    heard = [row.heard_of(step.source) for step in metric.milestones.values()]
    known = heard[0]
    for one in heard[1:]:
        known = known | one
    share = reached.cast("float64") / ibis.ifelse(counted > 0, counted, ibis.null("int64")).cast("float64")
    return _Answer(
        ibis.ifelse(known, share, ibis.null("float64")),
        _state((~known, MISSING), (counted == 0, NOT_APPLICABLE), else_=OK),
        ibis.null("date"),
    )


def _operand(part: str | float, row: _Row) -> _Answer:
    if not isinstance(part, str):
        return _Answer(ibis.literal(float(part)), ibis.literal(OK, "int8"), ibis.null("date"))
    if part.startswith("account."):
        told = attribute_number(row, part.removeprefix("account."))
    else:
        told = row.answers[part]
        if part not in row.ageless:
            return told
    # An attribute holds until it changes, so a ratio of it is as old as its other part.
    return _Answer(told.value, told.state, ibis.null("date"))


def _ratio(over: _Answer, under: _Answer) -> _Answer:
    missing = (over.state == MISSING) | (under.state == MISSING)
    inapplicable = (over.state == NOT_APPLICABLE) | (under.state == NOT_APPLICABLE)
    zero = under.value == 0
    state = _state(
        (missing, MISSING),
        (inapplicable, NOT_APPLICABLE),
        (zero & (over.value == 0), MISSING),
        (zero, NOT_APPLICABLE),
        else_=OK,
    )
    value = over.value / ibis.ifelse(zero, ibis.null("float64"), under.value)
    return _Answer(ibis.ifelse(state == OK, value, ibis.null("float64")), state, _older(over.day, under.day))


def _older(one: ir.DateValue, other: ir.DateValue) -> ir.DateValue:
    return ibis.coalesce(ibis.least(one, other), one, other)


def attribute_number(row: _Row, name: str) -> _Answer:
    """An attribute as a number, with the day of its row; assumed ones (before their first
    snapshot) are missing."""
    value = row.attributes[f"m_{name}"]
    kind = value.type()
    if kind.is_date():
        number: ir.Value = days_between(value, row.table.as_of)
    elif kind.is_boolean():
        number = value.cast("int8")
    elif kind.is_string():
        number = value.try_cast("float64")
    else:
        number = value
    told = _given(number, number.notnull())
    return _Answer(told.value, told.state, row.attributes[f"d_{name}"])


def compute(
    engine: Engine,
    spine: Spine,
    metrics: Mapping[str, MetricBase],
    sources: Mapping[str, ir.Table],
    feeds: Mapping[str, Feed],
    attributes: ir.Table,
    given: Mapping[str, ir.Table],
    past: Past | None = None,
) -> Metrics:
    """Every metric on the whole spine.

    `attributes` has one row per row of the spine: ix, pos, started_on, `m_<name>` (null where
    the attribute is only assumed) and `d_<name>` (the day of its row). `given` holds ready
    tables (ix, pos, value, day) of the metrics that are not made of series (pulses, SQL).
    """
    own = {
        name: metric
        for name, metric in metrics.items()
        if name not in given and not isinstance(metric, kinds.Children)
    }
    asked = [one for metric in own.values() for one in series_of(metric)]
    base, names = running.compute(engine, spine, sources, asked, past.carried if past else None)
    table = base
    for one, name in names.items():
        if isinstance(one, s.Newest):
            ranked = newest_rows(sources[one.source], one)
            rows = ranked.select(
                "ix", **{name: ranked["rank"], f"{name}_value": ranked.value, f"{name}_day": ranked.day}
            )
            table = table.left_join(rows, ["ix", name]).drop("ix_right", f"{name}_right")
    kept: ir.Table | None = None
    if past is not None and past.weeks is not None:
        table = past.weeks.placed(table, names)
        kept = past.weeks.told(engine, table, names)
    for number, ready in enumerate(given.values()):
        renamed = ready.rename(**{f"g{number}": "value", f"g{number}_day": "day"})
        table = table.left_join(renamed, ["ix", "pos"]).drop("ix_right", "pos_right")
    context = attributes.drop("as_of") if "as_of" in attributes.columns else attributes
    table = table.left_join(context, ["ix", "pos"]).drop("ix_right", "pos_right")
    ageless = frozenset(name for name, metric in own.items() if isinstance(metric, kinds.Attribute))
    told_of = {c: table[c] for c in table.columns if c.startswith(("m_", "d_"))}
    row = _Row(table, names, feeds, {}, told_of, ageless)
    for number, name in enumerate(given):
        value, day = table[f"g{number}"], table[f"g{number}_day"]
        told = _given(value, value.notnull())
        row.answers[name] = _Answer(told.value, told.state, day)
    for name in closure(set(own), dict(own)):
        row.answers[name] = _answer(own[name], row)
    number_of = {name: n for n, name in enumerate(row.answers)}
    columns: dict[str, ir.Value] = {}
    for name, answer in row.answers.items():
        n = number_of[name]
        columns |= {f"v{n}": answer.value, f"s{n}": answer.state, f"d{n}": answer.day}
    wide = engine.store("values", table.select("ix", "pos", "as_of", **columns))
    engine.drop(base)
    return Metrics(wide, number_of, {name: feeds_of(name, metrics, {}) for name in row.answers}, kept)


def with_dead_feeds(engine: Engine, spine: Spine, metrics: Metrics, deaths: Deaths) -> Metrics:
    """`metrics` with the values of dead feeds replaced by those of their watermark's date."""
    if not deaths.instead:
        return metrics
    table = metrics.table
    for names, found in deaths.instead.items():
        numbers = [metrics.number[m] for m, feeds in metrics.feeds.items() if feeds == names]
        if not numbers:
            continue
        pairs = [(spine.pos(day), spine.pos(look)) for day, look in found.items()]
        swap = engine.memory(
            pa.table(
                {
                    "pos": pa.array([pos for pos, _ in pairs], pa.int32()),
                    "look": pa.array([look for _, look in pairs], pa.int32()),
                }
            )
        )
        columns = [f"{kind}{n}" for n in numbers for kind in "vsd"]
        past = metrics.table.select(
            "ix", look=metrics.table.pos, **{f"past_{c}": metrics.table[c] for c in columns}
        )
        table = table.left_join(swap, "pos").drop("pos_right")
        table = table.left_join(past, ["ix", "look"]).drop("ix_right", "look_right")
        dead = table.look.notnull()
        changed: dict[str, ir.Value] = {}
        for n in numbers:
            told = table[f"past_s{n}"]
            kept = ibis.ifelse(told == OK, STALE, ibis.coalesce(told, MISSING)).cast("int8")
            changed[f"v{n}"] = ibis.ifelse(dead, table[f"past_v{n}"], table[f"v{n}"])
            changed[f"s{n}"] = ibis.ifelse(dead, kept, table[f"s{n}"])
            changed[f"d{n}"] = ibis.ifelse(dead, table[f"past_d{n}"], table[f"d{n}"])
        table = table.mutate(**changed).drop("look", *(f"past_{c}" for c in columns))
    return Metrics(engine.store("held_values", table), metrics.number, metrics.feeds)
