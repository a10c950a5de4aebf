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
    UniqueConstraint,
)

metadata = MetaData()

# Ordered by bytes everywhere, as SQLite, Arrow and DuckDB do.
_Key = Text().with_variant(String(collation="C"), "postgresql")
_Serial = Integer().with_variant(BigInteger(), "postgresql")
_Number = Integer().with_variant(BigInteger(), "postgresql")

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

#: People who sign in. `owners` and `territories` are JSON lists: the names by which accounts know them.
#: With an `issuer` and no `subject` they may sign in there, and have not done so yet. A password with an
#: end was given to them: it is good for choosing their own, until then.
people = Table(
    "people",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("email", _Key, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("sees", Text, nullable=False),
    Column("owners", Text, nullable=False),
    Column("territories", Text, nullable=False),
    Column("team", Text),
    Column("password", Text),
    Column("password_until", DateTime),
    Column("issuer", _Key),
    Column("subject", _Key),
    Column("created_at", DateTime, nullable=False),
    Column("disabled_at", DateTime),
    UniqueConstraint("issuer", "subject"),
)

#: `id` is the SHA-256 of what the browser holds; it ends after `idle_hours` unseen, or at `expires_at`.
sessions = Table(
    "sessions",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("person", _Number, ForeignKey("people.id"), nullable=False),
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
    Column("id", _Key, primary_key=True),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("next", Text, nullable=False),
    Column("expires_at", DateTime, nullable=False),
)

#: Signing in that failed, by whom and from where.
attempts = Table(
    "attempts",
    metadata,
    Column("key", _Key, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("blocked_until", DateTime, nullable=False),
)

#: Keys of programs; each acts as a person, within `scopes` (a JSON list). `secret` is a SHA-256.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("person", _Number, ForeignKey("people.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_on", Date),
    Column("used_at", DateTime),
    Column("revoked_at", DateTime),
)

notes = Table(
    "notes",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("account_id", _Key, nullable=False),
    Column("text", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
)
Index("notes_account", notes.c.account_id)

#: `status` is open, done or dropped. `result` is what was done, `said` what the customer said to it.
#: `checklist` is a JSON list of {text, done}. `alert`, `enrolment` and `step` are where it comes from.
tasks = Table(
    "tasks",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("account_id", _Key, nullable=False),
    Column("title", Text, nullable=False),
    Column("detail", Text),
    Column("owner", Text, nullable=False),
    Column("due_on", Date),
    Column("status", Text, nullable=False),
    Column("result", Text),
    Column("said", Text),
    Column("origin", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("closed_by", Text),
    Column("closed_at", DateTime),
    Column("snoozed_until", Date),
    Column("checklist", Text),
    Column("alert", _Number),
    Column("enrolment", _Number),
    Column("step", Text),
)
Index("tasks_account", tasks.c.account_id, tasks.c.status)
Index("tasks_owner", tasks.c.owner, tasks.c.status, tasks.c.due_on)

#: Who looks after an account; holds until its source names another owner than `source_owner`.
assignments = Table(
    "assignments",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("account_id", _Key, nullable=False),
    Column("owner", Text, nullable=False),
    Column("source_owner", Text),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
)
Index("assignments_account", assignments.c.account_id)

#: Filters and an order of the book under a name. `query` is that of the page's address.
saved_views = Table(
    "saved_views",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("person", _Number, ForeignKey("people.id"), nullable=False),
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
    Column("id", _Serial, primary_key=True),
    Column("person", _Number, nullable=False),
    Column("kind", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("account_id", _Key),
    Column("at", DateTime, nullable=False),
)
Index("uses_at", uses.c.at)
Index("uses_account", uses.c.account_id, uses.c.at)

#: Who was erased, as a SHA-256 of what they were called by, so that a restored backup stays without them.
erasures = Table(
    "erasures",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("by", Text, nullable=False),
    Column("erased_at", DateTime, nullable=False),
    Column("receipt", Text, nullable=False),
)

#: Messages on their way: `id` is the idempotency key, `payload` the message as JSON. Open while neither
#: sent nor dead; whoever claimed one has it until `claimed_until`.
outbox = Table(
    "outbox",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("destination", _Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("account_id", _Key),
    Column("due_at", DateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claimed_by", Text),
    Column("claimed_until", DateTime),
    Column("sent_at", DateTime),
    Column("dead_at", DateTime),
    Column("last_error", Text),
    Column("created_at", DateTime, nullable=False),
)
_open = outbox.c.sent_at.is_(None) & outbox.c.dead_at.is_(None)
Index(
    "outbox_due",
    outbox.c.destination,
    outbox.c.due_at,
    outbox.c.id,
    sqlite_where=_open,
    postgresql_where=_open,
)
Index("outbox_dead", outbox.c.dead_at, outbox.c.id)
Index("outbox_account", outbox.c.account_id)

#: How a destination is doing. Since the last success: `failures` that were for good, and `stumbles` after
#: each of which it rested, longer each time.
destinations = Table(
    "destinations",
    metadata,
    Column("name", _Key, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("stumbles", Integer, nullable=False),
    Column("rests_until", DateTime),
    Column("disabled_at", DateTime),
    Column("reason", Text),
)

#: What is raised. About one account, or (without one) about `subject`: a source, a value, a group, or
#: the rule itself in a storm. `evidence` is JSON. An alert is open until somebody has dealt with it.
alerts = Table(
    "alerts",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("rule", _Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("account_id", _Key),
    Column("subject", _Key),
    Column("owner", Text),
    Column("as_of", Date, nullable=False),
    Column("raised_at", DateTime, nullable=False),
    Column("summary", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("stake", Double, nullable=False),
    Column("closed_at", DateTime),
    Column("closed_by", Text),
    Column("result", Text),
)
Index("alerts_account", alerts.c.account_id, alerts.c.as_of)
Index("alerts_as_of", alerts.c.as_of, alerts.c.id)

#: What rules remember, by account or subject; see `action.alerts`.
alert_memory = Table(
    "alert_memory",
    metadata,
    Column("rule", _Key, primary_key=True),
    Column("subject", _Key, primary_key=True),
    Column("since", Date),
    Column("raised", Date),
    Column("told", Boolean, nullable=False),
)

#: Rules that were evaluated before, and up to which as-of date all of them were.
alert_rules = Table(
    "alert_rules",
    metadata,
    Column("rule", _Key, primary_key=True),
    Column("declared", Text, nullable=False),
    Column("last_as_of", Date, nullable=False),
)

#: Alerts that nobody wants: of an account, of a rule, or of both; until a day, or for good.
mutes = Table(
    "mutes",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("account_id", _Key),
    Column("rule", _Key),
    Column("until", Date),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
)

#: An account in a playbook. `status` is active, completed, stopped or held_out (for comparison: nothing
#: is done). `state` is JSON: what each step has come to.
enrolments = Table(
    "enrolments",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("playbook", _Key, nullable=False),
    Column("account_id", _Key, nullable=False),
    Column("started_on", Date, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("alert", _Number),
    Column("ended_on", Date),
    Column("ended_because", Text),
)
Index("enrolments_account", enrolments.c.account_id, enrolments.c.playbook)
Index("enrolments_playbook", enrolments.c.playbook, enrolments.c.status)

#: What was done for an account, so that its effect can be measured.
interventions = Table(
    "interventions",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("account_id", _Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("started_on", Date, nullable=False),
    Column("ended_on", Date),
    Column("owner", Text, nullable=False),
    Column("reason", Text),
    Column("playbook", _Key),
    Column("enrolment", _Number),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
)
Index("interventions_account", interventions.c.account_id)

#: Who may do what only one may do at a time, and until when.
leases = Table(
    "leases",
    metadata,
    Column("name", _Key, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", DateTime, nullable=False),
)

#: When each scheduled thing was last due and done.
schedules = Table(
    "schedules",
    metadata,
    Column("name", _Key, primary_key=True),
    Column("due_at", DateTime, nullable=False),
    Column("done_at", DateTime),
    Column("result", Text),
)
