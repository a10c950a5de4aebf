"""What comes out of a computation: Arrow tables in the columns of the table contract."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from retinue.project.sources import Source
from retinue.warehouse.compute import Computed
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts.sources import TIMELINE_DAYS
from retinue.warehouse.metrics.kinds import STATES
from retinue.warehouse.scores.score import Scored
from retinue.warehouse.scores.sheets import component_names
from retinue.warehouse.unfold import Unfolded

_STATES = pa.array(STATES, pa.string())
_KEYS = pa.schema([("ix", pa.int32()), ("pos", pa.int32())])


def snapshots(engine: Engine, computed: Computed) -> pa.Table:
    """All snapshots as computed, sorted by account and date; stability comes later.

    ix, account_id, as_of, formula (null where no scorecard applies), status, base, adjustment,
    computed, coverage, cap, cap_level, reference, held, weakest_component.
    """
    shared = [
        "formula",
        "base",
        "adjustment",
        "computed",
        "coverage",
        "cap",
        "cap_level",
        "reference",
        "status",
    ]
    told = computed.scored.scores.select("ix", "as_of", *shared, "weakest", held="dead")
    if computed.uncovered is not None:
        schema = told.schema()
        none = {name: ibis.null(kind) for name, kind in schema.items()}
        others = computed.uncovered.select("ix", "as_of", "formula", "reference", held="dead")
        others = others.mutate(**{k: v for k, v in none.items() if k not in others.columns})
        told = told.union(others.mutate(status=ibis.literal("not_scored")).select(*schema.names))
    numbers = engine.arrow(told.order_by("ix", "as_of"))
    accounts = account_ids(engine, computed)
    parts = pa.array(component_names(computed.measures), pa.string())
    numbers = numbers.append_column("account_id", accounts.take(numbers["ix"].combine_chunks()))
    numbers = numbers.append_column("weakest_component", parts.take(numbers["weakest"].combine_chunks()))
    return numbers.select(["ix", "account_id", "as_of", *shared, "held", "weakest_component"])


@dataclass(frozen=True)
class _Detail:
    """A table as it is asked of the engine, and how it becomes one of the contract.

    `rows` has ix, pos and numbers, of all measures side by side: sorting and moving those is much
    quicker than sorting and moving long rows and texts. `told` makes the rest of the columns.
    """

    rows: ir.Table
    told: Callable[[pa.Table], pa.Table]


def monthly(engine: Engine, computed: Computed) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """The detail of all asked dates: components, measures, metrics, accounts, one after another.

    Each comes in pieces, in order of month, and of the table's key within it. It must be read to
    its end before the next is asked for: they share the engine's connection.
    """
    keys = _Keys.of(engine, computed)
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
    for batch in engine.stream(table.order_by("month", "ix", "pos")):
        yield detail.told(pa.Table.from_batches([batch]).drop("month"))


def on_date(engine: Engine, computed: Computed, pos: int) -> dict[str, pa.Table]:
    """Components and accounts of one date, sorted by account."""
    keys = _Keys.of(engine, computed)
    details = {"components": _components(computed, keys), "accounts": _accounts(computed, keys)}
    return {
        name: detail.told(engine.arrow(detail.rows.filter(_.pos == pos).order_by("ix")))
        for name, detail in details.items()
    }


@dataclass(frozen=True)
class _Keys:
    """The accounts by ix and the dates by pos."""

    accounts: pa.Array
    dates: pa.Array

    @classmethod
    def of(cls, engine: Engine, computed: Computed) -> _Keys:
        return cls(account_ids(engine, computed), pa.array(computed.spine.dates, pa.date32()))

    def named(self, numbers: pa.Table) -> dict[str, pa.Array]:
        """The key of each row of `numbers` (ix, pos)."""
        ix, pos = numbers["ix"].combine_chunks(), numbers["pos"].combine_chunks()
        return {"account_id": self.accounts.take(ix), "as_of": self.dates.take(pos)}


def account_ids(engine: Engine, computed: Computed) -> pa.Array:
    """The keys of accounts, by ix."""
    accounts = engine.arrow(computed.facts.accounts.select("ix", "account_id").order_by("ix"))
    return accounts["account_id"].combine_chunks()


def _components(computed: Computed, keys: _Keys) -> _Detail:
    names = {sheet.number: list(sheet.components) for sheet in computed.scored.sheets}

    def told(wide: pa.Table) -> pa.Table:
        long, texts = _by_formula(wide, names)
        return pa.table(
            {
                **{name: long.each(values) for name, values in keys.named(wide).items()},
                "component": texts,
                **{name: long.column(name, pa.float64()) for name in ("points", "weight", "contribution")},
            }
        )

    return _Detail(computed.scored.components(), told)


def _by_formula(wide: pa.Table, names: Mapping[int, Sequence[str]]) -> tuple[Unfolded, pa.Array]:
    """The long rows of `wide` (formula), and their names, which are `names` of their formula."""
    size, most = max(names) + 1, max(len(one) for one in names.values())
    formula = wide["formula"].to_numpy()
    counts = np.array([len(names.get(f, ())) for f in range(size)], np.int64)
    long = Unfolded.of(wide, counts[formula])
    flat = [name for f in range(size) for name in [*names.get(f, ()), *([None] * most)][:most]]
    code = formula[long.at].astype(np.int64) * most + long.k
    return long, pa.array(flat, pa.string()).take(pa.array(code))


def _measures(computed: Computed, keys: _Keys) -> _Detail:
    curves = range(1 + max(computed.cohorts, default=-1))
    cohorts = [computed.cohorts.get(curve, (None, None)) for curve in curves]
    names = pa.array([cohort for cohort, _quarter in cohorts], pa.string())
    quarters = pa.array([quarter for _cohort, quarter in cohorts], pa.date32())

    def told(wide: pa.Table) -> pa.Table:
        long, columns = _long_measures(wide, computed.scored)
        curve = long.column("curve", pa.int32())
        return pa.table(
            {
                **{name: long.each(values) for name, values in keys.named(wide).items()},
                **columns,
                "age_days": _ages(long, computed.scored),
                "cohort": names.take(curve),
                "reference": quarters.take(curve),
            }
        )

    return _Detail(computed.scored.measures(), told)


def _long_measures(wide: pa.Table, scored: Scored) -> tuple[Unfolded, dict[str, pa.Array]]:
    """The long rows of `Scored.measures`, and what each says."""
    pairs = {sheet.number: [(one.component, one.metric) for one in sheet.measures] for sheet in scored.sheets}
    long, components = _by_formula(wide, {f: [c for c, _m in told] for f, told in pairs.items()})
    _same, metrics = _by_formula(wide, {f: [m for _c, m in told] for f, told in pairs.items()})
    points, weight = long.column("points", pa.float64()), long.column("weight", pa.float64())
    contribution = pc.coalesce(pc.multiply(weight, points), 0.0)
    return long, {
        "component": components,
        "metric": metrics,
        "state": _STATES.take(long.column("state", pa.int8())),
        "value": long.column("value", pa.float64()),
        "points": points,
        "weight": weight,
        "contribution": pc.if_else(long.each(wide["scored"]), contribution, None),
    }


def _ages(long: Unfolded, scored: Scored) -> pa.Array:
    """The age of each measure: that of its row or that of its feed, whichever is older."""
    size, most = max(s.number for s in scored.sheets) + 1, max(len(s.measures) for s in scored.sheets)
    days = scored.sheets[0].ages.num_rows
    feeds = np.full((size, most, days), np.nan)
    for sheet in scored.sheets:
        for k in range(len(sheet.measures)):
            feeds[sheet.number, k] = sheet.ages[f"f{k}"].to_numpy()
    formula, pos = (long.wide[name].to_numpy()[long.at] for name in ("formula", "pos"))
    of_feed = pa.array(feeds[formula, long.k, pos], from_pandas=True)
    return pc.max_element_wise(of_feed, long.column("age", pa.float64()))


def _metrics(computed: Computed, keys: _Keys) -> _Detail:
    """The project's metrics; those of old formulas (`name@fingerprint`) are not published."""
    wide = _on_positions(computed, computed.values.table)
    names = sorted(name for name in computed.values.number if "@" not in name)
    numbers = [computed.values.number[name] for name in names]
    texts = pa.array(names, pa.string())

    def told(wide: pa.Table) -> pa.Table:
        long = Unfolded.of(wide, np.full(wide.num_rows, len(names)))
        return pa.table(
            {
                **{name: long.each(values) for name, values in keys.named(wide).items()},
                "metric": texts.take(pa.array(long.k)),
                "state": _STATES.take(long.column("state", pa.int8())),
                "value": long.column("value", pa.float64()),
            }
        )

    return _Detail(
        wide.select(
            "ix",
            "pos",
            **{f"value{k}": wide[f"v{n}"] for k, n in enumerate(numbers)},
            **{f"state{k}": wide[f"s{n}"] for k, n in enumerate(numbers)},
        ),
        told,
    )


