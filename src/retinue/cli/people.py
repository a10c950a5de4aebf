"""Commands for whoever lets people in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retinue.cli.options import as_json, in_project, now, person, print_json, settings_and_store
from retinue.errors import StoreError

if TYPE_CHECKING:
    from retinue.project.project import Project
    from retinue.store.database import Store
    from retinue.store.people.access import Actor
    from retinue.store.people.people import Person
    from retinue.store.work.several import Changed

ROLES = ("admin", "ops", "leader", "csm", "reader")
VIEWS = ("everything", "team", "own")


def _person_options(command: Any) -> Any:
    """What can be said of a person."""
    options = (
        click.option("--name", help="What they are called."),
        click.option("--role", type=click.Choice(ROLES), help="What they may do."),
        click.option("--sees", type=click.Choice(VIEWS), help="Which accounts they see."),
        click.option("--team", help="Their team; whoever sees the team's accounts sees theirs."),
        click.option("--territory", "territories", multiple=True, help="One that they see; may be repeated."),
        click.option(
            "--owner",
            "owners",
            multiple=True,
            help="Their name as owner of accounts; may be repeated. By default their e-mail and name.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _password_options(command: Any) -> Any:
    """How a password is given: nothing secret stands in a command's arguments."""
    command = click.option(
        "--generate",
        is_flag=True,
        help="Make up and print a password; with it they choose their own, within a week.",
    )(command)
    return click.option("--stdin", is_flag=True, help="Read the password from standard input.")(command)


@click.group()
def people() -> None:
    """Let people in, change what they see and may do, keep them out.

    \b
    Examples:
      retinue people add ann@example.com --admin
      retinue people add bob@example.com --role csm --team north --territory EMEA
      retinue people list
    """


@people.command()
@click.argument("email")
@in_project
@_person_options
@click.option("--admin", "role", flag_value="admin", help="The same as --role admin.")
@click.option("--elsewhere", is_flag=True, help="They may sign in at the provider of `serve.oidc`.")
@_password_options
@as_json
def add(
    email: str, root: Path, *, elsewhere: bool, stdin: bool, generate: bool, json_: bool, **told: Any
) -> None:
    """Let a person in.

    The password is asked for; with --elsewhere there is none unless it is given. Roles: admin lets
    people in, ops reads the audit log, leader assigns and overrides, csm acts, reader reads. All but csm
    see everything where --sees says nothing else; csm see their team's accounts.

    \b
    Examples:
      retinue people add ann@example.com --name "Ann Lee" --admin
      retinue people add bob@example.com --role csm --team north --territory EMEA --generate
      retinue people add cleo@example.com --role leader --elsewhere
    """
    from retinue.signin.passwords import GIVEN_DAYS
    from retinue.store.people.people import add_person, email_of

    project, store = settings_and_store(root)
    email = email_of(email)
    name = told.pop("name") or email.partition("@")[0]
    role: Any = told.pop("role") or "csm"
    owners = told.pop("owners") or None
    issuer = _issuer(project) if elsewhere else None
    password = None
    if not elsewhere or stdin or generate:
        _free(store, email)
        password = _password(email, name, stdin, generate)
    number = add_person(
        store,
        operator(),
        email,
        name,
        role,
        now=now(),
        owners=owners,
        password_hash=password[1] if password else None,
        password_days=GIVEN_DAYS if generate else None,
        issuer=issuer,
        **told,
    )
    said = {"id": number, "email": email, "role": role}
    done(json_, said, f"{email} may come in as {role}.", password[0] if generate and password else None)


@people.command("list")
@in_project
@as_json
def list_(root: Path, json_: bool) -> None:
    """List everybody who was let in.

    \b
    Example:
      retinue people list
    """
    from retinue.cli.render import Column, Page, Table, day
    from retinue.store.people.people import people_list

    _, store = settings_and_store(root)
    found = people_list(store, operator())
    if json_:
        print_json([one.to_dict() for one in found])
        return
    page = Page()
    if not found:
        page.line("Nobody was let in yet: `retinue people add EMAIL --admin`.")
        return
    table = Table(
        [
            Column("person", least=12),
            Column("e-mail", least=12),
            Column("role"),
            Column("sees", rank=1),
            Column("team", least=6, rank=2),
            Column("territories", least=8, rank=3),
            Column("signs in"),
        ]
    )
    for one in found:
        ways = [
            *(["with a password"] if one.has_password else []),
            *((["elsewhere"] if one.subject else ["elsewhere, not yet"]) if one.issuer else []),
        ]
        way = f"disabled {day(one.disabled_at.date())}" if one.disabled_at else ", ".join(ways) or "not yet"
        table.add(
            one.name, one.email, one.role, one.sees, one.team or "-", ", ".join(one.territories) or "-", way
        )
    page.table(table)


