"""People who come in: what they may see, how they sign in, what they use."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from retinue.store.tables.base import Key, Number, Serial, metadata

#: People who sign in. `owners` and `territories` are JSON lists: the names by which accounts know them.
#: With an `issuer` and no `subject` they may sign in there, and have not done so yet. A password with an
#: end was given to them: it is good for choosing their own, until then.
people = Table(
    "people",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("email", Key, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("sees", Text, nullable=False),
    Column("owners", Text, nullable=False),
    Column("territories", Text, nullable=False),
    Column("team", Text),
    Column("password", Text),
    Column("password_until", DateTime),
    Column("issuer", Key),
    Column("subject", Key),
    Column("created_at", DateTime, nullable=False),
    Column("disabled_at", DateTime),
    UniqueConstraint("issuer", "subject"),
)

#: `id` is the SHA-256 of what the browser holds; it ends after `idle_hours` unseen, or at `expires_at`.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("person", Number, ForeignKey("people.id"), nullable=False),
    Column("csrf", Text, nullable=False),
    Column("agent", Text),
    Column("created_at", DateTime, nullable=False),
    Column("seen_at", DateTime, nullable=False),
    Column("idle_hours", Double, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
)
Index("sessions_person", sessions.c.person)

#: Signing in elsewhere that has begun; `id` is the SHA-256 of the state that comes back.
sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", Key, primary_key=True),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("next", Text, nullable=False),
    Column("expires_at", DateTime, nullable=False),
)

#: Signing in that failed, by whom and from where.
attempts = Table(
    "attempts",
    metadata,
    Column("key", Key, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("blocked_until", DateTime, nullable=False),
)

#: Keys of programs; each acts as a person, within `scopes` (a JSON list). `secret` is a SHA-256.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Key, primary_key=True),
    Column("person", Number, ForeignKey("people.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_on", Date),
    Column("used_at", DateTime),
    Column("revoked_at", DateTime),
)

#: Filters and an order of the book under a name. `query` is that of the page's address.
saved_views = Table(
    "saved_views",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("person", Number, ForeignKey("people.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("created_at", DateTime, nullable=False),
    UniqueConstraint("person", "name"),
)

#: What people looked at and did, for the adoption of scores. `kind` is view or act.
uses = Table(
    "uses",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("person", Number, nullable=False),
    Column("kind", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("account_id", Key),
    Column("at", DateTime, nullable=False),
)
Index("uses_at", uses.c.at)
Index("uses_account", uses.c.account_id, uses.c.at)