def _on_positions(computed: Computed, table: ir.Table) -> ir.Table:
    """The rows of the asked dates."""
    if len(computed.positions) == len(computed.spine.dates):
        return table
    return table.filter(_.pos.isin(list(computed.positions)))


def _accounts(computed: Computed, keys: _Keys) -> _Detail:
    around = _on_positions(computed, computed.around)
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

    def told(numbers: pa.Table) -> pa.Table:
        attributes = {
            name.removeprefix("attribute "): numbers[name]
            for name in numbers.column_names
            if name not in ("ix", "pos")
        }
        return pa.table({**keys.named(numbers), **attributes})

    return _Detail(rows, told)


def measure_rows(engine: Engine, computed: Computed, keys: pa.Table, *, old: bool = False) -> pa.Table:
    """Measures that count at the snapshots in `keys` (ix, pos): ix, pos, component, metric,
    value, state, points, weight; `old` takes those of the bridges."""
    scored = computed.bridged.scored if old and computed.bridged else computed.scored
    if scored is None:
        raise ValueError("nothing was scored the old way")
    rows = scored.measures(engine.memory(keys.select(["ix", "pos"]).cast(_KEYS)))
    wide = engine.arrow(rows.order_by("ix", "pos"))
    long, columns = _long_measures(wide, scored)
    names = ("component", "metric", "value", "points", "weight", "state")
    return pa.table(
        {
            "ix": long.each(wide["ix"]),
            "pos": long.each(wide["pos"]),
            **{name: columns[name] for name in names},
        }
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
    for name, values in _Keys.of(engine, computed).named(told).items():
        told = told.append_column(name, values)
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
