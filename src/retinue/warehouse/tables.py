"""What comes out of a computation: Arrow tables in the columns of the table contract."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from retinue.project.sources import Source
from retinue.warehouse.compute import Computed
from retinue.warehouse.engine import Engine
from retinue.warehouse.metrics.kinds import state_name
from retinue.warehouse.scores import score as scores

#: How far back the timeline goes, in days.
TIMELINE_DAYS = 730


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


def monthly(engine: Engine, computed: Computed) -> Iterator[tuple[str, pa.RecordBatchReader]]:
    """The detail of all asked dates: components, measures, metrics, accounts, one after another.

    Each reader is in order of month, and of the table's key within it. It must be read to its
    end before the next is asked for: they share the engine's connection.
    """
    yield "components", _by_month(engine, _components(computed), "part")
    yield "measures", _by_month(engine, _measures(computed), "rank")
    yield "metrics", _by_month(engine, _metrics(computed), "rank")
    yield "accounts", _by_month(engine, _accounts(computed))


def _by_month(engine: Engine, table: ir.Table, rank: str | None = None) -> pa.RecordBatchReader:
    """Sorted by numbers that order like the texts of the key, which is much quicker."""
    month = table.as_of.year() * 12 + table.as_of.month()
    ordered = table.order_by([month, table.ix, table.as_of, *([table[rank]] if rank else [])])
    return engine.stream(ordered.drop("ix", *([rank] if rank else [])))


def on_date(engine: Engine, computed: Computed, pos: int) -> dict[str, pa.Table]:
    """Components and accounts of one date, sorted by account."""
    return {
        name: engine.arrow(
            table.filter(table.as_of == ibis.literal(computed.spine.dates[pos]))
            .order_by("ix")
            .drop("ix", *(["part"] if name == "components" else []))
        )
        for name, table in (("components", _components(computed)), ("accounts", _accounts(computed)))
    }


def _components(computed: Computed) -> ir.Table:
    table = _keyed(computed, computed.scored.components).join(scores.parts(computed.measures), "part")
    return table.select("ix", "account_id", "as_of", "part", "component", "points", "weight", "contribution")


def _keyed(computed: Computed, table: ir.Table) -> ir.Table:
    """`table` (ix, pos) with account_id and as_of."""
    dates = ibis.memtable(
        pa.table(
            {
                "pos": pa.array(range(len(computed.spine.dates)), pa.int32()),
                "as_of": pa.array(computed.spine.dates, pa.date32()),
            }
        )
    )
    accounts = computed.facts.accounts.select("ix", "account_id")
    return table.join(accounts, "ix").join(dates, "pos")


def _measures(computed: Computed) -> ir.Table:
    table = _keyed(computed, computed.scored.measures)
    table = table.join(scores.named(computed.measures), ["formula", "number"])
    cohorts = computed.cohorts
    where = ibis.memtable(
        pa.table(
            {
                "curve": pa.array(list(cohorts), pa.int32()),
                "cohort": pa.array([cohort for cohort, _ in cohorts.values()], pa.string()),
                "reference": pa.array([quarter for _, quarter in cohorts.values()], pa.date32()),
            }
        )
    )
    table = table.left_join(where, "curve").drop("curve_right")
    return table.select(
        "ix",
        "account_id",
        "as_of",
        "component",
        "metric",
        "value",
        "age_days",
        "points",
        "weight",
        "contribution",
        "cohort",
        "reference",
        "rank",
        state=state_name(table.state),
    )


def _metrics(computed: Computed) -> ir.Table:
    wide = computed.values.table.filter(_.pos.isin(list(computed.positions)))
    parts = [
        wide.select(
            "ix",
            "pos",
            metric=ibis.literal(name),
            rank=ibis.literal(rank, "int16"),
            value=wide[f"v{n}"],
            told=wide[f"s{n}"],
        )
        for rank, (name, n) in enumerate(sorted(computed.values.number.items()))
        if "@" not in name
    ]
    if not parts:
        told = {
            "metric": ibis.literal(""),
            "rank": ibis.null("int16"),
            "value": ibis.null("float64"),
            "told": ibis.null("int8"),
        }
        parts = [wide.select("ix", "pos", **told).limit(0)]
    table = _keyed(computed, parts[0] if len(parts) == 1 else ibis.union(*parts))
    return table.select("ix", "account_id", "as_of", "rank", "metric", "value", state=state_name(table.told))


def _accounts(computed: Computed) -> ir.Table:
    around = computed.around.filter(_.pos.isin(list(computed.positions))).drop("as_of")
    staged = computed.rows.select("ix", "pos", "stage")
    table = _keyed(computed, around.join(staged, ["ix", "pos"]))
    if computed.looked is not None:
        before = computed.looked.mutate(looked=True)
        table = table.left_join(before, ["account_id", "as_of"]).drop("account_id_right", "as_of_right")
    else:
        table = table.mutate(looked=False)
    attributes = {c[2:]: table[c] for c in table.columns if c.startswith("a_")}
    day = computed.observed_on
    observed = table.as_of == ibis.literal(day) if day else ibis.literal(False)
    observed = observed | ibis.coalesce(table.looked, False)
    return table.select(
        "ix",
        "account_id",
        "as_of",
        "stage",
        "assumed",
        observed=observed,
        tenure_days=table.tenure,
        **attributes,
    )


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
    return engine.arrow(_keyed(computed, links).order_by("ix", "pos"))


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
