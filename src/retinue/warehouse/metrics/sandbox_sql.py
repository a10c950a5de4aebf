"""The SQL of a metric, read: what it may say, and which columns of which source it names.

Everything is refused that is not listed here. What is run is written anew from the tree that
was checked, so that no other reading of the same text can be run in its place.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from retinue.errors import Place, Problem, ProjectError
from retinue.project.sources import Source
from retinue.warehouse.reading.hints import nearest

# What it cannot parse it would tell on stderr; we refuse it.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

SPINE = "spine"

#: Columns that every offered table has; of a spine only the first two.
BASE = ("account_id", "as_of", "day", "known", "occurred")

#: The end of a row, where its source has ends.
ENDED = "ended"

RESULT = ("account_id", "as_of", "value")

_LONGEST = 100_000

_SHAPE: tuple[type[exp.Expr], ...] = (
    *(exp.Select, exp.From, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Join, exp.Distinct),
    *(exp.Limit, exp.Offset, exp.Qualify, exp.Union, exp.Intersect, exp.Except, exp.With, exp.CTE),
    *(exp.Subquery, exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier, exp.Star, exp.Paren),
    *(exp.Tuple, exp.Literal, exp.Null, exp.Boolean, exp.Var, exp.Interval, exp.DataType, exp.DataTypeParam),
    *(exp.Window, exp.WindowSpec, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls),
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Pow, exp.DPipe, exp.Not, exp.And),
    *(exp.Or, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between, exp.Exists),
    *(exp.Like, exp.ILike, exp.Escape, exp.NullSafeEQ, exp.NullSafeNEQ),
)
_FUNCTIONS: tuple[type[exp.Expr], ...] = (
    *(exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.Cast, exp.TryCast),
    *(exp.Count, exp.CountIf, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Median, exp.PercentileCont),
    *(exp.PercentileDisc, exp.Quantile, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance),
    *(exp.VariancePop, exp.Corr, exp.CovarPop, exp.CovarSamp, exp.ArgMax, exp.ArgMin, exp.LogicalAnd),
    *(exp.LogicalOr, exp.AnyValue, exp.First, exp.Last),
    *(exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead),
    *(exp.FirstValue, exp.LastValue, exp.NthValue),
    *(exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Sqrt, exp.Ln, exp.Log, exp.Exp, exp.Sign, exp.IsNan),
    *(exp.IsInf, exp.Upper, exp.Lower, exp.Trim, exp.Length, exp.Substring, exp.Left, exp.Right),
    *(exp.StartsWith, exp.EndsWith, exp.Contains, exp.StrPosition, exp.SplitPart, exp.Concat),
    *(exp.RegexpLike, exp.RegexpFullMatch),
    *(exp.DateDiff, exp.DateAdd, exp.DateSub, exp.DateTrunc, exp.TimestampTrunc, exp.Extract, exp.TimeToStr),
    *(exp.StrToTime, exp.DateFromParts, exp.LastDay, exp.TimeToUnix, exp.Year, exp.Quarter, exp.Month),
    *(exp.Week, exp.WeekOfYear, exp.Day, exp.DayOfMonth, exp.DayOfWeek, exp.DayOfWeekIso, exp.DayOfYear),
    *(exp.Hour, exp.Minute, exp.Second, exp.Date),
)
#: Functions that sqlglot has no class for, by name.
_NAMED = frozenset(
    {"date_part", "datepart", "datesub", "isfinite", "trunc", "favg", "fsum", "regr_slope", "mad"}
)
_ALLOWED = frozenset((*_SHAPE, *_FUNCTIONS))


@dataclass(frozen=True)
class Query:
    """A query that may be run.

    `columns` are those of each source, as the query spells them; `numbers` the ones, by their
    names in facts, that it sums or averages.
    """

    file: str
    tree: exp.Query
    columns: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, frozenset[str]]


def problems(text: str, sources: Mapping[str, Source], file: str) -> list[Problem]:
    """What keeps `text` from being a metric over `sources`; nothing is run."""
    try:
        read(text, sources, file)
    except ProjectError as error:
        return error.problems
    return []


def read(text: str, sources: Mapping[str, Source], file: str) -> Query:
    """The query that `text` is; raises ProjectError with everything in it that is not allowed."""
    if len(text) > _LONGEST:
        raise ProjectError([Problem(f"longer than {_LONGEST} characters", Place(file))])
    try:
        tree = _parse(text, file)
        found = sorted(_refused(tree, text, file), key=_line_of)
        if not found:
            reading = _Reading(tree, sources, file)
            found = reading.problems
    except RecursionError:
        raise ProjectError([Problem("nested too deeply", Place(file), "use fewer parentheses")]) from None
    if found:
        raise ProjectError(found)
    columns = {name: tuple(spelled) for name, spelled in reading.columns.items()}
    return Query(file, tree, columns, {name: frozenset(n) for name, n in reading.numbers.items()})


def _parse(text: str, file: str) -> exp.Query:
    try:
        statements = [
            one for one in sqlglot.parse(text, dialect="duckdb") if one and not isinstance(one, exp.Semicolon)
        ]
    except ParseError as error:
        told = error.errors[0] if error.errors else {}
        what = str(told.get("description") or "cannot be read").rstrip(".")
        where = str(told.get("highlight") or "").strip()
        raise ProjectError(
            [
                Problem(
                    f"SQL: {what}" + (f', at "{where[:40]}"' if where else ""), Place(file, told.get("line"))
                )
            ]
        ) from None
    except SqlglotError as error:
        raise ProjectError([Problem(f"SQL: {str(error).splitlines()[0][:200]}", Place(file))]) from None
    if len(statements) != 1:
        what = "no statement" if not statements else f"{len(statements)} statements"
        raise ProjectError([Problem(what, Place(file), "write one SELECT")])
    tree = statements[0]
    if not isinstance(tree, exp.Select | exp.SetOperation):
        raise ProjectError([Problem(f"{_shown(tree)} is not allowed", Place(file), "write one SELECT")])
    return cast(exp.Query, tree)


def _line_of(problem: Problem) -> int:
    return (problem.place.line if problem.place else None) or 0


def _refused(tree: exp.Expr, text: str, file: str) -> Iterator[Problem]:
    for node in tree.walk():
        place = Place(file, _line(node))
        if isinstance(node, exp.Anonymous):
            if node.name.lower() not in _NAMED and not isinstance(node.parent, exp.Table):
                yield Problem(f"the function {node.name} is not allowed", place)
        elif isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
            yield Problem(
                f"the table function {_called(node.this, text)} is not allowed",
                place,
                "read the project's sources",
            )
        elif isinstance(node, exp.Table) and (node.args.get("db") or node.args.get("catalog")):
            yield Problem(f"{node.sql('duckdb')[:60]}: name a source without a dot", place)
        elif isinstance(node, exp.Column) and node.args.get("db"):
            yield Problem(f"{node.sql('duckdb')[:60]}: name a column as `source.column`", place)
        elif isinstance(node, exp.With) and node.args.get("recursive"):
            yield Problem("WITH RECURSIVE is not allowed", place)
        elif isinstance(node, exp.Join) and str(node.args.get("method") or "").upper() not in {"", "NATURAL"}:
            yield Problem(f"{node.args['method']} JOIN is not allowed", place)
        elif isinstance(node, exp.TableAlias) and node.columns and isinstance(node.parent, exp.Table):
            yield Problem("column names after the name of a table are not allowed", place)
        elif isinstance(node, exp.Func) and type(node) not in _ALLOWED:
            if not isinstance(node.parent, exp.Table):
                yield Problem(f"the function {_called(node, text)} is not allowed", place)
        elif type(node) not in _ALLOWED:
            yield Problem(f"{_shown(node)} is not allowed", place)


def _shown(node: exp.Expr) -> str:
    if isinstance(node, exp.Command):
        return str(node.this).upper()
    return node.sql_name() if isinstance(node, exp.Func) else node.key.upper()


def _called(node: exp.Expr, text: str) -> str:
    """A function as the text calls it."""
    start, end = node.meta.get("start"), node.meta.get("end")
    told = text[start : end + 1] if start is not None and end is not None else ""
    return told if told.isidentifier() else (node.name if isinstance(node, exp.Anonymous) else _shown(node))


def _line(node: exp.Expr) -> int | None:
    """Line of a node, or of the nearest node around it that has one."""
    at: exp.Expr | None = node
    while at is not None:
        for one in at.walk():
            if "line" in one.meta:
                return cast(int, one.meta["line"])
        at = at.parent
    return None


def resolved(spelled: str, source: Source) -> str:
    """The name by which facts have a column that SQL spells so: declared, or the table's own."""
    declared = source.named_columns()
    for name in declared:
        if name.lower() == spelled.lower():
            return name
    raw = [name for name, column in declared.items() if column.column.lower() == spelled.lower()]
    # Of several names for one column, the one that becomes known late.
    return next((name for name in raw if declared[name].known_at), raw[0] if raw else spelled)


