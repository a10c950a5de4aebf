"""What follows from scores: tasks, messages, alerts, playbooks, and who works on what."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, DateTime, Double, Index, Integer, Table, Text

from retinue.store.tables.base import Key, Number, Serial, metadata

#: `status` is open, done or dropped. `result` is what was done, `said` what the customer said to it.
#: `checklist` is a JSON list of {text, done}. `alert`, `enrolment` and `step` are where it comes from.
tasks = Table(
    "tasks",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account_id", Key, nullable=False),
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
    Column("alert", Number),
    Column("enrolment", Number),
    Column("step", Text),
)
Index("tasks_account", tasks.c.account_id, tasks.c.status)
Index("tasks_owner", tasks.c.owner, tasks.c.status, tasks.c.due_on)

#: Who looks after an account; holds until its source names another owner than `source_owner`.
assignments = Table(
    "assignments",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account_id", Key, nullable=False),
    Column("owner", Text, nullable=False),
    Column("source_owner", Text),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
)
Index("assignments_account", assignments.c.account_id)

#: Messages on their way: `id` is the idempotency key, `payload` the message as JSON. Open while neither
#: sent nor dead; whoever claimed one has it until `claimed_until`.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Key, primary_key=True),
    Column("destination", Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("account_id", Key),
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
    Column("name", Key, primary_key=True),
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
    Column("id", Serial, primary_key=True),
    Column("rule", Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("account_id", Key),
    Column("subject", Key),
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
    Column("rule", Key, primary_key=True),
    Column("subject", Key, primary_key=True),
    Column("since", Date),
    Column("raised", Date),
    Column("told", Boolean, nullable=False),
)

#: Rules that were evaluated before, and up to which as-of date all of them were.
alert_rules = Table(
    "alert_rules",
    metadata,
    Column("rule", Key, primary_key=True),
    Column("declared", Text, nullable=False),
    Column("last_as_of", Date, nullable=False),
)

#: Alerts that nobody wants: of an account, of a rule, or of both; until a day, or for good.
mutes = Table(
    "mutes",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account_id", Key),
    Column("rule", Key),
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
    Column("id", Serial, primary_key=True),
    Column("playbook", Key, nullable=False),
    Column("account_id", Key, nullable=False),
    Column("started_on", Date, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("alert", Number),
    Column("ended_on", Date),
    Column("ended_because", Text),
)
Index("enrolments_account", enrolments.c.account_id, enrolments.c.playbook)
Index("enrolments_playbook", enrolments.c.playbook, enrolments.c.status)

#: What was done for an account, so that its effect can be measured.
interventions = Table(
    "interventions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account_id", Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("started_on", Date, nullable=False),
    Column("ended_on", Date),
    Column("owner", Text, nullable=False),
    Column("reason", Text),
    Column("playbook", Key),
    Column("enrolment", Number),
    Column("by", Text, nullable=False),
    Column("said_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
)
Index("interventions_account", interventions.c.account_id)

#: Who may do what only one may do at a time, and until when.
leases = Table(
    "leases",
    metadata,
    Column("name", Key, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", DateTime, nullable=False),
)

#: When each scheduled thing was last due and done.
schedules = Table(
    "schedules",
    metadata,
    Column("name", Key, primary_key=True),
    Column("due_at", DateTime, nullable=False),
    Column("done_at", DateTime),
    Column("result", Text),
)
