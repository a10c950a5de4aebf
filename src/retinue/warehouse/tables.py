"""What comes out of a computation: Arrow tables in the columns of the table contract."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from retinue.project.sources import Source
from retinue.warehouse.compute import Computed
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts.sources import TIMELINE_DAYS
from retinue.warehouse.metrics.kinds import STATES, state_name
from retinue.warehouse.scores import score as scores


def snapshots(engine: Engine, computed: Computed) -> pa.Table:
    """All snapshots as computed, sorted by account and date; stability comes later.

    ix, account_id, as_of, formula (null where no scorecard applies), status, base, adjustment,
    computed, coverage, cap, cap_level, reference, held, weakest_component.
    """
    rows = computed.rows.select("ix", "pos", "as_of", "formula", "reference", "dead")
    scored_rows = computed.scored.scores.select(
        "ix", "pos", "status", "base", "adjustment", "computed", "coverage", "cap", "cap_level"
    )
    parts = computed.scored.components
    order = ibis.window(group_by=["ix", "pos"], order_by=[parts.points, parts.part])
    weakest = (
        parts.filter(parts.points.notnull())
        .mutate(rank=ibis.row_number().over(order))
        .filter(_["rank"] == 0)
        .join(scores.parts(computed.measures), "part")
        .select("ix", "pos", weakest=_.component)
    )
    table = rows.left_join(scored_rows, ["ix", "pos"]).drop("ix_right", "pos_right")
    table = table.left_join(weakest, ["ix", "pos"]).drop("ix_right", "pos_right")
    table = table.join(computed.facts.accounts.select("ix", "account_id"), "ix")
    scored = table.status == "scored"
    return engine.arrow(
        table.select(
            "ix",
            "account_id",
            "as_of",
            "formula",
            "base",
            "adjustment",
            "computed",
            "coverage",
            "cap",
            "cap_level",
            "reference",
            status=ibis.coalesce(table.status, "not_scored"),
            held=ibis.coalesce(table.dead, False),
            weakest_component=ibis.ifelse(scored, table.weakest, ibis.null("string")),
        ).order_by("ix", "as_of")
    )


@dataclass(frozen=True)
class _Detail:
    """A table as numbers, and what its codes stand for.

    `rows` has ix, pos, and perhaps `rank`, which orders like the texts of the key. `texts` maps
    a column of the result to the column of its code and the values by code. Sorting and moving
    numbers is much quicker than sorting and moving text.
    """

    rows: ir.Table
    texts: dict[str, tuple[str, pa.Array]]

    def named(self, numbers: pa.Table) -> pa.Table:
        """`numbers` with texts in place of codes."""
        codes = {"ix", "pos", "rank", "month", *(code for code, _ in self.texts.values())}
        told = {
            name: values.take(numbers[code].combine_chunks()) for name, (code, values) in self.texts.items()
        }
        rest = {
            name.removeprefix("attribute "): numbers[name]
            for name in numbers.column_names
            if name not in codes
        }
        return pa.table({**told, **rest})


def monthly(engine: Engine, computed: Computed) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """The detail of all asked dates: components, measures, metrics, accounts, one after another.

    Each comes in pieces, in order of month, and of the table's key within it. It must be read to
    its end before the next is asked for: they share the engine's connection.
    """
    keys = _key_texts(engine, computed)
    for name, detail in (
        ("components", _components(computed, keys)),
        ("measures", _measures(computed, keys)),
        ("metrics", _metrics(computed, keys)),
        ("accounts", _accounts(computed, keys)),
    ):
        yield name, _by_month(engine, computed, detail)


def _by_month(engine: Engine, computed: Computed, detail: _Detail) -> Iterator[pa.Table]:
    dates = computed.spine.dates
    months = ibis.memtable(
        pa.table(
            {
                "pos": pa.array(range(len(dates)), pa.int32()),
                "month": pa.array([day.year * 12 + day.month for day in dates], pa.int32()),
            }
        )
    )
    table = detail.rows.join(months, "pos")
    order = [name for name in ("month", "ix", "pos", "rank") if name in table.columns]
    for batch in engine.stream(table.order_by(order)):
        yield detail.named(pa.Table.from_batches([batch]))


def on_date(engine: Engine, computed: Computed, pos: int) -> dict[str, pa.Table]:
    """Components and accounts of one date, sorted by account."""
    keys = _key_texts(engine, computed)
    told = {}
    for name, detail in (
        ("components", _components(computed, keys)),
        ("accounts", _accounts(computed, keys)),
    ):
        order = [column for column in ("ix", "rank") if column in detail.rows.columns]
        told[name] = detail.named(engine.arrow(detail.rows.filter(_.pos == pos).order_by(order)))
    return told


def _key_texts(engine: Engine, computed: Computed) -> dict[str, tuple[str, pa.Array]]:
    accounts = engine.arrow(computed.facts.accounts.select("ix", "account_id").order_by("ix"))
    return {
        "account_id": ("ix", accounts["account_id"].combine_chunks()),
        "as_of": ("pos", pa.array(computed.spine.dates, pa.date32())),
    }


def _components(computed: Computed, keys: dict[str, tuple[str, pa.Array]]) -> _Detail:
    names = pa.array(scores.component_names(computed.measures), pa.string())
    rows = computed.scored.components.rename(rank="part")
    return _Detail(rows, {**keys, "component": ("rank", names)})


def _measures(computed: Computed, keys: dict[str, tuple[str, pa.Array]]) -> _Detail:
    pairs = scores.measure_names(computed.measures)
    ranks = scores.named(computed.measures).select("formula", "number", "rank")
    rows = computed.scored.measures.join(ranks, ["formula", "number"]).drop("formula", "number", "part")
    curves = range(1 + max(computed.cohorts, default=-1))
    cohorts = [computed.cohorts.get(curve, (None, None)) for curve in curves]
    # The last code stands for curves without a cohort.
    code = ibis.ifelse(rows.curve.isin(list(computed.cohorts)), rows.curve, len(cohorts))
    return _Detail(
        rows.mutate(curve=ibis.coalesce(code, len(cohorts)).cast("int32")),
        {
            **keys,
            "component": ("rank", pa.array([component for component, _metric in pairs], pa.string())),
            "metric": ("rank", pa.array([metric for _component, metric in pairs], pa.string())),
            "state": ("state", pa.array(STATES, pa.string())),
            "cohort": ("curve", pa.array([*(cohort for cohort, _quarter in cohorts), None], pa.string())),
            "reference": ("curve", pa.array([*(quarter for _cohort, quarter in cohorts), None], pa.date32())),
        },
    )


def _metrics(computed: Computed, keys: dict[str, tuple[str, pa.Array]]) -> _Detail:
    """The project's metrics; those of old formulas (`name@fingerprint`) are not published."""
    wide = computed.values.table.filter(_.pos.isin(list(computed.positions)))
    names = sorted(name for name in computed.values.number if "@" not in name)
    parts = [
        wide.select("ix", "pos", rank=ibis.literal(rank, "int16"), value=wide[f"v{n}"], state=wide[f"s{n}"])
        for rank, n in enumerate(computed.values.number[name] for name in names)
    ]
    if not parts:
        nothing = {"rank": ibis.null("int16"), "value": ibis.null("float64"), "state": ibis.null("int8")}
        parts = [wide.select("ix", "pos", **nothing).limit(0)]
    return _Detail(
        parts[0] if len(parts) == 1 else ibis.union(*parts),
        {
            **keys,
            "metric": ("rank", pa.array(names, pa.string())),
            "state": ("state", pa.array(STATES, pa.string())),
        },
    )


