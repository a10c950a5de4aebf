"""Commands for keys of programs, and for the log of who did what."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import click

from retinue.cli.options import DAY, as_json, in_project, now, print_json, settings_and_store
from retinue.cli.people import done, find, operator


@click.group()
def keys() -> None:
    """Keys of programs, which act as a person.

    \b
    Examples:
      retinue keys add nightly --person ann@example.com --scope read
      retinue keys list
    """


@keys.command("add")
@click.argument("name")
@click.option("--person", "email", required=True, metavar="EMAIL", help="As whom programs act with it.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(["read", "act", "admin"]),
    multiple=True,
    default=["read"],
    show_default=True,
    help="What they may do with it, as far as the person may; may be repeated.",
)
@click.option("--expires", type=DAY, help="Last day on which it is good; without it, no end.")
@in_project
@as_json
def add_key_(
    name: str, email: str, scopes: tuple[Any, ...], expires: date | None, root: Path, json_: bool
) -> None:
    """Make a key, and print it. It is kept nowhere: only its hash is.

    \b
    Example:
      retinue keys add nightly --person ann@example.com --scope read --expires 2027-01-31
    """
    from retinue.store.people.keys import add_key

    _, store = settings_and_store(root)
    found = find(store, email)
    number, secret = add_key(store, operator(), name, scopes, now=now(), expires_on=expires, person=found.id)
    _key(json_, number, secret)


@keys.command("list")
@click.option("--person", "email", metavar="EMAIL", help="Those of this person only.")
@in_project
@as_json
def list_keys(email: str | None, root: Path, json_: bool) -> None:
    """List keys, those that are over too.

    \b
    Example:
      retinue keys list --person ann@example.com
    """
    from retinue.cli.render import Column, Page, Table, day
    from retinue.store.people.keys import keys_of

    _, store = settings_and_store(root)
    whose = find(store, email).id if email else None
    found = keys_of(store, operator(), person=whose, everybody=whose is None)
    if json_:
        print_json([key.to_dict() for key in found])
        return
    page = Page()
    if not found:
        page.line("There is no key.")
        return
    table = Table(
        [
            Column("id"),
            Column("name", least=8),
            Column("person", least=10),
            Column("may"),
            Column("last used", rank=1),
            Column("ends"),
        ]
    )
    for key in found:
        ends = f"revoked {day(key.revoked_at.date())}" if key.revoked_at else day(key.expires_on)
        used = day(key.used_at.date()) if key.used_at else "never"
        table.add(key.id, key.name, key.email, ", ".join(key.scopes), used, ends)
    page.table(table)


@keys.command()
@click.argument("key")
@click.option(
    "--keep", type=click.IntRange(0, 365), default=7, show_default=True, help="Days that the old one goes on."
)
@in_project
@as_json
def replace(key: str, keep: int, root: Path, json_: bool) -> None:
    """Make a key that takes over from KEY (its id), and print it. The old one goes on for some days.

    \b
    Example:
      retinue keys replace 3f2a9c81d0b4 --keep 3
    """
    from retinue.store.people.keys import rotate_key

    _, store = settings_and_store(root)
    number, secret = rotate_key(store, operator(), key, now=now(), keep_days=keep)
    _key(json_, number, secret)


@keys.command()
@click.argument("key")
@in_project
@as_json
def revoke(key: str, root: Path, json_: bool) -> None:
    """End KEY (its id) at once.

    \b
    Example:
      retinue keys revoke 3f2a9c81d0b4
    """
    from retinue.store.people.keys import revoke_key

    _, store = settings_and_store(root)
    revoke_key(store, operator(), key, now=now())
    done(json_, {"id": key, "key": "revoked"}, f"Revoked: key {key}.")


@click.command()
@click.option("--who", help="Part of who did it.")
@click.option("--what", help="Part of what was done, such as override.")
@click.option("--subject", help="The account, or the e-mail of the person, that it was done to.")
@click.option("--since", type=DAY, help="First day, in UTC.")
@click.option("--until", type=DAY, help="Last day, in UTC.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many.")
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Those before this entry.")
@in_project
@as_json
def audit(
    since: date | None,
    until: date | None,
    limit: int,
    before: int | None,
    root: Path,
    json_: bool,
    **told: str | None,
) -> None:
    """Tell who did what, and when; the newest first.

    \b
    Examples:
      retinue audit --what override --since 2026-07-01
      retinue audit --who ann@example.com --json
    """
    from retinue.cli.render import Column, Page, Table
    from retinue.store.people.audit_log import audit_log

    _, store = settings_and_store(root)
    first = datetime.combine(since, time(), UTC) if since else None
    end = datetime.combine(until, time(), UTC) + timedelta(days=1) if until and until < date.max else None
    found = audit_log(store, operator(), since=first, until=end, limit=limit, after=before, **told)
    if json_:
        print_json([entry.to_dict() for entry in found])
        return
    page = Page()
    if not found:
        page.line("Nothing in the log matches.")
        return
    table = Table(
        [
            Column("id", right=True, rank=1),
            Column("when (UTC)"),
            Column("who", least=8),
            Column("what", least=8),
            Column("account or person", least=8),
        ]
    )
    for entry in found:
        when = f"{entry.said_at:%Y-%m-%d %H:%M:%S}"
        table.add(str(entry.id), when, entry.who, entry.what, entry.subject or "-")
    page.table(table)


def _key(json_: bool, number: str, secret: str) -> None:
    if json_:
        print_json({"id": number, "key": secret})
        return
    click.echo(secret)
    click.echo(
        f"This is key {number}, shown this once. Programs send it as `Authorization: Bearer ...`.", err=True
    )
