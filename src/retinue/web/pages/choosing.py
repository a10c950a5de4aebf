"""Lists of which several are chosen and changed at once: what is chosen, and where to go back to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, urlencode

from retinue.errors import StoreError
from retinue.web.pages.book import Address

#: Longest address of a list that a form brings along.
LONGEST = 2000


def chosen(form: Mapping[str, str], what: str) -> list[int]:
    """The numbers of the boxes of a form that are called `what-NUMBER`."""
    found = [name.removeprefix(f"{what}-") for name in form if name.startswith(f"{what}-")]
    if not all(number.isascii() and number.isdigit() and len(number) < 19 for number in found):
        raise StoreError(f"each {what} is chosen by its number")
    return [int(number) for number in found]


def listed(told: Address, keys: Collection[str]) -> str:
    """What the address says of the list, for a form to bring along."""
    return urlencode([(name, value) for name, value in told.pairs if name in keys])


def back(form: Mapping[str, str], keys: Collection[str]) -> list[tuple[str, str]]:
    """What a form brought along of its list; nothing else of it gets into an address."""
    return [(name, value) for name, value in parse_qsl(form.get("list", "")[:LONGEST]) if name in keys]


def how_many(query: Mapping[str, str], what: str, done: str) -> str | None:
    """What is said once after so many were changed."""
    count = query.get("count", "")
    if not (count.isascii() and count.isdigit() and len(count) < 4):
        return None
    return f"{count} {what}{'' if count == '1' else 's'} {done}."
