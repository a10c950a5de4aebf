"""Templates to text: one environment, our filters, addresses of static files that change with their bytes."""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from retinue import __version__
from retinue.report.pages import count, money, num, pct, sentence, stylesheet
from retinue.report.small import sparkline
from retinue.words import DIRECTION, SHAPES, WORDS, number, share, shown, signed

#: A true minus reads better than a hyphen, and never breaks from its number.
_MINUS = "\u2212"
#: What stands where there is no value.
NONE = "\u2013"
_NOTHING = Markup(f'<span class="quiet">{NONE}</span>')  # noqa: S704 - a constant


def rendered(template: str, **told: Any) -> str:
    """A page as text; whatever it is told is escaped."""
    return environment().get_template(template).render(**told)


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("retinue.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        band=band, score=score, signed=points, money=money, count=count, num=num, pct=pct, day=day, ago=ago,
        share=share, number=number, sentence=sentence, spoken=spoken, breakable=breakable,
        sparkline=sparkline, query=urlencode,
    )  # fmt: skip
    made.globals.update(static=static, direction=DIRECTION, package=__version__, SHAPES=SHAPES, WORDS=WORDS)
    return made


def static_file(name: str) -> bytes:
    """A static file of ours, by its name under `/static/`. Raises FileNotFoundError."""
    if name == "chart.css":
        return stylesheet(name).encode()
    if "\\" in name or "\0" in name or {"", ".", ".."} & set(name.split("/")):
        raise FileNotFoundError(name)
    found = resources.files("retinue.web").joinpath("static", *name.split("/"))
    if not found.is_file():
        raise FileNotFoundError(name)
    return found.read_bytes()


@cache
def static(name: str) -> str:
    """The address of a static file; it changes with the file, so that it can be kept for ever."""
    return f"/static/{name}?v={hashlib.sha256(static_file(name)).hexdigest()[:12]}"


# Lists hold hundreds of these: each is put together once, and by hand, since the formatting of
# markup costs ten times as much.


@lru_cache(maxsize=64)
def band(name: str | None, *, scored: bool = True) -> Markup:
    """A band as a shape and a word; the colour is extra."""
    known = name if scored else None
    kind, shape, word = (
        escape(part) for part in (known or "unscored", SHAPES.get(known, "○"), WORDS.get(known, str(known)))
    )
    return Markup(f'<span class="band band-{kind}"><span aria-hidden="true">{shape}</span> {word}</span>')  # noqa: S704 - all escaped


def score(value: float | None) -> str:
    return NONE if value is None else shown(value)


def points(value: float | None, digits: int = 0) -> Markup:
    """A change with its sign and direction, so that nobody needs the colour."""
    if value is None:
        return _NOTHING
    text = signed(value, digits).replace("-", _MINUS)
    kind = "up" if text.startswith("+") else "down" if text.startswith(_MINUS) else "quiet"
    return Markup(f'<span class="{kind}">{text}</span>')  # noqa: S704 - a number


def day(value: date | datetime | None) -> Markup:
    """A date as people write it without guessing the order: 3 Mar 2026."""
    if value is None:
        return _NOTHING
    return _day(value.date() if isinstance(value, datetime) else value)


@lru_cache(maxsize=4096)
def _day(value: date) -> Markup:
    text = f"{value.day}\u00a0{value:%b}\u00a0{value.year}"
    return Markup(f'<time datetime="{value.isoformat()}">{text}</time>')  # noqa: S704 - a date


def ago(days: int | None) -> str:
    """Days from now in words: in 12 days, today, 3 days ago."""
    if days is None:
        return ""
    if days == 0:
        return "today"
    unit = "day" if abs(days) == 1 else "days"
    return f"in {days} {unit}" if days > 0 else f"{-days} {unit} ago"


def breakable(text: str | None) -> Markup:
    """A name that may be an e-mail address, which may go on in the next line before its @."""
    return Markup("<wbr>").join(re.split("(?=@)", text or NONE))


def spoken(name: object) -> str:
    """A declared name as words; a dash for none."""
    return str(name).replace("_", " ") if name not in (None, "") else NONE
