"""From metric values to scores: every account and date at once, its measures side by side.

    share    = component weight x measure weight within it x freshness (0 if missing)
    base     = share-weighted mean of the points
    coverage = sum of shares / sum of declared shares
    computed = base, lifted by floors, then limited by caps

A row is an account on a date, and each measure of its formula is some columns of it. Sums over
measures are additions in one order, that of their texts, within a component and then over
components, so that their last bits depend neither on an engine nor on its threads. Only scores
are kept; what measures and components say is worked out again where it is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import cast

import ibis
import ibis.expr.types as ir

from retinue.project.project import Formula
from retinue.project.scorecards import Cap, Floor
from retinue.warehouse.conditions import holds
from retinue.warehouse.metrics.kinds import MISSING, NOT_APPLICABLE, OK, STALE
from retinue.warehouse.scores.curves import Segment
from retinue.warehouse.scores.sheets import Sheet

#: What `measures` tells of each, as it is on the way.
_DETAIL = ("value", "state", "points", "effective", "age", "curve")
#: Points of what is missing; none where the shares of the rest take its place.
_INSTEAD = {"reweight": None, "neutral": 50.0, "worst": 0.0}


@dataclass(frozen=True)
class Part:
    """Rows that were scored together, and all that their measures rest on."""

    rows: ir.Table
    sheets: tuple[Sheet, ...]


@dataclass(frozen=True)
class Scored:
    """Scores, and what the measures and components of them are worked out from.

    `scores`: ix, pos, as_of, formula, reference, dead, stage, status, base, adjustment, computed,
    coverage, cap, cap_level, and weakest, a place in `component_names`.
    """

    scores: ir.Table
    parts: tuple[Part, ...]

    @property
    def sheets(self) -> list[Sheet]:
        """The sheets of all formulas."""
        return list({sheet.number: sheet for part in self.parts for sheet in part.sheets}.values())

    def measures(self, keys: ir.Table | None = None) -> ir.Table:
        """One row per score: ix, pos, formula, scored, and for the k-th measure of its sheet
        `value{k}`, `state{k}`, `points{k}`, `weight{k}`; also `age{k}` (of its row) and
        `curve{k}` (of its cohort) where a sheet has one there. `keys` (ix, pos) are all it tells.
        """
        slots = range(max(len(sheet.measures) for sheet in self.sheets))
        dated = {k for s in self.sheets for k in range(len(s.measures)) if s.dated(k)}
        relative = {k for s in self.sheets for k in range(len(s.measures)) if s.relative(k)}
        found = []
        for rows, sheet in self._each(keys):
            table = _summed(rows, sheet, ["ix", "pos"], _DETAIL)
            whole = ibis.ifelse(table.total > 0, table.total, ibis.null("float64"))
            columns: dict[str, ir.Value] = {}
            for k in slots:
                there = k < len(sheet.measures)
                share = ibis.coalesce(table[f"effective{k}"] / whole, 0.0) if there else None
                columns |= {
                    f"value{k}": table[f"value{k}"] if there else ibis.null("float64"),
                    f"state{k}": table[f"state{k}"] if there else ibis.null("int8"),
                    f"points{k}": table[f"points{k}"] if there else ibis.null("float64"),
                    f"weight{k}": share if there else ibis.null("float64"),
                }
                if k in dated:
                    own = there and sheet.dated(k)
                    columns[f"age{k}"] = table[f"age{k}"] if own else ibis.null("float64")
                if k in relative:
                    own = there and sheet.relative(k)
                    columns[f"curve{k}"] = table[f"curve{k}"] if own else ibis.null("int32")
            number = ibis.literal(sheet.number, "int8")
            found.append(
                table.select("ix", "pos", formula=number, scored=_is_scored(table, sheet), **columns)
            )
        return _union(found)

    def components(self, keys: ir.Table | None = None) -> ir.Table:
        """One row per score: ix, pos, formula, and for the j-th component of its sheet
        `points{j}`, `weight{j}`, `contribution{j}`."""
        slots = range(max(len(sheet.components) for sheet in self.sheets))
        none = ibis.null("float64")
        found = []
        for rows, sheet in self._each(keys):
            table = _summed(rows, sheet, ["ix", "pos"])
            whole = ibis.ifelse(table.total > 0, table.total, none)
            scored = _is_scored(table, sheet)
            columns: dict[str, ir.Value] = {}
            for j in slots:
                if j >= len(sheet.components):
                    columns |= {f"points{j}": none, f"weight{j}": none, f"contribution{j}": none}
                    continue
                share, points = table[f"share of {j}"], table[f"points of {j}"]
                columns |= {
                    f"points{j}": ibis.ifelse(scored, _over(points, share), none),
                    f"weight{j}": ibis.coalesce(share / whole, 0.0),
                    f"contribution{j}": ibis.ifelse(scored, ibis.coalesce(points / whole, 0.0), none),
                }
            found.append(table.select("ix", "pos", formula=ibis.literal(sheet.number, "int8"), **columns))
        return _union(found)

    def _each(self, keys: ir.Table | None) -> Iterator[tuple[ir.Table, Sheet]]:
        for part in self.parts:
            rows = part.rows if keys is None else part.rows.semi_join(keys, ["ix", "pos"])
            for sheet in part.sheets:
                yield rows, sheet


def score(
    rows: ir.Table, sheet: Sheet, names: Mapping[str, ir.Value], parts: Sequence[str], keep: Sequence[str]
) -> ir.Table:
    """Scores of the `rows` of the sheet's formula, as they are kept (see `told`).

    `rows` has what `Sheet` says, `names` what its caps and floors look at, as expressions over
    `rows`. `parts` are the names of all components; columns in `keep` are passed on.
    """
    caps, floors = _ordered(sheet.formula)
    rows = rows.select(
        *keep,
        "formula",
        *sheet.needs,
        cap_no=_first([holds(c.when, names) for c in caps]),
        floor_no=_first([holds(f.when, names) for f in floors]),
    )
    table = _summed(rows, sheet, [*keep, "formula", "cap_no", "floor_no"])
    scored = _is_scored(table, sheet)
    # Ten decimals: the last bits differ between engines, and edges are compared exactly.
    base = ibis.ifelse(scored, _over(table.points, table.total).round(10), ibis.null("float64"))
    means = {
        j: ibis.ifelse(scored, _over(table[f"points of {j}"], table[f"share of {j}"]), ibis.null("float64"))
        for j in range(len(sheet.components))
    }
    table = table.select(
        *keep,
        "formula",
        "cap_no",
        "floor_no",
        scored=scored,
        base=base,
        coverage=ibis.coalesce(_over(table.used, table.declared), 0.0),
        cap_at=_level(table.cap_no, [cap.at_most for cap in caps]),
        floor_at=_level(table.floor_no, [floor.at_least for floor in floors]),
        **{f"mean{j}": mean for j, mean in means.items()},
    )
    table = sheet.engine.apart(table)
    # `greatest` and `least` pass over nulls, and rules give no score to who has none.
    none = ibis.null("float64")
    lifted = ibis.greatest(table.base, ibis.coalesce(table.floor_at, table.base))
    table = table.mutate(lifted=ibis.ifelse(table.scored, lifted, none) if floors else table.base)
    table = sheet.engine.apart(table)
    limited = ibis.least(table.lifted, ibis.coalesce(table.cap_at, table.lifted))
    table = table.mutate(
        computed=ibis.ifelse(table.scored, limited, none) if caps else table.lifted,
        worst=_least(table[f"mean{j}"] for j in means),
    )
    table = sheet.engine.apart(table)
    reasons = [
        ((table.computed < table.lifted) if caps else None, table.cap_no),
        ((table.lifted > table.base) if floors else None, table.floor_no + len(caps)),
    ]
    why = [(holding, reason.cast("int16")) for holding, reason in reasons if holding is not None]
    weakest = [
        (table[f"mean{j}"] == table.worst, ibis.literal(parts.index(name), "int16"))
        for j, name in enumerate(sheet.components)
    ]
    return table.select(
        *keep,
        "formula",
        "scored",
        "base",
        "computed",
        "coverage",
        "cap_no",
        why=ibis.cases(*why, else_=ibis.null("int16")) if why else ibis.null("int16"),
        weakest=ibis.cases(*weakest, else_=ibis.null("int16")),
    )


def told(kept: ir.Table, sheets: Sequence[Sheet]) -> ir.Table:
    """Scores as `Scored` has them, of what `score` made: numbers of rules become words."""
    level: list[tuple[ir.BooleanValue, ir.Value]] = []
    why: list[tuple[ir.BooleanValue, ir.Value]] = []
    for sheet in sheets:
        caps, floors = _ordered(sheet.formula)
        mine = kept.formula == sheet.number
        if caps:
            level.append((mine, _level(kept.cap_no, [cap.at_most for cap in caps])))
        texts = [*(cap.because for cap in caps), *(floor.because for floor in floors)]
        if texts:
            of = [(kept.why == n, text) for n, text in enumerate(texts)]
            why.append((mine, ibis.cases(*of, else_=ibis.null("string"))))
    return kept.mutate(
        status=ibis.ifelse(kept.scored, "scored", "not_scored"),
        adjustment=kept.computed - kept.base,
        cap=ibis.cases(*why, else_=ibis.null("string")) if why else ibis.null("string"),
        cap_level=ibis.cases(*level, else_=ibis.null("float64")) if level else ibis.null("float64"),
    ).drop("scored", "why", "cap_no")


def together(parts: Sequence[Scored]) -> Scored:
    """What was scored one after another, as one."""
    return Scored(_union([one.scores for one in parts]), tuple(part for one in parts for part in one.parts))


def _summed(rows: ir.Table, sheet: Sheet, keep: Sequence[str], detail: Collection[str] = ()) -> ir.Table:
    """Sums of shares and points per component and in all, on the sheet's own rows.

    Columns in `keep` are passed on, and of each measure those that `detail` names.
    """
    table = _weighed(_met(rows, sheet, keep), sheet, keep, detail)
    stood_in = {k for k, one in enumerate(sheet.measures) if _INSTEAD[one.measure.missing] is not None}
    sums: dict[str, ir.Value] = {}
    for j, places in enumerate(sheet.components.values()):
        products = [table[f"effective{k}"] * ibis.coalesce(table[f"points{k}"], 0.0) for k in places]
        sums |= {
            f"share of {j}": _sum(table[f"effective{k}"] for k in places),
            f"points of {j}": _sum(products),
            f"used of {j}": _sum(table[f"{'used' if k in stood_in else 'effective'}{k}"] for k in places),
            f"declared of {j}": _sum(table[f"declared{k}"] for k in places),
        }
    passed = [c for c in table.columns if c in keep or c.rstrip("0123456789") in detail]
    table = sheet.engine.apart(table.select(*passed, **sums))
    whole = {
        name: _sum(table[f"{part} of {j}"] for j in range(len(sheet.components)))
        for name, part in (
            ("total", "share"),
            ("points", "points"),
            ("used", "used"),
            ("declared", "declared"),
        )
    }
    return sheet.engine.apart(table.mutate(**whole))


def _met(rows: ir.Table, sheet: Sheet, keep: Sequence[str]) -> ir.Table:
    """The sheet's own rows with the value, the state, the age and the points of each measure."""
    rows = rows.filter(rows.formula == sheet.number)
    if sheet.ranked is not None:
        rows = rows.left_join(sheet.ranked, ["ix", "pos"]).drop("ix_right", "pos_right")
    faded = [k for k, one in enumerate(sheet.measures) if one.measure.half_life is not None]
    if sheet.aged is not None:
        rows = rows.left_join(sheet.aged.select("pos", *(f"f{k}" for k in faded)), "pos").drop("pos_right")
    columns: dict[str, ir.Value] = {}
    for k, n in enumerate(sheet.columns):
        value, segments = rows[f"v{n}"], sheet.curves[k]
        columns |= {f"value{k}": value, f"told{k}": rows[f"s{n}"]}
        columns[f"raw{k}"] = rows[f"r{k}"] if segments is None else _points(value, segments)
        if segments is None:
            columns[f"curve{k}"] = rows[f"c{k}"]
        if sheet.dated(k):
            columns[f"age{k}"] = rows.as_of.delta(rows[f"d{n}"], unit="day").cast("float64")
        if k in faded:
            columns[f"feed{k}"] = rows[f"f{k}"]
    return sheet.engine.apart(rows.select(*keep, **columns))


