"""Checks of the accounts: what is known of them, and which scorecards and stages they get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir

from retinue.project.metrics import Attribute, Children, MetricBase, Pulse, Ratio, Sql, closure
from retinue.project.references import attributes_of, condition_names, stage_names
from retinue.warehouse import spine
from retinue.warehouse.conditions import holds
from retinue.warehouse.facts.accounts import Read
from retinue.warehouse.facts.counts import rejections
from retinue.warehouse.facts.sources import Facts
from retinue.warehouse.metrics import kinds as metrics
from retinue.warehouse.quality.feeds import Feeds
from retinue.warehouse.quality.findings import Findings, Path, share, such
from retinue.warehouse.reading.hints import nearest
from retinue.warehouse.scores import context

_HERE: Path = ("settings", "accounts")
_MOSTLY_EMPTY = 0.9
_OFTEN_EMPTY = 0.5
_MANY = 20


def look(
    found: Findings,
    people: Read,
    sources: Mapping[str, ir.Table],
    feeds: Feeds,
    usable: Mapping[str, MetricBase],
) -> None:
    """Tell what is wrong with the accounts, and whom no scorecard is for."""
    table = people.table
    number = found.one(table, n=table.count())["n"]
    _left_out(found, people)
    if not number:
        found.error(_HERE, "there are no accounts", "the table has no rows with a key")
        return
    _dates(found, table, feeds.day)
    _attributes(found, table, number, usable)
    _selected(found, people)
    _cards(found, people, sources, feeds, usable)


def _at(name: str) -> Path:
    return (*_HERE, "columns", name)


def _left_out(found: Findings, people: Read) -> None:
    """Rows without an id, and lines that are none; ids that repeat are told where they are read."""
    told = rejections(found.engine, people.rejected)
    kind = told.reason.re_replace(r'"[^"]*"', '"…"')
    counted = told.group_by(kind=kind).aggregate(n=told.count()).order_by(ibis.desc("n"), "kind")
    whole = people.counts["accounts"].read
    for row in found.engine.arrow(counted).to_pylist():
        if not row["kind"].startswith("duplicate of"):
            message = f"{share(row['n'], whole, 'rows of accounts')} are left out: {row['kind']}"
            found.warning(_HERE, message, "an account needs a key")


def _dates(found: Findings, table: ir.Table, day: date) -> None:
    """Days that cannot be, with an example each."""
    today = ibis.literal(day)
    alive = ibis.coalesce(table.started_on <= today, True) & ibis.coalesce(table.ended_on > today, True)
    wrong: dict[str, tuple[str, ir.BooleanValue, str, str]] = {
        "ended": (
            "ended_on",
            table.ended_on < table.started_on,
            "ended before they started",
            "they are never scored: correct one of the two dates",
        ),
        "renewal": (
            "renews_on",
            alive & (table.renews_on < today),
            f"are alive and have a renewal before {day}",
            "give the next renewal, or the day that they ended",
        ),
    }
    if "a_arr" in table.columns and table.a_arr.type().is_numeric():
        wrong["arr"] = ("arr", table.a_arr < 0, "have a negative ARR", "an ARR is 0 or more")
    told = found.one(
        table,
        n=table.count(),
        **{f"{k} n": ibis.coalesce(flag, False).cast("int64").sum() for k, (_, flag, _, _) in wrong.items()},
        **{
            f"{k} id": table.account_id.min(where=ibis.coalesce(flag, False))
            for k, (_, flag, _, _) in wrong.items()
        },
    )
    for key, (attribute, _, message, hint) in wrong.items():
        if told[f"{key} n"]:
            shown = f"{share(told[f'{key} n'], told['n'], 'accounts')} {message}{such([told[f'{key} id']])}"
            found.warning(_at(attribute), shown, hint)


def _uses(found: Findings, usable: Mapping[str, MetricBase]) -> dict[str, bool]:
    """Attributes in use; True for those that decide how an account is scored."""
    project = found.project
    used: dict[str, bool] = {}
    for metric in usable.values():
        for name in _of_metric(metric):
            used[name] = False
    for card in project.scorecards:
        used |= dict.fromkeys(condition_names(card), False)
    selecting = stage_names(project.settings.stages)
    selecting |= {name for card in project.scorecards for name in attributes_of(card)}
    return {**used, **dict.fromkeys(selecting, True)}


def _of_metric(metric: MetricBase) -> Iterator[str]:
    if isinstance(metric, Attribute):
        yield metric.attribute.removeprefix("account.")
    elif isinstance(metric, Ratio):
        parts = (part for part in metric.ratio if isinstance(part, str))
        yield from (part.removeprefix("account.") for part in parts if part.startswith("account."))


def _attributes(found: Findings, table: ir.Table, number: int, usable: Mapping[str, MetricBase]) -> None:
    """Attributes in use that are empty, all the same, or no numbers where metrics need them."""
    used = {name: selects for name, selects in _uses(found, usable).items() if f"a_{name}" in table.columns}
    as_number = {name for metric in usable.values() for name in _of_metric(metric)}
    columns: dict[str, ir.Value] = {}
    for name in used:
        value = table[f"a_{name}"]
        columns[f"{name} there"] = value.count()
        columns[f"{name} same"] = value.min() == value.max()
        columns[f"{name} example"] = value.min().cast("string")
        if name in as_number and value.type().is_string():
            columns[f"{name} number"] = value.try_cast("float64").count()
    if not columns:
        return
    told = found.one(table, **columns)
    for name, selects in used.items():
        there = told[f"{name} there"]
        empty = number - there
        if there and f"{name} number" in told and told[f"{name} number"] < there:
            wrong = there - told[f"{name} number"]
            example = such([told[f"{name} example"]])
            message = (
                f'attribute "{name}" is used as a number; {share(wrong, there, "values")} are none{example}'
            )
            (found.error if wrong == there else found.warning)(
                _at(name), message, "metrics of it are missing there"
            )
        if empty >= (_OFTEN_EMPTY if selects else _MOSTLY_EMPTY) * number:
            why = "it decides how accounts are scored" if selects else "metrics of it are missing there"
            message = f'attribute "{name}" is mostly empty: {share(empty, number, "accounts")}'
            found.warning(_at(name), message, why)
        elif selects and there >= _MANY and told[f"{name} same"]:
            message = f'attribute "{name}" is "{told[f"{name} example"]}" for every account that has it'
            found.warning(_at(name), message, "it tells no account from another")


def _selected(found: Findings, people: Read) -> None:
    """Values of `applies_to` that no account has, or ever had."""
    for card in found.project.scorecards:
        for name, wanted in card.applies_to.items():
            if name == "stage" or f"a_{name}" not in people.table.columns:
                continue
            tables = [people.table.select(v=people.table[f"a_{name}"])]
            if name in people.histories:
                tables.append(people.histories[name].select(v=people.histories[name].value))
            hit = [0] * len(wanted)
            for one in tables:
                flags = {f"f{n}": _is(one.v, value).cast("int64").sum() for n, value in enumerate(wanted)}
                told = found.one(one, **flags)
                hit = [count + (told[f"f{n}"] or 0) for n, count in enumerate(hit)]
            for value in [value for value, count in zip(wanted, hit, strict=True) if not count]:
                path: Path = ("scorecards", card.scorecard, "applies_to", name)
                found.warning(
                    path, f'no account has {name} = "{value}"', nearest(str(value), _all(found, tables[0]))
                )


def _is(column: ir.Value, value: Any) -> ir.BooleanValue:
    from retinue.project.conditions import Comparison

    return holds(Comparison("it", "=", value), {"it": column})


def _all(found: Findings, one: ir.Table) -> list[str]:
    shown = one.filter(one.v.notnull()).mutate(v=one.v.cast("string"))
    counted = shown.group_by("v").aggregate(n=ibis._.count()).order_by(ibis.desc("n"), "v").limit(500)
    return [str(value) for value in found.engine.arrow(counted)["v"].to_pylist()]


def _cards(
    found: Findings,
    people: Read,
    sources: Mapping[str, ir.Table],
    feeds: Feeds,
    usable: Mapping[str, MetricBase],
) -> None:
    """Which scorecard and stage each account has on the last day."""
    project = found.project
    needed = closure(stage_names(project.settings.stages) & set(project.metrics), project.metrics)
    declared = {name: usable[name] for name in needed if name in usable}
    known_only = not any(isinstance(one, Pulse | Sql | Children) for one in declared.values())
    reads = {one.source for metric in declared.values() for one in metrics.series_of(metric)}
    if len(declared) < len(needed) or not known_only or not reads <= set(sources):
        return
    engine, day = found.engine, feeds.day
    if day < found.today:
        # Of a time that is closed, the last day of any account.
        ended = found.one(people.table, last=people.table.ended_on.max())["last"]
        day = min(day, ended or day)
    grid = spine.build(engine, people.table, [day])
    facts = Facts(people.table, people.histories, dict(sources), people.table, {})
    around = context.attributes(engine, grid, facts, project, day)
    table, names = around, None
    if declared:
        numbers = metrics.compute(engine, grid, declared, sources, feeds.known, around, {})
        table = around.join(numbers.table.drop("as_of"), ["ix", "pos"])
        names = context.names_of(table, numbers, {name: name for name in declared})
    names = names or context.names_of(table, metrics.Metrics(table, {}, {}), {})
    table = table.mutate(stage=context.stage(project.settings.stages, names))
    names = {**names, "stage": table.stage}
    rows = engine.store(
        "matched",
        table.select("ix", "stage", formula=context.formula_number(project.formulas, names)).join(
            people.table.select("ix", "account_id"), "ix"
        ),
    )
    counted = rows.group_by("stage", "formula").aggregate(
        n=rows.count(), first=rows.account_id.min(), last=rows.account_id.max()
    )
    _tell_matches(found, engine.arrow(counted).to_pylist(), day)


def _tell_matches(found: Findings, groups: list[dict[str, Any]], day: date) -> None:
    project = found.project
    whole = sum(row["n"] for row in groups)
    if not whole:
        if day < found.today:
            return  # a closed time, which is told already
        found.warning(_HERE, f"no account is alive on {day}", "look at started_on and ended_on")
        return
    for n, formula in enumerate(project.formulas):
        if not any(row["formula"] == n for row in groups):
            name = formula.scorecard.scorecard
            message = f'scorecard "{name}" is for none of the {whole:,} accounts that are alive on {day}'
            found.warning(
                ("scorecards", name), message, "look at its `applies_to` and at the cards before it"
            )
    bare = [row for row in groups if row["formula"] is None]
    if bare:
        message = f"no scorecard is for {share(sum(row['n'] for row in bare), whole, 'accounts')} on {day}"
        examples = sorted({row[key] for row in bare for key in ("first", "last")})[:2]
        path: Path = ("scorecards", project.scorecards[-1].scorecard) if project.scorecards else _HERE
        found.warning(
            path, message + such(examples), "they are not scored; end with a card without `applies_to`"
        )
    for position, stage in enumerate(project.settings.stages):
        if not any(row["stage"] == stage.stage for row in groups):
            message = f'no account is in stage "{stage.stage}" on {day}'
            found.warning(
                ("settings", "stages", position), message, "right, if none is; else look at its rule"
            )


__all__ = ["look"]
