"""What an account is on a date: its attributes as of then, its tenure, stage and scorecard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import ibis
import ibis.expr.types as ir

from retinue.project.project import Formula, Project
from retinue.project.references import attributes_of as selected_by
from retinue.project.references import stage_names
from retinue.project.scorecards import Scorecard, Stage, TenureStep, Values
from retinue.warehouse.conditions import holds
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts.sources import Facts
from retinue.warehouse.metrics import running
from retinue.warehouse.metrics import series as s
from retinue.warehouse.metrics.kinds import OK, STALE, Metrics, days_between
from retinue.warehouse.metrics.tallies import newest_rows
from retinue.warehouse.spine import Spine

#: Attributes that describe the relationship itself and do not change with its course.
_LIFE = ("started_on", "ended_on", "parent")


def attributes(
    engine: Engine, spine: Spine, facts: Facts, project: Project, observed_on: date | None
) -> ir.Table:
    """One row per row of the spine: ix, pos, as_of, started_on, tenure, renews_on, parent,
    `a_<name>` (to select and to show), `m_<name>` (as a metric), `d_<name>` (the day of the
    row that says so, null for fixed ones) and `assumed`.

    A `current` attribute before its first snapshot is assumed: it still selects, it is
    missing as a metric. `observed_on` is the day whose knowledge today's table of accounts is.
    """
    told = project.settings.accounts
    accounts = facts.accounts
    names = [c for c in accounts.columns if c.startswith("a_")]
    seen = {name for name in facts.histories if told.history.get(name, "current") == "current"}
    dated = {
        f"history:{name}": _as_facts(history, even_empty=name in seen)
        for name, history in facts.histories.items()
    }
    table, newest = running.compute(
        engine,
        spine,
        dated,
        [s.Newest(f"history:{name}", "value", None) for name in facts.histories],
    )
    for one, column in newest.items():
        name = one.source.removeprefix("history:")
        rows = newest_rows(dated[one.source], one)  # type: ignore[arg-type]
        if name in seen:
            values = facts.histories[name].select("ix", "day", "value")
            rows = rows.drop("value").join(values, ["ix", "day"])
        named = rows.select(
            "ix", **{column: rows["rank"], f"{column}_value": rows.value, f"{column}_day": rows.day}
        )
        table = table.left_join(named, ["ix", column]).drop("ix_right", f"{column}_right")
    keep = [
        "ix",
        "started_on",
        "ended_on",
        "end_known",
        "parent",
        *(["renews_on"] if "renews_on" in accounts.columns else []),
    ]
    table = table.left_join(accounts.select(*keep, *names), "ix").drop("ix_right")
    # That an account will end is not known before it is.
    told_end = table.as_of >= ibis.coalesce(table.end_known, table.ended_on)
    table = table.mutate(ended_on=ibis.ifelse(told_end, table.ended_on, ibis.null("date")))
    if "renews_on" not in accounts.columns:
        table = table.mutate(renews_on=ibis.null("date"))
    columns: dict[str, ir.Value] = {}
    guessed: list[ir.BooleanValue] = []
    used = _selecting(project)
    for column in [*names, "started_on", "ended_on", "renews_on"]:
        name = column.removeprefix("a_")
        today = table[column]
        history = told.history.get(name, "fixed" if name in _LIFE else "current")
        series = newest.get(s.Newest(f"history:{name}", "value", None))
        past = table[f"{series}_value"].cast(today.type()) if series else None
        day: ir.Value = table[f"{series}_day"] if series else ibis.null("date")
        if history == "fixed":
            known, value, day = None, today, ibis.null("date")
        elif history == "current":
            fresh = table.as_of >= ibis.literal(observed_on) if observed_on else ibis.literal(False)
            # What was seen empty is empty, not unknown.
            was_seen = day.notnull()
            known = fresh | was_seen if past is not None else fresh
            value = ibis.ifelse(~fresh & was_seen, past, today) if past is not None else today
            if observed_on is not None:
                day = ibis.ifelse(fresh, ibis.literal(observed_on), day)
        else:
            known, value = None, past if past is not None else ibis.null(today.type())
        columns[f"a_{name}"] = value
        columns[f"m_{name}"] = value if known is None else ibis.ifelse(known, value, ibis.null(today.type()))
        columns[f"d_{name}"] = day
        if known is not None and name in used:
            guessed.append(~known & today.notnull())
    assumed: ir.BooleanValue = ibis.literal(False)
    for one in guessed:
        assumed = assumed | one
    tenure = days_between(table.as_of, table.started_on)
    return engine.store(
        "context",
        table.select("ix", "pos", "as_of", "started_on", "parent", tenure=tenure, assumed=assumed, **columns),
    )


def _selecting(project: Project) -> set[str]:
    """Attributes that decide how an account is scored."""
    names = {name for card in project.scorecards for name in selected_by(card)}
    names |= stage_names(project.settings.stages)
    return names | ({"renews_on"} if "days_to_renewal" in stage_names(project.settings.stages) else set())


def _as_facts(history: ir.Table, *, even_empty: bool) -> ir.Table:
    """Dated values as a source; `even_empty` keeps the rows without a value as well."""
    return history.select(
        "ix",
        "day",
        "known",
        occurred=history.day.cast("timestamp"),
        visible=ibis.greatest(history.day, history.known),
        n_value=ibis.literal(1, "int64") if even_empty else history.value,
    )


def names_of(context: ir.Table, metrics: Metrics, ids: Mapping[str, str]) -> dict[str, ir.Value]:
    """What conditions may name, as expressions over `context` joined with the metrics.

    `ids` maps the names of metrics to those of `metrics`. Metrics that are not ok are null. Only
    what `context` has columns for can be named.
    """
    attributes = attributes_of(context)
    values = {
        name: ibis.ifelse(
            context[f"s{metrics.number[one]}"].isin([OK, STALE]),
            context[f"v{metrics.number[one]}"],
            ibis.null("float64"),
        )
        for name, one in ids.items()
        if one in metrics.number
    }
    built_in = {name: context[name] for name in ("tenure", "stage") if name in context.columns}
    if "renews_on" in attributes:
        built_in["days_to_renewal"] = days_between(attributes["renews_on"], context.as_of)
    return {**attributes, **values, **built_in}


def attributes_of(context: ir.Table) -> dict[str, ir.Value]:
    """The attributes in `context` by their names."""
    return {c[2:]: context[c] for c in context.columns if c.startswith("a_")}


def stage(stages: Sequence[Stage], names: Mapping[str, ir.Value]) -> ir.StringValue:
    """The first stage whose rule holds; null where none does."""
    if not stages:
        return ibis.null("string")
    branches = [
        (holds(one.when, names) if one.when is not None else ibis.literal(True), one.stage) for one in stages
    ]
    return ibis.cases(*branches, else_=ibis.null("string"))


def matches(card: Scorecard, names: Mapping[str, ir.Value]) -> ir.BooleanValue:
    """Whether a scorecard applies: every key has one of its values."""
    result: ir.BooleanValue = ibis.literal(True)
    for name, values in card.applies_to.items():
        result = result & _one_of(names[name], values)
    return result


def _one_of(column: ir.Value, values: Values) -> ir.BooleanValue:
    from retinue.project.conditions import Membership

    return holds(Membership("it", tuple(values)), {"it": column})


def formula_number(formulas: Sequence[Formula], names: Mapping[str, ir.Value]) -> ir.IntegerValue:
    """Place of the first scorecard that applies; null where none does."""
    return ibis.cases(
        *(
            (matches(formula.scorecard, names), ibis.literal(n, "int32"))
            for n, formula in enumerate(formulas)
        ),
        else_=ibis.null("int32"),
    )


def cohort_levels(
    parts: Sequence[str | TenureStep], buckets: Sequence[int], names: Mapping[str, ir.Value]
) -> list[ir.StringValue]:
    """Keys of a cohort from all accounts (`""`) to the finest, such as `smb / 90d`."""
    levels: list[ir.StringValue] = [ibis.literal("")]
    for part in parts:
        one = _cohort_part(part, buckets, names)
        levels.append(one if len(levels) == 1 else levels[-1] + " / " + one)
    return levels


def _cohort_part(
    part: str | TenureStep, buckets: Sequence[int], names: Mapping[str, ir.Value]
) -> ir.StringValue:
    if isinstance(part, TenureStep):
        days = part.tenure.days
        edge = (names["tenure"] // days).cast("int64") * days
        return ibis.coalesce(edge.cast("string") + "d", "?")
    if part == "tenure":
        edges = sorted(buckets, reverse=True)
        return ibis.cases(*((names["tenure"] >= edge, f"{edge}d") for edge in edges), else_="?")
    return ibis.coalesce(names[part].cast("string"), "?")
