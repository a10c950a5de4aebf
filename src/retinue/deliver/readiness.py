"""Whether what destinations need is there, before anything has to be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from retinue.deliver.failures import NotDelivered
from retinue.deliver.outside import Outside
from retinue.project.declaration import Declaration
from retinue.project.destinations import Destination
from retinue.project.serving import Secret


def lacking(destinations: Mapping[str, Destination], outside: Outside) -> Iterator[tuple[str, str]]:
    """Names of destinations with a secret that is not there, and what is the matter."""
    for name, destination in destinations.items():
        for named in _secrets(destination.channel):
            try:
                outside.secret(named)
            except NotDelivered as error:
                yield name, error.message


def _secrets(told: Any) -> Iterator[Secret]:
    if isinstance(told, Secret):
        yield told
    elif isinstance(told, Declaration):
        for field in type(told).model_fields:
            yield from _secrets(getattr(told, field))
    elif isinstance(told, tuple):
        for one in told:
            yield from _secrets(one)
