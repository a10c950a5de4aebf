"""The worker from the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import click

from retinue.cli.options import as_json, in_project, now, print_json, quietly


@click.command()
@in_project
@click.option("--once", is_flag=True, help="Do what is due, and end.")
@click.option(
    "--log-format", type=click.Choice(["json", "text"]), help="Say what is done as a log, as the server does."
)
@quietly
@as_json
def work(
    root: Path, once: bool, log_format: Literal["json", "text"] | None, quiet: bool, json_: bool
) -> None:
    """Do what is due: scheduled runs, alerts, playbooks, messages; until Ctrl-C or SIGTERM.

    `retinue serve` does this beside the pages. When accounts are scored stands under `work` in
    retinue.yaml; without it they are not, and `retinue run` is yours to call. Any number of workers may
    run: none does what another one does. SIGHUP reads the project again, as a new run does.

    \b
    Examples:
      retinue work                 until it is stopped
      retinue work --once          one look around, from a scheduler of your own
    """
    import signal

    from retinue.deliver import Outside
    from retinue.worker.working import Ticked, Worker
    from retinue.worker.working import work as loop
    from retinue.workspace import open_workspace

    if log_format is not None:
        from retinue.serve.logs import set_up

        set_up(log_format)

    workspace = open_workspace(root)
    worker = Worker(workspace, now, Outside(workspace.project.root, os.environ))
    if once:
        try:
            done = worker.tick()
        finally:
            worker.leave()
        _told(done, quiet=quiet, json_=json_)
        return
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: worker.stop.set())
    signal.signal(signal.SIGHUP, lambda *_: worker.again.set())

    def told(done: Ticked) -> None:
        if log_format is None:
            _told(done, quiet=quiet, json_=json_)
        else:
            _logged(done)

    loop(worker, told=told)


def _logged(done: Any) -> None:
    import logging

    from retinue.serve.logs import told

    facts = {name: value for name, value in done.to_dict().items() if name != "delivered" and value}
    sent = {name: value for name, value in done.delivered.to_dict().items() if value}
    told(logging.getLogger("retinue.worker"), "worked", **facts, **sent)


def _told(done: Any, *, quiet: bool, json_: bool) -> None:
    if json_:
        print_json(done.to_dict())
    elif not quiet:
        sent = done.delivered
        parts = [
            f"ran: {done.ran}" if done.ran else "",
            f"{done.alerts} alerts" if done.alerts else "",
            f"{done.enrolments} accounts into playbooks" if done.enrolments else "",
            f"{done.tasks} tasks" if done.tasks else "",
            f"{sent.sent} messages sent" if sent.sent else "",
            f"{sent.retried} to be tried again" if sent.retried else "",
            f"{sent.dead} given up" if sent.dead else "",
        ]
        click.echo(", ".join(part for part in parts if part) or "nothing was due")
