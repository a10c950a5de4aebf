"""Runs, what is current, and what changed."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, DateTime, Double, ForeignKey, Index, Integer, Table, Text

from retinue.store.tables.base import Key, metadata

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

runs = Table(
    "runs",
    metadata,
    Column("run_id", Key, primary_key=True),
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
    Column("run_id", Key, ForeignKey("runs.run_id"), nullable=False),
)

#: What list pages need of each account. Rows of another run than the pointer's are being staged.
current = Table(
    "current",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("account_id", Key, primary_key=True),
    Column("search", Key, nullable=False),
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
# All that lists are narrowed down, sorted and counted by: SQLite reads it instead of the table, and with
# the usual order stops as soon as a page is full.
_LISTS = (
    *("run_id", "attention", "account_id", "search", "owner", "territory", "segment", "tier"),
    *("stage", "scorecard", "fingerprint", "status", "band", "published_band", "cap"),
    *("weakest_component", "held", "arr", "renews_on", "effective", "published", "computed"),
    *("coverage", "band_since", "delta_7", "delta_28", "delta_90"),
)
Index("current_lists", *(current.c[_name] for _name in _LISTS)).ddl_if(dialect="sqlite")

#: The long texts of `current`, apart so that scanning and sorting accounts does not read them.
details = Table(
    "details",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("account_id", Key, primary_key=True),
    Column("sparkline", Text),
    Column("explanation", Text),
    Column("attributes", Text),
)

#: Rows of a run that is not in `runs` are being staged.
transitions = Table(
    "transitions",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("account_id", Key, primary_key=True),
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
