"""Microsoft Teams: a workflow that starts "when a Teams webhook request is received", and an Adaptive Card.

Connectors of Office 365, which took another form, are retired. What others wrote stands in runs of
text, which know no Markdown: so there are no links, mentions or formats in it. A message is at most 28 KB.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from retinue.deliver.message import Message, cut, one_line, some
from retinue.deliver.outside import Outside
from retinue.deliver.post import post_json
from retinue.project.destinations import Teams

#: Bytes of a message.
MOST = 28 * 1024
#: Characters of what changed, lines of a list, and characters of each: as much as there is room for.
_FORMS = ((2000, 30, 250), (1000, 15, 150), (300, 3, 100))


def send(channel: Teams, message: Message, outside: Outside, now: datetime) -> None:
    post_json(channel.url, encoded(message), outside, now=now, allowed=channel.allow_private)


def encoded(message: Message) -> bytes:
    """The message as it is posted, in the longest form that is not too long."""
    for form in _FORMS:
        body = json.dumps(payload(message, *form), ensure_ascii=False).encode(errors="replace")
        if len(body) <= MOST:
            break
    return body


def payload(message: Message, most: int, lines: int, line: int) -> dict[str, Any]:
    """The message as a card in the envelope that a workflow takes."""
    body = [_runs(one_line(message.subject, 150), size="Large", weight="Bolder")]
    about = " · ".join(one_line(text, 150) for text in (message.account, message.recipient) if text)
    if about:
        body.append(_runs(about, isSubtle=True))
    body += [_runs(told) for told in cut(message.more, most).split("\n") if told.strip()][:lines]
    for title, several in (("Why", message.why), ("What to do", message.do)):
        if several:
            body.append(_runs(title, weight="Bolder"))
            body += [_runs(f"• {one_line(told, line)}") for told in some(several, lines)]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": "A message from Retinue that this version of Teams cannot show.",
        "body": body,
    }
    if message.web_link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Retinue", "url": message.web_link}]
    content = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content, "contentUrl": None, "content": card}]}


def _runs(text: str, **form: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **form}]}
