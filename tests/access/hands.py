"""People that the tests let in, and the time that it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from retinue.store.database import Store
from retinue.store.people.access import OPERATOR
from retinue.store.people.people import Person, add_person, find_person

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def let_in(store: Store, name: str = "ann", role: Any = "csm", **told: Any) -> Person:
    """Somebody new, as the store knows them."""
    added = add_person(store, OPERATOR, f"{name}@example.com", name.title(), role, now=NOW, **told)
    return find_person(store, OPERATOR, added)
