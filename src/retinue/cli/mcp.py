"""The command that serves an assistant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from retinue.cli.options import in_project, now
from retinue.errors import RetinueError

if TYPE_CHECKING:
    from retinue.mcp.session import As, Key

#: The variable that holds the key.
VARIABLE = "RETINUE_KEY"


@click.command()
@in_project
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File with the key of a person.  [default: the variable {VARIABLE}]",
)
@click.option("--as", "email", metavar="EMAIL", help="Act as this person, without a key.")
@click.option("--allow-writes", is_flag=True, help="Also let it write notes and complete tasks.")
def mcp(root: Path, key_file: Path | None, email: str | None, allow_writes: bool) -> None:
    """Serve an assistant over the Model Context Protocol, on standard input and output.

    An assistant starts this command itself. It sees what the person of the key sees, and reads only
    unless told otherwise. Standard output has nothing but the protocol; the log goes to stderr.

    \b
    Examples:
      RETINUE_KEY=rtn_... retinue mcp -C company
      retinue mcp -C company --key-file /run/secrets/retinue-key
      retinue mcp -C company --as ann@example.com --allow-writes
    """
    if key_file is not None and email is not None:
        raise click.UsageError("--key-file and --as are two ways of the same; take one")
    try:
        import mcp as _  # noqa: F401 - to say early, and in words, that it is not there
    except ImportError:
        raise RetinueError(
            "the SDK of the Model Context Protocol is not installed", hint="pip install 'retinue[mcp]'"
        ) from None
    who = _who(key_file, email)
    _logging()

    from retinue.mcp.session import Session
    from retinue.project.load import load
    from retinue.project.serving import serve_settings
    from retinue.store.database import open_store

    project = load(root, os.environ)
    settings = serve_settings(project.settings.serve, os.environ, {}, root)
    session = Session(
        project,
        open_store(project.store_url),
        who,
        now,
        dict(os.environ),
        writes=allow_writes,
        records_use=settings.record_use,
    )
    actor = session.actor(now())  # whoever may not come in is told now, and not by the first tool
    if allow_writes and not actor.may("act"):
        click.echo(f"{actor.name} may not write, so --allow-writes changes nothing", err=True)
    writes = "reads and writes" if allow_writes else "reads only"
    click.echo(f"Retinue serves an assistant as {actor.name}, which {writes}.", err=True)

    from retinue.mcp.server import serve

    serve(session)


def _who(key_file: Path | None, email: str | None) -> Key | As:
    from retinue.mcp.session import As, Key

    # Nothing that this process starts has to know it.
    secret = os.environ.pop(VARIABLE, "").strip()
    if email is not None:
        return As(email)
    if key_file is not None:
        try:
            secret = key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise RetinueError(f"{key_file}: the key cannot be read") from None
    if not secret:
        raise RetinueError(
            f"nobody says who asks: neither {VARIABLE} nor --key-file nor --as",
            hint="make a key with `retinue keys add assistant --person EMAIL --scope read`, "
            "or name a person with --as EMAIL",
        )
    return Key(secret)


def _logging() -> None:
    import logging
    import sys

    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("retinue.mcp").setLevel(logging.INFO)
