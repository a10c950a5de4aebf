"""The invented companies behind the templates."""

from __future__ import annotations

from retinue.templates.sample import After, Company, Key, Number, Person, Pick, Stream

_INVOICES = Stream(
    "invoices.csv",
    "due_on",
    1,
    1,
    {"invoice_id": Key("I"), "amount": Number(900, 1000), "paid_on": After(35, 1)},
)


COMPANIES: dict[str, Company] = {
    "saas": Company(
        sizes={
            "smb": {"seats": 10, "arr": 6000},
            "mid": {"seats": 40, "arr": 30000},
            "enterprise": {"seats": 150, "arr": 120000},
        },
        streams=[
            Stream(
                "events.csv",
                "occurred_at",
                2,
                40,
                {
                    "event_id": Key("E"),
                    "user_id": Person(1, 10),
                    "event": Pick(("login", "edit", "share", "export", "project_published"), ("login",)),
                },
            ),
            Stream(
                "tickets.csv",
                "created_at",
                2.5,
                0.5,
                {
                    "ticket_id": Key("T"),
                    "priority": Pick(("normal", "low"), ("high", "normal")),
                    "category": Pick(("question", "request"), ("bug", "question")),
                    "solved_at": After(25, 2),
                    "rating": Number(1, 5),
                    "rated_at": After(30, 4),
                },
            ),
            Stream(
                "surveys.csv",
                "answered_on",
                0.4,
                0.4,
                {"survey_id": Key("S"), "kind": Pick(("nps", "nps", "effort")), "score": Number(2, 10)},
            ),
            Stream(
                "touches.csv",
                "held_on",
                0.6,
                1.2,
                {
                    "touch_id": Key("M"),
                    "kind": Pick(("meeting", "review")),
                    "outcome": Pick(("held",), ("no_show", "cancelled")),
                },
            ),
            _INVOICES,
        ],
    ),
    "b2b_services": Company(
        sizes={"retainer": {"fee": 60000}, "project": {"fee": 25000}, "framework": {"fee": 200000}},
        streams=[
            Stream(
                "meetings.csv",
                "held_on",
                1.5,
                2.5,
                {
                    "meeting_id": Key("M"),
                    "contact": Person(1, 4),
                    "role": Pick(("sponsor", "lead", "lead"), ("lead",)),
                    "outcome": Pick(("held",), ("missed", "cancelled")),
                },
            ),
            Stream(
                "deliverables.csv",
                "due_on",
                1.2,
                1.5,
                {
                    "deliverable_id": Key("D"),
                    "delivered_on": After(20, 0),
                    "accepted": Pick(("true",), ("false",)),
                },
            ),
            Stream(
                "scope.csv",
                "agreed_on",
                0.4,
                0.3,
                {"change_id": Key("C"), "hours": Number(-60, 40)},
            ),
            Stream("timesheets.csv", "worked_on", 6, 14, {"entry_id": Key("H"), "hours": Number(2, 7, 1)}),
            Stream(
                "surveys.csv",
                "answered_on",
                0.4,
                0.4,
                {"survey_id": Key("S"), "kind": Pick(("csat", "csat", "effort")), "score": Number(1, 5)},
            ),
            _INVOICES,
        ],
    ),
    "ecommerce": Company(
        sizes={"new": {"lifetime": 120}, "regular": {"lifetime": 900}, "vip": {"lifetime": 4000}},
        streams=[
            Stream("orders.csv", "ordered_on", 0.1, 2.2, {"order_id": Key("O"), "amount": Number(20, 90, 2)}),
            Stream(
                "visits.csv",
                "visited_on",
                1,
                10,
                {"visit_id": Key("V"), "channel": Pick(("app", "web", "mail"))},
            ),
            Stream(
                "deliveries.csv",
                "promised_on",
                0.6,
                2,
                {
                    "delivery_id": Key("D"),
                    "delivered_on": After(8, 0),
                    "state": Pick(("complete",), ("damaged", "incomplete", "complete")),
                },
            ),
            Stream(
                "returns.csv", "returned_on", 0.5, 0.15, {"return_id": Key("R"), "amount": Number(60, 20, 2)}
            ),
            Stream("reviews.csv", "written_on", 0.3, 0.4, {"review_id": Key("W"), "stars": Number(1, 5)}),
            Stream(
                "tickets.csv",
                "created_at",
                0.8,
                0.1,
                {
                    "ticket_id": Key("T"),
                    "topic": Pick(("question", "delivery"), ("delivery", "refund")),
                    "solved_at": After(12, 1),
                },
            ),
        ],
    ),
    "financial_services": Company(
        sizes={
            "everyday": {"products": 1.5, "deposits": 4000},
            "family": {"products": 3, "deposits": 30000},
            "private": {"products": 5, "deposits": 250000},
        },
        streams=[
            Stream(
                "sessions.csv",
                "started_at",
                5,
                18,
                {
                    "session_id": Key("S"),
                    "channel": Pick(("app", "app", "web")),
                    "result": Pick(("ok",), ("error", "ok")),
                },
            ),
            Stream(
                "transactions.csv",
                "booked_on",
                4,
                20,
                {
                    "transaction_id": Key("T"),
                    "kind": Pick(("card", "transfer", "debit")),
                    "amount": Number(20, 80, 2),
                },
            ),
            Stream("balances.csv", "day", 1, 1, {"balance_id": Key("B"), "balance": Number(500, 9000, 2)}),
            Stream(
                "complaints.csv",
                "received_on",
                0.8,
                0.05,
                {
                    "complaint_id": Key("C"),
                    "topic": Pick(("fee",), ("app", "fee")),
                    "resolved_on": After(30, 3),
                },
            ),
            Stream(
                "contacts.csv",
                "held_on",
                0.2,
                0.6,
                {"contact_id": Key("K"), "kind": Pick(("adviser", "branch", "call"))},
            ),
            Stream(
                "surveys.csv",
                "answered_on",
                0.4,
                0.4,
                {"survey_id": Key("S"), "kind": Pick(("nps", "nps", "effort")), "score": Number(2, 10)},
            ),
        ],
    ),
    "insurance": Company(
        sizes={
            "single": {"policies": 1.4, "premium": 500},
            "household": {"policies": 3, "premium": 1600},
            "business": {"policies": 6, "premium": 9000},
        },
        streams=[
            Stream(
                "claims.csv",
                "reported_on",
                0.35,
                0.15,
                {
                    "claim_id": Key("C"),
                    "settled_on": After(90, 12),
                    "result": Pick(("paid",), ("refused", "paid")),
                },
            ),
            Stream(
                "claim_steps.csv",
                "happened_on",
                0.8,
                0.3,
                {"step_id": Key("P"), "step": Pick(("answered",), ("reminder", "complaint", "reopened"))},
            ),
            Stream(
                "claim_ratings.csv", "answered_on", 0.3, 0.2, {"rating_id": Key("R"), "rating": Number(1, 5)}
            ),
            Stream(
                "premiums.csv",
                "due_on",
                1,
                1,
                {"premium_id": Key("I"), "amount": Number(40, 45), "paid_on": After(30, 0)},
            ),
            Stream(
                "contacts.csv",
                "held_on",
                0.3,
                0.5,
                {
                    "contact_id": Key("K"),
                    "kind": Pick(("agent", "call")),
                    "direction": Pick(("ours", "theirs")),
                },
            ),
            Stream(
                "portal.csv",
                "visited_on",
                0.5,
                3,
                {"visit_id": Key("V"), "page": Pick(("policy", "documents"), ("cancellation", "policy"))},
            ),
            Stream(
                "surveys.csv",
                "answered_on",
                0.4,
                0.4,
                {"survey_id": Key("S"), "kind": Pick(("nps", "nps", "effort")), "score": Number(2, 10)},
            ),
        ],
    ),
    "retail": Company(
        sizes={"bronze": {"points": 200}, "silver": {"points": 1200}, "gold": {"points": 5000}},
        streams=[
            Stream(
                "purchases.csv",
                "bought_on",
                0.4,
                4,
                {
                    "receipt_id": Key("P"),
                    "store": Pick(("centre", "station", "park")),
                    "amount": Number(12, 60, 2),
                    "category": Pick(("home", "food", "garden", "toys"), ("food",)),
                },
            ),
            Stream(
                "returns.csv", "returned_on", 1.2, 0.2, {"return_id": Key("R"), "amount": Number(40, 15, 2)}
            ),
            Stream(
                "ratings.csv",
                "rated_on",
                0.4,
                0.5,
                {"rating_id": Key("W"), "store": Pick(("centre", "station", "park")), "stars": Number(1, 5)},
            ),
            Stream(
                "redemptions.csv",
                "redeemed_on",
                0.2,
                1.2,
                {"redemption_id": Key("X"), "points": Number(50, 200)},
            ),
            Stream(
                "messages.csv",
                "sent_on",
                3,
                3,
                {"message_id": Key("M"), "result": Pick(("opened",), ("ignored", "ignored", "unsubscribed"))},
            ),
            Stream(
                "complaints.csv",
                "received_on",
                0.6,
                0.05,
                {
                    "complaint_id": Key("C"),
                    "topic": Pick(("goods", "till"), ("staff", "goods")),
                    "resolved_on": After(20, 2),
                },
            ),
        ],
    ),
}
