"""Charts of the pages that reports do not have."""

from __future__ import annotations

import math
from functools import lru_cache

from markupsafe import Markup

from retinue.action.stake import RENEWAL_DAYS
from retinue.desk.book import BookRow, Picture
from retinue.report.axes import WIDTH, Axis, field_of
from retinue.report.svg import drawing, element, escaped, nothing, path
from retinue.words import WORDS, shown

_HEIGHT = 250.0


@lru_cache(maxsize=64)
def stakes(picture: Picture, currency: str | None) -> Markup:
    """Score against revenue, one mark per account: its shape is the band, full if it renews soon."""
    there = [row for row in picture.rows if row.account.effective is not None and (row.account.arr or 0) > 0]
    if not there:
        return nothing("Score and revenue", WIDTH, "No account here has both a score and revenue.")
    money = [math.log10(row.account.arr or 1) for row in there]
    low, high = math.floor(min(money) * 2) / 2, math.ceil(max(money) * 2 + 1e-9) / 2
    name = f"ARR{f', {currency}' if currency else ''}"
    field = field_of(
        [0.0, 100.0],
        [low, high],
        Axis("score", ends=(0.0, 100.0), digits=0),
        Axis(name, ends=(low, max(high, low + 1)), powers=True),
        _HEIGHT,
        12.0,
    )
    parts = [*field.parts]
    # The smallest stake first: what matters most is drawn on top.
    for row, height in sorted(
        zip(there, money, strict=True), key=lambda pair: pair[0].account.attention or 0
    ):
        parts.append(_mark(row, field.x(row.account.effective or 0.0), field.y(height)))
    soon = sum(1 for row in there if row.renews_soon)
    told = (
        f"{len(there)} accounts by score and revenue; {soon} of them renew within {RENEWAL_DAYS} days "
        "and are full. Low scores with high revenue are at the top left."
    )
    return drawing("Score and revenue", told, WIDTH, _HEIGHT, parts)


def _mark(row: BookRow, x: float, y: float) -> str:
    account = row.account
    kind = f"stake {account.band or 'unscored'}{' full' if row.renews_soon else ''}"
    size = 5.0
    shapes = {
        "at_risk": [(x, y - size), (x + size, y + size), (x - size, y + size)],
        "watch": [(x, y - size - 1), (x + size, y), (x, y + size + 1), (x - size, y)],
    }
    shape = shapes.get(account.band or "")
    mark = (
        path(shape, kind, closed=True) if shape else element("circle", cx=x, cy=y, r=size - 0.5, class_=kind)
    )
    renews = f", renews in {row.renews_in} days" if row.renews_in is not None and row.renews_in >= 0 else ""
    words = f"{account.name or account.account_id}: {shown(account.effective)}, {WORDS[account.band]}{renews}"
    return element("g", element("title", escaped(words)), mark)