def _accounts(computed: Computed, keys: dict[str, tuple[str, pa.Array]]) -> _Detail:
    around = computed.around.filter(_.pos.isin(list(computed.positions)))
    table = around.join(computed.rows.select("ix", "pos", "stage"), ["ix", "pos"])
    if computed.looked is not None:
        ids = computed.facts.accounts.select("ix", "account_id")
        before = computed.looked.join(ids, "account_id").select("ix", "as_of", looked=True)
        table = table.left_join(before, ["ix", "as_of"]).drop("ix_right", "as_of_right")
    else:
        table = table.mutate(looked=False)
    attributes = {c[2:]: table[c] for c in table.columns if c.startswith("a_")}
    day = computed.observed_on
    observed = table.as_of == ibis.literal(day) if day else ibis.literal(False)
    rows = table.select(
        "ix",
        "pos",
        "stage",
        "assumed",
        observed=observed | ibis.coalesce(table.looked, False),
        tenure_days=table.tenure,
        **{f"attribute {name}": value for name, value in attributes.items()},
    )
    return _Detail(rows, keys)


def measure_rows(engine: Engine, computed: Computed, keys: pa.Table, *, old: bool = False) -> pa.Table:
    """Measures that count at the snapshots in `keys` (ix, pos): ix, pos, component, metric,
    value, state, points, weight; `old` takes those of the bridges."""
    scored = computed.bridged.scored if old and computed.bridged else computed.scored
    if scored is None:
        raise ValueError("nothing was scored the old way")
    rows = scored.measures.semi_join(engine.memory(keys), ["ix", "pos"])
    rows = rows.join(scores.named(computed.measures), ["formula", "number"])
    return engine.arrow(
        rows.select(
            "ix", "pos", "component", "metric", "value", "points", "weight", state=state_name(rows.state)
        ).order_by("ix", "pos", "component", "metric")
    )


