"""The SQL of a metric as the child runs it: written anew from the tree that was checked, over
tables that hold what was visible on the date of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from retinue.warehouse.metrics.sandbox_sql import BASE, Query


def runnable(query: Query, tables: Mapping[str, exp.Select]) -> str:
    """The SQL that is run: the query, with each table that it names as a CTE before it."""
    tree = query.tree.copy()
    _constant_dates(tree, {name.lower() for name in tables})
    own = tree.args.get("with_")
    given = [
        exp.CTE(this=table, alias=exp.TableAlias(this=_quoted(name.lower())), materialized=False)
        for name, table in tables.items()
    ]
    tree.set("with_", exp.With(expressions=[*given, *(own.expressions if own else [])]))
    return tree.sql("duckdb", comments=False)


def _constant_dates(tree: exp.Query, tables: set[str]) -> None:
    """In conditions, `as_of` of a table becomes the date itself, so that only the rows of a
    window are read. Not behind an outer join: rows that it makes up have no `as_of`."""
    for scope in traverse_scope(tree):
        select = scope.expression
        if not isinstance(select, exp.Select):
            continue
        conditions = [join.args["on"] for join in _before_outer(select) if join.args.get("on")]
        if select.args.get("where") and not any(join.side for join in select.args.get("joins") or []):
            conditions.append(select.args["where"])
        inside = {id(node) for condition in conditions for node in condition.walk()}
        sources = scope.selected_sources
        plain = {a for a, (_, s) in sources.items() if isinstance(s, exp.Table) and s.name in tables}
        for column in scope.columns:
            mine = column.table in plain if column.table else bool(plain) and len(plain) == len(sources)
            own = column.find_ancestor(exp.Select) is select
            if column.name.lower() == "as_of" and mine and own and id(column) in inside:
                column.replace(date_of_run())


def _before_outer(select: exp.Select) -> Iterator[exp.Join]:
    """Joins whose conditions see no rows that another join made up."""
    for join in select.args.get("joins") or []:
        yield join
        if join.side:
            return


def date_of_run() -> exp.Expr:
    return exp.Placeholder(this="as_of")


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def table_of(path: str, spine: str, columns: Mapping[str, tuple[str, tuple[str, ...]]]) -> exp.Select:
    """A source as the query sees it on one date: what is visible by then, of accounts alive then.

    `path` is its Parquet file (ix, visible, day, known, occurred, and more), `spine` that of the
    spine (ix, account_id, as_of). `columns` maps a name to the column of the file and those that
    hold the days from which it may be seen.
    """
    seen = [
        exp.alias_(_shown_from(column, gates), _quoted(name)) for name, (column, gates) in columns.items()
    ]
    return (
        exp.select(
            exp.column("account_id", "s"),
            exp.alias_(date_of_run(), _quoted("as_of")),
            *(exp.column(name, "f") for name in BASE[2:]),
            *seen,
        )
        .from_(_file(path, "f"))
        .join(_file(spine, "s"), on=exp.column("ix", "s").eq(exp.column("ix", "f")))
        .where(exp.column("as_of", "s").eq(date_of_run()), exp.column("visible", "f") <= date_of_run())
    )


def spine_of(path: str) -> exp.Select:
    return (
        exp.select(exp.column("account_id", "s"), exp.column("as_of", "s"))
        .from_(_file(path, "s"))
        .where(exp.column("as_of", "s").eq(date_of_run()))
    )


def _shown_from(column: str, gates: tuple[str, ...]) -> exp.Expr:
    value = exp.column(column, "f", quoted=True)
    if not gates:
        return value
    reached = exp.and_(*(exp.column(gate, "f", quoted=True) <= date_of_run() for gate in gates))
    return exp.case().when(reached, value)


def _file(path: str, alias: str) -> exp.Table:
    return exp.Table(
        this=exp.Anonymous(this="read_parquet", expressions=[exp.Literal.string(path)]),
        alias=exp.TableAlias(this=exp.to_identifier(alias)),
    )
