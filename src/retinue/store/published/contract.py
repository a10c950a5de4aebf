"""The published tables: their names, keys and columns, which are a contract.

Columns may be added; none is renamed, retyped or dropped within a major version. The reference
page is generated from here, and every table that a run writes is checked against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["text", "date", "time", "number", "whole", "flag", "json"]

#: How each kind is stored, in Arrow's words.
ARROW_TYPES: dict[Kind, str] = {
    "text": "string",
    "date": "date32",
    "time": "timestamp[us]",
    "number": "double",
    "whole": "int64",
    "flag": "bool",
    "json": "string",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a published table; `nullable` says whether a row may leave it empty."""

    name: str
    kind: Kind
    meaning: str
    nullable: bool = True


@dataclass(frozen=True)
class TableContract:
    """A published table.

    `unique` tables hold each key once. `attributes` tables carry, after the fixed columns, one
    column per declared attribute: text, number, date or flag.
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    unique: bool = True
    attributes: bool = False

    @property
    def dated(self) -> bool:
        """Whether rows belong to an as-of date, and so to a part; others are written whole by a run."""
        return "as_of" in self.key

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def schema(self) -> pa.Schema:
        """The Arrow schema of the fixed columns."""
        return self._schema

    @cached_property
    def _schema(self) -> pa.Schema:
        import pyarrow as pa

        return pa.schema([pa.field(c.name, arrow_type(c.kind), c.nullable) for c in self.columns])


def arrow_type(kind: Kind) -> pa.DataType:
    import pyarrow as pa

    types: dict[Kind, pa.DataType] = {
        "date": pa.date32(),
        "time": pa.timestamp("us"),
        "number": pa.float64(),
        "whole": pa.int64(),
        "flag": pa.bool_(),
    }
    return types.get(kind, pa.string())


_ACCOUNT = Column("account_id", "text", "The account.", nullable=False)
_AS_OF = Column("as_of", "date", "The day at whose end this was known.", nullable=False)
_STATE = Column("state", "text", "`ok`, `missing`, `stale` or `not_applicable`.", nullable=False)

_TABLES = (
    TableContract(
        "snapshots",
        "One account on one date: its score in three layers, its band, and how much data it rests on.",
        ("account_id", "as_of"),
        (
            _ACCOUNT,
            _AS_OF,
            Column("scorecard", "text", "The scorecard that applies; empty if none does."),
            Column("fingerprint", "text", "The exact formula: scorecard, metrics, stages and semantics."),
            Column("status", "text", "`scored` or `not_scored`.", nullable=False),
            Column("base", "number", "Weighted mean of the points of all measures, 0 to 100."),
            Column("adjustment", "number", "What caps and floors add to the base."),
            Column("computed", "number", "What the data say: base + adjustment."),
            Column("published", "number", "The computed score after stability."),
            Column("effective", "number", "The published score after a person's override."),
            Column("published_band", "text", "The band after stability: `healthy`, `watch` or `at_risk`."),
            Column("band", "text", "The band that counts: the published one, or that of an override."),
            Column("band_since", "date", "The date from which `band` has held."),
            Column("coverage", "number", "Share of the declared weight that rests on fresh data, 0 to 1."),
            Column("cap", "text", "The cap or floor that binds; empty if none does."),
            Column("weakest_component", "text", "The component with the fewest points."),
            Column("reference", "date", "First day of the quarter whose cohort curves were used."),
            Column("cap_level", "number", "Level of the lowest cap that fired, binding or not."),
            Column("held", "flag", "Whether the score is held because a feed has stopped."),
        ),
    ),
    TableContract(
        "components",
        "The points of each component of a snapshot, and what it contributes to the base.",
        ("account_id", "as_of", "component"),
        (
            _ACCOUNT,
            _AS_OF,
            Column("component", "text", "The component, as the scorecard names it.", nullable=False),
            Column("points", "number", "Weighted mean of the points of its measures, 0 to 100."),
            Column("weight", "number", "Its share of the score over what is present, 0 to 1."),
            Column("contribution", "number", "weight x points; contributions sum to the base."),
        ),
    ),
    TableContract(
        "measures",
        "Each measure of a snapshot: its value, its state, its points and what it contributes.",
        ("account_id", "as_of", "component", "metric"),
        (
            _ACCOUNT,
            _AS_OF,
            Column("component", "text", "The component that the measure belongs to.", nullable=False),
            Column("metric", "text", "The metric that is measured.", nullable=False),
            Column("value", "number", "The value of the metric on that date."),
            _STATE,
            Column("age_days", "number", "Age of the data behind the value, in days."),
            Column("points", "number", "Points that the curve gives to the value, 0 to 100."),
            Column("weight", "number", "Normalised share of the score, freshness included, 0 to 1."),
            Column("contribution", "number", "weight x points; contributions sum to the base."),
            Column("cohort", "text", "The cohort whose curve was used; empty for a declared curve."),
            Column("reference", "date", "The quarter of that cohort curve."),
        ),
    ),
    TableContract(
        "metrics",
        "The value of every metric, scored or not.",
        ("account_id", "as_of", "metric"),
        (
            _ACCOUNT,
            _AS_OF,
            Column("metric", "text", "The metric.", nullable=False),
            Column("value", "number", "Its value; empty unless the state is `ok` or `stale`."),
            _STATE,
        ),
    ),
    TableContract(
        "accounts",
        "The attributes of an account as they were known on a date.",
        ("account_id", "as_of"),
        (
            _ACCOUNT,
            _AS_OF,
            Column("stage", "text", "The stage of the lifecycle."),
            Column("tenure_days", "number", "Days since `started_on`."),
            Column("observed", "flag", "Whether today's table of accounts was seen on that very date."),
            Column("assumed", "flag", "Whether an attribute is today's because older ones were not kept."),
        ),
        attributes=True,
    ),
    TableContract(
        "curves",
        "The straight pieces of every curve, declared and cohort, that scores were read from.",
        ("fingerprint", "metric", "cohort", "reference", "lo"),
        (
            Column("fingerprint", "text", "The formula that uses the curve.", nullable=False),
            Column("metric", "text", "The metric whose value the curve reads.", nullable=False),
            Column("cohort", "text", "The cohort; empty for a declared curve."),
            Column("reference", "date", "The quarter that the cohort curve serves."),
            Column("lo", "number", "Lower end of the piece."),
            Column("hi", "number", "Upper end of the piece; equal to `lo` for an exact step."),
            Column("points_lo", "number", "Points at the lower end."),
            Column("points_hi", "number", "Points at the upper end."),
        ),
        unique=False,
    ),
    TableContract(
        "bridges",
        "A date scored the old way, beside the new way, where the formula or cohort reference changed.",
        ("account_id", "as_of"),
        (
            _ACCOUNT,
            _AS_OF,
            Column("old_fingerprint", "text", "The formula that applied before.", nullable=False),
            Column("old_scorecard", "text", "Its scorecard."),
            Column("old_reference", "date", "The quarter of its cohort curves."),
            Column("old_computed", "number", "The computed score the old way; empty if not scored."),
            Column("old_base", "number", "The base the old way."),
            Column("old_adjustment", "number", "The adjustment the old way."),
            Column("new_computed", "number", "The computed score the new way."),
            Column("since", "date", "Date of the previous scored snapshot."),
            Column(
                "old_measures",
                "json",
                "The old measures: a list of {component, metric, value, state, points, weight}.",
            ),
        ),
    ),
    TableContract(
        "transitions",
        "Changes of band, with the drivers of the change.",
        ("account_id", "as_of"),
        (
            _ACCOUNT,
            _AS_OF,
            Column("kind", "text", "`data`, `rule`, `recalibrated` or `override`.", nullable=False),
            Column("from_band", "text", "The band before; empty if there was none."),
            Column("to_band", "text", "The band after; empty if there is none."),
            Column("computed", "number", "The computed score on that date."),
            Column("since", "date", "Date of the snapshot from which the drivers are counted."),
            Column("drivers", "json", "What moved: a list of {kind, component, metric, points}."),
        ),
    ),
    TableContract(
        "anomalies",
        "How much an account used the product in a week, and how much was to be expected: on the last date of"
        " each run.",
        ("account_id", "as_of"),
        (
            _ACCOUNT,
            _AS_OF,
            Column("observed", "number", "Uses in the seven days up to `until` of `portfolio_usage`."),
            Column("expected", "number", "Uses to be expected from its own weeks before and from its peers."),
            Column("p", "number", "Chance of as few, or of as many, uses if nothing had changed; one-sided."),
            Column(
                "q",
                "number",
                "False discovery rate over all accounts at which this one is flagged; an anomaly up to 0.1.",
            ),
            Column("direction", "text", "`fall` or `rise`; empty unless the state is `ok`."),
            Column(
                "state",
                "text",
                "`ok`, `too_little` (fewer than 5 expected), `too_young` (fewer than eight weeks before) or"
                " `feed_stopped`; only `ok` has p and q.",
                nullable=False,
            ),
            Column("cusum", "number", "Evidence of a slow decline over 16 weeks; one above 6.5."),
            Column("falling_since", "date", "First day of the week in which that decline began; else empty."),
            Column("peers", "text", "The accounts that it was compared with.", nullable=False),
        ),
    ),
    TableContract(
        "portfolio_usage",
        "What accounts did together in that week: the whole portfolio, and each group of peers.",
        ("as_of", "peers"),
        (
            _AS_OF,
            Column("peers", "text", "The group of peers; `portfolio` is everybody.", nullable=False),
            Column("until", "date", "Last day of the week: rows up to it are usually known by the date."),
            Column("accounts", "whole", "Accounts with a history of eight weeks.", nullable=False),
            Column("observed", "number", "Their uses in the week."),
            Column("usual", "number", "Their uses in a usual week, by the eight weeks before."),
            Column("factor", "number", "What share of its usual week an account had, robustly averaged."),
            Column(
                "lowest", "number", "The lowest factor of the weeks before; empty for too short a history."
            ),
            Column("silent", "whole", "Days at the end without a row of anybody, where some are usual."),
            Column(
                "state",
                "text",
                "`ok`, `feed_stopped`, `everybody_down` or `too_few` accounts or uses to say anything.",
                nullable=False,
            ),
            Column("falls", "whole", "Accounts flagged because their week fell short.", nullable=False),
            Column("rises", "whole", "Accounts flagged because they did more.", nullable=False),
            Column("declines", "whole", "Accounts in a slow decline.", nullable=False),
        ),
    ),
    TableContract(
        "observed",
        "What runs have seen of attributes without a history: the first value, and every change.",
        ("account_id", "attribute", "day"),
        (
            _ACCOUNT,
            Column("attribute", "text", "The attribute.", nullable=False),
            Column("day", "date", "The day at whose end it was first seen so.", nullable=False),
            Column("value", "text", "Its value as text; empty if it was."),
        ),
    ),
    TableContract(
        "timeline",
        "What happened to an account in the last 24 months, other than usage. Holds personal data.",
        ("account_id", "occurred_at"),
        (
            _ACCOUNT,
            Column("occurred_at", "time", "When it happened, in the project's timezone.", nullable=False),
            Column("kind", "text", "The source that it comes from.", nullable=False),
            Column("summary", "text", "One line about it."),
        ),
        unique=False,
    ),
    TableContract(
        "rejected",
        "Rows of sources that could not be used, each with the reason.",
        ("source", "row"),
        (
            Column("source", "text", "The source.", nullable=False),
            Column("row", "whole", "Number of the row in the source, from 1.", nullable=False),
            Column("reason", "text", "Why it was not used.", nullable=False),
            Column("raw", "json", "The row as it was read."),
        ),
        unique=False,
    ),
)

TABLES: dict[str, TableContract] = {table.name: table for table in _TABLES}
