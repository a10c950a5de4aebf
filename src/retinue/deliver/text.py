"""A message as text and as HTML."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from retinue.deliver.message import Message, cut, one_line, some

_TEXT, _LINE, _LINES = 5000, 500, 50


def as_text(message: Message) -> str:
    """Plain text, the most important first."""
    return _template("message.txt").render(m=message, **_parts(message)).strip() + "\n"


def as_html(message: Message) -> str:
    """A page without pictures, scripts or anything that is loaded from elsewhere."""
    return _template("message.html").render(m=message, **_parts(message))


def _parts(message: Message) -> dict[str, object]:
    return {
        "subject": one_line(message.subject, _LINE),
        "account": one_line(message.account or "", _LINE),
        "recipient": one_line(message.recipient or "", _LINE),
        "what": cut(message.what, _TEXT),
        "more": cut(message.more, _TEXT),
        "why": [one_line(line, _LINE) for line in some(message.why, _LINES)],
        "do": [one_line(line, _LINE) for line in some(message.do, _LINES)],
        "link": one_line(message.web_link or "", 2000),
    }


@lru_cache(maxsize=4)
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("retinue.deliver"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
