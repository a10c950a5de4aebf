"""What counts as usage, and whose usage is compared: the key `usage`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from retinue.project import conditions
from retinue.project.declaration import Declaration, Where
from retinue.project.sources import Source

#: Attributes that accounts are compared within, unless others are named.
PEERS = ("segment", "territory")


class Usage(Declaration):
    """What `retinue run` looks for anomalies in.

    `source` is by default the first of `facts` that names a `user`; without any, nothing is looked at.
    Each of its rows is one use, or only those for which `where` holds. `peers` names attributes: what
    happens to all accounts that are alike in them (a holiday, a season) is no anomaly of one. By default
    `segment` and `territory`, where accounts have them; with `[]`, all accounts are peers.
    """

    source: str | None = None
    where: Where | None = None
    peers: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Used:
    """The declaration with its defaults filled in."""

    source: str
    where: conditions.Condition | None
    peers: tuple[str, ...]


def used(usage: Usage, facts: Mapping[str, Source], attributes: Collection[str]) -> Used | None:
    """What is looked at; None where no source says who used something."""
    source = usage.source or next((name for name, one in facts.items() if one.user), None)
    if source is None:
        return None
    peers = usage.peers if usage.peers is not None else tuple(p for p in PEERS if p in attributes)
    return Used(source, usage.where, peers)
