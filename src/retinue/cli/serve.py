"""The command that starts the server."""

from __future__ import annotations

import ipaddress
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retinue.cli.options import in_project, now
from retinue.errors import RetinueError

if TYPE_CHECKING:
    from collections.abc import Callable

    from retinue.project.serving import Serve
    from retinue.store.people.access import Actor
    from retinue.workspace import Workspace


@click.command()
@in_project
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0: one that is free.  [default: 8321]"
)
@click.option("--log-format", type=click.Choice(["json", "text"]), help="How the log is written.")
@click.option(
    "--worker/--no-worker",
    default=None,
    help="Do what is due too: runs by the clock, alerts, playbooks, messages.  [default: yes]",
)
@click.option("--open/--no-open", "open_", default=False, help="Open it in the browser.")
@click.option("--demo", is_flag=True, help="Whoever comes from this machine sees and may do everything.")
@click.option("--beside", type=int, hidden=True, help="Socket to answer at beside another process.")
@click.option("--open-as", metavar="EMAIL", help="Whoever comes from this machine is that person.")
def serve(
    root: Path,
    host: str | None,
    port: int | None,
    log_format: str | None,
    worker: bool | None,
    open_: bool,
    demo: bool,
    beside: int | None,
    open_as: str | None,
) -> None:
    """Serve the pages and the API until Ctrl-C or SIGTERM, and do what is due meanwhile.

    What `retinue work` does is done in a process beside the server.

    How it is set up stands under `serve` in retinue.yaml, or in the environment, such as
    RETINUE_SERVE__PORT. The log goes to stdout. SIGHUP reads the project again.

    \b
    Examples:
      retinue serve                           on this machine, for people who sign in
      retinue serve --demo --open             on this machine, for whoever sits at it
      RETINUE_SERVE__HOST=0.0.0.0 RETINUE_SERVE__ADDRESS=https://retinue.example.com retinue serve
    """
    from retinue.project.serving import serve_settings
    from retinue.workspace import open_workspace

    if demo and open_as:
        raise click.UsageError("--demo and --open-as are two ways of the same; take one")
    workspace = open_workspace(root)
    flags = {"host": host, "port": port, "log_format": log_format, "worker": worker}
    settings = serve_settings(workspace.project.settings.serve, os.environ, flags, root)
    opened = _opened(workspace, demo, open_as)
    if beside is not None:
        _answer_beside(workspace, settings, beside, opened)
        return
    as_whom = ["--demo"] if demo else ["--open-as", open_as] if open_as else []
    run(workspace, settings, open_as=opened, browser=open_, as_whom=as_whom)


def run(
    workspace: Workspace,
    settings: Serve,
    *,
    open_as: Actor | None,
    browser: bool,
    as_whom: Sequence[str] = (),
) -> None:
    """Serve until the process is told to stop. Raises RetinueError where it cannot begin.

    `as_whom` is what the command line says of that, for the other processes that answer.
    """
    with _counted_together(settings.processes):
        _run(workspace, settings, open_as=open_as, browser=browser, as_whom=as_whom)


def _run(
    workspace: Workspace, settings: Serve, *, open_as: Actor | None, browser: bool, as_whom: Sequence[str]
) -> None:
    from retinue.serve.app import serving
    from retinue.serve.company import Company, answering_command, worker_command
    from retinue.serve.logs import set_up
    from retinue.serve.process import bound
    from retinue.serve.process import serve as answer

    if open_as is not None and not _loopback(settings.host):
        raise RetinueError(
            f"whoever reaches {settings.host} would come in without signing in",
            hint="--demo and --open-as are for 127.0.0.1 only",
        )
    form = settings.log_format
    if "log_format" not in settings.model_fields_set and sys.stdout.isatty():
        form = "text"
    set_up(form)
    listening = bound(settings)
    company = Company(worker_command(workspace.project.root, form)) if settings.worker else None
    number, flags = listening.fileno(), ("--host", settings.host, "--log-format", form, *as_whom)
    command = answering_command(workspace.project.root, number, flags)
    others = [
        Company(command, what="a process that answers", passes=[number]) for _ in range(1, settings.processes)
    ]
    served = serving(settings, workspace, _clock(), open_as=open_as, company=company, others=others)
    host, port = listening.getsockname()[:2]
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
    address = f"http://{name}:{port}"

    def ready() -> None:
        for line in said(workspace, settings, address, open_as, now()):
            click.echo(line, err=True)
        if browser:
            _open(address)

    answer(served, listening, ready)


def _answer_beside(workspace: Workspace, settings: Serve, listening: int, open_as: Actor | None) -> None:
    """What the other processes do: answer at the socket that they inherit, and nothing else."""
    import socket

    from retinue.serve.app import serving
    from retinue.serve.logs import set_up
    from retinue.serve.process import serve as answer

    os.environ.pop("NOTIFY_SOCKET", None)  # the process that started this one tells how the server is
    set_up(settings.log_format)
    served = serving(settings, workspace, _clock(), open_as=open_as, ahead=False)
    answer(served, socket.socket(fileno=listening))


@contextmanager
def _counted_together(processes: int) -> Iterator[None]:
    """Where several processes answer, what each counts is added up; the library looks when it is loaded."""
    if processes == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="retinue-measures-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]


def said(
    workspace: Workspace, settings: Serve, address: str, open_as: Actor | None, moment: datetime
) -> list[str]:
    """What whoever starts the server should know."""
    from retinue.store.upkeep.standing import standing

    told = standing(workspace.store, moment)
    lines = [f"Retinue serves {workspace.project.settings.project} on {address}"]
    if settings.address is not None:
        lines.append(f"  people reach it as {settings.address}")
    if told.run is None:
        lines.append("  nothing is published yet: `retinue run`; the pages show it as soon as it is there")
    else:
        lines.append(f"  scores up to {told.run.last_as_of}, {told.run.accounts:,} accounts")
    if open_as is not None:
        lines.append(f"  whoever comes from this machine is {open_as.name}, without signing in")
    elif told.people == 0 and settings.oidc is None:
        lines.append("  nobody can sign in yet: `retinue people add EMAIL --role admin`")
    lines.append("Ctrl-C stops it.")
    return lines


def _opened(workspace: Workspace, demo: bool, open_as: str | None) -> Actor | None:
    from retinue.store.people.access import OPERATOR, Actor
    from retinue.store.people.people import actor_of, find_person

    if open_as is not None:
        return actor_of(workspace.store, find_person(workspace.store, OPERATOR, open_as))
    return Actor("demo") if demo else None


def _clock() -> Callable[[], datetime]:
    """RETINUE_NOW stands still where it is set, for pages that must repeat."""
    return now


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _open(address: str) -> None:
    import threading
    import webbrowser

    opener: Any = threading.Thread(target=webbrowser.open, args=(address,), daemon=True)
    opener.start()
