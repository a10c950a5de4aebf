"""Commands of deliveries: how messages leave, what was given up, and how to set it right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from retinue.cli.options import as_json, in_project, now, print_json, settings_and_store
from retinue.cli.people import done, operator


@click.group()
def deliveries() -> None:
    """See how messages leave, and set right what does not.

    \b
    Examples:
      retinue deliveries list
      retinue deliveries dead
      retinue deliveries replay --all team_slack
      retinue deliveries test team_slack
    """


@deliveries.command("list")
@in_project
@as_json
def list_(root: Path, json_: bool) -> None:
    """List the destinations, and how each is doing.

    \b
    Examples:
      retinue deliveries list
    """
    from retinue.cli.render import Column, Page, Table
    from retinue.desk.deliveries import deliveries as read
    from retinue.workspace import open_workspace

    found = read(open_workspace(root), operator(), now=now(), limit=1).places
    if json_:
        print_json([dataclasses.asdict(one) for one in found])
        return
    page = Page()
    if not found:
        page.line("No destination is declared: see `destinations` in the reference of retinue.yaml.")
        return
    table = Table(
        [
            Column("destination"),
            Column("by"),
            Column("state"),
            Column("waiting", right=True),
            Column("sent", right=True),
            Column("given up", right=True),
            Column("why", least=12, rank=1),
        ]
    )
    for one in found:
        told = one.told
        table.add(
            one.name,
            one.channel or "-",
            one.state,
            str(told.waiting),
            str(told.sent),
            str(told.dead),
            told.reason or "-",
        )
    page.table(table)


@deliveries.command()
@in_project
@click.option("--destination", help="Given up for this one only.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most."
)
@as_json
def dead(root: Path, destination: str | None, limit: int, json_: bool) -> None:
    """List messages that were given up, the newest first.

    \b
    Examples:
      retinue deliveries dead --destination team_slack
    """
    from retinue.cli.render import Column, Page, Table
    from retinue.store.work.outbox import dead as given_up

    _, store = settings_and_store(root)
    found = given_up(store, operator(), destination=destination, limit=limit)
    if json_:
        print_json([dataclasses.asdict(one) for one in found])
        return
    page = Page()
    if not found:
        page.line("No message was given up.")
        return
    table = Table(
        [
            Column("given up"),
            Column("destination"),
            Column("message", least=20),
            Column("why", least=16),
            Column("id", rank=1),
        ]
    )
    for one in found:
        table.add(f"{one.dead_at:%Y-%m-%d}", one.destination, one.subject, one.last_error or "-", one.id)
    page.table(table)


@deliveries.command()
@click.argument("message", required=False)
@in_project
@click.option("--all", "every", metavar="DESTINATION", help="All that were given up for this destination.")
@as_json
def replay(message: str | None, root: Path, every: str | None, json_: bool) -> None:
    """Send once more what was given up; a worker delivers it.

    MESSAGE is an id that `retinue deliveries dead` lists.

    \b
    Examples:
      retinue deliveries replay msg_0f3a...
      retinue deliveries replay --all team_slack
    """
    from retinue.store.work.outbox import replay as replay_one
    from retinue.store.work.outbox import replay_all

    if (message is None) == (every is None):
        raise click.UsageError("name a message, or --all with a destination")
    _, store = settings_and_store(root)
    if every is not None:
        count = replay_all(store, operator(), every, now=now())
        done(json_, {"destination": every, "messages": count}, f"{count} messages are on their way.")
    else:
        assert message is not None
        replay_one(store, operator(), message, now=now())
        done(json_, {"id": message, "messages": 1}, "It is on its way once more.")


@deliveries.command()
@click.argument("destination")
@in_project
@as_json
def enable(destination: str, root: Path, json_: bool) -> None:
    """Send to a destination again that was disabled.

    \b
    Examples:
      retinue deliveries enable team_slack
    """
    from retinue.store.work.destinations import enable as again

    _, store = settings_and_store(root)
    again(store, operator(), destination, now=now())
    done(json_, {"destination": destination}, f"{destination} is sent to again.")


@deliveries.command("test")
@click.argument("destination")
@in_project
@as_json
def test_destination(destination: str, root: Path, json_: bool) -> None:
    """Put a test message on its way: a worker delivers it as any other.

    \b
    Examples:
      retinue deliveries test team_slack
    """
    from retinue.desk.deliveries import test
    from retinue.workspace import open_workspace

    test(open_workspace(root), operator(), destination, now=now())
    done(json_, {"destination": destination}, f"A test message to {destination} is on its way.")
