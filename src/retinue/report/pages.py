"""Pages: one HTML file each, with its style and its charts inside, that needs nobody and no script.

Templates escape whatever they are given; only charts come as markup. The same report gives the same
bytes: nothing here asks the clock.
"""

from __future__ import annotations

import math
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from retinue import __version__
from retinue.words import SHAPES, WORDS, signed

#: Bands as the trial of a score calls them.
COLOURS = {"red": "at_risk", "watch": "watch", "green": "healthy"}
#: With a space that does not break.
_PERCENT = "\u00a0%"
#: What stands where a number cannot be told.
UNKNOWN = "cannot tell"


def rendered(template: str, **told: Any) -> str:
    """A whole page from the template of that name."""
    return _environment().get_template(f"{template}.html").render(package=__version__, **told) + "\n"


def stylesheet(name: str) -> str:
    """One of our style sheets: `chart.css` (colours and charts, also of the web) or `report.css`."""
    return resources.files("retinue.report").joinpath("templates", name).read_text("utf-8")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("retinue.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        num=num, pct=pct, est=est, span=span, points=points, count=count, money=money,
        band=band, sentence=sentence, rate=rate, small=small,
        told=lambda value: value if value not in (None, "") else "-",
    )  # fmt: skip
    styles = [stylesheet(name) for name in ("chart.css", "report.css")]
    made.globals["style"] = Markup("".join(styles))  # noqa: S704 - our own files
    return made


def num(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text


def pct(value: float | None, digits: int = 1) -> str:
    """A share in percent."""
    return UNKNOWN if value is None or not math.isfinite(value) else num(value * 100, digits) + _PERCENT


def est(value: Any, digits: int = 2, percent: bool = False) -> str:
    """A number with its interval: an object with value, low and high."""
    write = pct if percent else num
    text = write(value.value, digits)
    if text == UNKNOWN or not (math.isfinite(value.low) and math.isfinite(value.high)):
        return text
    low, high = (write(one, digits).removesuffix(_PERCENT) for one in (value.low, value.high))
    return f"{text} [{low}, {high}]"


def span(value: Any, digits: int = 2, percent: bool = False) -> str:
    """The interval alone, in words."""
    if not (math.isfinite(value.low) and math.isfinite(value.high)):
        return "interval cannot be told"
    write = pct if percent else num
    return f"{write(value.low, digits).removesuffix(_PERCENT)} to {write(value.high, digits)}"


def rate(value: Any, digits: int = 1) -> str:
    """A share with its interval: an object with rate, low and high."""
    text = pct(value.rate, digits)
    if text == UNKNOWN or not (math.isfinite(value.low) and math.isfinite(value.high)):
        return text
    return f"{text} [{num(value.low * 100, digits)}, {num(value.high * 100, digits)}]"


def small(value: float | None) -> str:
    """A chance such as p, which may be very small."""
    if value is None or not math.isfinite(value):
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def points(value: float | None, digits: int = 1) -> str:
    """A change in points, with its sign."""
    return "-" if value is None or not math.isfinite(value) else signed(value, digits)


def count(value: float | None) -> str:
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:,.0f}"


def money(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:,.0f}"


def band(name: str | None) -> Markup:
    """A band as a shape and a word."""
    known = COLOURS.get(name or "", name)
    plain = None if known in ("not_scored", None) else known
    if plain not in SHAPES:
        return Markup("<span class='band'>{}</span>").format(str(known).replace("_", " "))
    kind = f"band {plain}-ink" if plain else "band quiet"
    return Markup("<span class='{}'>{} {}</span>").format(kind, SHAPES[plain], WORDS[plain])


def sentence(text: str) -> str:
    """The text as a sentence: a capital first, a full stop last."""
    whole = text.strip()
    whole = whole[:1].upper() + whole[1:]
    return whole if not whole or whole[-1] in ".!?" else f"{whole}."


def band_word(name: str | None) -> str:
    """A band in plain text, for a chart."""
    plain = COLOURS.get(name or "", name)
    return f"{SHAPES[plain]} {WORDS[plain]}" if plain in SHAPES else str(plain)


def days_of(day: str) -> float:
    """An ISO date as days since 1970-01-01."""
    return float((date.fromisoformat(day) - date(1970, 1, 1)).days)