def _weighed(table: ir.Table, sheet: Sheet, keep: Sequence[str], detail: Collection[str]) -> ir.Table:
    """State and points of each measure, its share as it counts (`effective`), as it was `used`, and
    as it was `declared`; the latter two where they differ from the one before."""
    fresh = {k: _freshness(table, sheet, k) for k in range(len(sheet.measures))}
    table = table.mutate(
        **{
            f"usable{k}": table[f"told{k}"].isin([OK, STALE]) & table[f"raw{k}"].notnull()
            for k in range(len(sheet.measures))
        },
        **{f"fresh{k}": one for k, one in fresh.items() if one is not None},
    )
    table = sheet.engine.apart(table)
    columns: dict[str, ir.Value] = {}
    passed: list[str] = []
    for k, one in enumerate(sheet.measures):
        told, usable, raw, share = table[f"told{k}"], table[f"usable{k}"], table[f"raw{k}"], _exact(one.share)
        old = told == STALE
        here, counts = share, usable
        if fresh[k] is not None:
            old = (table[f"fresh{k}"] == 0) | old
            here = share * table[f"fresh{k}"]
            counts = usable & (here > 0)
        used = ibis.ifelse(usable, here, 0.0)
        # Only what is missing has a stand-in; what is too old drops out.
        state = ibis.cases(
            (told == NOT_APPLICABLE, NOT_APPLICABLE), (~usable, MISSING), (old, STALE), else_=OK
        )
        points = ibis.ifelse(counts, raw, ibis.null("float64"))
        effective = used
        instead = _INSTEAD[one.measure.missing]
        if instead is not None:
            missing = ~usable & ibis.coalesce(told != NOT_APPLICABLE, True)
            points = ibis.ifelse(missing, instead, points)
            effective = ibis.ifelse(missing, share, used)
            columns[f"used{k}"] = used
        columns |= {
            f"points{k}": points,
            f"effective{k}": effective,
            f"declared{k}": ibis.ifelse(told == NOT_APPLICABLE, 0.0, share),
        }
        if "state" in detail:
            columns[f"state{k}"] = state.cast("int8")
        passed += [name for part in detail if (name := f"{part}{k}") in table.columns]
    return sheet.engine.apart(table.select(*keep, *passed, **columns))


