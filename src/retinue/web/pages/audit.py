"""Who did what, and when."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from retinue.errors import StoreError
from retinue.store.people.audit_log import Entry, audit_log
from retinue.web.site import Door, Visit

PAGE = 50


def show(visit: Visit) -> Response:
    asked = {name: visit.query.get(name, "").strip() for name in ("who", "what", "subject", "since", "until")}
    after = visit.query.get("after", "")
    if after and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise StoreError(f"there is no page after {after!r}")
    entries = audit_log(
        visit.workspace.store,
        visit.actor,
        who=asked["who"] or None,
        what=asked["what"] or None,
        subject=asked["subject"] or None,
        since=_day(asked["since"]),
        until=_day(asked["until"], days=1),
        limit=PAGE + 1,
        after=int(after) if after else None,
    )
    shown = entries[:PAGE]
    kept = {name: value for name, value in asked.items() if value}
    return visit.page(
        "people/audit.html",
        entries=[(entry, changes(entry)) for entry in shown],
        asked=asked,
        first="?" + urlencode(kept) if after else None,
        next="?" + urlencode({**kept, "after": shown[-1].id}) if len(entries) > PAGE else None,
    )


def changes(entry: Entry) -> list[tuple[str, Any, Any]]:
    """What stood there before and stands there after, name by name; None for nothing."""
    before = entry.before if isinstance(entry.before, dict) else {}
    after = entry.after if isinstance(entry.after, dict) else {}
    names = dict.fromkeys([*before, *after])
    told = [(name, _text(before.get(name)), _text(after.get(name))) for name in names]
    return [(name, old, new) for name, old, new in told if old != new]


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or None
    return None if value is None else str(value)


def _day(text: str, *, days: int = 0) -> datetime | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        return datetime.combine(day, time(), UTC) + timedelta(days=days)
    except (ValueError, OverflowError):
        raise StoreError(f"{text[:40]!r} is not a date", hint="such as 2026-03-31") from None


DOORS = (Door("/audit", "audit", show=show),)
