"""Slack: an incoming webhook that takes blocks of Block Kit.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/reference/block-kit/blocks/section-block say the limits. A webhook has no
idempotency key: where an answer is lost, the message may be there twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from retinue.deliver.message import Message, cut, one_line, some
from retinue.deliver.outside import Outside
from retinue.deliver.post import post_json
from retinue.project.destinations import Slack

#: Characters of a section's text, after escaping.
SECTION = 3000
_FALLBACK = 300
_LINES, _EACH = 30, 10


def send(channel: Slack, message: Message, outside: Outside, now: datetime) -> None:
    body = json.dumps(payload(message)).encode()
    post_json(channel.url, body, outside, now=now, allowed=channel.allow_private)


def payload(message: Message) -> dict[str, Any]:
    """The message as blocks; `text` is what a notification shows."""
    head = f"*{_bold(message.subject)}*"
    if message.account:
        head += f"\n{_plain(one_line(message.account, 150))}"
    parts = [head, escaped(message.more, SECTION)]
    parts += _listed("Why", message.why) + _listed("What to do", message.do)
    if message.web_link:
        # Unreserved, reserved and escaped characters of a URL, but none that ends Slack's link.
        parts.append(f"<{_plain(quote(message.web_link, safe=_IN_URLS))}|Open in Retinue>")
    blocks: list[dict[str, Any]] = [_section(part) for part in parts if part]
    if message.recipient:
        context = _text(f"For {_plain(one_line(message.recipient, 150))}")
        blocks.append({"type": "context", "elements": [context]})
    return {
        "text": escaped(one_line(message.subject, _FALLBACK), SECTION),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escaped(text: str, most: int) -> str:
    """Text in which nothing mentions, links or formats, of at most `most` characters once escaped."""
    text = cut(text, most)
    while len(_plain(text)) > most:
        text = cut(text, max(1, len(text) - max(1, (len(_plain(text)) - most) // 5)))
    return _plain(text)


_IN_URLS = "%/:?#[]@!$&'()*+,;=~"


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _bold(text: str) -> str:
    # A star would end what is bold.
    return escaped(one_line(text, 150).replace("*", "\u2217"), 1000)


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    """Sections that each have room for their lines."""
    told = [f"• {escaped(one_line(line, 250), 260)}" for line in some(lines, _LINES)]
    several = ["\n".join(told[start : start + _EACH]) for start in range(0, len(told), _EACH)]
    return [f"*{title}*\n{several[0]}", *several[1:]] if several else []


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> dict[str, Any]:
    # Verbatim: `@channel`, `#general` and addresses in what others wrote stay text.
    return {"type": "mrkdwn", "text": text, "verbatim": True}