def bridges(engine: Engine, computed: Computed) -> pa.Table | None:
    """The bridges: ix, pos, as_of, account_id, since, old_formula, old_fingerprint,
    old_reference, old_computed, old_base, old_adjustment (null where the old way gives none)."""
    if computed.bridged is None:
        return None
    links = computed.bridged.links
    if computed.bridged.scored is not None:
        old = computed.bridged.scored.scores
        told = old.select(
            "ix", "pos", old_computed=old.computed, old_base=old.base, old_adjustment=old.adjustment
        )
        links = links.left_join(told, ["ix", "pos"]).drop("ix_right", "pos_right")
    else:
        empty = ibis.null("float64")
        links = links.mutate(old_computed=empty, old_base=empty, old_adjustment=empty)
    told = engine.arrow(links.order_by("ix", "pos"))
    for name, (code, values) in _key_texts(engine, computed).items():
        told = told.append_column(name, values.take(told[code].combine_chunks()))
    return told


def timeline(engine: Engine, computed: Computed, sources: Mapping[str, Source], last: date) -> pa.Table:
    """What happened to accounts in the two years up to `last`, as sentences."""
    parts = [
        _sentences(computed.facts.sources[name], name, source.timeline, last)
        for name, source in sources.items()
        if source.timeline and name in computed.facts.sources
    ]
    if not parts:
        fields = [("account_id", pa.string()), ("occurred_at", pa.timestamp("us"))]
        return pa.schema([*fields, ("kind", pa.string()), ("summary", pa.string())]).empty_table()
    union = parts[0] if len(parts) == 1 else ibis.union(*parts)
    named = union.join(computed.facts.accounts.select("ix", "account_id"), "ix")
    return engine.arrow(
        named.select("account_id", "occurred_at", "kind", "summary").order_by(
            "account_id", "occurred_at", "kind", "summary"
        )
    )


def _sentences(facts: ir.Table, name: str, template: str, last: date) -> ir.Table:
    first = last - timedelta(days=TIMELINE_DAYS)
    recent = facts.filter((facts.visible <= ibis.literal(last)) & (facts.day > ibis.literal(first)))
    text: ir.StringValue = ibis.literal("")
    for literal, field, _format, _conversion in string.Formatter().parse(template):
        if literal:
            text = text + literal
        if field is not None:
            column = recent[f"c_{field}"].cast("string")
            known = f"k_{field}"
            if known in recent.columns:
                column = ibis.ifelse(recent[known] <= ibis.literal(last), column, ibis.null("string"))
            text = text + ibis.coalesce(column, "-")
    return recent.select("ix", occurred_at=recent.occurred, kind=ibis.literal(name), summary=text)


def rejected(engine: Engine, computed: Computed) -> pa.Table:
    return engine.arrow(computed.facts.rejected.order_by("source", "row", "reason"))
