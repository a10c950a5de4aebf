"""Where messages go: e-mail, Slack, Microsoft Teams, webhooks, and the services that Apprise knows.

    destinations:
      csm_mail: {email: {to: owner, from: retinue@example.com, smtp: {host: mail.example.com}}}
      team_slack: {slack: {url: {env: SLACK_URL}}}

What lets others in (an address with a token, a password, a key) never stands in the YAML, whose text is
kept with every run: it is named, and read from the environment or a file when a message is sent.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from retinue.project.declaration import Declaration
from retinue.project.serving import Network, Secret

#: One that can be written in an envelope.
ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)
_LOCAL = ("localhost", "127.0.0.1", "::1")


def _named(secret: Secret) -> Secret:
    # What stands here instead may be the secret itself, so the message does not repeat it.
    if secret.env is not None and not re.fullmatch(r"[A-Za-z_]\w*", secret.env, re.ASCII):
        raise ValueError("not the name of a variable of the environment; write one such as SLACK_URL")
    return secret


#: Where a secret stands.
ASecret = Annotated[Secret, AfterValidator(_named)]


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("not a web address; write one such as https://example.com/hooks")
    if "@" in parts.netloc:
        raise ValueError(
            "no user or password in an address; sign with `secret`, or name the address: {env: NAME}"
        )
    return url


def _address_or_secret(value: str | Secret) -> str | Secret:
    return _web_address(value) if isinstance(value, str) else _named(value)


def _mail_address(text: str) -> str:
    found = re.fullmatch(r"[^<>\r\n\"\\]{0,100} <([^<>]*)>", text)
    if not ADDRESS.fullmatch(found[1] if found else text):
        raise ValueError("not an e-mail address; write one such as ann@example.com")
    return text


def _receivers(value: Any) -> Any:
    if value == "owner":
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(one, str) for one in value):
        return tuple(_mail_address(one) for one in value)
    raise ValueError("write owner, or a list of e-mail addresses")


MailAddress = Annotated[str, AfterValidator(_mail_address)]


class Posted(Declaration):
    """What is posted over HTTP; private addresses are refused unless a network of them is allowed.

    Within `allow_private`, plain http and other ports than 443 and 8443 are allowed too.
    """

    allow_private: tuple[Network, ...] = Field(
        default=(), description="private addresses or networks that it may be at, such as `10.1.2.0/24`"
    )


class Slack(Posted):
    """An incoming webhook of Slack, or of a service that takes the same (Mattermost, Rocket.Chat)."""

    url: ASecret


class Teams(Posted):
    """A workflow of Microsoft Teams that starts when a webhook request is received."""

    url: ASecret


class Webhook(Posted):
    """Any program that takes JSON by HTTP, signed as Standard Webhooks has it.

    With several secrets a message has a signature by each, so that one can be replaced by the next.
    """

    url: Annotated[str | Secret, AfterValidator(_address_or_secret)]
    secret: ASecret | Annotated[tuple[ASecret, ...], Field(min_length=1, max_length=4)]

    @property
    def secrets(self) -> tuple[Secret, ...]:
        return self.secret if isinstance(self.secret, tuple) else (self.secret,)


class Smtp(Declaration):
    """A mail server that takes what we send."""

    host: str = Field(min_length=1, pattern=r"^[A-Za-z0-9.:_-]+$")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="by default 587, with `tls` 465, with `none` 25"
    )
    user: str | None = None
    password: ASecret | None = None
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="how the connection becomes private"
    )

    @model_validator(mode="after")
    def _private(self) -> Smtp:
        if (self.user is None) != (self.password is None):
            raise ValueError("`user` and `password` go together")
        if self.password is not None and self.tls == "none" and self.host not in _LOCAL:
            raise ValueError(
                "the password would go over the wire in clear; write `tls: starttls` or `tls: tls`"
            )
        return self


class Email(Declaration):
    """E-mail to whom the message is for (`to: owner`), or to a list of addresses."""

    to: Annotated[
        Literal["owner"] | tuple[str, ...],
        BeforeValidator(_receivers),
        WithJsonSchema({"anyOf": [{"const": "owner"}, {"type": "array", "items": {"type": "string"}}]}),
    ]
    from_: MailAddress = Field(alias="from")
    smtp: Smtp


class Apprise(Declaration):
    """One of the services that Apprise knows, by its URL. Needs `retinue[apprise]`."""

    url: ASecret


Channel = Email | Slack | Teams | Webhook | Apprise


class Destination(Declaration):
    """Where messages go, by one channel."""

    email: Email | None = None
    slack: Slack | None = None
    teams: Teams | None = None
    webhook: Webhook | None = None
    apprise: Apprise | None = None
    per_minute: int = Field(default=60, ge=1, le=6000, description="most messages in a minute")
    admin: bool = Field(default=False, description="whether it is told of destinations that are given up")

    @property
    def kind(self) -> str:
        """The name of its channel."""
        return next(name for name in _CHANNELS if getattr(self, name) is not None)

    @property
    def channel(self) -> Channel:
        found: Channel = getattr(self, self.kind)
        return found

    @model_validator(mode="after")
    def _one(self) -> Destination:
        if sum(getattr(self, name) is not None for name in _CHANNELS) != 1:
            raise ValueError(f"a destination has one channel; write one of {', '.join(_CHANNELS)}")
        return self


_CHANNELS = tuple(name for name in Destination.model_fields if name not in ("per_minute", "admin"))


def _names(value: Any) -> Any:
    for name in value if isinstance(value, dict) else ():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,49}", name):
            raise ValueError(
                "the name of a destination has letters, digits, - and _; write one such as team_slack"
            )
    return value


Destinations = Annotated[dict[str, Destination], BeforeValidator(_names)]
