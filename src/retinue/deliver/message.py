"""What a message says: to whom, what changed, why, and what to do, with a link."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from retinue.store.work.outbox import Row


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one destination, before it has a form.

    `key` is its idempotency key (`retinue.store.work.outbox.key`). `subject` is one line. `recipient` is whom
    it is for, by name, and `address` their e-mail. `what` changed, `why` by its drivers, and what to `do`
    are plain text; `link` leads to the page about it. `data` goes to programs, as it is.
    """

    key: str
    kind: str
    subject: str
    what: str
    at: datetime
    why: tuple[str, ...] = ()
    do: tuple[str, ...] = ()
    link: str | None = None
    account_id: str | None = None
    account: str | None = None
    recipient: str | None = None
    address: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def web_link(self) -> str | None:
        """The link, where it is one that a browser follows to a page."""
        return self.link if self.link and self.link.startswith(("https://", "http://")) else None

    @property
    def more(self) -> str:
        """What changed, unless the subject says it already."""
        return "" if self.what.strip() == self.subject.strip() else self.what

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "at": self.at.isoformat()}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Message:
        """Raises KeyError, TypeError or ValueError for what is no message."""
        lists = {name: tuple(str(line) for line in told.get(name) or ()) for name in ("why", "do")}
        return cls(**{**told, **lists, "at": datetime.fromisoformat(told["at"])})

    def row(self, destination: str, *, due_at: datetime | None = None) -> Row:
        """As it goes into the outbox."""
        return Row(
            self.key, destination, self.kind, self.subject, self.to_dict(), due_at or self.at, self.account_id
        )


def some(lines: Sequence[str], most: int) -> list[str]:
    """The first of several lines, and how many more there are."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], f"and {len(lines) - most + 1} more"]


def one_line(text: str, most: int) -> str:
    """Without line breaks and other controls, and cut to `most` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def cut(text: str, most: int) -> str:
    """Cut to `most` characters; line breaks stay, other controls go."""
    kept = "".join(c for c in text if c == "\n" or c.isprintable())
    return kept if len(kept) <= most else kept[: most - 1].rstrip() + "…"