def _exact(number: float) -> ir.FloatingValue:
    """`number` to its last bit: engines read long decimals as decimals, and round them once more."""
    if float(number).is_integer() and abs(number) < 2**31:
        return ibis.literal(float(number))
    return ibis.literal(repr(float(number))).cast("float64")


def _points(value: ir.NumericValue, segments: tuple[Segment, ...]) -> ir.FloatingValue:
    """Points of `value` on a declared curve (the same arithmetic as the range join)."""
    branches = []
    for one in segments:
        rise = one.points_hi - one.points_lo
        points = _exact(one.points_lo)
        if rise != 0:
            width = _exact(one.hi - one.lo)
            points = points + _exact(rise) * ((value - _exact(one.lo)) / width)
        branches.append((value < _exact(one.hi), points))
    return ibis.cases(*branches, else_=ibis.null("float64"))


def _freshness(table: ir.Table, sheet: Sheet, k: int) -> ir.FloatingValue | None:
    """2^(-age / half-life), cut to 0 beyond three half-lives; past max_age a row's own age
    makes it useless, while a feed's age does not (its value is kept, DESIGN section 6).

    None for a measure that is always fresh.
    """
    told = sheet.measures[k].measure
    faded: ir.Value = ibis.literal(1.0)
    row_age = table[f"age{k}"] if sheet.dated(k) else None
    if told.half_life is not None:
        half = float(told.half_life.days)
        age = table[f"feed{k}"]
        if row_age is not None:
            age = ibis.coalesce(ibis.greatest(row_age, age), row_age, age)
        faded = ibis.cases(
            (age.isnull(), 1.0),
            (age > 3 * half, 0.0),
            else_=ibis.literal(2.0) ** (-ibis.greatest(age, 0.0) / half),
        )
    elif told.max_age is None or row_age is None:
        return None
    if told.max_age is None or row_age is None:
        return cast(ir.FloatingValue, faded)
    too_old = ibis.coalesce(row_age > float(told.max_age.days), False)
    return cast(ir.FloatingValue, ibis.ifelse(too_old, 0.0, faded))


