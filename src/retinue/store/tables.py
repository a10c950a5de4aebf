"""The tables of the store, in types that SQLite and PostgreSQL share.

Times are UTC without a zone. JSON is kept as text: it is read by people and surfaces, not by SQL.
How a store gets to have these tables is in `migrations.py`; a test keeps the two equal.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

# Ordered by bytes everywhere, as SQLite, Arrow and DuckDB do.
_Key = Text().with_variant(String(collation="C"), "postgresql")
_Serial = Integer().with_variant(BigInteger(), "postgresql")

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

runs = Table(
    "runs",
    metadata,
    Column("run_id", _Key, primary_key=True),
    Column("manifest", Text, nullable=False),
    Column("published_at", DateTime, nullable=False),
    Column("first_as_of", Date),
    Column("last_as_of", Date),
    Column("accounts", Integer, nullable=False),
)

#: One row at most: the run that readers see.
pointer = Table(
    "pointer",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("run_id", _Key, ForeignKey("runs.run_id"), nullable=False),
)

#: What list pages need of each account. Rows of another run than the pointer's are being staged.
current = Table(
    "current",
    metadata,
    Column("run_id", _Key, primary_key=True),
    Column("account_id", _Key, primary_key=True),
    Column("search", _Key, nullable=False),
    Column("name", Text),
    Column("owner", Text),
    Column("territory", Text),
    Column("segment", Text),
    Column("tier", Text),
    Column("stage", Text),
    Column("scorecard", Text),
    Column("fingerprint", Text),
    Column("as_of", Date, nullable=False),
    Column("status", Text, nullable=False),
    Column("base", Double),
    Column("adjustment", Double),
    Column("computed", Double),
    Column("published", Double),
    Column("effective", Double),
    Column("published_band", Text),
    Column("band", Text),
    Column("band_since", Date),
    Column("coverage", Double),
    Column("cap", Text),
    Column("weakest_component", Text),
    Column("arr", Double),
    Column("renews_on", Date),
    Column("delta_7", Double),
    Column("delta_28", Double),
    Column("delta_90", Double),
    Column("reason", Text),
    Column("held", Boolean),
    Column("attention", Double),
)
for _sort in ("search", "attention", "effective", "arr", "renews_on", "delta_28"):
    Index(f"current_{_sort}", current.c.run_id, current.c[_sort], current.c.account_id)
Index("current_owner", current.c.run_id, current.c.owner)

#: The long texts of `current`, apart so that scanning and sorting accounts does not read them.
details = Table(
    "details",
    metadata,
    Column("run_id", _Key, primary_key=True),
    Column("account_id", _Key, primary_key=True),
    Column("sparkline", Text),
    Column("explanation", Text),
    Column("attributes", Text),
)

#: Rows of a run that is not in `runs` are being staged.
transitions = Table(
    "transitions",
    metadata,
    Column("run_id", _Key, primary_key=True),
    Column("account_id", _Key, primary_key=True),
    Column("as_of", Date, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("from_band", Text),
    Column("to_band", Text),
    Column("computed", Double),
    Column("since", Date),
    Column("drivers", Text),
)
Index("transitions_day", transitions.c.as_of, transitions.c.account_id)
Index("transitions_account", transitions.c.account_id, transitions.c.as_of)

pulses = Table(
    "pulses",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("account_id", _Key, nullable=False),
    Column("metric", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("note", Text),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("expires_on", Date),
    Column("withdrawn_at", DateTime),
)
Index("pulses_account", pulses.c.account_id)

overrides = Table(
    "overrides",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("account_id", _Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("expires_on", Date),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
)
Index("overrides_account", overrides.c.account_id)

outcomes = Table(
    "outcomes",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("account_id", _Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("occurred_on", Date, nullable=False),
    Column("amount", Double),
    Column("reason", Text),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
)
Index("outcomes_account", outcomes.c.account_id)

audit = Table(
    "audit",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text),
    Column("said_at", DateTime, nullable=False),
    Column("before", Text),
    Column("after", Text),
)
Index("audit_subject", audit.c.subject)
