"""One module per channel, under the name that it has in the YAML."""

from __future__ import annotations

import importlib
from datetime import datetime
from typing import Any, Protocol, cast

from retinue.deliver.message import Message
from retinue.deliver.outside import Outside
from retinue.project.destinations import Destination


class Channel(Protocol):
    """What a module of this package is."""

    @staticmethod
    def send(channel: Any, message: Message, outside: Outside, now: datetime) -> str | None: ...


def send(destination: Destination, message: Message, outside: Outside, now: datetime) -> str | None:
    """Send by the channel of a destination; a note where it was not whole. Raises NotDelivered."""
    module = importlib.import_module(f"{__name__}.{destination.kind}")
    return cast("Channel", module).send(destination.channel, message, outside, now)