class _Reading:
    """Finds the source of each column; what cannot be told is a problem."""

    def __init__(self, tree: exp.Query, sources: Mapping[str, Source], file: str):
        self.sources = {name.lower(): name for name in sources if name.lower() != SPINE}
        self.declared = sources
        self.file = file
        self.problems: list[Problem] = []
        self.columns: dict[str, dict[str, None]] = {}
        self.numbers: dict[str, set[str]] = {}
        self._lower_tables(tree)
        scopes = traverse_scope(tree)
        self._tables(tree, scopes)
        self._result(tree)
        if not self.problems:
            for scope in scopes:
                self._scope(scope)

    def _problem(self, what: str, node: exp.Expr, hint: str | None = None) -> None:
        self.problems.append(Problem(what, Place(self.file, _line(node)), hint))

    def _lower_tables(self, tree: exp.Expr) -> None:
        """Tables are called by name in any case."""
        for node in tree.walk():
            if isinstance(node, exp.Table | exp.TableAlias) and isinstance(node.this, exp.Identifier):
                node.this.set("this", node.this.name.lower())
            elif isinstance(node, exp.Column) and node.args.get("table"):
                node.args["table"].set("this", node.args["table"].name.lower())

    def _tables(self, tree: exp.Expr, scopes: list[Scope]) -> None:
        for cte in tree.find_all(exp.CTE):
            if cte.alias in self.sources or cte.alias == SPINE:
                self._problem(f"WITH {cte.alias}: this is the name of a source", cte, "take another name")
        resolved_ones = {
            id(node)
            for scope in scopes
            for node, source in scope.selected_sources.values()
            if isinstance(source, Scope)
        }
        offered = [*self.declared, SPINE]
        for table in tree.find_all(exp.Table):
            if id(table) in resolved_ones:
                continue
            if table.name in self.sources:
                self.columns.setdefault(self.sources[table.name], {})
                self.numbers.setdefault(self.sources[table.name], set())
            elif table.name != SPINE:
                self._problem(f"there is no source {table.name[:60]!r}", table, nearest(table.name, offered))

    def _result(self, tree: exp.Query) -> None:
        names = [name.lower() for name in tree.named_selects]
        if "*" not in names and sorted(names) != sorted(RESULT):
            listed = ", ".join(names[:9])
            self._problem(f"returns the columns {listed}", tree, f"return {', '.join(RESULT)}")

    def _scope(self, scope: Scope) -> None:
        for column in scope.columns:
            if not isinstance(column.this, exp.Star):
                self._column(scope, column)
            else:
                self._star(scope, column.table)
        if isinstance(scope.expression, exp.Select) and any(
            isinstance(one, exp.Star) for one in scope.expression.expressions
        ):
            self._star(scope, "")

    def _star(self, scope: Scope, table: str) -> None:
        for alias, source in self._offered(scope).items():
            if not table or alias == table:
                for name in self.declared[source].named_columns():
                    self.columns[source].setdefault(name)

    def _offered(self, scope: Scope) -> dict[str, str]:
        """Sources of a scope by alias."""
        return {
            alias: self.sources[source.name]
            for alias, (_, source) in scope.selected_sources.items()
            if isinstance(source, exp.Table) and source.name in self.sources
        }

    def _column(self, scope: Scope, column: exp.Column) -> None:
        name = column.name
        if column.table:
            at: Scope | None = scope
            while at is not None and column.table not in at.selected_sources:
                at = at.parent
            if at is None:
                self._problem(f"there is no table {column.table[:60]!r} here", column)
            elif column.table in (offered := self._offered(at)):
                self._named(offered[column.table], column)
            else:
                self._through_star(at.selected_sources[column.table][1], column)
            return
        if name.lower() in BASE:
            return
        at = scope
        while at is not None and not at.selected_sources:
            at = at.parent
        if at is None or self._derived(at, name):
            return
        for _, source in at.selected_sources.values():
            self._through_star(source, column)
        offered = self._offered(at)
        owners = set(offered.values())
        knowing = {source for source in owners if self._declares(source, name)}
        if not knowing and _is_alias(column, at.expression):
            return
        if not knowing and not owners and at.parent is not None and at.is_correlated_subquery:
            self._column(at.parent, column)
            return
        chosen = knowing or owners
        if len(chosen) == 1 and (knowing or len(offered) == 1):
            self._named(next(iter(chosen)), column)
        elif chosen:
            self._problem(f"which table has {name[:60]!r}?", column, "write `table.column`")
        elif not self._starred(at):
            self._problem(f"there is no column {name[:60]!r} here", column)

    def _starred(self, scope: Scope) -> bool:
        return any(
            "*" in _names(s.expression) for _, s in scope.selected_sources.values() if isinstance(s, Scope)
        )

    def _through_star(self, source: object, column: exp.Column) -> None:
        """A column of a CTE or subquery that says `*` of one table is a column of that table."""
        if not isinstance(source, Scope) or "*" not in (names := _names(source.expression)):
            return
        if column.name.lower() in {name.lower() for name in names}:
            return
        owners = self._offered(source)
        if len(owners) == 1:
            self._named(next(iter(owners.values())), column)
        for _, inner in source.selected_sources.values():
            self._through_star(inner, column)

    def _derived(self, scope: Scope, name: str) -> bool:
        """Whether a CTE or a subquery of the scope has a column of this name."""
        return any(
            isinstance(source, Scope) and name.lower() in {n.lower() for n in _names(source.expression)}
            for _, source in scope.selected_sources.values()
        )

    def _declares(self, source: str, name: str) -> bool:
        declared = self.declared[source]
        known = {n.lower() for n in declared.named_columns()}
        known |= {c.column.lower() for c in declared.named_columns().values()}
        return name.lower() in known or (name.lower() == ENDED and declared.ends_at is not None)

    def _named(self, source: str, column: exp.Column) -> None:
        name = column.name
        if name.lower() in BASE:
            return
        self.columns[source].setdefault(name)
        if isinstance(column.parent, exp.Sum | exp.Avg | exp.Median | exp.Stddev):
            self.numbers[source].add(resolved(name, self.declared[source]))


def _names(expression: exp.Expr) -> list[str]:
    return expression.named_selects if isinstance(expression, exp.Query) else []


def _is_alias(column: exp.Column, select: exp.Expr) -> bool:
    """Whether a bare name stands for another column of the result, not for one of a table."""
    if not isinstance(select, exp.Select):
        return False
    above = {id(node) for node in _above(column)}
    return any(
        isinstance(one, exp.Alias) and one.alias.lower() == column.name.lower() and id(one) not in above
        for one in select.expressions
    )


def _above(node: exp.Expr) -> Iterator[exp.Expr]:
    at = node.parent
    while at is not None:
        yield at
        at = at.parent
