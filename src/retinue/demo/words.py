"""The vocabulary of the simulated company."""

from __future__ import annotations

HEADS = (
    "Alder", "Amber", "Arden", "Aspen", "Beacon", "Birch", "Brook", "Cedar", "Clover", "Copper",
    "Coral", "Crest", "Delta", "Dune", "Ember", "Falcon", "Fern", "Flint", "Garnet", "Glen",
    "Harbor", "Hazel", "Heron", "Indigo", "Iris", "Juniper", "Kestrel", "Lantern", "Larch", "Linden",
    "Lunar", "Maple", "Marble", "Meadow", "Nimbus", "North", "Oak", "Onyx", "Opal", "Orchard",
    "Pebble", "Pine", "Quartz", "Raven", "Ridge", "River", "Rowan", "Saffron", "Sage", "Silver",
    "Slate", "Sparrow", "Stone", "Summit", "Tidal", "Umber", "Vale", "Willow", "Winter", "Zephyr",
)  # fmt: skip
TAILS = (
    "works", "field", "bridge", "line", "gate", "point", "mark", "wood", "side", "craft",
    "port", "view", "yard", "land", "stream", "forge", "path", "dale", "house", "light",
)  # fmt: skip
ENDINGS = (
    "Logistics", "Foods", "Systems", "Partners", "Media", "Energy", "Health", "Retail", "Labs",
    "Group", "Textiles", "Motors", "Travel", "Studios", "Insurance", "Analytics",
)  # fmt: skip
FIRST_NAMES = (
    "Ana", "Ben", "Chiara", "David", "Elif", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Katja", "Luca",
    "Marta", "Nils", "Olga", "Pablo", "Quentin", "Rosa", "Sven", "Tara", "Ugo", "Vera", "Wim", "Yara", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Acker", "Berg", "Costa", "Dietz", "Ek", "Fuchs", "Greco", "Holm", "Ivanov", "Jansen", "Keller",
    "Lindt", "Moreau", "Novak", "Olsen", "Peeters", "Quist", "Rossi", "Silva", "Thys", "Urban", "Vogel",
    "Weiss", "Young", "Zeman",
)  # fmt: skip

TERRITORIES = ("DACH", "UK and Ireland", "Nordics", "Benelux", "France", "Iberia")
CHANNELS = ("inbound", "outbound", "partner", "self_serve")
INDUSTRIES = ("software", "retail", "manufacturing", "logistics", "finance", "health", "media", "education")
PLANS = ("starter", "growth", "scale", "scale")

EVENTS = ("login", "view", "edit", "comment", "share", "export", "api_call", "automation_run")
#: Shares of EVENTS for an account that barely adopts, and for one that does.
SHALLOW = (0.46, 0.34, 0.09, 0.04, 0.03, 0.03, 0.01, 0.00)
DEEP = (0.22, 0.20, 0.24, 0.10, 0.08, 0.06, 0.06, 0.04)

PRIORITIES = ("low", "normal", "high", "urgent")
CATEGORIES = ("how_to", "bug", "billing", "outage", "feature_request")
#: Ticket subjects by category: calm ones, then sharp ones.
SUBJECTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "how_to": (
        (
            "How do I invite a colleague?",
            "Question about scheduled reports",
            "Where can I change the time zone?",
            "Help with importing a spreadsheet",
        ),
        (
            "Still no answer on how to import our data",
            "The manual does not match the product, we are stuck",
        ),
    ),
    "bug": (
        ("Export has an empty column", "Chart shows the wrong month", "Filter resets after saving"),
        (
            "Reports wrong AGAIN, third time this month",
            "Dashboard unusable since the update, please escalate",
            "We lost edits from this morning",
        ),
    ),
    "billing": (
        ("Copy of the last invoice, please", "New address for invoices", "Question on the seat count"),
        ("We are being charged for seats that we removed", "Invoice is wrong, second reminder"),
    ),
    "outage": (
        ("Is there an incident at the moment?", "Login slow this morning"),
        ("Nobody can log in", "Service down during our month-end, this is not acceptable"),
    ),
    "feature_request": (
        ("Idea: dark mode for dashboards", "Could you support SCIM?", "Wish: weekly digest by mail"),
        ("A competitor has had this for a year", "We need an audit log or we have to look elsewhere"),
    ),
}
COMMENTS: tuple[tuple[str, ...], ...] = (
    ("Too slow and too many errors.", "Support does not answer.", "We are looking at alternatives."),
    ("It does the job, but reports need work.", "Fine, nothing special.", "Setup took longer than promised."),
    ("The team likes it.", "Great support, thank you.", "It saves us hours every week."),
)
REASONS = ("price", "missing_feature", "competitor", "no_longer_needed", "poor_service", "company_closed")
TOUCHES = ("email", "call", "meeting", "business_review")
ROLES = ("champion", "sponsor", "user")
#: What was done, and what the customer said to it.
RESULTS: tuple[tuple[str, str | None], ...] = (
    (
        "Called; agreed on a working session next week.",
        "A colleague has left, and nobody took over her reports.",
    ),
    (
        "Called; they had not seen that others use it too.",
        "If it did the monthly report, we would be in every day.",
    ),
    (
        "Wrote to the sponsor, who answered the same day.",
        "We are busy with the migration until the end of the month.",
    ),
    (
        "Went through the open tickets with support; one is solved.",
        "Thank you. It is the third time, though.",
    ),
    ("Left a message, and asked for a date.", None),
    ("Talked to finance: a wrong address, sent again.", "We never had that invoice."),
    ("Met them; wrote down three goals for the next quarter.", "Good that somebody asks."),
    ("Looked at it: nothing to do, it comes from the season.", None),
)
