"""Webhooks signed as Standard Webhooks has it: id, time and body, by HMAC-SHA256, with each secret.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

`webhook-id` is the key of the message: a receiver that remembers it takes a message once, however often
it comes. The body of a message is the same each time.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime

from standardwebhooks import Webhook as Signer

from retinue.deliver.failures import not_ready
from retinue.deliver.message import Message
from retinue.deliver.outside import Outside
from retinue.deliver.post import post_json
from retinue.project.destinations import Webhook


def send(channel: Webhook, message: Message, outside: Outside, now: datetime) -> None:
    body = payload(message)
    secrets = [_secret(outside.secret(named), str(named.env or named.file)) for named in channel.secrets]
    headers = {
        "webhook-id": message.key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signatures(secrets, message.key, now, body),
    }
    url = channel.url
    post_json(url, body.encode(), outside, now=now, allowed=channel.allow_private, headers=headers)


def payload(message: Message) -> str:
    """What happened, when, and all that is known of it."""
    told = {"type": message.kind, "timestamp": message.at.isoformat(), "data": message.to_dict()}
    return json.dumps(told, ensure_ascii=True, allow_nan=False)


def signatures(secrets: list[bytes], key: str, now: datetime, body: str) -> str:
    """One signature by each secret, the newest first."""
    return " ".join(Signer(secret).sign(key, now.astimezone(UTC), body) for secret in secrets)


def _secret(text: str, place: str) -> bytes:
    """The bytes of a secret, which is `whsec_` and base64 of 24 to 64 bytes."""
    try:
        found = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not 24 <= len(found) <= 64:
        raise not_ready(f"the secret in {place} is not whsec_ and base64 of 24 to 64 bytes")
    return found
