"""Rules about links to other systems: what stands in their braces is known of an account or a person."""

from __future__ import annotations

import string
from collections.abc import Iterable

from retinue.project.rules import View


def links(view: View) -> None:
    """`link` of accounts names attributes, `link` of people names their columns."""
    settings = view.project.settings
    if settings.accounts.link is not None and view.reads("accounts"):
        _named(view, "accounts", settings.accounts.link, ["account_id", *settings.accounts.columns])
    told = settings.people
    if told is not None and told.link is not None and view.reads("people"):
        role = ["role"] if told.role else []
        _named(view, "people", told.link, ["account_id", "person", *role, *told.columns])


def _named(view: View, key: str, template: str, known: Iterable[str]) -> None:
    allowed = list(dict.fromkeys(known))
    for _, name, _, _ in string.Formatter().parse(template):
        if name is not None and name not in allowed:
            view.error(
                ("settings", key, "link"),
                f'"{name[:60]}" in the link is nothing that is known of {key}',
                "one of " + ", ".join(allowed),
            )