@people.command()
@click.argument("email")
@in_project
@_person_options
@click.option("--email", "new_email", help="Their new e-mail.")
@click.option("--no-team", is_flag=True, help="They are in no team any more.")
@click.option("--no-territories", is_flag=True, help="They see no territory any more.")
@click.option("--elsewhere/--not-elsewhere", default=None, help="Whether they may sign in at the provider.")
@as_json
def change(
    email: str,
    root: Path,
    *,
    new_email: str | None,
    no_team: bool,
    no_territories: bool,
    elsewhere: bool | None,
    json_: bool,
    **told: Any,
) -> None:
    """Change what a person sees and may do; what is not named stays.

    Another role or view signs them out.

    \b
    Examples:
      retinue people change bob@example.com --role leader --sees everything
      retinue people change bob@example.com --territory EMEA --territory APAC
    """
    from retinue.store.people.people import change_person

    project, store = settings_and_store(root)
    changes = {name: value for name, value in told.items() if value}
    changes |= {"email": new_email} if new_email else {}
    changes |= {"team": None} if no_team else {}
    changes |= {"territories": ()} if no_territories else {}
    if elsewhere is not None:
        changes["issuer"] = _issuer(project) if elsewhere else None
    if not changes:
        raise click.UsageError("nothing to change was named")
    found = find(store, email)
    change_person(store, operator(), found.id, now=now(), **changes)
    after = find(store, str(found.id))
    done(json_, after.to_dict(), f"Changed: {after.email}.")


@people.command()
@click.argument("email")
@in_project
@as_json
def disable(email: str, root: Path, json_: bool) -> None:
    """Keep a person out. Their sessions and keys end; what they said stays.

    \b
    Example:
      retinue people disable bob@example.com
    """
    from retinue.store.people.people import disable_person

    _, store = settings_and_store(root)
    found = find(store, email)
    disable_person(store, operator(), found.id, now=now())
    done(json_, {"id": found.id, "disabled": found.email}, f"{found.email} is kept out.")


@people.command()
@click.argument("email")
@in_project
@as_json
def enable(email: str, root: Path, json_: bool) -> None:
    """Let a person in again. Their sessions and keys stay ended.

    \b
    Example:
      retinue people enable bob@example.com
    """
    from retinue.store.people.people import enable_person

    _, store = settings_and_store(root)
    found = find(store, email)
    enable_person(store, operator(), found.id, now=now())
    done(json_, {"id": found.id, "enabled": found.email}, f"{found.email} may come in again.")


@people.command()
@click.argument("email")
@in_project
@_password_options
@click.option("--remove", is_flag=True, help="They have no password any more.")
@as_json
def password(email: str, root: Path, *, stdin: bool, generate: bool, remove: bool, json_: bool) -> None:
    """Give a person another password, which is asked for. It signs them out everywhere.

    \b
    Examples:
      retinue people password ann@example.com
      retinue people password ann@example.com --generate
    """
    from retinue.signin.passwords import GIVEN_DAYS
    from retinue.store.people.people import set_password

    _, store = settings_and_store(root)
    found = find(store, email)
    given = None if remove else _password(found.email, found.name, stdin, generate)
    days = GIVEN_DAYS if generate else None
    set_password(store, operator(), found.id, given[1] if given else None, now=now(), days=days)
    text = f"{found.email} has no password any more." if remove else f"{found.email} has another password."
    done(json_, {"id": found.id, "email": found.email}, text, given[0] if generate and given else None)


def operator() -> Actor:
    """Whoever has the files, by their name on this machine."""
    from retinue.store.people.access import Actor

    return Actor(person())


def find(store: Store, email: str) -> Person:
    """The person of that e-mail or number. Raises NotFound."""
    from retinue.store.people.people import find_person

    return find_person(store, operator(), int(email) if email.isascii() and email.isdigit() else email)


def _free(store: Store, email: str) -> None:
    """Whoever is asked for a password should not be told afterwards that it was for nothing."""
    from retinue.store.people.people import who_signs_in

    if who_signs_in(store, email=email) is not None:
        raise StoreError(f"there is a person with the e-mail {email} already", hint="`retinue people change`")


def _issuer(project: Project) -> str:
    from retinue.project.serving import serve_settings

    oidc = serve_settings(project.settings.serve, os.environ, None, project.root).oidc
    if oidc is None:
        raise StoreError(
            "no provider is declared", hint="`serve.oidc` in retinue.yaml says where people sign in"
        )
    return oidc.issuer


def _password(email: str, name: str, stdin: bool, generate: bool) -> tuple[str, str]:
    """A password and how it is kept."""
    from retinue.signin.passwords import check_new, hashed, made_up

    if generate:
        made = made_up()
        return made, hashed(made)
    if stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        given = click.prompt("Password", hide_input=True, confirmation_prompt="Again", err=True)
    else:
        raise click.UsageError("there is no terminal to ask for a password: use --stdin or --generate")
    return given, check_new(given, email=email, name=name)


def done(json_: bool, said: dict[str, Any], text: str, secret: str | None = None) -> None:
    """Say what was done; a password that was made up is said once."""
    if json_:
        print_json({**said, **({"password": secret} if secret else {})})
        return
    click.echo(text)
    if secret:
        click.echo(
            f"Their password, shown this once, with which they choose their own within a week: {secret}"
        )


def told_of_each(json_: bool, found: Changed, noun: str, what: str) -> None:
    """What became of several of them; what could not be done goes to stderr, line by line."""
    if json_:
        print_json(found.to_dict())
    else:
        for number in found.changed:
            click.echo(f"{noun} {number} is {what}.")
        for why in found.refused.values():
            click.echo(f"error: {why}", err=True)
    if found.refused:
        raise click.exceptions.Exit(1)
