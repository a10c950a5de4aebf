"""What people said, and who did what."""

from __future__ import annotations

from sqlalchemy import Column, Date, DateTime, Double, Index, Table, Text

from retinue.store.tables.base import Key, Serial, metadata

pulses = Table(
    "pulses",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account_id", Key, nullable=False),
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
    Column("id", Serial, primary_key=True),
    Column("account_id", Key, nullable=False),
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
    Column("id", Serial, primary_key=True),
    Column("account_id", Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("occurred_on", Date, nullable=False),
    Column("amount", Double),
    Column("reason", Text),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
)
Index("outcomes_account", outcomes.c.account_id)

notes = Table(
    "notes",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account_id", Key, nullable=False),
    Column("text", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
)
Index("notes_account", notes.c.account_id)

audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text),
    Column("said_at", DateTime, nullable=False),
    Column("before", Text),
    Column("after", Text),
)
Index("audit_subject", audit.c.subject)

#: Who was erased, as a SHA-256 of what they were called by, so that a restored backup stays without them.
erasures = Table(
    "erasures",
    metadata,
    Column("id", Key, primary_key=True),
    Column("by", Text, nullable=False),
    Column("erased_at", DateTime, nullable=False),
    Column("receipt", Text, nullable=False),
)