def _is_scored(table: ir.Table, sheet: Sheet) -> ir.BooleanValue:
    """Whether there is a score; a coverage of exactly the minimum counts, in spite of the last
    bit of the division."""
    coverage = ibis.coalesce(_over(table.used, table.declared), 0.0)
    return (table.total > 0) & (coverage >= sheet.formula.scorecard.min_coverage - 1e-9)


def _over(above: ir.NumericValue, below: ir.NumericValue) -> ir.FloatingValue:
    return above / ibis.ifelse(below > 0, below, ibis.null("float64"))


def _sum(values: Iterable[ir.Value]) -> ir.Value:
    return reduce(add, values)


def _least(values: Iterable[ir.Value]) -> ir.Value:
    found = list(values)
    return ibis.least(*found) if len(found) > 1 else found[0]


def _union(tables: Sequence[ir.Table]) -> ir.Table:
    return tables[0] if len(tables) == 1 else ibis.union(*tables)


def _ordered(formula: Formula) -> tuple[list[Cap], list[Floor]]:
    """Caps from the lowest, floors from the highest: the first that holds counts."""
    caps = sorted(formula.scorecard.caps, key=lambda cap: cap.at_most)
    return caps, sorted(formula.scorecard.floors, key=lambda floor: -floor.at_least)


def _first(held: Sequence[ir.BooleanValue]) -> ir.IntegerValue:
    """The place of the first that holds."""
    if not held:
        return ibis.null("int16")
    branches = [(one, ibis.literal(n, "int16")) for n, one in enumerate(held)]
    return ibis.cases(*branches, else_=ibis.null("int16"))


def _level(number: ir.IntegerValue, levels: Sequence[float]) -> ir.FloatingValue:
    if not levels:
        return ibis.null("float64")
    of = [(number == n, _exact(level)) for n, level in enumerate(levels)]
    return ibis.cases(*of, else_=ibis.null("float64"))
