"""The book, its export, and its saved views."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast
from urllib.parse import parse_qsl, urlencode

from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from retinue.desk import book as desk
from retinue.desk.acting import today
from retinue.desk.book import CHOICES, FAST, ORDER, Ask, BookRow, Scope, book
from retinue.errors import StoreError
from retinue.store.people.access import Actor
from retinue.store.people.saved_views import remove_view, save_view, views_of
from retinue.web.pictures import stakes
from retinue.web.site import Door, Visit

#: What the list can be ordered by on the page, and what that is called.
ORDERS = {
    "attention": "attention", "effective": "score", "arr": "ARR", "renews_on": "renewal", "name": "name",
    "delta_7": "fall in 7 days", "delta_28": "fall in 28 days", "delta_90": "fall in 90 days",
    "coverage": "coverage",
}  # fmt: skip
#: Days to a renewal, as a filter offers them.
RENEWALS = (30, 60, 90)
#: What stands for "none" in an address.
EMPTY = "-"

#: What a spreadsheet takes for the beginning of a formula, the wide forms of East Asia included.
FORMULAS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
#: What some of them skip before it: spaces that break or not, and what has no width.
_SKIPPED = " \u00a0\u200b\u2060\ufeff"

COLUMNS = (
    "account_id", "name", "owner", "territory", "segment", "stage", "as_of", "status", "effective", "band",
    "band_since", "delta_7", "delta_28", "delta_90", "coverage", "cap", "reason", "arr", "renews_on",
)  # fmt: skip


def show(visit: Visit) -> Response:
    day = today(visit.workspace, visit.now)
    found = book(visit.workspace, visit.actor, asked(visit.actor, visit.query), today=day)
    saved = views_of(visit.workspace.store, visit.actor) if visit.actor.person is not None else ()
    return visit.page(
        "book.html",
        book=found,
        ask=found.ask,
        address=Address(visit.query),
        orders=ORDERS,
        renewals=RENEWALS,
        order=ORDER,
        fast=FAST,
        choices={name: found.choices[name] for name in CHOICES if len(found.choices[name]) > 1},
        picture=stakes(found.picture, visit.workspace.project.settings.currency),
        currency=visit.workspace.project.settings.currency,
        saved=saved,
        empty_value=EMPTY,
    )


def asked(actor: Actor, query: Mapping[str, str]) -> Ask:
    """What an address asks for. Raises StoreError where it cannot be."""
    mine = "mine" if actor.person is not None and actor.role == "csm" else "all"
    filters: dict[str, Any] = {}
    multi = query.multi_items() if hasattr(query, "multi_items") else list(query.items())
    for name, value in multi:
        if name in (*CHOICES, "status", "cap") and value:
            filters.setdefault(name, []).append(None if value == EMPTY else value)
    sort = query.get("sort") or "attention"
    return Ask(
        scope=cast(Scope, query.get("scope") or mine),
        search=(query.get("search") or "").strip()[:200] or None,
        filters=filters,
        renews_within=_whole("renews", query["renews"]) if query.get("renews") else None,
        fell=_whole("fell", query["fell"]) if query.get("fell") else None,
        sort=sort,
        descending={"asc": False, "desc": True}.get(query.get("order", "")),
        after=query.get("after") or None,
    )


class Address:
    """The page's address with something else asked for; the place in the list is forgotten."""

    def __init__(self, query: Any):
        self.pairs = [(k, v) for k, v in query.multi_items() if v and k != "after"]

    def but(self, **changes: str | None) -> str:
        kept = [(k, v) for k, v in self.pairs if k not in changes]
        told = [*kept, *((k, v) for k, v in changes.items() if v is not None)]
        return "?" + urlencode(told) if told else "?"

    def has(self, name: str, value: str) -> bool:
        return (name, value) in self.pairs

    def get(self, name: str) -> str:
        return next((v for k, v in self.pairs if k == name), "")

    @property
    def text(self) -> str:
        return urlencode(self.pairs)


def export(visit: Visit) -> Response:
    ask = asked(visit.actor, visit.query)
    day = today(visit.workspace, visit.now)
    written = desk.export(visit.workspace, visit.actor, ask, _written, today=day)
    name = f"accounts-{visit.now:%Y-%m-%d}.csv"
    return StreamingResponse(
        iter(lambda: written.read(1 << 16), b""),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
        background=BackgroundTask(written.close),
    )


def _written(rows: Iterator[BookRow]) -> IO[bytes]:
    """The whole file before the first byte of it is sent: what goes wrong can still be said."""
    sink = SpooledTemporaryFile(max_size=1 << 20)  # noqa: SIM115 - it is closed when it was sent
    for text in _csv(rows):
        sink.write(text.encode())
    sink.seek(0)
    return sink


def _csv(rows: Iterator[BookRow]) -> Iterator[str]:
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([*COLUMNS, "open_tasks", "open_alerts"])
    for row in rows:
        writer.writerow([*(safe(getattr(row.account, name)) for name in COLUMNS), row.tasks, row.alerts])
        if sink.tell() > 1 << 15:
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()


def safe(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool | date):
        return str(value)
    if isinstance(value, str) and value.lstrip(_SKIPPED)[:1] in FORMULAS:
        return "'" + value
    return value


def keep(visit: Visit) -> Response:
    """Save the filters and the order of an address under a name."""
    query = urlencode([(k, v) for k, v in parse_qsl(visit.form.get("query", "")) if k != "after"])
    save_view(
        visit.workspace.store,
        visit.actor,
        visit.form.get("name", ""),
        query,
        shared=visit.form.get("shared") == "yes",
        now=visit.now,
    )
    return visit.to(f"/?{query}" if query else "/")


def forget(visit: Visit) -> Response:
    remove_view(visit.workspace.store, visit.actor, int(visit.path["view"]))
    return visit.to("/")


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise StoreError(f"{name} is a whole number, not {text!r}")
    return int(text)


DOORS = (
    Door("/", "read", show=show),
    Door("/book.csv", "read", show=export),
    Door("/views", "read", act=keep, act_right="read"),
    Door("/views/{view:int}/remove", "read", act=forget, act_right="read"),
)
